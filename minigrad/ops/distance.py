"""Distances: of two tensors, of all pairs of rows; and rows brought back to a norm."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad.registry import FUNCTION, INPLACE, METHOD, Op, composite, helper
from minigrad.samples import S, of
from minigrad.shapes import one_dim

MODES = (None, "use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")
MANY = 25  # rows from which PyTorch, too, takes the Euclidean distance from a product of matrices
CHUNK = 1 << 20  # numbers of the differences held at a time


@composite(samples=of(
    lambda make: S(make(3, 4), make(3, 4)), lambda make: S(make(3, 4), make(4), 3), lambda make: S(make(3), make(3), 1),
))  # fmt: skip
def dist(input, other, p=2):
    """dist(input, other, p=2) -> Tensor: the p-norm of ``input - other``, over all elements. (PyTorch: torch.dist)"""
    tensors_only("dist", input=input, other=other)
    if not isinstance(p, int | float):
        raise TypeError(f"dist(): argument 'p' must be Number, not {type(p).__name__}")
    return norm(input - other, p)


@composite(
    public=(FUNCTION,),
    samples=of(
        lambda make: S(make(3, 4), make(5, 4)),
        lambda make: S(make(2, 1, 3, 2), make(4, 2), 1.0),
        lambda make: S(make(3, 2), make(2, 2), float("inf")),
        lambda make: S(make(3, 2), make(2, 2), 1.5),
    ),
)
def cdist(x1, x2, p=2.0, compute_mode="use_mm_for_euclid_dist_if_necessary"):
    """cdist(x1, x2, p=2.0, compute_mode="use_mm_for_euclid_dist_if_necessary") -> Tensor

    The p-distance of each row of x1 to each row of x2: (..., n, d) and (..., m, d) to (..., n, m). Where there are more
    than 25 rows, or compute_mode says so, Euclidean distances come from ``|a|² + |b|² - 2 a·b``.
    (PyTorch: torch.cdist)
    """
    if compute_mode not in MODES:
        raise ValueError(
            f"{compute_mode} is not a valid value for compute_mode in cdist(): expected one of {MODES[1:]}"
        )
    for name, rows in (("X1", x1), ("X2", x2)):
        if np_dtype(rows).kind != "f":
            raise RuntimeError(f"cdist only supports floating-point dtypes, {name} got: {type_name(np_dtype(rows))}")
        if rows.ndim < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {rows.ndim}D")
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]} in cdist()"
        )
    if p < 0:
        raise RuntimeError(f"cdist only supports non-negative p values, got {p}")
    if np_dtype(x1) != np_dtype(x2):
        raise RuntimeError(f"cdist(): expected scalar type {x1.dtype} but found {x2.dtype}: convert one with .to()")
    many = x1.shape[-2] > MANY or x2.shape[-2] > MANY
    by_product = compute_mode == MODES[2] or (compute_mode != MODES[3] and many)
    return pair_distance(x1, x2, float(p), by_product and p == 2)


class pair_distance(Op):
    """The p-distances of all pairs of rows; called by `cdist`. The gradient of a distance of zero is zero."""

    public, fresh, broadcasts, backward_name = (), True, True, "CdistBackward0"

    def forward(input, other, /, p, by_product):
        batch = common_shape("cdist", input.shape[:-2], other.shape[:-2])
        input = np.broadcast_to(input, (*batch, *input.shape[-2:]))
        other = np.broadcast_to(other, (*batch, *other.shape[-2:]))
        if by_product:
            mine, others = np.square(input).sum(-1, keepdims=True), np.square(other).sum(-1, keepdims=True)
            left = np.concatenate([-2 * input, mine, np.ones_like(mine)], -1)
            right = np.concatenate([other, np.ones_like(others), others], -1)
            return np.sqrt(np.maximum(np.matmul(left, right.swapaxes(-1, -2)), 0))
        out = np.empty((*batch, input.shape[-2], other.shape[-2]), input.dtype)
        step = rows_at_once(other.size)
        for top in range(0, input.shape[-2], step):
            part = input[..., top : top + step, None, :] - other[..., None, :, :]
            out[..., top : top + step, :] = lengths(part, p)
        return out

    def grad_input(g, input, other, output, p, by_product):
        return pair_gradient(g, input, other, output, p, by_product)

    def grad_other(g, input, other, output, p, by_product):
        return pair_gradient(transpose(g, -1, -2), other, input, transpose(output, -1, -2), p, by_product)


def rows_at_once(size):
    """How many rows of the input may be held against all of the other's numbers."""
    return max(1, CHUNK // max(1, size))


def lengths(difference, p):
    """The p-norm along the last axis."""
    if p == 2:
        return np.sqrt(np.square(difference).sum(-1))
    if p == 0:
        return (difference != 0).sum(-1, dtype=difference.dtype)
    size = np.abs(difference)
    if p == 1:
        return size.sum(-1)
    if p == np.inf:
        return size.max(-1, initial=0)
    return np.power(np.power(size, difference.dtype.type(p)).sum(-1), difference.dtype.type(1 / p))


@helper
def pair_gradient(g, input, other, output, p, by_product):
    """The gradient of each row of the input, from its distances to the rows of the other."""
    if p == 0:
        return sum(unsqueeze(g * 0.0, -1) * unsqueeze(input, -2), -2)
    if by_product:
        ratio = where(output == 0, 0.0, g / where(output == 0, 1.0, output))
        return sum(ratio, -1, True) * input - matmul(ratio, other)
    difference, along, length = unsqueeze(input, -2) - unsqueeze(other, -3), unsqueeze(g, -1), unsqueeze(output, -1)
    if p == 1:
        return sum(along * sign(difference), -2)
    if p == float("inf"):
        return sum(where(abs(difference) == length, along * sign(difference), 0.0), -2)
    if p == 2:
        return sum(where(length == 0, 0.0, difference * (along / where(length == 0, 1.0, length))), -2)
    still = difference == 0
    size = abs(where(still, 1.0, difference)) / where(length == 0, 1.0, length)
    return sum(where(still, 0.0, along * sign(difference) * size ** (p - 1.0)), -2)


@composite(
    out=True,
    public=(FUNCTION, METHOD, INPLACE),
    samples=of(lambda make: S(make(3, 4), 2, 0, 1.5), lambda make: S(make(2, 3, 2), 1.0, -1, 2.0)),
)
def renorm(input, p, dim, maxnorm):
    """renorm(input, p, dim, maxnorm) -> Tensor

    Each slice along `dim` whose p-norm exceeds maxnorm scaled down to it. (PyTorch: torch.renorm)
    """
    if p <= 0:
        raise RuntimeError(f"renorm: non-positive-norm not supported: got p={p}")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    if input.ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {input.ndim} dimensions")
    dim = one_dim(dim, input.ndim, "renorm")
    length = norm(input, p, tuple([d for d in range(input.ndim) if d != dim]), True)
    return input * where(length > maxnorm, maxnorm / (length + 1e-7), 1.0)
