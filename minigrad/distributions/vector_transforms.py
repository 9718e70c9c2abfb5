"""Transforms of vectors and matrices, and transforms made of several for parts. (torch.distributions.transforms)"""

from __future__ import annotations

import math
from collections.abc import Sequence

import minigrad
from minigrad.distributions import constraints
from minigrad.distributions.transform import Transform, _OfItsKind, at_least, inside_unit
from minigrad.distributions.utils import _sum_rightmost, tril_matrix_to_vec, vec_to_tril_matrix
from minigrad.nn import functional as F

__all__ = [
    "CatTransform", "CorrCholeskyTransform", "LowerCholeskyTransform", "PositiveDefiniteTransform", "SoftmaxTransform",
    "StackTransform", "StickBreakingTransform",
]  # fmt: skip


class SoftmaxTransform(_OfItsKind):
    """``y = softmax(x)`` onto the simplex. Not bijective: the inverse is the logarithm.

    PyTorch: torch.distributions.SoftmaxTransform.
    """

    domain, codomain = constraints.real_vector, constraints.simplex

    def _call(self, x):
        return F.softmax(x, dim=-1)

    def _inverse(self, y):
        return y.log()

    def forward_shape(self, shape):
        return at_least(shape, 1)

    inverse_shape = forward_shape


class StickBreakingTransform(_OfItsKind):
    """From (..., K - 1) numbers to the simplex (..., K): each takes its share, a sigmoid, of what is left of a stick.

    PyTorch: torch.distributions.StickBreakingTransform.
    """

    domain, codomain = constraints.real_vector, constraints.simplex
    bijective = True

    @staticmethod
    def _log_pieces(x, count):
        """The logarithm of how many pieces are still to be broken off: count ... 1, so that x = 0 makes equal ones."""
        return (count + 1 - x.new_ones(count).cumsum(-1)).log()

    def _call(self, x):
        share = inside_unit(minigrad.sigmoid(x - self._log_pieces(x, x.shape[-1])))
        left = (1 - share).cumprod(-1)
        return F.pad(share, [0, 1], value=1) * F.pad(left, [1, 0], value=1)

    def _inverse(self, y):
        pieces = y[..., :-1]
        left = (1 - pieces.cumsum(-1)).clamp(min=minigrad.finfo(y.dtype).tiny)
        return pieces.log() - left.log() + self._log_pieces(y, pieces.shape[-1])

    def log_abs_det_jacobian(self, x, y):
        x = x - self._log_pieces(x, x.shape[-1])
        return (-x + F.logsigmoid(x) + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape):
        at_least(shape, 1)
        return (*shape[:-1], shape[-1] + 1)

    def inverse_shape(self, shape):
        at_least(shape, 1)
        return (*shape[:-1], shape[-1] - 1)


class LowerCholeskyTransform(_OfItsKind):
    """Any matrix to a lower triangular one with positive diagonal, its exponential.

    PyTorch: torch.distributions.LowerCholeskyTransform.
    """

    domain, codomain = constraints.independent(constraints.real, 2), constraints.lower_cholesky

    def _call(self, x):
        return x.tril(-1) + x.diagonal(dim1=-2, dim2=-1).exp().diag_embed()

    def _inverse(self, y):
        return y.tril(-1) + y.diagonal(dim1=-2, dim2=-1).log().diag_embed()


class PositiveDefiniteTransform(_OfItsKind):
    """Any matrix to a positive definite one, by way of its Cholesky factor.

    PyTorch: torch.distributions.PositiveDefiniteTransform.
    """

    domain, codomain = constraints.independent(constraints.real, 2), constraints.positive_definite

    def _call(self, x):
        factor = LowerCholeskyTransform()(x)
        return factor @ factor.mT

    def _inverse(self, y):
        return LowerCholeskyTransform().inv(minigrad.linalg.cholesky(y))


class CorrCholeskyTransform(Transform):
    """From (..., D (D - 1) / 2) numbers to Cholesky factors (..., D, D) of correlation matrices.

    The numbers' tanh are partial correlations: each row takes them as shares of what its length, 1, has left
    (Lewandowski, Kurowicka and Joe, 2009).

    PyTorch: torch.distributions.CorrCholeskyTransform.
    """

    domain, codomain = constraints.real_vector, constraints.corr_cholesky
    bijective = True

    def _call(self, x):
        eps = minigrad.finfo(x.dtype).eps
        share = vec_to_tril_matrix(x.tanh().clamp(min=-1 + eps, max=1 - eps), diag=-1)
        left = (1 - share**2).sqrt().cumprod(-1)
        share = share + minigrad.eye(share.shape[-1], dtype=share.dtype)
        return share * F.pad(left[..., :-1], [1, 0], value=1)

    def _inverse(self, y):
        left = F.pad((1 - (y * y).cumsum(-1))[..., :-1], [1, 0], value=1)
        t = tril_matrix_to_vec(y, diag=-1) / tril_matrix_to_vec(left, diag=-1).sqrt()
        return (t.log1p() - t.neg().log1p()) / 2

    def log_abs_det_jacobian(self, x, y):
        left = tril_matrix_to_vec(1 - (y * y).cumsum(-1), diag=-2)
        return 0.5 * left.log().sum(-1) - 2 * (x + F.softplus(-2 * x) - math.log(2.0)).sum(-1)

    def forward_shape(self, shape):
        n = at_least(shape, 1)[-1]
        d = round((0.25 + 2 * n) ** 0.5 + 0.5)
        if d * (d - 1) // 2 != n:
            raise ValueError("Input is not a flattened lower-diagonal number")
        return (*shape[:-1], d, d)

    def inverse_shape(self, shape):
        at_least(shape, 2)
        if shape[-2] != shape[-1]:
            raise ValueError("Input is not square")
        d = shape[-1]
        return (*shape[:-2], d * (d - 1) // 2)


class _PartsTransform(Transform):
    """Several transforms, each for a part of the dimension `dim`.

    A subclass says how a tensor is taken apart (`_apart`) and put together (`_joined`).
    """

    def __init__(self, tseq: Sequence[Transform], dim: int = 0, cache_size: int = 0) -> None:
        if not all(isinstance(t, Transform) for t in tseq):
            raise AssertionError("All elements of tseq must be Transform instances")
        super().__init__(cache_size=cache_size)
        self.transforms = [t.with_cache(cache_size) for t in tseq] if cache_size else list(tseq)
        self.dim = dim

    bijective = property(lambda self: all(t.bijective for t in self.transforms))

    @property
    def length(self) -> int:
        """The size of the dimension."""
        return len(self.transforms)

    def _apart(self, x):
        raise NotImplementedError

    def _joined(self, parts):
        raise NotImplementedError

    def _parts(self, x):
        if not -x.dim() <= self.dim < x.dim():
            raise AssertionError(f"dim {self.dim} out of range for tensor with {x.dim()} dimensions")
        if x.size(self.dim) != self.length:
            raise AssertionError(f"size {x.size(self.dim)} of dimension {self.dim} must equal {self.length}")
        return self._apart(x)

    def _call(self, x):
        return self._joined([t(part) for t, part in zip(self.transforms, self._parts(x))])

    def _inverse(self, y):
        return self._joined([t.inv(part) for t, part in zip(self.transforms, self._parts(y))])

    def _log_dets(self, x, y):
        return [t.log_abs_det_jacobian(*xy) for t, *xy in zip(self.transforms, self._parts(x), self._parts(y))]


class CatTransform(_PartsTransform):
    """Transforms of slices of `lengths` along `dim`, as `minigrad.cat` joins them.

    Args:
        tseq (Sequence[Transform]): the transforms.
        dim (int): the dimension.
        lengths (Sequence[int] | None): sizes of the slices; None: all 1.
        cache_size (int): of the transforms.

    PyTorch: torch.distributions.CatTransform.
    """

    def __init__(self, tseq, dim: int = 0, lengths=None, cache_size: int = 0) -> None:
        super().__init__(tseq, dim, cache_size)
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.transforms):
            raise AssertionError(f"lengths ({len(self.lengths)}) must match transforms ({len(self.transforms)})")

    def with_cache(self, cache_size=1):
        if self._cache_size == cache_size:
            return self
        return CatTransform(self.transforms, self.dim, self.lengths, cache_size)

    @property
    def event_dim(self) -> int:
        return max(t.event_dim for t in self.transforms)

    @property
    def length(self) -> int:
        return sum(self.lengths)

    domain = constraints.dependent_property(
        lambda self: constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths)
    )
    codomain = constraints.dependent_property(
        lambda self: constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths)
    )

    def _apart(self, x):
        return x.split(self.lengths, self.dim)

    def _joined(self, parts):
        return minigrad.cat(parts, self.dim)

    def log_abs_det_jacobian(self, x, y):
        event_dim = self.event_dim
        dets = [_sum_rightmost(d, event_dim - t.event_dim) for t, d in zip(self.transforms, self._log_dets(x, y))]
        dim = (self.dim - x.dim() if self.dim >= 0 else self.dim) + event_dim
        return minigrad.cat(dets, dim) if dim < 0 else sum(dets)


class StackTransform(_PartsTransform):
    """Transforms of the entries along `dim`, as `minigrad.stack` joins them.

    Args:
        tseq (Sequence[Transform]): the transforms.
        dim (int): the dimension.
        cache_size (int): of the transforms.

    PyTorch: torch.distributions.StackTransform.
    """

    def with_cache(self, cache_size=1):
        return self if self._cache_size == cache_size else StackTransform(self.transforms, self.dim, cache_size)

    domain = constraints.dependent_property(
        lambda self: constraints.stack([t.domain for t in self.transforms], self.dim)
    )
    codomain = constraints.dependent_property(
        lambda self: constraints.stack([t.codomain for t in self.transforms], self.dim)
    )

    def _apart(self, x):
        return x.unbind(self.dim)

    def _joined(self, parts):
        return minigrad.stack(parts, self.dim)

    def log_abs_det_jacobian(self, x, y):
        return self._joined(self._log_dets(x, y))
