"""How the examples of a batch become tensors with one more dimension. (PyTorch: torch.utils.data.default_collate)"""

from __future__ import annotations

import collections.abc
import copy

import numpy as np

from minigrad import dtypes
from minigrad.registry import TENSORS
from minigrad.tensor import Tensor, wrap

__all__ = [
    "collate", "collate_float_fn", "collate_int_fn", "collate_numpy_array_fn", "collate_numpy_scalar_fn",
    "collate_str_fn", "collate_tensor_fn", "default_collate", "default_collate_fn_map", "default_convert",
]  # fmt: skip


def collate(batch, *, collate_fn_map=None):
    """One batch from a list of examples, which are all of one kind, by what the first of them is.

    Args:
        batch (list): the examples.
        collate_fn_map (dict): from a type, or a tuple of types, to ``function(batch, *, collate_fn_map)``, which makes
            the batch of examples of this type. Mappings, named tuples and sequences that are not in it are gone into.

    Raises:
        TypeError: examples of any other kind. RuntimeError: tensors or sequences of different sizes.
    """
    first, functions = batch[0], collate_fn_map or {}
    kind = type(first)
    function = functions.get(kind) or next((f for known, f in functions.items() if isinstance(first, known)), None)
    if function is not None:
        return function(batch, collate_fn_map=collate_fn_map)

    def inside(part):
        return collate(part, collate_fn_map=collate_fn_map)

    if isinstance(first, collections.abc.Mapping):
        return _like(first, {key: inside([example[key] for example in batch]) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return kind(*[inside(column) for column in zip(*batch)])
    if isinstance(first, collections.abc.Sequence):
        if len({len(example) for example in batch}) > 1:
            raise RuntimeError(
                "each element in list of batch should be of equal size, but their lengths are "
                f"{[len(example) for example in batch]}: give the DataLoader a collate_fn that pads them"
            )
        columns = [inside(column) for column in zip(*batch)]
        return columns if isinstance(first, tuple) else _like(first, columns)
    raise _unsupported(kind)


def collate_tensor_fn(batch, *, collate_fn_map=None):
    """The tensors stacked."""
    return TENSORS["stack"](list(batch))


def collate_numpy_array_fn(batch, *, collate_fn_map=None):
    """The arrays as tensors, collated as such."""
    if batch[0].dtype.kind in "SUO":
        raise _unsupported(batch[0].dtype)
    return collate([_tensor_of(array) for array in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(batch, *, collate_fn_map=None):
    """A tensor of the numbers, of the dtype that fits them all."""
    return _tensor_of(np.array(batch))


def collate_float_fn(batch, *, collate_fn_map=None):
    """A float64 tensor."""
    return wrap(np.array(batch, np.float64))


def collate_int_fn(batch, *, collate_fn_map=None):
    """A tensor of the numbers: int64, bool, or the default dtype where there are floats among them."""
    array = np.array(batch)
    return _tensor_of(array.astype(dtypes.as_numpy(None)) if array.dtype.kind == "f" else array)


def collate_str_fn(batch, *, collate_fn_map=None):
    """The list, unchanged."""
    return batch


# The order counts: NumPy's float64 is a float, too.
default_collate_fn_map: dict = {
    Tensor: collate_tensor_fn,
    np.ndarray: collate_numpy_array_fn,
    (np.bool_, np.number): collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}


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

    Further types are taught it by entries in `default_collate_fn_map`; see `collate`.

    Raises:
        TypeError: examples of any other kind. RuntimeError: tensors or sequences of different sizes.
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)


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
