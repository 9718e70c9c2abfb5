"""`ContinuousBernoulli`."""

from __future__ import annotations

import math

import minigrad
from minigrad.distributions import constraints
from minigrad.distributions.distribution import in_support
from minigrad.distributions.exp_family import ExponentialFamily
from minigrad.distributions.odds import Odds
from minigrad.distributions.utils import broadcast_all, clamp_probs, lazy_property, logits_to_probs
from minigrad.nn import functional as F
from minigrad.tensor import Tensor

__all__ = ["ContinuousBernoulli"]


class ContinuousBernoulli(Odds, ExponentialFamily):
    """The distribution on [0, 1] of density ``C p^x (1 - p)^(1 - x)`` (Loaiza-Ganem and Cunningham, 2019).

    Args:
        probs (float | Tensor | None): p, in (0, 1) (not the mean); or
        logits (float | Tensor | None): its log odds.
        lims (tuple[float, float]): between these, p is so close to 1/2 that Taylor's series are used.
        validate_args (bool | None): see `Distribution`.

    PyTorch: torch.distributions.ContinuousBernoulli.
    """

    support = constraints.unit_interval
    has_rsample = True
    _mean_carrier_measure = 0
    _batched = {**Odds._batched, "_lims": None}

    def __init__(
        self,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        lims: tuple[float, float] = (0.499, 0.501),
        validate_args: bool | None = None,
    ) -> None:
        shape = self._keep_odds(probs, logits)
        if probs is not None:
            if validate_args is not None and not constraints.unit_interval.check(self.probs).all():
                raise ValueError("The parameter probs has invalid values: they have to lie in [0, 1]")
            self.probs = self._param = clamp_probs(self.probs)
        self._lims = lims
        super().__init__(shape, validate_args=validate_args)

    @lazy_property
    def probs(self) -> Tensor:
        """p, limited to the open interval."""
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    def _outside_unstable_region(self):
        return (self.probs <= self._lims[0]) | (self.probs > self._lims[1])

    def _cut_probs(self):
        """p, but the lower limit where it is between the limits."""
        return minigrad.where(self._outside_unstable_region(), self.probs, self._lims[0])

    def _stable(self, outside, taylor):
        return minigrad.where(self._outside_unstable_region(), outside, taylor)

    def _cont_bern_log_norm(self):
        """log C."""
        p = self._cut_probs()
        below, above = minigrad.where(p <= 0.5, p, 0.0), minigrad.where(p >= 0.5, p, 1.0)
        width = minigrad.where(p <= 0.5, (-2.0 * below).log1p(), (2.0 * above - 1.0).log())
        x = (self.probs - 0.5).pow(2)
        taylor = math.log(2.0) + (4.0 / 3.0 + 104.0 / 45.0 * x) * x
        return self._stable(((-p).log1p() - p.log()).abs().log() - width, taylor)

    @property
    def mean(self) -> Tensor:
        p, x = self._cut_probs(), self.probs - 0.5
        taylor = 0.5 + (1.0 / 3.0 + 16.0 / 45.0 * x.pow(2)) * x
        return self._stable(p / (2.0 * p - 1.0) + 1.0 / ((-p).log1p() - p.log()), taylor)

    @property
    def variance(self) -> Tensor:
        p, x = self._cut_probs(), (self.probs - 0.5).pow(2)
        taylor = 1.0 / 12.0 - (1.0 / 15.0 - 128.0 / 945.0 * x) * x
        outside = p * (p - 1.0) / (1.0 - 2.0 * p).pow(2) + 1.0 / ((-p).log1p() - p.log()).pow(2)
        return self._stable(outside, taylor)

    def rsample(self, sample_shape=()):
        return self.icdf(minigrad.rand(self._extended_shape(sample_shape), dtype=self.probs.dtype))

    @in_support
    def log_prob(self, value):
        logits, value = broadcast_all(self.logits, value)
        return -F.binary_cross_entropy_with_logits(logits, value, reduction="none") + self._cont_bern_log_norm()

    @in_support
    def cdf(self, value):
        p = self._cut_probs()
        inside = self._stable((p.pow(value) * (1.0 - p).pow(1.0 - value) + p - 1.0) / (2.0 * p - 1.0), value)
        return minigrad.where(value <= 0.0, 0.0, minigrad.where(value >= 1.0, 1.0, inside))

    def icdf(self, value):
        p = self._cut_probs()
        log = (-p).log1p()
        return self._stable(((-p + value * (2.0 * p - 1.0)).log1p() - log) / (p.log() - log), value)

    def entropy(self):
        log0, log1 = (-self.probs).log1p(), self.probs.log()
        return self.mean * (log0 - log1) - self._cont_bern_log_norm() - log0

    @property
    def _natural_params(self):
        return (self.logits,)

    def _log_normalizer(self, x):
        low, high = self._lims[0] - 0.5, self._lims[1] - 0.5
        outside = (x <= low) | (x > high)
        cut = minigrad.where(outside, x, low)
        taylor = 0.5 * x + x.pow(2) / 24.0 - x.pow(4) / 2880.0
        return minigrad.where(outside, cut.expm1().abs().log() - cut.abs().log(), taylor)
