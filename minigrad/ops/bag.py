"""Bags of embeddings: rows of a table summed, averaged or maximised in groups."""

# The names in the functions here are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad.errors import shape_text
from minigrad.registry import FUNCTIONAL, composite, np_dtype, on_every_path
from minigrad.samples import S, of


@composite(
    public=(FUNCTIONAL,),
    samples=of(
        lambda make: S(np.array([1, 0, 2, 2, 3]), make(4, 3), np.array([0, 2, 2])),
        lambda make: S(np.array([[1, 0], [3, 1]]), make(4, 3), mode="max"),
        lambda make: S(np.array([[1, 0], [3, 1]]), make(4, 3), mode="sum", per_sample_weights=make(2, 2)),
    ),
)
def embedding_bag(
    input,
    weight,
    offsets=None,
    max_norm=None,
    norm_type=2,
    scale_grad_by_freq=False,
    mode="mean",
    sparse=False,
    per_sample_weights=None,
    include_last_offset=False,
    padding_idx=None,
):
    """embedding_bag(input, weight, offsets=None, max_norm=None, norm_type=2, scale_grad_by_freq=False, mode='mean',
    sparse=False, per_sample_weights=None, include_last_offset=False, padding_idx=None) -> Tensor

    The "sum", "mean" or "max" of the rows of weight (N, D) that each bag names: (bags, D). The bags are the rows of a
    2-D input, or parts of a 1-D one that begin at offsets (with include_last_offset, and the last ends at the last of
    them); empty ones give 0. per_sample_weights (mode "sum"): a factor per row. Rows padding_idx do not count. The
    other arguments are those of `embedding`. (PyTorch: F.embedding_bag)
    """
    check_bags(input, weight, offsets, per_sample_weights, mode, scale_grad_by_freq, sparse)
    if padding_idx is not None:
        padding_idx = padding_row("embedding_bag", padding_idx, weight.shape[0], RuntimeError)
    bags, count = bag_numbers(input, offsets, include_last_offset)
    flat = reshape(input, (-1,))
    rows = embedding(flat, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq)
    kept = flat != -1 if padding_idx is None else flat != padding_idx
    if mode == "max" and flat.shape[0]:  # of nothing the largest is 0, as the sum is
        chosen, empty = largest_rows(rows, bags, kept, count)
        return where(flat.new_tensor(empty) != 0, 0.0, gather(rows, 0, flat.new_tensor(chosen)))
    if per_sample_weights is not None:
        rows = rows * reshape(per_sample_weights, (-1, 1))
    rows = where(unsqueeze(kept, 1), rows, 0.0)
    sums = index_add(zeros_of((count, weight.shape[1]), np_dtype(weight)), 0, flat.new_tensor(bags), rows)
    return sums if mode == "sum" else sums / bag_sizes(bags, kept, count, np_dtype(weight))


@on_every_path("bag_numbers")
def bag_numbers(input, offsets, include_last_offset):
    """The bag of every element of the flattened input, and how many bags there are."""
    if offsets is None:
        return np.repeat(np.arange(input.shape[0]), input.shape[1]), input.shape[0]
    starts, size = offsets.array, input.shape[0]
    if starts.size and (starts[0] != 0 or starts[-1] > size):
        raise RuntimeError(
            "embedding_bag(): offsets has to begin with 0, i.e., the first sequence has to start from position 0, and "
            f"to end at most at the length of input, {size}; but got {starts.tolist()}"
        )
    if include_last_offset:
        if not starts.size:
            raise RuntimeError("embedding_bag(): include_last_offset: number of offsets should be at least 1")
        starts = starts[:-1]
    return np.searchsorted(starts, np.arange(size), "right") - 1, len(starts)


@on_every_path("bag_sizes")
def bag_sizes(bags, kept, count, dtype):
    """How many elements count in each bag, at least 1, as a column."""
    return np.maximum(np.bincount(bags[kept.array], minlength=count), 1).astype(dtype)[:, None]


@on_every_path("largest_rows")
def largest_rows(rows, bags, kept, count):
    """For each bag and column the row with the first of the largest numbers; and a column that says which are empty."""
    chosen, empty = np.zeros((count, rows.shape[1]), np.int64), np.ones((count, 1), bool)
    for bag in range(count):
        members = np.flatnonzero((bags == bag) & kept.array)
        if len(members):
            chosen[bag], empty[bag] = members[rows.array[members].argmax(0)], False
    return chosen, empty


@on_every_path("check_bags")
def check_bags(input, weight, offsets, per_sample_weights, mode, scale_grad_by_freq, sparse):
    if weight.ndim != 2:
        raise ValueError(f"embedding_bag(): weight has to be a 2D Tensor, but got Tensor of dimension {weight.ndim}")
    if per_sample_weights is not None and per_sample_weights.shape != input.shape:
        raise ValueError(
            "embedding_bag(): If per_sample_weights is not None, then it must have the same shape as the input "
            f"({shape_text(input.shape)}), but got {shape_text(per_sample_weights.shape)}"
        )
    if input.ndim not in (1, 2):
        raise ValueError(f"embedding_bag(): input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}")
    if input.ndim == 2 and offsets is not None:
        raise ValueError("embedding_bag(): if input is 2D, then offsets has to be None: the rows of input are the bags")
    if input.ndim == 1 and (offsets is None or offsets.ndim != 1):
        raise ValueError("embedding_bag(): offsets has to be a 1D Tensor where input is 1D")
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"embedding_bag(): mode has to be one of sum, mean, max, but got {mode!r}")
    if mode == "max" and (scale_grad_by_freq or sparse):
        raise ValueError("embedding_bag(): max mode does not support scale_grad_by_freq, nor sparse weights")
    if mode != "sum" and per_sample_weights is not None:
        raise NotImplementedError(
            f"embedding_bag(): per_sample_weights was not None: only supported for mode='sum' (got mode={mode!r})"
        )
    for name, given in (("input", input), ("offsets", offsets)):
        if given is not None and np_dtype(given) not in (np.int64, np.int32):
            raise RuntimeError(f"embedding_bag(): expected {name} of dtype int64 or int32, but got {given.dtype}")
    if input.array.size and not 0 <= input.array.min() <= input.array.max() < weight.shape[0]:
        raise RuntimeError(
            f"embedding_bag(): Expected idx >= 0 && idx < num_embeddings, {weight.shape[0]}, but got numbers from "
            f"{input.array.min()} to {input.array.max()}"
        )
    if np_dtype(weight).kind != "f":
        raise NotImplementedError(f"embedding_bag(): not implemented for weights of dtype {weight.dtype}")
