"""`Wishart`."""

from __future__ import annotations

import math
import warnings

import minigrad
from minigrad.distributions import constraints
from minigrad.distributions.chi2 import Chi2
from minigrad.distributions.distribution import in_support
from minigrad.distributions.exp_family import ExponentialFamily
from minigrad.distributions.multivariate_normal import WithCovariance, _half_logdet, factor_of, one_matrix
from minigrad.distributions.utils import NUMBER
from minigrad.dtypes import Size
from minigrad.tensor import Tensor

__all__ = ["Wishart"]

_LOG2 = math.log(2)


class Wishart(WithCovariance, ExponentialFamily):
    """The distribution of ``Σ x xᵀ`` over `df` normal vectors x of mean 0 and the given covariance, (..., p, p).

    Args:
        df (float | Tensor): degrees of freedom, above p - 1.
        covariance_matrix (Tensor | None): positive definite; or
        precision_matrix (Tensor | None): its inverse; or
        scale_tril (Tensor | None): its lower Cholesky factor.
        validate_args (bool | None): see `Distribution`.

    Sampled by Bartlett's decomposition. ValueError if `df` is too small; a warning where samples may be singular.

    PyTorch: torch.distributions.Wishart.
    """

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0
    _batched = {
        "df": 0, "_unbroadcasted_scale_tril": 2, "covariance_matrix": 2, "scale_tril": 2, "precision_matrix": 2,
    }  # fmt: skip

    def __init__(
        self,
        df: Tensor | float,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        name, matrix = one_matrix(
            covariance_matrix=covariance_matrix, precision_matrix=precision_matrix, scale_tril=scale_tril
        )
        if isinstance(df, NUMBER):
            df = minigrad.tensor(df, dtype=matrix.dtype)
        batch_shape, p = minigrad.broadcast_shapes(matrix.shape[:-2], df.shape), matrix.size(-1)
        self.df = df.expand(batch_shape)
        if (self.df <= p - 1).any():
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {p - 1}.")
        if (self.df < p).any():
            warnings.warn(
                "Low df values detected. Singular samples are highly likely to occur for ndim - 1 < df < ndim.",
                stacklevel=2,
            )
        setattr(self, name, matrix.expand((*batch_shape, -1, -1)))
        super().__init__(batch_shape, matrix.shape[-2:], validate_args=validate_args)
        self._unbroadcasted_scale_tril = factor_of(name, matrix)

    @property
    def arg_constraints(self):
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self.event_shape[-1] - 1),
        }

    def _matrix_shape(self):
        return self._batch_shape + self._event_shape

    def _by_matrix(self, x):
        """Numbers of the batch, so that they multiply matrices."""
        return x.reshape((*self._batch_shape, 1, 1))

    mean = property(lambda self: self._by_matrix(self.df) * self.covariance_matrix)

    @property
    def mode(self) -> Tensor:
        factor = self.df - self.event_shape[-1] - 1
        return self._by_matrix(minigrad.where(factor <= 0, math.nan, factor)) * self.covariance_matrix

    @property
    def variance(self) -> Tensor:
        V = self.covariance_matrix
        diagonal = V.diagonal(dim1=-2, dim2=-1)
        return self._by_matrix(self.df) * (V.pow(2) + diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2))

    def _bartlett(self, sample_shape):
        p, dtype = self._event_shape[-1], self._unbroadcasted_scale_tril.dtype
        chi2 = Chi2(self.df.unsqueeze(-1) - minigrad.arange(p, dtype=dtype))
        diagonal = chi2.rsample(sample_shape).sqrt().clamp(min=minigrad.finfo(dtype).eps)
        below = minigrad.randn((*sample_shape, *self._batch_shape, p * (p - 1) // 2), dtype=dtype)
        noise = diagonal.diag_embed()
        i, j = minigrad.tril_indices(p, p, offset=-1)
        noise[..., i, j] = below
        factor = self._unbroadcasted_scale_tril @ noise
        return factor @ factor.mT

    def rsample(self, sample_shape=(), max_try_correction: int | None = None):
        """Samples; `max_try_correction` (10) is how often those that come out singular are drawn again."""
        sample_shape = Size(sample_shape)
        sample = self._bartlett(sample_shape)
        # PyTorch 2.13 draws those again that are *not* singular, once, and warns of it. The numbers are the same here.
        again = self._whole(self.support.check(sample))
        tries = 10 if max_try_correction is None else max_try_correction
        while again.any() and tries > 0:
            tries -= 1
            new = self._bartlett(again[again].shape)
            sample[again] = new
            again = again.masked_scatter(again, self._whole(~self.support.check(new)))
        return sample

    def _whole(self, mask):
        """Whether it holds anywhere in the batch, by sample."""
        dims = tuple(range(-len(self._batch_shape), 0))
        return mask.any(dims) if dims else mask

    @in_support
    def log_prob(self, value):
        df, p, tril = self.df, self._event_shape[-1], self._unbroadcasted_scale_tril
        normalizer = df * (p * _LOG2 / 2 + _half_logdet(tril)) + minigrad.mvlgamma(df / 2, p)
        trace = minigrad.cholesky_solve(value, tril).diagonal(dim1=-2, dim2=-1).sum(-1)
        return (df - p - 1) / 2 * minigrad.linalg.slogdet(value).logabsdet - trace / 2 - normalizer

    def entropy(self):
        df, p = self.df, self._event_shape[-1]
        digammas = (df.unsqueeze(-1) / 2 - minigrad.arange(p, dtype=df.dtype) / 2).digamma().sum(-1)
        volume = (p + 1) * (p * _LOG2 / 2 + _half_logdet(self._unbroadcasted_scale_tril))
        return volume + minigrad.mvlgamma(df / 2, p) - (df - p - 1) / 2 * digammas + df * p / 2

    @property
    def _natural_params(self):
        return -self.precision_matrix / 2, (self.df - self._event_shape[-1] - 1) / 2

    def _log_normalizer(self, x, y):
        p = self._event_shape[-1]
        half = y + (p + 1) / 2
        return half * (_LOG2 * p - minigrad.linalg.slogdet(-2 * x).logabsdet) + minigrad.mvlgamma(half, p)
