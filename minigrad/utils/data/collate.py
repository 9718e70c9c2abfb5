"""How the examples of a batch become tensors with one more dimension. (PyTorch: torch.utils.data.default_collate)"""

from __future__ import annotations

import collections.abc
import copy

import numpy as np

from minigrad import dtypes
from minigrad.registry import TENSORS
from minigrad.tensor import Tensor, wrap

__all__ = ["default_collate", "default_convert"]


def default_collate(batch):
    """One batch from a list of examples, which are all of one kind, by what the first of them is:

    ============================  ==================================================================
    Tensor, ndarray               Tensor: the examples stacked, shape ``(len(batch), *shape)``
    NumPy number, int, bool       Tensor of shape ``(len(batch),)``, of the dtype that fits
    float                         Tensor of shape ``(len(batch),)``, float64
    str, bytes                    the list, unchanged
    mapping                       a mapping of the same type with each value collated
    named tuple                   the same named tuple of collated fields
    tuple                         a list of collated columns
    other sequence                the same type, of collated columns
    ============================  ==================================================================

    Raises:
        TypeError: examples of any other kind. RuntimeError: tensors or sequences of different sizes.
    """
    first = batch[0]
    kind = type(first)
    if isinstance(first, Tensor):
        return TENSORS["stack"](list(batch))
    if isinstance(first, np.ndarray):
        if first.dtype.kind in "SUO":
            raise _unsupported(first.dtype)
        return TENSORS["stack"]([_tensor_of(array) for array in batch])
    if isinstance(first, float):  # before NumPy's numbers: float64 is a float, too
        return wrap(np.array(batch, np.float64)) if kind is float else _tensor_of(np.array(batch))
    if isinstance(first, np.bool_ | np.number | int):
        array = np.array(batch)
        mixed = isinstance(first, int) and array.dtype.kind == "f"  # Python's ints and floats
        return _tensor_of(array.astype(dtypes.as_numpy(None)) if mixed else array)
    if isinstance(first, str | bytes):
        return batch
    if isinstance(first, collections.abc.Mapping):
        return _like(first, {key: default_collate([example[key] for example in batch]) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return kind(*[default_collate(column) for column in zip(*batch)])
    if isinstance(first, collections.abc.Sequence):
        if len({len(example) for example in batch}) > 1:
            raise RuntimeError(
                "each element in list of batch should be of equal size, but their lengths are "
                f"{[len(example) for example in batch]}: give the DataLoader a collate_fn that pads them"
            )
        columns = [default_collate(column) for column in zip(*batch)]
        return columns if isinstance(first, tuple) else _like(first, columns)
    raise _unsupported(kind)


def default_convert(data):
    """`data` with its arrays and NumPy numbers turned into tensors (of the same memory), wherever they stand in
    mappings and sequences; all else unchanged. What a loader does with single examples (``batch_size=None``)."""
    if isinstance(data, np.ndarray | np.generic):
        array = np.asarray(data)
        return data if array.dtype.kind in "SUO" else _tensor_of(array)
    if isinstance(data, collections.abc.Mapping):
        return _like(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*[default_convert(value) for value in data])
    if isinstance(data, tuple):
        return [default_convert(value) for value in data]
    if isinstance(data, collections.abc.Sequence) and not isinstance(data, str | bytes):
        return _like(data, [default_convert(value) for value in data])
    return data


def _tensor_of(array):
    dtypes.from_numpy_dtype(array.dtype)  # raises where there is no such dtype
    return wrap(array)


def _like(container, values):
    """`values` (a dict or list) in a container of the type of `container`, with its further properties if it has any;
    a plain dict or list where it cannot be made."""
    try:
        if isinstance(container, collections.abc.MutableMapping):
            made = copy.copy(container)
            made.update(values)
        elif isinstance(container, collections.abc.MutableSequence):
            made = copy.copy(container)
            for i, value in enumerate(values):
                made[i] = value
        else:
            made = type(container)(values)
    except TypeError:
        return values
    return made


def _unsupported(found):
    return TypeError(
        f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {found}: give the "
        "DataLoader a collate_fn that makes batches of them"
    )
