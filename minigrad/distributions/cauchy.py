"""`Cauchy`."""

from __future__ import annotations

import math

from minigrad.distributions import constraints
from minigrad.distributions.distribution import Distribution, in_support
from minigrad.tensor import Tensor

__all__ = ["Cauchy"]


class Cauchy(Distribution):
    """The Cauchy (Lorentz) distribution, of density ``1 / (π scale (1 + ((x - loc) / scale)²))``; it has no mean.

    Args:
        loc (float | Tensor): median and mode.
        scale (float | Tensor): half width at half maximum, positive.
        validate_args (bool | None): see `Distribution`.

    PyTorch: torch.distributions.Cauchy.
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    _batched = {"loc": 0, "scale": 0}

    def __init__(self, loc: Tensor | float, scale: Tensor | float, validate_args: bool | None = None) -> None:
        super().__init__(self._keep(loc=loc, scale=scale), validate_args=validate_args)

    mean = property(lambda self: self._filled(math.nan))
    mode = property(lambda self: self.loc)
    variance = property(lambda self: self._filled(math.inf))

    def rsample(self, sample_shape=()):
        return self.loc + self.loc.new_empty(self._extended_shape(sample_shape)).cauchy_() * self.scale

    @in_support
    def log_prob(self, value):
        return -math.log(math.pi) - self.scale.log() - (((value - self.loc) / self.scale) ** 2).log1p()

    @in_support
    def cdf(self, value):
        return ((value - self.loc) / self.scale).atan() / math.pi + 0.5

    def icdf(self, value):
        return (math.pi * (value - 0.5)).tan() * self.scale + self.loc

    def entropy(self):
        return math.log(4 * math.pi) + self.scale.log()
