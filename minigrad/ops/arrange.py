"""Copies turned and repeated, and tensors put together from others: what is made of the ops of shape, part and join."""

# The names in the bodies are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import itertools

import numpy as np

from minigrad import dtypes
from minigrad.registry import FUNCTION, composite, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import one_dim


@composite(samples=of(lambda make: S(make(3, 4))))
def fliplr(input):
    """fliplr(input) -> Tensor: a copy with the columns (dimension 1) in reverse order. (PyTorch: torch.fliplr)"""
    if input.ndim < 2:
        raise RuntimeError(f"fliplr(): Input must be >= 2-d, but got one of {input.ndim} dimensions.")
    return flip(input, (1,))


@composite(samples=of(lambda make: S(make(3, 4))))
def flipud(input):
    """flipud(input) -> Tensor: a copy with the rows (dimension 0) in reverse order. (PyTorch: torch.flipud)"""
    if input.ndim < 1:
        raise RuntimeError("flipud(): Input must be >= 1-d, but got a tensor without dimensions.")
    return flip(input, (0,))


@composite(
    samples=of(
        lambda make: S(make(2, 3), 2),
        lambda make: S(make(2, 3), 3, 1),
        lambda make: S(make(2, 3), np.array([1, 0, 2]), -1),
        lambda make: S(make(4), np.array([1, 0, 2, 1]), output_size=4),
    )
)
def repeat_interleave(input, repeats=None, dim=None, *, output_size=None):
    """repeat_interleave(input, repeats, dim=None, *, output_size=None) -> Tensor

    Each element (without dim: of the flattened tensor) repeated so many times in its place; `repeats` is an int or an
    integer tensor with one count for each. ``repeat_interleave(repeats)`` gives the indices of such a repetition.
    output_size: how long the result is, where that is known. (PyTorch: torch.repeat_interleave)
    """
    if repeats is None:
        return index_tensor(places_repeated(checked_counts(input), output_size))
    if dim is None:
        input, dim = reshape(input, (-1,)), 0
    dim = one_dim(dim, input.ndim, "repeat_interleave")
    shape = tuple(input.shape) or (1,)
    counts = checked_counts(repeats)
    if counts.ndim == 1 and counts.shape[0] not in (1, shape[dim]):
        raise RuntimeError("repeats must have the same size as input along dim, but got repeats.size(0) = "
                           f"{counts.shape[0]} and input.size({dim}) = {shape[dim]}")  # fmt: skip
    if counts.size == 1 and (counts.ndim == 0 or shape[dim] != 1):
        times = int(counts.reshape(-1)[0])
        if output_size is not None and output_size != times * shape[dim]:
            raise RuntimeError(
                f"repeat_interleave: Invalid output_size, expected {times * shape[dim]}, got {output_size}"
            )
        rows = expand(unsqueeze(reshape(input, shape), dim + 1), (*shape[: dim + 1], times, *shape[dim + 1 :]))
        return reshape(clone(rows), (*shape[:dim], shape[dim] * times, *shape[dim + 1 :]))
    if counts.size != shape[dim]:
        counts = np.broadcast_to(counts, (shape[dim],))
    return index_select(input, dim, index_tensor(places_repeated(counts, output_size)))


@on_every_path("checked_counts")
def checked_counts(repeats):
    """The counts of repeat_interleave as an array of integers, of no or one dimension."""
    counts = np.asarray(getattr(repeats, "array", repeats))
    if counts.dtype.kind not in "iufb":
        raise TypeError(f"repeat_interleave(): argument 'repeats' must be int or Tensor, not {type(repeats).__name__}")
    if counts.dtype.kind == "f":
        raise NotImplementedError(f"repeat_interleave(): not implemented for repeats of {counts.dtype}: give integers")
    if counts.dtype.kind not in "iu" or (hasattr(repeats, "array") and counts.dtype.itemsize < 4):
        raise RuntimeError(f"repeats has to be Long or Int tensor, but it holds {counts.dtype}")
    if counts.ndim > 1:
        raise RuntimeError("repeats must be 0-dim or 1-dim tensor, but it has " + f"{counts.ndim} dimensions")
    if counts.size and counts.min() < 0:
        raise RuntimeError(f"repeats can not be negative, but the least is {counts.min()}")
    return counts


def places_repeated(counts, output_size):
    """The index of each count, as often as it says."""
    if counts.ndim != 1:
        raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
    places = np.repeat(np.arange(counts.size), counts).astype(counts.dtype)
    if output_size is not None and output_size != places.size:
        raise RuntimeError(f"allocated size does not match required size: output_size is {output_size}, but the "
                           f"repeats sum to {places.size}")  # fmt: skip
    return places


@composite(public=(FUNCTION,), samples=of(lambda make: S(make(2, 3), make(1, 2), make(3), make())))
def block_diag(*tensors):
    """block_diag(*tensors) -> Tensor

    The matrix with the given matrices (vectors are rows, numbers 1 x 1) along its diagonal and zeros elsewhere.
    (PyTorch: torch.block_diag)
    """
    if not tensors:
        return zeros_of((1, 0), dtypes.get_default_dtype().numpy)
    for k, each in enumerate(tensors):
        if not hasattr(each, "ndim"):
            raise TypeError(f"block_diag(): argument 'tensors' must be Tensors, not {type(each).__name__} at {k}")
        if each.ndim > 2:
            raise RuntimeError(f"torch.block_diag: Input tensors must have 2 or fewer dimensions. Input {k} has "
                               f"{each.ndim} dimensions")  # fmt: skip
    blocks = [atleast_2d(each) for each in promoted(*tensors)]
    width, left, rows = int(np.sum([b.shape[1] for b in blocks])), 0, []
    for block in blocks:
        rows.append(pad_zeros(block, (block.shape[0], width), 1, left))
        left += block.shape[1]
    return cat(rows, 0)


@composite(public=(FUNCTION,), samples=of(lambda make: S(make(3), make(2)), lambda make: S(make(3))))
def cartesian_prod(*tensors):
    """cartesian_prod(*tensors) -> Tensor

    All ways to take one element of each vector, one way a row, as `itertools.product`. (PyTorch: torch.cartesian_prod)
    """
    if len(tensors) == 1 and isinstance(tensors[0], list | tuple):
        tensors = tuple(tensors[0])
    each_a_tensor(tensors)
    for each in tensors:
        if each.ndim != 1:
            raise RuntimeError("cartesian_prod: Expect a 1D vector, but got shape " + f"{list(each.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    return stack([reshape(grid, (-1,)) for grid in meshgrid(*tensors, indexing="ij")], 1)


@composite(
    public=(FUNCTION,),
    samples=of(lambda make: S(make(4)), lambda make: S(make(3), 3, True), lambda make: S(make(3), 1)),
)
def combinations(input, r=2, with_replacement=False):
    """combinations(input, r=2, with_replacement=False) -> Tensor

    All ways to take r elements of a vector in order, one way a row, as `itertools.combinations`.
    (PyTorch: torch.combinations)
    """
    if input.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return zeros_of((0,), np_dtype(input))
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    places = np.array([*choose(range(input.shape[0]), r)], np.int64).reshape(-1, r)
    return reshape(index_select(input, 0, index_tensor(places.reshape(-1))), places.shape)
