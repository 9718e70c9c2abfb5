"""`Bernoulli`."""

from __future__ import annotations

import math

import minigrad
from minigrad.distributions import constraints
from minigrad.distributions.distribution import in_support
from minigrad.distributions.exp_family import ExponentialFamily
from minigrad.distributions.odds import Odds
from minigrad.distributions.utils import broadcast_all
from minigrad.nn import functional as F
from minigrad.tensor import Tensor

__all__ = ["Bernoulli"]


class Bernoulli(Odds, ExponentialFamily):
    """1 with probability `probs`, else 0.

    Args:
        probs (float | Tensor | None): the probability of 1; or
        logits (float | Tensor | None): its log odds.
        validate_args (bool | None): see `Distribution`.

    PyTorch: torch.distributions.Bernoulli.
    """

    support = constraints.boolean
    has_enumerate_support = True
    _mean_carrier_measure = 0
    _batched = Odds._batched

    def __init__(
        self,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(self._keep_odds(probs, logits), validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        return minigrad.where(self.probs == 0.5, math.nan, (self.probs >= 0.5).to(self.probs))

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape=()):
        with minigrad.no_grad():
            return minigrad.bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    @in_support
    def log_prob(self, value):
        logits, value = broadcast_all(self.logits, value)
        return -F.binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self):
        return F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand=True):
        return self._enumerated(minigrad.arange(2, dtype=self._param.dtype), expand)

    @property
    def _natural_params(self):
        return (minigrad.logit(self.probs),)

    def _log_normalizer(self, x):
        return x.exp().log1p()
