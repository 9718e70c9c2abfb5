"""`DataLoader`: batches from a data set, in an order. (PyTorch: torch.utils.data.DataLoader)

Before it: `dataset.py` (what there is), `sampler.py` (in which order), `_utils/collate.py` (how examples become a
batch), `_utils/fetch.py` (from indices to a batch), `workers.py` (the same in other processes).

With ``num_workers=0`` a batch is made in this process when it is asked for: for arrays in memory that costs
microseconds, less than passing it from one process to another. Workers pay where an example is work: files, decoding,
transforms. Seeds give the order that they give in PyTorch, and in workers the random numbers too.
"""

from __future__ import annotations

import itertools
import math
import multiprocessing
import os
import types
import warnings
from multiprocessing.context import BaseContext

from minigrad.utils.data._utils.collate import default_collate, default_convert
from minigrad.utils.data._utils.fetch import fetcher
from minigrad.utils.data._utils.worker import get_worker_info
from minigrad.utils.data.dataset import IterableDataset
from minigrad.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler, draw_seed
from minigrad.utils.data.workers import Workers

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]


class DataLoader:
    """Goes through a data set in batches, each time it is iterated.

    Args:
        dataset (Dataset): has ``__getitem__`` and ``__len__``, or is an `IterableDataset`.
        batch_size (int | None): examples to a batch; None gives single examples, not collated.
        shuffle (bool): a new random order in each epoch.
        sampler (Sampler or iterable): gives the indices, instead of `shuffle`.
        batch_sampler (Sampler or iterable): gives lists of indices, instead of `batch_size`, `shuffle`, `sampler` and
            `drop_last`.
        num_workers (int): processes that make batches ahead of time; 0: this process makes each when it is asked for.
            Each has a copy of the data set and tells itself from the others by `get_worker_info`.
        collate_fn (Callable): makes a batch of a list of examples; `default_collate` if None.
        pin_memory, pin_memory_device: without effect on a CPU.
        drop_last (bool): leave out the last batch if it is smaller.
        timeout (float): seconds to wait for a worker's batch before a RuntimeError; 0: as long as it takes.
        worker_init_fn (Callable): called in each worker with its number, after seeding.
        multiprocessing_context (str | BaseContext): how workers are started: "fork", "spawn" or "forkserver"; None as
            Python does on this system. All but "fork" pickle the data set and the functions, and need the
            ``if __name__ == "__main__"`` of every program that starts processes.
        generator (Generator, optional): the source of randomness; the default generator if None. The seed of the
            workers is drawn from it, too: worker `i` has that seed plus `i` for ``random``, `minigrad` and NumPy.
        prefetch_factor (int): batches that each worker is ahead; 2 if None.
        persistent_workers (bool): keep the workers, and their copies of the data set, from epoch to epoch.
        in_order (bool): False gives batches as they get ready.

    An exception in a worker is raised here again, with its type and the worker's traceback in the text. An iterator
    that is dropped takes its workers with it.

    Raises:
        ValueError: options that exclude each other, or are out of range.
        TypeError: `multiprocessing_context` is neither a name nor a context.
    """

    _fixed = False

    def __class_getitem__(cls, item):  # DataLoader[...] in annotations
        return types.GenericAlias(cls, item)

    def __init__(
        self, dataset, batch_size=1, shuffle=None, sampler=None, batch_sampler=None, num_workers=0, collate_fn=None,
        pin_memory=False, drop_last=False, timeout=0, worker_init_fn=None, multiprocessing_context=None,
        generator=None, *, prefetch_factor=None, persistent_workers=False, pin_memory_device="", in_order=True,
    ) -> None:  # fmt: skip
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
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
        self._iterator = None  # that of persistent workers
        self._fixed = True
        self.check_worker_number_rationality()

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

    @property
    def multiprocessing_context(self) -> BaseContext | None:
        """How workers are started. A name that is set becomes the context of that name."""
        return self._multiprocessing_context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context) -> None:
        if context is not None and self.num_workers == 0:
            raise ValueError(
                "multiprocessing_context can only be used with multi-process loading (num_workers > 0), but got "
                f"multiprocessing_context={context!r} and num_workers=0"
            )
        if isinstance(context, str):
            known = multiprocessing.get_all_start_methods()
            if context not in known:
                raise ValueError(
                    f"multiprocessing_context option should specify a valid start method in {known!r}, but got "
                    f"multiprocessing_context={context!r}"
                )
            context = multiprocessing.get_context(context)
        if context is not None and not isinstance(context, BaseContext):
            raise TypeError(
                "multiprocessing_context option should be a valid context object or a string specifying the start "
                f"method, but got multiprocessing_context={context}"
            )
        self._multiprocessing_context = context

    def check_worker_number_rationality(self) -> None:
        """Warn if there are to be more workers than this process has processors."""
        if self.num_workers == 0:
            return
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        if self.num_workers > processors:
            warnings.warn(
                f"This DataLoader will create {self.num_workers} worker processes in total. Our suggested max number "
                f"of worker in current system is {processors}: more than that take turns, which is slower.",
                stacklevel=3,
            )

    def __iter__(self):
        if not self.persistent_workers:
            return _Iterator(self)
        if self._iterator is None or not self._iterator.again():
            self._iterator = _Iterator(self)
        return self._iterator

    def __getstate__(self):
        return {**self.__dict__, "_iterator": None}  # workers are not for copying


class _Iterator:
    """One epoch of a loader, or with persistent workers, one after the other."""

    def __init__(self, loader) -> None:
        if loader.timeout and not loader.num_workers:
            raise AssertionError(f"timeout={loader.timeout} needs num_workers > 0: this process cannot time itself out")
        self._loader = loader
        self._start()
        # PyTorch draws the seed of its workers here, also if there are none; what is drawn later depends on it.
        seed = draw_seed(loader.generator)
        self._workers = None
        if loader.num_workers:
            loader.check_worker_number_rationality()
            self._workers = Workers(loader, seed)
            self._start()
            self._workers.begin(self._indices)
        else:
            in_batches = loader.batch_sampler is not None
            self._fetch = fetcher(loader.dataset, in_batches, loader.collate_fn, loader.drop_last)

    def _start(self):
        loader = self._loader
        self._indices = iter(loader.sampler if loader.batch_sampler is None else loader.batch_sampler)
        self._given = 0
        self._announced = loader._announced

    def again(self):
        """Begin the next epoch with the same workers; False if they are gone."""
        if not self._workers.close.alive:
            return False
        self._start()
        self._workers.begin(self._indices, again=True)
        return True

    def __iter__(self):
        return self

    def __len__(self):
        loader = self._loader
        return len(loader.sampler if loader.batch_sampler is None else loader.batch_sampler)

    def __next__(self):
        if self._workers is None:
            batch = self._fetch(next(self._indices))
        else:
            batch = self._next_of_workers()
        if self._announced is not None:
            self._given += 1
            if self._given > self._announced:
                self._warn()
        return batch

    def _next_of_workers(self):
        try:
            return self._workers.next()
        except StopIteration:
            if not self._loader.persistent_workers:
                self._workers.close()
            raise

    def _warn(self):
        shared = ". With workers, each must take its share of the data: see get_worker_info"
        warnings.warn(
            f"Length of IterableDataset {self._loader.dataset} was reported to be {self._announced} (when accessing "
            f"len(dataloader)), but {self._given} samples have been fetched{shared if self._workers else ''}.",
            stacklevel=3,
        )

    def __getstate__(self):
        raise NotImplementedError("the iterator of a DataLoader cannot be pickled: pickle the loader")


def _check_workers(num_workers, timeout, prefetch_factor, persistent_workers):
    if num_workers < 0:
        raise ValueError(
            "num_workers option should be non-negative; use num_workers=0 to disable multiprocessing. "
            f"Got num_workers={num_workers}"
        )
    if timeout < 0:
        raise ValueError(f"timeout option should be non-negative, but got timeout={timeout}")
    if num_workers == 0:
        if prefetch_factor is not None:
            raise ValueError(
                f"prefetch_factor option needs num_workers > 0, but got prefetch_factor={prefetch_factor} and "
                "num_workers=0"
            )
        if persistent_workers:
            raise ValueError("persistent_workers option needs num_workers > 0")
    elif prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError("prefetch_factor option should be non-negative")
