"""`Gamma`."""

from __future__ import annotations

import minigrad
from minigrad import random, random_rejection
from minigrad.autograd import Function
from minigrad.autograd.function import once_differentiable
from minigrad.distributions import constraints
from minigrad.distributions.distribution import in_support
from minigrad.distributions.exp_family import ExponentialFamily
from minigrad.kernels.implicit import standard_gamma_grad
from minigrad.tensor import Tensor, wrap

__all__ = ["Gamma"]


class StandardGamma(Function):
    """Gamma numbers of rate 1, which move with their concentration (kernels/implicit.py)."""

    @staticmethod
    def forward(ctx, concentration):
        value = wrap(random_rejection.standard_gamma(random.default_generator, concentration.array))
        ctx.save_for_backward(concentration, value)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        concentration, value = ctx.saved_tensors
        return grad * wrap(standard_gamma_grad(concentration.array, value.array))


class Gamma(ExponentialFamily):
    """The gamma distribution, of density ``rate^c x^(c - 1) exp(-rate x) / Γ(c)`` for x > 0.

    Args:
        concentration (float | Tensor): shape (c, often α), positive.
        rate (float | Tensor): 1 / scale (often β), positive.
        validate_args (bool | None): see `Distribution`.

    Samples are differentiable by the concentration too, by implicit reparametrisation.

    PyTorch: torch.distributions.Gamma.
    """

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    _mean_carrier_measure = 0
    _batched = {"concentration": 0, "rate": 0}

    def __init__(self, concentration: Tensor | float, rate: Tensor | float, validate_args: bool | None = None) -> None:
        super().__init__(self._keep(concentration=concentration, rate=rate), validate_args=validate_args)

    mean = property(lambda self: self.concentration / self.rate)
    mode = property(lambda self: ((self.concentration - 1) / self.rate).clamp(min=0))
    variance = property(lambda self: self.concentration / self.rate.pow(2))

    def rsample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        value = StandardGamma.apply(self.concentration.expand(shape)) / self.rate.expand(shape)
        value.detach().clamp_(min=minigrad.finfo(value.dtype).tiny)  # 0 is outside the support; no gradient is lost
        return value

    def log_prob(self, value):
        value = minigrad.as_tensor(value, dtype=self.rate.dtype)
        if self._validate_args:
            self._validate_sample(value)
        powers = minigrad.xlogy(self.concentration, self.rate) + minigrad.xlogy(self.concentration - 1, value)
        return powers - self.rate * value - self.concentration.lgamma()

    @in_support
    def cdf(self, value):
        return minigrad.special.gammainc(self.concentration, self.rate * value)

    def entropy(self):
        c = self.concentration
        return c - self.rate.log() + c.lgamma() + (1.0 - c) * c.digamma()

    @property
    def _natural_params(self):
        return self.concentration - 1, -self.rate

    def _log_normalizer(self, x, y):
        return (x + 1).lgamma() + (x + 1) * (-y.reciprocal()).log()
