"""Rows of a table by their numbers: embeddings and one-hot vectors. (Bags of them: `bag.py`.)"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad.kernels import indexing as kernels
from minigrad.registry import FUNCTIONAL, Op, composite, helper, np_dtype, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import index_of


class embedding(Op):
    """embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False)
    -> Tensor

    Rows of weight (N, D) by the integers in input (any shape S): output (S, D). The row padding_idx gets no gradient.
    max_norm: rows in use whose norm (of order norm_type) is larger are scaled down to it, in weight itself.
    scale_grad_by_freq: the gradient of a row is divided by how often it is used. sparse is accepted; gradients are
    dense. (PyTorch: F.embedding)
    """

    public, fresh = (FUNCTIONAL,), True

    def prepare(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
        if weight.ndim != 2:
            raise RuntimeError(f"'weight' must be 2-D: embedding() got {weight.ndim}-D")
        if padding_idx is not None:
            padding_idx = padding_row("embedding", padding_idx, weight.shape[0])
        if max_norm is not None:
            renormalise(weight.detach(), input, max_norm, norm_type)
        return input, weight, padding_idx, bool(scale_grad_by_freq)

    def forward(input, weight, /, padding_idx, by_frequency):
        if input.dtype not in (np.int64, np.int32):
            raise RuntimeError(
                "embedding(): Expected tensor for argument #1 'indices' to have scalar type Long or Int; but got "
                f"{input.dtype}"
            )
        try:
            return kernels.take(weight, input, 0, False)
        except IndexError:
            error = IndexError if weight.shape[0] else RuntimeError
            raise error(
                f"index out of range in self: embedding() got {input.max() if input.min() >= 0 else input.min()} for a "
                f"table of {weight.shape[0]} rows"
            ) from None

    def grad_weight(g, input, weight_shape, padding_idx, by_frequency):
        return embedding_weight(g, input, weight_shape, padding_idx, by_frequency)

    samples = of(
        lambda make: S(make(2, 3, kind="i", low=0, high=5), make(5, 4)),
        lambda make: S(np.array([4, 0, 0, 2]), make(5, 4), 1),
    )


class embedding_weight(Op):
    """The gradient of an embedding's table: each row the sum (by frequency: the mean) of the gradients of its uses."""

    public, fresh = (), True

    def forward(g, input, /, shape, padding_idx, by_frequency):
        table = np.zeros(shape, g.dtype)
        kernels.scatter_add_rows(table, input.reshape(-1), g.reshape(input.size, shape[1]))
        if by_frequency:
            table *= shares(input, shape[0], g.dtype)
        if padding_idx is not None:
            table[padding_idx] = 0
        return table

    def grad_g(g, input, padding_idx, by_frequency):
        rows = g * row_shares(input, g) if by_frequency else g
        return mask_rows(embedding(input, rows), input, padding_idx)


def shares(input, rows, dtype):
    """1 / (how often each row is used), as a column."""
    counts = np.bincount(input.reshape(-1), minlength=rows)
    return (1 / np.maximum(counts, 1)).astype(dtype)[:, None]


@on_every_path("row_shares")
def row_shares(input, g):
    return shares(getattr(input, "array", input), g.shape[0], np_dtype(g))


@composite(public=())
def mask_rows(rows, input, padding_idx):
    """Zero where the row is the padding's."""
    return rows if padding_idx is None else where(unsqueeze(input == padding_idx, -1), 0.0, rows)


@on_every_path("padding_row")
def padding_row(op, padding_idx, rows, error=AssertionError):
    if not -rows <= padding_idx < rows:
        raise error(f"Padding_idx must be within num_embeddings: {op}() got {padding_idx} for {rows} rows")
    return padding_idx % rows


@helper
def renormalise(table, input, max_norm, norm_type):
    """Scale down the rows in use that are longer than max_norm; written to the table, and not recorded."""
    lengths = norm(table, norm_type, 1, True)
    long = (lengths > max_norm) & rows_used(input, table)
    table.copy_(where(long, table * (max_norm / (lengths + 1e-7)), table))


@on_every_path("rows_used")
def rows_used(input, table):
    """A bool per row of the table, as a column: whether the input names it."""
    return np.isin(np.arange(table.shape[0]), getattr(input, "array", input))[:, None]


class one_hot(Op):
    """one_hot(tensor, num_classes=-1) -> LongTensor

    A 1 at each integer's place in a new last dimension of num_classes (-1: the largest integer + 1).
    (PyTorch: F.one_hot)
    """

    public = (FUNCTIONAL,)

    def prepare(tensor, num_classes=-1):
        return tensor, index_of(num_classes, "one_hot", "num_classes")

    def forward(tensor, /, num_classes):
        if tensor.dtype != np.int64:
            raise RuntimeError(f"one_hot is only applicable to index tensor of type LongTensor, but got {tensor.dtype}")
        if not tensor.size and num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor: give num_classes to one_hot()")
        if tensor.size and tensor.min() < 0:
            raise RuntimeError(f"Class values must be non-negative, but one_hot() got {tensor.min()}")
        if num_classes == -1:
            num_classes = int(tensor.max()) + 1
        if tensor.size and tensor.max() >= num_classes:
            raise RuntimeError(
                f"Class values must be smaller than num_classes: got {tensor.max()} for {num_classes} classes"
            )
        return (tensor[..., None] == np.arange(num_classes)).astype(np.int64)

    samples = of(
        lambda make: S(make(2, 3, kind="i", low=0, high=4)), lambda make: S(make(3, kind="i", low=0, high=4), 6)
    )
