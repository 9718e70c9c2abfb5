"""Tensors as MPI takes them: arrays whose elements lie one after the other, and what an argument has to be."""

from __future__ import annotations

import numpy as np

from minigrad.autograd.inplace import not_writable
from minigrad.autograd.node import bump_all
from minigrad.tensor import Tensor

__all__: list[str] = []


def check_tensor(function: str, name: str, tensor) -> Tensor:
    """`tensor` itself, if it is one."""
    if not isinstance(tensor, Tensor):
        raise TypeError(
            f"{function}(): Invalid function argument. Expected parameter `{name}` of type minigrad.Tensor but got "
            f"{type(tensor)} instead."
        )
    return tensor


def check_tensors(function: str, name: str, tensors) -> list[Tensor]:
    """A list of tensors, as a list."""
    if isinstance(tensors, list | tuple):
        wrong = next((each for each in tensors if not isinstance(each, Tensor)), None)
        if wrong is None:
            return list(tensors)
        got = f"a list with {type(wrong)}"
    else:
        got = str(type(tensors))
    raise TypeError(
        f"{function}(): Invalid function argument. Expected parameter `{name}` of type List[minigrad.Tensor] but got "
        f"{got} instead."
    )


def check_one_dtype(function: str, tensors) -> np.dtype:
    """The dtype that all tensors have."""
    if not tensors:
        raise ValueError(f"{function}(): got an empty list; expected one tensor or more")
    first = tensors[0]
    for other in tensors[1:]:
        if other.array.dtype != first.array.dtype:
            raise ValueError(
                f"{function}(): Invalid usage of tensors with different dtypes: found {first.dtype} and {other.dtype}"
            )
    return first.array.dtype


def check_alike(function: str, name: str, tensors, count: int, like: Tensor | None = None) -> None:
    """Check that a list has one tensor for each rank, all of the shape and dtype of `like`."""
    if len(tensors) != count:
        raise RuntimeError(
            f"{function}(): argument '{name}': got {len(tensors)} tensors; expected {count}, one for each rank of the "
            "group"
        )
    if like is None:
        return
    check_one_dtype(function, [*tensors, like])
    for i, tensor in enumerate(tensors):
        if tensor._shape != like._shape:
            raise RuntimeError(
                f"{function}(): argument '{name}': invalid tensor size at index {i} (expected {like._shape}, got "
                f"{tensor._shape})"
            )


def check_writable(*tensors: Tensor) -> None:
    """Check, before anything is sent, that what arrives can be written: an expanded tensor has one place for many."""
    for tensor in tensors:
        if not tensor.array.flags.writeable:
            raise not_writable()


def line_up(tensor: Tensor) -> np.ndarray:
    """The tensor's own memory where its elements lie one after the other, else a copy."""
    return np.ascontiguousarray(tensor.array)


def room_for(tensor: Tensor) -> np.ndarray:
    """Where what is received can be written: the tensor's own memory, or an array that `put_back` copies."""
    check_writable(tensor)
    array = tensor.array
    return array if array.flags.c_contiguous else np.empty_like(array, order="C")


def stacked(tensors: list[Tensor]) -> np.ndarray:
    """Tensors of one shape, one after the other in memory. (`np.stack` would keep the order of transposed ones.)"""
    return np.ascontiguousarray(np.stack([tensor.array for tensor in tensors]))


def put_back(function: str, tensors, arrays) -> None:
    """Write what arrived in other memory into the tensors, and note that they were written to."""
    for tensor, array in zip(tensors, arrays):
        if array is not tensor.array:
            np.copyto(tensor.array, array)
    bump_all(tensors, function)


def as_bytes(array: np.ndarray) -> np.ndarray:
    """The memory of a contiguous array as bytes, for what only moves numbers: MPI need not know their dtype."""
    return array.reshape(-1).view(np.uint8)
