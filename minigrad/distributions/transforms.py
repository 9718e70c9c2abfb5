"""Transforms: differentiable functions with an inverse and the logarithm of their derivative's determinant.

`domain` and `codomain` are constraints; their `event_dim` says how many of the last dimensions belong together.
Here are those of single numbers; the base class is in `transform.py`, those of whole vectors and matrices are in
`vector_transforms.py`. All are offered here.
"""

from __future__ import annotations

import math

import minigrad
from minigrad.distributions import constraints, transform, vector_transforms
from minigrad.distributions.transform import *
from minigrad.distributions.transform import Transform, _OfItsKind, inside_unit
from minigrad.distributions.utils import NUMBER, _sum_rightmost, broadcast_all, lazy_property
from minigrad.distributions.vector_transforms import *
from minigrad.nn import functional as F
from minigrad.tensor import Tensor

__all__ = [
    "AbsTransform", "AffineTransform", "CumulativeDistributionTransform", "ExpTransform", "PowerTransform",
    "SigmoidTransform", "SoftplusTransform", "TanhTransform",
]  # fmt: skip
__all__ += transform.__all__
__all__ += vector_transforms.__all__


class ExpTransform(_OfItsKind):
    """``y = exp(x)``. (PyTorch: torch.distributions.ExpTransform)"""

    domain, codomain = constraints.real, constraints.positive
    bijective, sign = True, +1

    def _call(self, x):
        return x.exp()

    def _inverse(self, y):
        return y.log()

    def log_abs_det_jacobian(self, x, y):
        return x


class SigmoidTransform(_OfItsKind):
    """``y = 1 / (1 + exp(-x))``, kept inside (0, 1). (PyTorch: torch.distributions.SigmoidTransform)"""

    domain, codomain = constraints.real, constraints.unit_interval
    bijective, sign = True, +1

    def _call(self, x):
        return inside_unit(minigrad.sigmoid(x))

    def _inverse(self, y):
        y = inside_unit(y)
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x, y):
        return -F.softplus(-x) - F.softplus(x)


class SoftplusTransform(_OfItsKind):
    """``y = log(1 + exp(x))``. (PyTorch: torch.distributions.SoftplusTransform)"""

    domain, codomain = constraints.real, constraints.positive
    bijective, sign = True, +1

    def _call(self, x):
        return F.softplus(x)

    def _inverse(self, y):
        return (-y).expm1().neg().log() + y

    def log_abs_det_jacobian(self, x, y):
        return -F.softplus(-x)


class TanhTransform(_OfItsKind):
    """``y = tanh(x)``. (PyTorch: torch.distributions.TanhTransform)"""

    domain, codomain = constraints.real, constraints.interval(-1.0, 1.0)
    bijective, sign = True, +1

    def _call(self, x):
        return x.tanh()

    def _inverse(self, y):
        return y.atanh()

    def log_abs_det_jacobian(self, x, y):
        return 2.0 * (math.log(2.0) - x - F.softplus(-2.0 * x))  # log(1 - tanh²), also where tanh is 1


class AbsTransform(_OfItsKind):
    """``y = |x|``, inverted to the positive one. (PyTorch: torch.distributions.AbsTransform)"""

    domain, codomain = constraints.real, constraints.positive

    def _call(self, x):
        return x.abs()

    def _inverse(self, y):
        return y


def _broadcast(shape, *parameters):
    return minigrad.broadcast_shapes(shape, *[getattr(p, "shape", ()) for p in parameters])


class PowerTransform(Transform):
    """``y = x ** exponent``, of positive numbers.

    Args:
        exponent (float | Tensor): not 0.
        cache_size (int): see `Transform`.

    PyTorch: torch.distributions.PowerTransform.
    """

    domain, codomain = constraints.positive, constraints.positive
    bijective = True

    def __init__(self, exponent: Tensor | float, cache_size: int = 0) -> None:
        super().__init__(cache_size=cache_size)
        (self.exponent,) = broadcast_all(exponent)

    @lazy_property
    def sign(self):
        return self.exponent.sign()

    def __eq__(self, other):
        return isinstance(other, PowerTransform) and self.exponent.eq(other.exponent).all().item()

    def _call(self, x):
        return x.pow(self.exponent)

    def _inverse(self, y):
        return y.pow(1 / self.exponent)

    def log_abs_det_jacobian(self, x, y):
        return (self.exponent * y / x).abs().log()

    def forward_shape(self, shape):
        return _broadcast(shape, self.exponent)

    inverse_shape = forward_shape


class AffineTransform(Transform):
    """``y = loc + scale * x``.

    Args:
        loc, scale (float | Tensor): the parameters.
        event_dim (int): how many of the last dimensions belong to the event.
        cache_size (int): see `Transform`.

    PyTorch: torch.distributions.AffineTransform.
    """

    bijective = True

    def __init__(self, loc: Tensor | float, scale: Tensor | float, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size=cache_size)
        self.loc, self.scale, self._event_dim = loc, scale, event_dim

    @property
    def event_dim(self) -> int:
        return self._event_dim

    @constraints.dependent_property(is_discrete=False)
    def domain(self):
        return constraints.independent(constraints.real, self.event_dim) if self.event_dim else constraints.real

    codomain = domain

    def __eq__(self, other):
        if not isinstance(other, AffineTransform):
            return False
        pairs = ((self.loc, other.loc), (self.scale, other.scale))
        return all(bool(minigrad.as_tensor(a == b).all()) for a, b in pairs)

    @property
    def sign(self):
        scale = self.scale
        return (scale > 0) - (scale < 0) if isinstance(scale, NUMBER) else scale.sign()

    def _call(self, x):
        return self.loc + self.scale * x

    def _inverse(self, y):
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x, y):
        if isinstance(self.scale, NUMBER):
            result = minigrad.full_like(x, math.log(abs(self.scale)))
        else:
            result = self.scale.abs().log()
        return _sum_rightmost(result, self.event_dim).expand(x.shape[: x.dim() - self.event_dim])

    def forward_shape(self, shape):
        return _broadcast(shape, self.loc, self.scale)

    inverse_shape = forward_shape


class CumulativeDistributionTransform(Transform):
    """A distribution's `cdf`, from its support to [0, 1]; the inverse is the `icdf`.

    Args:
        distribution (Distribution): what has both.
        cache_size (int): see `Transform`.

    PyTorch: torch.distributions.CumulativeDistributionTransform.
    """

    bijective = True
    codomain = constraints.unit_interval
    sign = +1

    def __init__(self, distribution, cache_size: int = 0) -> None:
        super().__init__(cache_size=cache_size)
        self.distribution = distribution

    @property
    def domain(self):
        """The support of the distribution."""
        return self.distribution.support

    def _call(self, x):
        return self.distribution.cdf(x)

    def _inverse(self, y):
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x, y):
        return self.distribution.log_prob(x)
