"""`MultivariateNormal`."""

from __future__ import annotations

import math

import minigrad
from minigrad.distributions import constraints
from minigrad.distributions.distribution import Distribution, in_support
from minigrad.distributions.utils import _standard_normal, lazy_property
from minigrad.tensor import Tensor

__all__ = ["MultivariateNormal"]


def _batch_mv(matrix, vector):
    """Matrices (..., n, m) times vectors (..., m)."""
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)


def _half_logdet(tril):
    """Half the logarithm of the determinant of ``L Lᵀ``, from L."""
    return tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def _batch_mahalanobis(tril, x):
    """``xᵀ (L Lᵀ)⁻¹ x`` of vectors x (..., n) and lower triangular L (..., n, n): the square of ``L⁻¹ x``."""
    if tril.dim() == 2:  # one system with many right-hand sides
        columns = x.reshape(-1, x.size(-1)).mT
        return minigrad.linalg.solve_triangular(tril, columns, upper=False).pow(2).sum(0).reshape(x.shape[:-1])
    solved = minigrad.linalg.solve_triangular(tril, x.unsqueeze(-1), upper=False)
    return solved.squeeze(-1).pow(2).sum(-1)


def _precision_to_scale_tril(precision):
    """The Cholesky factor of the inverse: with everything turned around, that factor is the inverse of another."""
    turned = minigrad.linalg.cholesky(precision.flip((-2, -1))).flip((-2, -1)).mT
    identity = minigrad.eye(precision.shape[-1], dtype=precision.dtype)
    return minigrad.linalg.solve_triangular(turned, identity, upper=False)


def one_matrix(**matrices):
    """(name, matrix) of the one that was given; ValueError if it is not exactly one, or has less than 2 dimensions."""
    given = [(name, matrix) for name, matrix in matrices.items() if matrix is not None]
    if len(given) != 1:
        raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
    ((name, matrix),) = given
    if matrix.dim() < 2:
        raise ValueError(f"{name} matrix must be at least two-dimensional, with optional leading batch dimensions")
    return name, matrix


def factor_of(name, matrix):
    """The Cholesky factor of the covariance that the matrix of that name gives."""
    if name == "scale_tril":
        return matrix
    return minigrad.linalg.cholesky(matrix) if name == "covariance_matrix" else _precision_to_scale_tril(matrix)


class WithCovariance(Distribution):
    """What distributions share that are given by one of `covariance_matrix`, `precision_matrix`, `scale_tril`.

    `_unbroadcasted_scale_tril` is the Cholesky factor of the covariance, without the batch dimensions of the rest.
    """

    def _matrix_shape(self):
        """The shape of the broadcast matrices."""
        raise NotImplementedError

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance."""
        return self._unbroadcasted_scale_tril.expand(self._matrix_shape())

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariance."""
        tril = self._unbroadcasted_scale_tril
        return (tril @ tril.mT).expand(self._matrix_shape())

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        return minigrad.cholesky_inverse(self._unbroadcasted_scale_tril).expand(self._matrix_shape())


class MultivariateNormal(WithCovariance):
    """The normal distribution of vectors, of density ``exp(-(x - μ)ᵀ Σ⁻¹ (x - μ) / 2) / √((2π)^n |Σ|)``.

    Args:
        loc (Tensor): mean (μ), of shape (..., n).
        covariance_matrix (Tensor | None): positive definite (Σ), of shape (..., n, n); or
        precision_matrix (Tensor | None): its inverse; or
        scale_tril (Tensor | None): its lower Cholesky factor, with positive diagonal (the fastest).
        validate_args (bool | None): see `Distribution`.

    PyTorch: torch.distributions.MultivariateNormal.
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True
    _batched = {
        "loc": 1, "_unbroadcasted_scale_tril": None, "covariance_matrix": 2, "scale_tril": 2, "precision_matrix": 2,
    }  # fmt: skip

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        name, matrix = one_matrix(
            covariance_matrix=covariance_matrix, precision_matrix=precision_matrix, scale_tril=scale_tril
        )
        batch_shape = minigrad.broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        setattr(self, name, matrix.expand((*batch_shape, -1, -1)))
        self.loc = loc.expand((*batch_shape, -1))
        super().__init__(batch_shape, self.loc.shape[-1:], validate_args=validate_args)
        self._unbroadcasted_scale_tril = factor_of(name, matrix)

    def _matrix_shape(self):
        return self._batch_shape + self._event_shape + self._event_shape

    mean = property(lambda self: self.loc)
    mode = property(lambda self: self.loc)

    @property
    def variance(self) -> Tensor:
        return self._unbroadcasted_scale_tril.pow(2).sum(-1).expand(self._batch_shape + self._event_shape)

    def rsample(self, sample_shape=()):
        normal = _standard_normal(self._extended_shape(sample_shape), self.loc.dtype)
        return self.loc + _batch_mv(self._unbroadcasted_scale_tril, normal)

    @in_support
    def log_prob(self, value):
        square = _batch_mahalanobis(self._unbroadcasted_scale_tril, value - self.loc)
        constant = self._event_shape[0] * math.log(2 * math.pi)
        return -0.5 * (constant + square) - _half_logdet(self._unbroadcasted_scale_tril)

    def entropy(self):
        half = 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi))
        return (half + _half_logdet(self._unbroadcasted_scale_tril)).expand(self._batch_shape)
