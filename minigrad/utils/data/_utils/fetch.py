"""From indices to a batch, in the main process as in a worker. (PyTorch: torch.utils.data._utils.fetch)

Before it: `collate.py`. After it: `worker.py` and `dataloader.py`.
"""

from __future__ import annotations

import itertools

import numpy as np

from minigrad.tensor import wrap
from minigrad.utils.data._utils.collate import default_collate
from minigrad.utils.data.dataset import IterableDataset, Subset, TensorDataset, examples

__all__ = ["fetcher", "gathering"]


def fetcher(dataset, in_batches, collate, drop_last):
    """A function from what a sampler gives to a batch; it raises StopIteration where an iterable data set ends.

    Args:
        dataset (Dataset): an iterable one is started here.
        in_batches (bool): the sampler gives lists of indices; of an iterable data set, only their lengths matter.
        collate (Callable): makes the batch of a list of examples, or of one example.
        drop_last (bool): of an iterable data set, leave out the last batch if it is smaller.
    """
    if isinstance(dataset, IterableDataset):
        stream = iter(dataset)
        return _streaming(stream, collate, drop_last) if in_batches else lambda index: collate(next(stream))
    if not in_batches:
        return lambda index: collate(dataset[index])
    gather = gathering(dataset) if collate is default_collate else None
    if gather is None:
        return lambda batch: collate(examples(dataset, batch))
    return lambda batch: gather(batch) if set(map(type, batch)) == {int} else collate(examples(dataset, batch))


def _streaming(stream, collate, drop_last):
    ended = False

    def fetch(batch):
        nonlocal ended
        found = [] if ended else list(itertools.islice(stream, len(batch)))
        ended = len(found) < len(batch)  # a stream that has ended once is not asked again
        if not found or (ended and drop_last):
            raise StopIteration
        return collate(found)

    return fetch


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
