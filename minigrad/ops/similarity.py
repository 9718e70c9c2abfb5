"""Distances and angles between vectors."""

# The names in composites are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad.registry import FUNCTION, FUNCTIONAL, composite, helper, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import one_dim

BOTH = (FUNCTION, FUNCTIONAL)


@helper
def at_least(input, least):
    """The input raised to `least`, with the gradient of the input: what PyTorch's clamp under no_grad amounts to."""
    return input + (clamp(input, least) - input).detach() if some(input < least) else input


@composite(
    public=BOTH,
    samples=of(
        lambda make: S(make(3, 4), make(3, 4)),
        lambda make: S(make(2, 3, 4), make(3, 1), dim=-1),
        lambda make: S(make(5), make(5), dim=0),
    ),
)
def cosine_similarity(x1, x2, dim=1, eps=1e-08):
    """cosine_similarity(x1, x2, dim=1, eps=1e-8) -> Tensor

    The cosine of the angle between the vectors along `dim`: ``x1 · x2 / (max(‖x1‖, eps) max(‖x2‖, eps))``; the inputs
    broadcast. (PyTorch: F.cosine_similarity)
    """
    tensors_only("cosine_similarity", x1=x1, x2=x2)
    if np_dtype(x1).kind != "f" and np_dtype(x2).kind != "f":
        raise RuntimeError(
            f"cosine_similarity(): expected common dtype to be floating point, yet common dtype is {x1.dtype}"
        )
    x1, x2 = to_float(x1), to_float(x2)
    if x1.shape != x2.shape:
        shape = (x1 * x2).shape
        x1, x2 = expand(x1, shape), expand(x2, shape)
    dim = one_dim(dim, x1.ndim, "cosine_similarity")
    return sum(x1 / at_least(norm(x1, 2, dim, True), eps) * (x2 / at_least(norm(x2, 2, dim, True), eps)), dim)


@composite(
    public=BOTH,
    samples=of(
        lambda make: S(make(3, 4), make(3, 4)),
        lambda make: S(make(2, 3, 4), make(4), p=1.0, keepdim=True),
        lambda make: S(make(5), make(5), p=3.0, eps=1e-3),
    ),
)
def pairwise_distance(x1, x2, p=2.0, eps=1e-06, keepdim=False):
    """pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False) -> Tensor

    The p-norm of ``x1 - x2 + eps`` along the last dimension; the inputs broadcast. (PyTorch: F.pairwise_distance)
    """
    tensors_only("pairwise_distance", x1=x1, x2=x2)
    difference = x1 - x2 + eps
    return norm(difference, p, difference.ndim - 1 if difference.ndim else (), keepdim)


@composite(public=BOTH, samples=of(lambda make: S(make(4, 3)), lambda make: S(make(3, 2), p=1.0)))
def pdist(input, p=2.0):
    """pdist(input, p=2.0) -> Tensor

    The p-norm distances between each two of the N rows of the input (N, M), as N(N-1)/2 numbers: row 0 to the others,
    row 1 to those after it, ... (PyTorch: F.pdist)
    """
    tensors_only("pdist", input=input)
    if input.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.ndim}D")
    if np_dtype(input).kind != "f":
        raise RuntimeError(f"pdist only supports floating-point dtypes, got {input.dtype}")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    first, second = pairs_below(input.shape[0])
    return norm(getitem(input, first) - getitem(input, second), p, 1)


@on_every_path("pairs_below")
def pairs_below(count):
    """The index arrays of all pairs i < j below `count`, in order."""
    return np.triu_indices(count, 1)
