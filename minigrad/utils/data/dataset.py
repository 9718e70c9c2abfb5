"""What examples there are: `Dataset`, its kinds, and `random_split`. (PyTorch: torch.utils.data)

A data set is anything with ``__getitem__`` and ``__len__`` (a list will do), or an `IterableDataset`, which only knows
how to go through its examples. Before it: `minigrad.tensor`. After it: `sampler.py`, `dataloader.py`.
"""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from typing import Generic, TypeVar

from minigrad import random

__all__ = [
    "ChainDataset", "ConcatDataset", "Dataset", "IterableDataset", "StackDataset", "Subset", "TensorDataset",
    "random_split",
]  # fmt: skip

T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """Base class of data sets that give an example for an index.

    Subclasses define ``__getitem__(index)`` and ``__len__()``; optionally ``__getitems__(indices)``, which gives a list
    of examples where that is faster than one at a time. ``a + b`` is a `ConcatDataset`.
    """

    def __getitem__(self, index) -> T_co:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__, as all subclasses of Dataset.")

    def __add__(self, other):
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co]):
    """Base class of data sets that can only be gone through, e.g. a stream. Subclasses define ``__iter__()``."""

    def __iter__(self):
        raise NotImplementedError(f"{type(self).__name__} must define __iter__, as all subclasses of IterableDataset.")

    def __add__(self, other):
        return ChainDataset([self, other])


class TensorDataset(Dataset):
    """The rows of one or more tensors: example `i` is ``(tensors[0][i], tensors[1][i], ...)``.

    Args:
        *tensors (Tensor): of the same first dimension.

    Raises:
        AssertionError: their first dimensions differ.
    """

    def __init__(self, *tensors) -> None:
        sizes = [tensor.size(0) for tensor in tensors]
        if len(set(sizes)) > 1:
            raise AssertionError(f"Size mismatch between tensors: their first dimensions are {sizes}")
        self.tensors = tensors

    def __getitem__(self, index):
        return tuple([tensor[index] for tensor in self.tensors])

    def __len__(self):
        return self.tensors[0].size(0)


class StackDataset(Dataset):
    """Data sets side by side: example `i` is a tuple of their `i`-th examples, or a dict if they are given by name.

    Args:
        *args, **kwargs (Dataset): of the same length; either all positional or all by name.
    """

    def __init__(self, *args, **kwargs) -> None:
        if args and kwargs:
            raise ValueError("StackDataset: give the data sets either all positionally or all by name, not both")
        if not args and not kwargs:
            raise ValueError("At least one dataset should be passed")
        self.datasets = args or kwargs
        lengths = [len(dataset) for dataset in self._all()]
        if len(set(lengths)) > 1:
            raise ValueError(f"Size mismatch between datasets: their lengths are {lengths}")
        self._length = lengths[0]

    def _all(self):
        return list(self.datasets.values()) if isinstance(self.datasets, dict) else list(self.datasets)

    def _named(self, parts):
        return dict(zip(self.datasets, parts)) if isinstance(self.datasets, dict) else tuple(parts)

    def __getitem__(self, index):
        return self._named([dataset[index] for dataset in self._all()])

    def __getitems__(self, indices):
        columns = [examples(dataset, indices) for dataset in self._all()]
        for column in columns:
            if len(column) != len(indices):
                raise ValueError(
                    f"Nested dataset's output size mismatch: __getitems__ was asked for {len(indices)} examples and "
                    f"gave {len(column)}"
                )
        return [self._named(parts) for parts in zip(*columns)]

    def __len__(self):
        return self._length


class ConcatDataset(Dataset[T_co]):
    """Data sets one after the other.

    Args:
        datasets (iterable of Dataset): at least one, none of them an `IterableDataset` (AssertionError).
    """

    def __init__(self, datasets) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset: use ChainDataset")
        self.cumulative_sizes = list(itertools.accumulate(len(dataset) for dataset in self.datasets))

    def __len__(self):
        return self.cumulative_sizes[-1]

    def __getitem__(self, index):
        if index < 0:
            if -index > len(self):
                raise ValueError("absolute value of index should not exceed dataset length")
            index += len(self)
        which = bisect.bisect_right(self.cumulative_sizes, index)
        if which == len(self.datasets):
            raise IndexError(f"index {index} is out of range for a ConcatDataset of {len(self)} examples")
        return self.datasets[which][index - (self.cumulative_sizes[which - 1] if which else 0)]


class ChainDataset(IterableDataset[T_co]):
    """Iterable data sets one after the other.

    Args:
        datasets (iterable of IterableDataset): gone through in this order; others are an AssertionError when reached.
    """

    def __init__(self, datasets) -> None:
        self.datasets = datasets

    def _checked(self):
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise AssertionError("ChainDataset only supports IterableDataset")
            yield dataset

    def __iter__(self):
        for dataset in self._checked():
            yield from dataset

    def __len__(self):
        return sum([len(dataset) for dataset in self._checked()])


class Subset(Dataset[T_co]):
    """Some examples of a data set, in the order of `indices`.

    Args:
        dataset (Dataset): the whole.
        indices (sequence of int): example `i` of the subset is example ``indices[i]`` of the whole.

    A subclass that overrides ``__getitem__`` must override ``__getitems__`` as well (NotImplementedError): loaders ask
    for batches.
    """

    def __init__(self, dataset, indices) -> None:
        own = type(self)
        if own.__getitem__ is not Subset.__getitem__ and own.__getitems__ is Subset.__getitems__:
            raise NotImplementedError(
                f"{own.__name__} overrides __getitem__ but not __getitems__, which loaders call. Define it too:\n\n"
                "def __getitems__(self, indices):\n"
                "    return [self.__getitem__(i) for i in indices]"
            )
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index):
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices):
        return examples(self.dataset, [self.indices[i] for i in indices])

    def __len__(self):
        return len(self.indices)


def examples(dataset, indices):
    """The examples of these indices as a list, by the data set's ``__getitems__`` if it has one."""
    if callable(getattr(dataset, "__getitems__", None)):
        return dataset.__getitems__(indices)
    return [dataset[i] for i in indices]


def random_split(dataset, lengths, generator=None):
    """Split a data set at random into parts that do not overlap. (PyTorch: torch.utils.data.random_split)

    Args:
        dataset (Dataset): the whole.
        lengths (sequence): how many examples each part gets; or fractions that sum to 1, which are rounded down, and
            what is left over is dealt out to the parts in turn.
        generator (Generator, optional): the source of randomness; the default generator if None.

    Returns:
        list[Subset]: PyTorch's parts, example by example, for the same seed.

    Raises:
        ValueError: the lengths do not sum to the size of the data set, or a fraction is not in [0, 1].
    """
    total, size = sum(lengths), len(dataset)
    if math.isclose(total, 1) and total <= 1:
        for i, fraction in enumerate(lengths):
            if not 0 <= fraction <= 1:
                raise ValueError(f"Fraction at index {i} is not between 0 and 1: {fraction}")
        lengths = [math.floor(size * fraction) for fraction in lengths]
        for i in range(size - sum(lengths)):
            lengths[i % len(lengths)] += 1
        for i, length in enumerate(lengths):
            if length == 0:
                warnings.warn(
                    f"Length of split at index {i} is 0. This might result in an empty dataset.", stacklevel=2
                )
    if sum(lengths) != size:
        raise ValueError(
            f"Sum of input lengths does not equal the length of the input dataset! The lengths {list(lengths)} sum to "
            f"{sum(lengths)}, the data set has {size} examples"
        )
    order = (generator or random.default_generator).randperm(size).tolist()
    ends = itertools.accumulate(lengths)
    return [Subset(dataset, order[end - length : end]) for end, length in zip(ends, lengths)]
