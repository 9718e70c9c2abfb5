"""`GeneralizedPareto`."""

from __future__ import annotations

import math

import minigrad
from minigrad.distributions import constraints
from minigrad.distributions.distribution import Distribution, in_support
from minigrad.tensor import Tensor

__all__ = ["GeneralizedPareto"]


class GeneralizedPareto(Distribution):
    """The distribution of excesses: ``1 - (1 + c z)^(-1/c)`` is its `cdf`, ``z = (x - loc) / scale``.

    For a concentration c of 0 it is the exponential one; for c < 0 it ends at ``loc - scale / c``.

    Args:
        loc (float | Tensor): the least value.
        scale (float | Tensor): positive.
        concentration (float | Tensor): shape (c).
        validate_args (bool | None): see `Distribution`.

    PyTorch: torch.distributions.GeneralizedPareto.
    """

    arg_constraints = {
        "loc": constraints.real, "scale": constraints.positive, "concentration": constraints.real,
    }  # fmt: skip
    has_rsample = True
    _batched = {"loc": 0, "scale": 0, "concentration": 0}

    def __init__(
        self,
        loc: Tensor | float,
        scale: Tensor | float,
        concentration: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        shape = self._keep(loc=loc, scale=scale, concentration=concentration)
        super().__init__(shape, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self):
        end = minigrad.where(self.concentration < 0, self.loc - self.scale / self.concentration, math.inf)
        return constraints.interval(self.loc, end)

    @property
    def mean(self) -> Tensor:
        valid = self.concentration < 1
        safe = minigrad.where(valid, self.concentration, 0.5)
        return minigrad.where(valid, self.loc + self.scale / (1 - safe), math.nan)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        valid = self.concentration < 0.5
        safe = minigrad.where(valid, self.concentration, 0.25)
        return minigrad.where(valid, self.scale**2 / ((1 - safe) ** 2 * (1 - 2 * safe)), math.nan)

    def rsample(self, sample_shape=()):
        return self.icdf(minigrad.rand(self._extended_shape(sample_shape), dtype=self.loc.dtype))

    def _cases(self):
        """Where the concentration is 0, and one that is never."""
        zero = minigrad.isclose(self.concentration, minigrad.zeros_like(self.concentration))
        return zero, minigrad.where(zero, 1.0, self.concentration)

    @in_support
    def log_prob(self, value):
        z, (zero, safe) = (value - self.loc) / self.scale, self._cases()
        power = 1 / safe + minigrad.ones_like(z)
        other = minigrad.where(power == 0, power, power * (safe * z).log1p())
        return -self.scale.log() - minigrad.where(zero, z, other)

    @in_support
    def log_survival_function(self, value):
        """``log(1 - cdf(value))``."""
        z, (zero, safe) = (value - self.loc) / self.scale, self._cases()
        return minigrad.where(zero, -z, -(safe * z).log1p() / safe)

    def log_cdf(self, value):
        """``log(cdf(value))``."""
        return (-self.log_survival_function(value).exp()).log1p()

    def cdf(self, value):
        return self.log_cdf(value).exp()

    def icdf(self, value):
        log, (zero, safe) = (-value).log1p(), self._cases()
        other = self.loc + self.scale / safe * (-safe * log).expm1()
        return minigrad.where(zero, self.loc - self.scale * log, other)

    def entropy(self):
        return self.scale.log() + self.concentration + 1
