"""`Normal`."""

from __future__ import annotations

import math

import minigrad
from minigrad.distributions import constraints
from minigrad.distributions.distribution import in_support
from minigrad.distributions.exp_family import ExponentialFamily
from minigrad.distributions.utils import _standard_normal
from minigrad.tensor import Tensor

__all__ = ["Normal"]


class Normal(ExponentialFamily):
    """The normal (Gaussian) distribution, of density ``exp(-(x - loc)² / (2 scale²)) / (scale √(2π))``.

    Args:
        loc (float | Tensor): mean (μ).
        scale (float | Tensor): standard deviation (σ), positive.
        validate_args (bool | None): see `Distribution`.

    PyTorch: torch.distributions.Normal.
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    _mean_carrier_measure = 0
    _batched = {"loc": 0, "scale": 0}

    def __init__(self, loc: Tensor | float, scale: Tensor | float, validate_args: bool | None = None) -> None:
        super().__init__(self._keep(loc=loc, scale=scale), validate_args=validate_args)

    mean = property(lambda self: self.loc)
    mode = property(lambda self: self.loc)
    stddev = property(lambda self: self.scale)
    variance = property(lambda self: self.stddev.pow(2))

    def sample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        with minigrad.no_grad():
            return minigrad.normal(self.loc.expand(shape), self.scale.expand(shape))

    def rsample(self, sample_shape=()):
        return self.loc + _standard_normal(self._extended_shape(sample_shape), self.loc.dtype) * self.scale

    @in_support
    def log_prob(self, value):
        density = -((value - self.loc) ** 2) / (2 * self.scale**2)
        return density - self.scale.log() - math.log(math.sqrt(2 * math.pi))

    @in_support
    def cdf(self, value):
        return 0.5 * (1 + minigrad.erf((value - self.loc) * self.scale.reciprocal() / math.sqrt(2)))

    def icdf(self, value):
        return self.loc + self.scale * minigrad.erfinv(2 * value - 1) * math.sqrt(2)

    def entropy(self):
        return 0.5 + 0.5 * math.log(2 * math.pi) + self.scale.log()

    @property
    def _natural_params(self):
        return self.loc / self.scale.pow(2), -0.5 * self.scale.pow(2).reciprocal()

    def _log_normalizer(self, x, y):
        return -0.25 * x.pow(2) / y + 0.5 * (-math.pi / y).log()
