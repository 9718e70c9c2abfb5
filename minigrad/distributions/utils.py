"""What the distributions share: broadcasting of parameters, probabilities and logits, attributes computed once."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import minigrad
from minigrad.nn import functional as F
from minigrad.tensor import Tensor

__all__ = [
    "broadcast_all", "clamp_probs", "lazy_property", "logits_to_probs", "probs_to_logits", "tril_matrix_to_vec",
    "vec_to_tril_matrix",
]  # fmt: skip

euler_constant = 0.57721566490153286060
NUMBER = (bool, int, float)


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """The values, tensors or numbers, as tensors of one shape.

    A number takes the dtype of the first tensor, or the default one if all are numbers. ValueError for anything else.
    """
    tensors = [value for value in values if isinstance(value, Tensor)]
    for value in values:
        if not isinstance(value, (Tensor, *NUMBER)):
            raise ValueError(
                "Input arguments must all be instances of Number or Tensor, but got "
                f"{type(value).__name__}: make it a tensor with minigrad.tensor()"
            )
    dtype = tensors[0].dtype if tensors else minigrad.get_default_dtype()
    filled = [v if isinstance(v, Tensor) else minigrad.tensor(v, dtype=dtype) for v in values]
    shape = minigrad.broadcast_shapes(*[tensor.shape for tensor in filled])
    return tuple([tensor if tensor.shape == shape else tensor.expand(shape) for tensor in filled])


def _standard_normal(shape, dtype) -> Tensor:
    """Normal numbers as ``Tensor.normal_`` draws them."""
    return minigrad.empty(shape, dtype=dtype).normal_()


def _sum_rightmost(value, dim: int):
    """The sum over the last `dim` dimensions."""
    return value if dim == 0 else value.sum(tuple(range(-dim, 0)))


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Probabilities of log odds (binary: sigmoid), or of log probabilities in the last dimension (softmax)."""
    return minigrad.sigmoid(logits) if is_binary else F.softmax(logits, dim=-1)


def clamp_probs(probs: Tensor) -> Tensor:
    """The probabilities limited to [eps, 1 - eps], eps that of the dtype: their logarithms are finite."""
    eps = minigrad.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """Log odds of probabilities (binary), or their logarithms; clamped before, so that they are finite."""
    clamped = clamp_probs(probs)
    return clamped.log() - (-clamped).log1p() if is_binary else clamped.log()


class lazy_property:
    """Decorator: a property that is computed at its first use and is a plain attribute from then on."""

    def __init__(self, wrapped: Callable) -> None:
        self.wrapped = wrapped
        functools.update_wrapper(self, wrapped)

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        with minigrad.enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value


def _lower(n: int, diag: int) -> Tensor:
    """Which elements of an n x n matrix are not above a diagonal."""
    columns = minigrad.arange(n)
    return columns < columns.view(-1, 1) + (diag + 1)


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """The lower triangles of (..., D, D) matrices, row by row: (..., N). ValueError if `diag` is outside."""
    n = mat.shape[-1]
    if not -n <= diag < n:
        raise ValueError(f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    return mat[..., _lower(n, diag)]


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """Lower triangular (..., D, D) matrices from vectors that hold them row by row. ValueError if no D fits."""
    length = vec.shape[-1]
    n = (-(1 + 2 * diag) + math.sqrt((1 + 2 * diag) ** 2 + 8 * length + 4 * abs(diag) * (diag + 1))) / 2
    if round(n) - n > minigrad.finfo(vec.dtype).eps:
        raise ValueError(
            f"The size of last dimension is {length} which cannot be expressed as "
            "the lower triangular part of a square D x D matrix."
        )
    n = round(n)
    places = _lower(n, diag).reshape(-1).nonzero().squeeze(-1)
    flat = vec.new_zeros((*vec.shape[:-1], n * n))
    return flat.index_copy(-1, places, vec).reshape((*vec.shape[:-1], n, n))
