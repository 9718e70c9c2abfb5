"""What `Trainer` takes as data, brought to one form: something that gives batches, and a batch in its parts."""

from __future__ import annotations

import numpy as np

import minigrad
from minigrad.random import Generator
from minigrad.tensor import Tensor
from minigrad.utils.data import DataLoader, Dataset, TensorDataset

__all__ = ["as_batches", "generators_of", "parts"]


def as_batches(who: str, x, y=None, batch_size: int = 32, shuffle: bool = False):
    """Something to iterate over, in batches: a `DataLoader`, but what gives batches already stays what it is.

    Args:
        who (str): the method, for messages.
        x: tensors or ndarrays (one, or a tuple of several inputs), a `Dataset`, or an iterable of batches; or
            ``(x, y)`` of tensors.
        y: the targets that belong to tensors.
        batch_size (int), shuffle (bool): of the `DataLoader`.

    Raises:
        TypeError: `y` with data that have their targets in them; something that gives no batches.
        ValueError: arrays of different lengths.
    """
    if isinstance(x, tuple) and y is None and len(x) == 2 and isinstance(x[1], Tensor | np.ndarray):
        x, y = x
    if isinstance(x, Tensor | np.ndarray | tuple):
        arrays = [*(x if isinstance(x, tuple) else (x,)), *(() if y is None else (y,))]
        lengths = [len(array) for array in arrays]
        if len(set(lengths)) > 1:
            raise ValueError(f"{who}: expected inputs and targets of one length, but got {lengths}")
        return DataLoader(TensorDataset(*map(as_tensor, arrays)), batch_size, shuffle)
    if y is not None:
        raise TypeError(f"{who}: y belongs to arrays and tensors; a {type(x).__name__} gives its targets itself")
    if isinstance(x, Dataset):
        return DataLoader(x, batch_size, shuffle)
    if not hasattr(x, "__iter__"):
        raise TypeError(f"{who}: expected tensors, arrays, a Dataset or a DataLoader, but got {type(x).__name__}")
    return x


def as_tensor(array) -> Tensor:
    """A tensor; the numbers of a NumPy array in the default dtype, as that is what weights have."""
    if isinstance(array, np.ndarray) and array.dtype.kind == "f":
        return minigrad.as_tensor(array, dtype=minigrad.get_default_dtype())
    return minigrad.as_tensor(array)


def generators_of(*loaders) -> list[Generator]:
    """The generators of their own that loaders and their samplers draw from."""
    batching = [getattr(loader, "batch_sampler", None) for loader in loaders]
    samplers = [getattr(part, "sampler", None) for part in (*loaders, *batching)]
    found = [getattr(part, "generator", None) for part in (*loaders, *batching, *samplers)]
    return list({id(generator): generator for generator in found if isinstance(generator, Generator)}.values())


def parts(batch):
    """``(inputs, target)`` of a batch. A lone tensor is its own target, as for an autoencoder."""
    if isinstance(batch, list | tuple) and len(batch) > 1:
        return tuple(batch[:-1]), batch[-1]
    alone = batch[0] if isinstance(batch, list | tuple) else batch
    return (alone,), alone
