"""`LowRankMultivariateNormal`."""

from __future__ import annotations

import math

import minigrad
from minigrad.distributions import constraints
from minigrad.distributions.distribution import Distribution, in_support
from minigrad.distributions.multivariate_normal import _batch_mahalanobis, _batch_mv, _half_logdet
from minigrad.distributions.utils import _standard_normal, lazy_property
from minigrad.tensor import Tensor

__all__ = ["LowRankMultivariateNormal"]


def _plus_identity(matrix):
    return matrix + minigrad.eye(matrix.size(-1), dtype=matrix.dtype)


def _batch_capacitance_tril(W, D):
    """The Cholesky factor of ``I + Wᵀ D⁻¹ W``, the small matrix that the large one's inverse and determinant need."""
    return minigrad.linalg.cholesky(_plus_identity((W.mT / D.unsqueeze(-2)) @ W))


def _batch_lowrank_logdet(W, D, capacitance_tril):
    """``log |W Wᵀ + D|``, by the matrix determinant lemma."""
    return 2 * _half_logdet(capacitance_tril) + D.log().sum(-1)


def _batch_lowrank_mahalanobis(W, D, x, capacitance_tril):
    """``xᵀ (W Wᵀ + D)⁻¹ x``, by the Woodbury identity."""
    projected = _batch_mv(W.mT / D.unsqueeze(-2), x)
    return (x.pow(2) / D).sum(-1) - _batch_mahalanobis(capacitance_tril, projected)


class LowRankMultivariateNormal(Distribution):
    """The normal distribution of vectors whose covariance is ``W Wᵀ + diag(D)``, W of few columns.

    Args:
        loc (Tensor): mean, of shape (..., n).
        cov_factor (Tensor): W, of shape (..., n, m).
        cov_diag (Tensor): D, positive, of shape (..., n).
        validate_args (bool | None): see `Distribution`.

    PyTorch: torch.distributions.LowRankMultivariateNormal.
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True
    _batched = {
        "loc": 1, "cov_diag": 1, "cov_factor": 2, "_unbroadcasted_cov_factor": None, "_unbroadcasted_cov_diag": None,
        "_capacitance_tril": None,
    }  # fmt: skip

    def __init__(self, loc: Tensor, cov_factor: Tensor, cov_diag: Tensor, validate_args: bool | None = None) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        event_shape = loc.shape[-1:]
        if cov_factor.dim() < 2:
            raise ValueError("cov_factor must be at least two-dimensional, with optional leading batch dimensions")
        if cov_factor.shape[-2:-1] != event_shape:
            raise ValueError(f"cov_factor must be a batch of matrices with shape {event_shape[0]} x m")
        if cov_diag.shape[-1:] != event_shape:
            raise ValueError(f"cov_diag must be a batch of vectors with shape {event_shape}")
        try:
            batch = minigrad.broadcast_shapes(loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1])
        except RuntimeError as error:
            raise ValueError(
                f"Incompatible batch shapes: loc {loc.shape}, cov_factor {cov_factor.shape}, cov_diag {cov_diag.shape}"
            ) from error
        self.loc, self.cov_diag = loc.expand((*batch, -1)), cov_diag.expand((*batch, -1))
        self.cov_factor = cov_factor.expand((*batch, -1, -1))
        self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag = cov_factor, cov_diag
        self._capacitance_tril = _batch_capacitance_tril(cov_factor, cov_diag)
        super().__init__(batch, event_shape, validate_args=validate_args)

    @property
    def _parts(self):
        return self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag

    mean = property(lambda self: self.loc)
    mode = property(lambda self: self.loc)

    @lazy_property
    def variance(self) -> Tensor:
        W, D = self._parts
        return (W.pow(2).sum(-1) + D).expand(self._batch_shape + self._event_shape)

    def _expand_matrix(self, matrix):
        return matrix.expand(self._batch_shape + self._event_shape + self._event_shape)

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance."""
        W, D = self._parts
        root = D.sqrt().unsqueeze(-1)
        scaled = W / root
        return self._expand_matrix(root * minigrad.linalg.cholesky(_plus_identity(scaled @ scaled.mT)))

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariance."""
        W, D = self._parts
        return self._expand_matrix(W @ W.mT + minigrad.diag_embed(D))

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        W, D = self._parts
        A = minigrad.linalg.solve_triangular(self._capacitance_tril, W.mT / D.unsqueeze(-2), upper=False)
        return self._expand_matrix(minigrad.diag_embed(D.reciprocal()) - A.mT @ A)

    def rsample(self, sample_shape=()):
        shape, (W, D) = self._extended_shape(sample_shape), self._parts
        along = _standard_normal((*shape[:-1], W.size(-1)), self.loc.dtype)
        each = _standard_normal(shape, self.loc.dtype)
        return self.loc + _batch_mv(W, along) + D.sqrt() * each

    def _logdet(self):
        return _batch_lowrank_logdet(*self._parts, self._capacitance_tril)

    @in_support
    def log_prob(self, value):
        square = _batch_lowrank_mahalanobis(*self._parts, value - self.loc, self._capacitance_tril)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + self._logdet() + square)

    def entropy(self):
        constant = self._event_shape[0] * (1.0 + math.log(2 * math.pi))
        return (0.5 * (constant + self._logdet())).expand(self._batch_shape)
