"""A tensor taken apart by where to cut: `tensor_split` and its kind, made of `narrow` and `split`."""

# The names in the bodies are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad.registry import composite, helper, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import index_of, one_dim


@composite(
    samples=of(
        lambda make: S(make(5, 3), 2),
        lambda make: S(make(3, 6), (1, 4), -1),
        lambda make: S(make(4, 2), (3, 1, 9, -1)),
        lambda make: S(make(4, 2), np.array([1, 3])),
    )
)
def tensor_split(input, indices_or_sections=None, dim=0, *, indices=None, sections=None):
    """tensor_split(input, indices_or_sections, dim=0) -> tuple of Tensors

    Views of consecutive pieces along `dim`: an int gives so many pieces of sizes as equal as can be, a sequence (or a
    1-D int64 tensor) the indices at which to cut. (PyTorch: torch.tensor_split)
    """
    given = next((g for g in (indices_or_sections, indices, sections) if g is not None), None)
    if not input.ndim:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    dim = one_dim(dim, input.ndim, "tensor_split")
    return cut_at(input, cuts(given, input.shape[dim], "tensor_split"), dim)


@helper
def cut_at(input, places, dim):
    size, pieces = input.shape[dim], []
    for start, end in zip([0, *places], [*places, size], strict=True):
        start, end, _ = slice(start, end).indices(size)
        pieces.append(narrow(input, dim, start, end - start if end > start else 0))
    return tuple(pieces)


def cuts(given, size, op):
    """Where to cut, from a number of pieces or from the places themselves."""
    if hasattr(given, "ndim"):
        array = np.asarray(getattr(given, "array", given))
        if array.dtype != np.int64:
            raise RuntimeError(f"{op} expected tensor_indices_or_sections to have dtype of long, but got {array.dtype}")
        if array.ndim > 1:
            raise RuntimeError(
                f"{op} expected tensor_indices_or_sections to be a zero-dimensional or one-dimensional tensor, but "
                f"got a tensor with {array.ndim} dims"
            )
        given = array.tolist()
    if isinstance(given, list | tuple):
        return [index_of(place, op, "indices_or_sections") for place in given]
    count = index_of(given, op, "indices_or_sections")
    if count <= 0:
        raise RuntimeError(f"number of sections must be larger than 0, got {count}")
    larger, least = size % count, size // count
    return [k * least + (k if k < larger else larger) for k in range(1, count)]


@on_every_path("checked_sections")
def checked_sections(given, size, op, dim):
    """An int of pieces must divide the size."""
    if hasattr(given, "__index__") and not hasattr(given, "ndim"):
        count = index_of(given, op, "indices_or_sections")
        if count <= 0 or size % count:
            raise RuntimeError(
                f"torch.{op} attempted to split along dimension {dim}, but the size of the dimension {size} is not "
                f"divisible by the split_size {count}!"
            )
    return given


@composite(samples=of(lambda make: S(make(3, 4), 2), lambda make: S(make(5), (1, 3))))
def hsplit(input, indices_or_sections):
    """hsplit(input, indices_or_sections) -> tuple of Tensors: `tensor_split` of the columns (dimension 1; of a vector
    dimension 0); an int must divide their number. (PyTorch: torch.hsplit)"""
    if not input.ndim:
        raise RuntimeError(
            "torch.hsplit requires a tensor with at least 1 dimension, but got a tensor with 0 dimensions!"
        )
    dim = 0 if input.ndim == 1 else 1
    return tensor_split(input, checked_sections(indices_or_sections, input.shape[dim], "hsplit", dim), dim)


@composite(samples=of(lambda make: S(make(4, 3), 2), lambda make: S(make(5, 2), (1, 3))))
def vsplit(input, indices_or_sections):
    """vsplit(input, indices_or_sections) -> tuple of Tensors: `tensor_split` of the rows; an int must divide their
    number. (PyTorch: torch.vsplit)"""
    if input.ndim < 2:
        raise RuntimeError(
            f"torch.vsplit requires a tensor with at least 2 dimension, but got a tensor with {input.ndim} dimensions!"
        )
    return tensor_split(input, checked_sections(indices_or_sections, input.shape[0], "vsplit", 0), 0)


@composite(samples=of(lambda make: S(make(2, 3, 4), 2), lambda make: S(make(1, 2, 5), (1, 3))))
def dsplit(input, indices_or_sections):
    """dsplit(input, indices_or_sections) -> tuple of Tensors: `tensor_split` along dimension 2; an int must divide its
    size. (PyTorch: torch.dsplit)"""
    if input.ndim < 3:
        raise RuntimeError(
            f"torch.dsplit requires a tensor with at least 3 dimension, but got a tensor with {input.ndim} dimensions!"
        )
    return tensor_split(input, checked_sections(indices_or_sections, input.shape[2], "dsplit", 2), 2)


@composite(samples=of(lambda make: S(make(3, 6), [1, 2, 3], -1)), alias=("unsafe_split_with_sizes",))
def split_with_sizes(input, split_sizes, dim=0):
    """split_with_sizes(input, split_sizes, dim=0) -> tuple of Tensors: `split` into pieces of the sizes listed.
    (PyTorch: torch.split_with_sizes)"""
    return split(input, list(split_sizes), dim)
