"""`VonMises`."""

from __future__ import annotations

import math

import minigrad
from minigrad.distributions import constraints
from minigrad.distributions.distribution import Distribution, in_support
from minigrad.distributions.utils import lazy_property
from minigrad.tensor import Tensor

__all__ = ["VonMises"]

# A&S 9.8.1 to 9.8.4: I0 and I1 below and above 3.75, as PyTorch computes them (to about 1e-7).
_SMALL = (
    (1.0, 3.5156229, 3.0899424, 1.2067492, 0.2659732, 0.0360768, 0.0045813),
    (0.5, 0.87890594, 0.51498869, 0.15084934, 0.02658733, 0.00301532, 0.00032411),
)
_LARGE = (
    (0.39894228, 0.01328592, 0.00225319, -0.00157565, 0.00916281, -0.02057706, 0.02635537, -0.01647633, 0.00392377),
    (0.39894228, -0.03988024, -0.00362018, 0.00163801, -0.01031555, 0.02282967, -0.02895312, 0.01787654, -0.00420059),
)


def _polynomial(x, coefficients):
    total = coefficients[-1]
    for c in coefficients[-2::-1]:
        total = c + x * total
    return total


def _log_bessel(x, order):
    """The logarithm of the modified Bessel function of the first kind, of order 0 or 1."""
    small = _polynomial((x / 3.75) ** 2, _SMALL[order])
    small = (x.abs() * small if order else small).log()
    large = x - 0.5 * x.log() + _polynomial(3.75 / x, _LARGE[order]).log()
    return minigrad.where(x < 3.75, small, large)


class VonMises(Distribution):
    """The von Mises distribution of angles in [-π, π), of density ``exp(κ cos(x - loc)) / (2π I0(κ))``.

    Args:
        loc (float | Tensor): mean angle, in radians.
        concentration (float | Tensor): κ, positive.
        validate_args (bool | None): see `Distribution`.

    Sampled by Best and Fisher's rejection (1979), in float64. `variance` is the circular one.

    PyTorch: torch.distributions.VonMises.
    """

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real
    has_rsample = False
    _batched = {"loc": 0, "concentration": 0}

    def __init__(self, loc: Tensor | float, concentration: Tensor | float, validate_args: bool | None = None) -> None:
        super().__init__(self._keep(loc=loc, concentration=concentration), validate_args=validate_args)

    mean = property(lambda self: self.loc)
    mode = property(lambda self: self.loc)

    @lazy_property
    def variance(self) -> Tensor:
        return 1 - (_log_bessel(self.concentration, 1) - _log_bessel(self.concentration, 0)).exp()

    @in_support
    def log_prob(self, value):
        density = self.concentration * (value - self.loc).cos()
        return density - math.log(2 * math.pi) - _log_bessel(self.concentration, 0)

    def _proposal(self, kappa):
        """The parameter of the wrapped Cauchy distribution that samples are proposed from."""
        tau = 1 + (1 + 4 * kappa**2).sqrt()
        rho = (tau - (2 * tau).sqrt()) / (2 * kappa)
        return minigrad.where(kappa < 1e-5, 1 / kappa + kappa, (1 + rho**2) / (2 * rho))

    def sample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        with minigrad.no_grad():
            loc, kappa = self.loc.double(), self.concentration.double()
            r = self._proposal(kappa)
            x, done = loc.new_zeros(shape), minigrad.zeros(shape, dtype=minigrad.bool)
            while not done.all():
                u1, u2, u3 = minigrad.rand((3, *shape), dtype=loc.dtype).unbind()
                z = (math.pi * u1).cos()
                f = (1 + r * z) / (r + z)
                c = kappa * (r - f)
                accepted = (c * (2 - c) - u2 > 0) | ((c / u2).log() + 1 - c >= 0)
                x = minigrad.where(accepted, (u3 - 0.5).sign() * f.acos(), x)
                done = done | accepted
            return ((x + math.pi + loc) % (2 * math.pi) - math.pi).to(self.loc.dtype)
