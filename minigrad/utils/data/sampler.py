"""In which order examples are taken. (PyTorch: torch.utils.data.sampler)

A sampler goes through indices (a batch sampler: through lists of indices) each time it is iterated. Random ones draw
PyTorch's numbers in PyTorch's order, so with the same seed the indices are the same.
"""

from __future__ import annotations

import itertools
from typing import Generic, TypeVar

import numpy as np

from minigrad import random
from minigrad.tensor import Tensor, wrap

__all__ = [
    "BatchSampler", "RandomSampler", "Sampler", "SequentialSampler", "SubsetRandomSampler", "WeightedRandomSampler",
]  # fmt: skip

T_co = TypeVar("T_co", covariant=True)
_DRAWN_AT_ONCE = 32  # indices with replacement, as in PyTorch


class Sampler(Generic[T_co]):
    """Base class of samplers. Subclasses define ``__iter__()``, and ``__len__()`` where the number is known."""

    def __iter__(self):
        raise NotImplementedError(f"{type(self).__name__} must define __iter__, as all subclasses of Sampler.")


class SequentialSampler(Sampler[int]):
    """0, 1, 2, ... up to the length of `data_source`."""

    def __init__(self, data_source) -> None:
        self.data_source = data_source

    def __iter__(self):
        return iter(range(len(self.data_source)))

    def __len__(self):
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """The indices of `data_source` in random order.

    Args:
        data_source (Sized): has a length n.
        replacement (bool): draw each index anew from all n, on demand, so `num_samples` may be as large as one likes.
        num_samples (int, optional): how many to draw, n if None; without replacement, one shuffle follows another.
        generator (Generator, optional): goes on from epoch to epoch. None: each epoch gets a generator of its own,
            seeded from the default one.

    Raises:
        TypeError: `replacement` is no bool. ValueError: `num_samples` is no positive int.
    """

    def __init__(self, data_source, replacement=False, num_samples=None, generator=None) -> None:
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got replacement={replacement}")
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ValueError(f"num_samples should be a positive integer value, but got num_samples={self.num_samples}")

    @property
    def num_samples(self):
        """How many indices an epoch has; follows the data set's length unless it was given."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self):
        n, left = len(self.data_source), self.num_samples
        generator = self.generator or random.Generator().manual_seed(draw_seed())
        if self.replacement:
            for start in range(0, left, _DRAWN_AT_ONCE):
                yield from generator.randint(0, n, min(left - start, _DRAWN_AT_ONCE)).tolist()
        else:
            for _ in range(left // n):
                yield from generator.randperm(n).tolist()
            yield from generator.randperm(n)[: left % n].tolist()  # drawn even where nothing is left

    def __len__(self):
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in random order.

    Args:
        indices (sequence): what is drawn from, without replacement.
        generator (Generator, optional): the default one if None.
    """

    def __init__(self, indices, generator=None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self):
        for i in (self.generator or random.default_generator).randperm(len(self.indices)).tolist():
            yield self.indices[i]

    def __len__(self):
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Index `i` with a probability in proportion to ``weights[i]``.

    Args:
        weights (sequence of float): one for each index; need not sum to 1.
        num_samples (int): how many to draw.
        replacement (bool): whether an index may be drawn again.
        generator (Generator, optional): the default one if None.

    Raises:
        ValueError: `num_samples` is no positive int, `replacement` no bool, or `weights` has not one dimension.
    """

    def __init__(self, weights, num_samples, replacement=True, generator=None) -> None:
        _check_positive("num_samples", num_samples)
        if not isinstance(replacement, bool):
            raise ValueError(f"replacement should be a boolean value, but got replacement={replacement}")
        weights = np.asarray(weights.array if isinstance(weights, Tensor) else weights, np.float64)
        if weights.ndim != 1:
            raise ValueError(f"weights should be a 1d sequence but given weights have shape {weights.shape}")
        self.weights = wrap(weights)
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self):
        generator = self.generator or random.default_generator
        yield from generator.multinomial(self.weights.array, self.num_samples, self.replacement).tolist()

    def __len__(self):
        return self.num_samples


class BatchSampler(Sampler[list]):
    """The indices of another sampler in lists.

    Args:
        sampler (Sampler or iterable): gives the indices.
        batch_size (int): so many to a list.
        drop_last (bool): leave out a last list that is shorter.

    Raises:
        ValueError: `batch_size` is no positive int, or `drop_last` no bool.
    """

    def __init__(self, sampler, batch_size, drop_last) -> None:
        _check_positive("batch_size", batch_size)
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self):
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self):
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole if self.drop_last or not rest else whole + 1


def draw_seed(generator=None):
    """A seed for another generator: one draw of ``Tensor.random_()``, so that what is drawn after it agrees too."""
    return int((generator or random.default_generator).random(()))


def _check_positive(name, value):
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{name} should be a positive integer value, but got {name}={value}")
