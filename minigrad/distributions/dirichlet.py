"""`Dirichlet`."""

from __future__ import annotations

import minigrad
from minigrad import random, random_rejection
from minigrad.autograd import Function
from minigrad.autograd.function import once_differentiable
from minigrad.distributions import constraints
from minigrad.distributions.distribution import in_support
from minigrad.distributions.exp_family import ExponentialFamily
from minigrad.kernels.implicit import dirichlet_grad
from minigrad.nn import functional as F
from minigrad.tensor import Tensor, wrap

__all__ = ["Dirichlet"]


class _Dirichlet(Function):
    """Points of the simplex, which move with the concentrations (kernels/implicit.py)."""

    @staticmethod
    def forward(ctx, concentration):
        x = wrap(random_rejection.dirichlet(random.default_generator, concentration.array))
        ctx.save_for_backward(x, concentration)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        x, concentration = ctx.saved_tensors
        total = concentration.sum(-1, True).expand_as(concentration)
        slope = wrap(dirichlet_grad(x.array, concentration.array, total.array))
        return slope * (grad - (x * grad).sum(-1, True))


class Dirichlet(ExponentialFamily):
    """The Dirichlet distribution on the simplex, of density ``Γ(Σ c) Π x_i^(c_i - 1) / Γ(c_i)``.

    Args:
        concentration (Tensor): positive, of shape (..., K): K is the event.
        validate_args (bool | None): see `Distribution`.

    Samples are differentiable, by implicit reparametrisation. ValueError for a concentration without dimensions.

    PyTorch: torch.distributions.Dirichlet.
    """

    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True
    _batched = {"concentration": 1}

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        if concentration.dim() < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args=validate_args)

    def rsample(self, sample_shape=()):
        return _Dirichlet.apply(self.concentration.expand(self._extended_shape(sample_shape)))

    @in_support
    def log_prob(self, value):
        c = self.concentration
        return minigrad.xlogy(c - 1.0, value).sum(-1) + c.sum(-1).lgamma() - c.lgamma().sum(-1)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.concentration.sum(-1, True)

    @property
    def mode(self) -> Tensor:
        above = (self.concentration - 1).clamp(min=0.0)
        mode = above / above.sum(-1, True)
        corner = F.one_hot(mode.argmax(-1), above.shape[-1]).to(mode)
        return minigrad.where((self.concentration < 1).all(-1, keepdim=True), corner, mode)

    @property
    def variance(self) -> Tensor:
        total = self.concentration.sum(-1, True)
        return self.concentration * (total - self.concentration) / (total.pow(2) * (total + 1))

    def entropy(self):
        c, k = self.concentration, self.concentration.size(-1)
        total = c.sum(-1)
        normalizer = c.lgamma().sum(-1) - total.lgamma()
        return normalizer - (k - total) * total.digamma() - ((c - 1.0) * c.digamma()).sum(-1)

    @property
    def _natural_params(self):
        return (self.concentration,)

    def _log_normalizer(self, x):
        return x.lgamma().sum(-1) - x.sum(-1).lgamma()
