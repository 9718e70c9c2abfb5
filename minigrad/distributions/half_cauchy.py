"""`HalfCauchy`."""

from __future__ import annotations

import math

import minigrad
from minigrad.distributions.cauchy import Cauchy
from minigrad.distributions.half_normal import Folded
from minigrad.distributions.transforms import AbsTransform
from minigrad.tensor import Tensor

__all__ = ["HalfCauchy"]


class HalfCauchy(Folded):
    """The distribution of ``|x|``, x Cauchy distributed around 0.

    Args:
        scale (float | Tensor): the scale of x, positive.
        validate_args (bool | None): see `Distribution`.

    PyTorch: torch.distributions.HalfCauchy.
    """

    _batched: dict[str, int | None] = {}

    def __init__(self, scale: Tensor | float, validate_args: bool | None = None) -> None:
        super().__init__(Cauchy(0, scale, validate_args=False), AbsTransform(), validate_args=validate_args)

    mean = property(lambda self: minigrad.full_like(self.scale, math.inf))
    variance = property(lambda self: self.base_dist.variance)
