"""`HalfNormal`, and what it shares with `HalfCauchy`."""

from __future__ import annotations

import math

import minigrad
from minigrad.distributions import constraints
from minigrad.distributions.distribution import in_support
from minigrad.distributions.normal import Normal
from minigrad.distributions.transformed_distribution import TransformedDistribution
from minigrad.distributions.transforms import AbsTransform
from minigrad.tensor import Tensor

__all__ = ["HalfNormal"]


class Folded(TransformedDistribution):
    """The distribution of ``|x|``, that of x being symmetric around 0."""

    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True

    @property
    def scale(self) -> Tensor:
        """The scale of x."""
        return self.base_dist.scale

    @property
    def mode(self) -> Tensor:
        return minigrad.zeros_like(self.scale)

    @in_support
    def log_prob(self, value):
        value = minigrad.as_tensor(value, dtype=self.scale.dtype)
        return minigrad.where(value >= 0, self.base_dist.log_prob(value) + math.log(2), -math.inf)

    @in_support
    def cdf(self, value):
        return 2 * self.base_dist.cdf(value) - 1

    def icdf(self, prob):
        return self.base_dist.icdf((prob + 1) / 2)

    def entropy(self):
        return self.base_dist.entropy() - math.log(2)


class HalfNormal(Folded):
    """The distribution of ``|x|``, x normal with mean 0.

    Args:
        scale (float | Tensor): the standard deviation of x, positive.
        validate_args (bool | None): see `Distribution`.

    PyTorch: torch.distributions.HalfNormal.
    """

    _batched: dict[str, int | None] = {}

    def __init__(self, scale: Tensor | float, validate_args: bool | None = None) -> None:
        super().__init__(Normal(0, scale, validate_args=False), AbsTransform(), validate_args=validate_args)

    mean = property(lambda self: self.scale * math.sqrt(2 / math.pi))
    variance = property(lambda self: self.scale.pow(2) * (1 - 2 / math.pi))
