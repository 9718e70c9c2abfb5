"""`LKJCholesky`."""

from __future__ import annotations

import math

import minigrad
from minigrad.distributions import constraints
from minigrad.distributions.beta import Beta
from minigrad.distributions.distribution import Distribution, in_support
from minigrad.distributions.utils import broadcast_all
from minigrad.tensor import Tensor

__all__ = ["LKJCholesky"]


class LKJCholesky(Distribution):
    """Cholesky factors L of correlation matrices, where ``L Lᵀ`` has a density proportional to ``|L Lᵀ|^(c - 1)``.

    Args:
        dim (int): size of the matrices, at least 2.
        concentration (float | Tensor): c, positive; 1 is uniform over correlation matrices.
        validate_args (bool | None): see `Distribution`.

    Sampled by the onion method (Lewandowski, Kurowicka and Joe, 2009).

    PyTorch: torch.distributions.LKJCholesky.
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky
    _batched = {"concentration": 0, "dim": None}

    def __init__(self, dim: int, concentration: Tensor | float = 1.0, validate_args: bool | None = None) -> None:
        if dim < 2:
            raise ValueError(f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        offset = minigrad.arange(dim - 1, dtype=self.concentration.dtype)
        offset = minigrad.cat([offset.new_zeros((1,)), offset])
        marginal = self.concentration + 0.5 * (dim - 2)
        self._beta = Beta(offset + 0.5, marginal.unsqueeze(-1) - 0.5 * offset)
        super().__init__(self.concentration.size(), (dim, dim), validate_args)

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, _instance)
        new._beta = self._beta.expand((*batch_shape, self.dim))
        return new

    def sample(self, sample_shape=()):
        with minigrad.no_grad():
            share = self._beta.sample(sample_shape).unsqueeze(-1)
            normal = minigrad.randn(self._extended_shape(sample_shape), dtype=share.dtype).tril(-1)
            direction = normal / normal.norm(dim=-1, keepdim=True)
            direction[..., 0, :] = 0.0
            w = share.sqrt() * direction
            rest = (1 - (w**2).sum(-1)).clamp(min=minigrad.finfo(w.dtype).tiny)
            return w + rest.sqrt().diag_embed()

    @in_support
    def log_prob(self, value):
        diagonal = value.diagonal(dim1=-1, dim2=-2)[..., 1:]
        order = 2 * (self.concentration - 1).unsqueeze(-1) + self.dim - minigrad.arange(2, self.dim + 1)
        rows = self.dim - 1
        alpha = self.concentration + 0.5 * rows
        normalizer = 0.5 * rows * math.log(math.pi) + minigrad.mvlgamma(alpha - 0.5, rows) - alpha.lgamma() * rows
        return (order * diagonal.log()).sum(-1) - normalizer
