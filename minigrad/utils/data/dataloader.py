"""`DataLoader`: batches from a data set, in an order. (PyTorch: torch.utils.data.DataLoader)

Before it: `dataset.py` (what there is), `sampler.py` (in which order), `collate.py` (how examples become a batch).

Everything is loaded in this process, when the batch is asked for. ``num_workers`` and what belongs to it are checked as
PyTorch checks them and then change nothing: for arrays in memory a batch costs microseconds, less than passing it from
one process to another. Seeds give the order they give in PyTorch, whatever ``num_workers`` is.
"""

from __future__ import annotations

import itertools
import math
import warnings

import numpy as np

from minigrad.tensor import wrap
from minigrad.utils.data.collate import default_collate, default_convert
from minigrad.utils.data.dataset import IterableDataset, Subset, TensorDataset, examples
from minigrad.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler, draw_seed

__all__ = ["DataLoader", "get_worker_info"]


def get_worker_info():
    """None: this is the main process, as data are always loaded there. An iterable data set that splits its work
    between workers gives all of it."""
    return


class DataLoader:
    """Goes through a data set in batches, each time it is iterated.

    Args:
        dataset (Dataset): has ``__getitem__`` and ``__len__``, or is an `IterableDataset`.
        batch_size (int | None): examples to a batch; None gives single examples, not collated.
        shuffle (bool): a new random order in each epoch.
        sampler (Sampler or iterable): gives the indices, instead of `shuffle`.
        batch_sampler (Sampler or iterable): gives lists of indices, instead of `batch_size`, `shuffle`, `sampler` and
            `drop_last`.
        num_workers, timeout, worker_init_fn, multiprocessing_context, prefetch_factor, persistent_workers, in_order:
            checked, and otherwise without effect (see the top of the file).
        pin_memory, pin_memory_device: without effect on a CPU.
        collate_fn (Callable): makes a batch of a list of examples; `default_collate` if None.
        drop_last (bool): leave out the last batch if it is smaller.
        generator (Generator, optional): the source of randomness; the default generator if None.

    Raises:
        ValueError: options that exclude each other, or are out of range.
    """

    _fixed = False

    def __init__(
        self, dataset, batch_size=1, shuffle=None, sampler=None, batch_sampler=None, num_workers=0, collate_fn=None,
        pin_memory=False, drop_last=False, timeout=0, worker_init_fn=None, multiprocessing_context=None,
        generator=None, *, prefetch_factor=None, persistent_workers=False, pin_memory_device="", in_order=True,
    ) -> None:  # fmt: skip
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers, multiprocessing_context)
        self._is_iterable = isinstance(dataset, IterableDataset)
        if self._is_iterable:
            for name, value in (("shuffle", shuffle or None), ("sampler", sampler), ("batch_sampler", batch_sampler)):
                if value is not None:
                    raise ValueError(
                        f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}"
                    )
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")

        if sampler is None:
            if self._is_iterable:
                sampler = itertools.repeat(None)  # stands for "the next one"
            else:
                sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)

        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.drop_last = drop_last
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.generator = generator
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.persistent_workers = persistent_workers
        self.in_order = in_order
        self._announced = None  # the length that an iterable data set claimed
        self._fixed = True

    def __setattr__(self, name, value):
        if self._fixed and name in (
            "batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers"
        ):  # fmt: skip
            raise ValueError(f"{name} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(name, value)

    def __len__(self):
        """The number of batches (for an iterable data set: by the length it gives)."""
        if not self._is_iterable:
            return len(self.sampler if self.batch_sampler is None else self.batch_sampler)
        length = self._announced = len(self.dataset)
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else math.ceil(length / self.batch_size)

    def __iter__(self):
        indices = iter(self.sampler if self.batch_sampler is None else self.batch_sampler)
        # PyTorch draws a seed for its workers here, from which shuffles drawn later would differ if it were not drawn.
        draw_seed(self.generator)
        if self._is_iterable:
            return self._stream(iter(self.dataset))
        return self._batches(indices)

    def _batches(self, indices):
        dataset, collate = self.dataset, self.collate_fn
        if self.batch_sampler is None:
            for index in indices:
                yield collate(dataset[index])
            return
        gather = gathering(dataset) if collate is default_collate else None
        for batch in indices:
            if gather is not None and set(map(type, batch)) == {int}:
                yield gather(batch)
            else:
                yield collate(examples(dataset, batch))

    def _stream(self, stream):
        given = 0
        while True:
            if self.batch_size is None:
                batch = list(itertools.islice(stream, 1))
            else:
                batch = list(itertools.islice(stream, self.batch_size))
            if not batch or (self.drop_last and len(batch) < self.batch_size):
                return
            given += 1
            if self._announced is not None and given > self._announced:
                warnings.warn(
                    f"Length of IterableDataset {self.dataset} was reported to be {self._announced} (when accessing "
                    f"len(dataloader)), but {given} samples have been fetched.",
                    stacklevel=2,
                )
            yield self.collate_fn(batch[0] if self.batch_size is None else batch)


def gathering(dataset):
    """For data sets that are rows of tensors: a function from a list of ints to the collated batch, one indexing per
    tensor; with the result, but not the cost, of collating the rows one by one. None for all other data sets."""
    if type(dataset) is Subset and isinstance(dataset.indices, list | tuple | range):
        whole, chosen = gathering(dataset.dataset), dataset.indices
        return whole and (lambda batch: whole([chosen[i] for i in batch]))
    if type(dataset) is not TensorDataset or any(t.requires_grad or not t.ndim for t in dataset.tensors):
        return None
    # `take` copies the whole of an array that is not contiguous; indexing does not, but its result may not be either.
    sources = [
        (lambda rows, a=t.array: a.take(rows, 0)) if t.array.flags.c_contiguous
        else (lambda rows, a=t.array: np.array(a[rows], order="C"))
        for t in dataset.tensors
    ]  # fmt: skip

    def gather(batch):
        rows = np.array(batch)
        return [wrap(source(rows)) for source in sources]

    return gather


def _check_workers(num_workers, timeout, prefetch_factor, persistent_workers, multiprocessing_context):
    if num_workers < 0:
        raise ValueError(
            "num_workers option should be non-negative; use num_workers=0 to disable multiprocessing. "
            f"Got num_workers={num_workers}"
        )
    if timeout < 0:
        raise ValueError(f"timeout option should be non-negative, but got timeout={timeout}")
    if num_workers == 0:
        for name, value in (("prefetch_factor", prefetch_factor), ("multiprocessing_context", multiprocessing_context)):
            if value is not None:
                raise ValueError(f"{name} option needs num_workers > 0, but got {name}={value} and num_workers=0")
        if persistent_workers:
            raise ValueError("persistent_workers option needs num_workers > 0")
    elif prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError("prefetch_factor option should be non-negative")
