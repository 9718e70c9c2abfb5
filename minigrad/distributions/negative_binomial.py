"""`NegativeBinomial`."""

from __future__ import annotations

import minigrad
from minigrad.distributions import constraints
from minigrad.distributions.distribution import in_support
from minigrad.distributions.gamma import Gamma
from minigrad.distributions.odds import Odds
from minigrad.distributions.utils import lazy_property
from minigrad.nn import functional as F
from minigrad.tensor import Tensor

__all__ = ["NegativeBinomial"]


class NegativeBinomial(Odds):
    """How many trials succeed, each with probability p, before `total_count` of them have failed.

    ``Γ(n + k) / (k! Γ(n)) (1 - p)^n p^k`` for k ≥ 0, also for an n that is no integer.

    Args:
        total_count (float | Tensor): how many failures stop it (n), not below 0.
        probs (float | Tensor | None): the probability of success (p), in [0, 1); or
        logits (float | Tensor | None): its log odds.
        validate_args (bool | None): see `Distribution`.

    PyTorch: torch.distributions.NegativeBinomial.
    """

    arg_constraints = {
        "total_count": constraints.greater_than_eq(0),
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer
    _batched = {"total_count": 0, **Odds._batched}

    def __init__(
        self,
        total_count: Tensor | float,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(self._keep_odds(probs, logits, total_count=total_count), validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.logits.exp()

    @property
    def mode(self) -> Tensor:
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0)

    @property
    def variance(self) -> Tensor:
        return self.mean / minigrad.sigmoid(-self.logits)

    @lazy_property
    def _gamma(self) -> Gamma:
        return Gamma(self.total_count, (-self.logits).exp(), validate_args=False)

    def sample(self, sample_shape=()):
        with minigrad.no_grad():  # Poisson of a gamma distributed rate
            return minigrad.poisson(self._gamma.sample(sample_shape))

    @in_support
    def log_prob(self, value):
        n = self.total_count
        powers = n * F.logsigmoid(-self.logits) + value * F.logsigmoid(self.logits)
        ways = (n + value).lgamma() - (1.0 + value).lgamma() - n.lgamma()
        return powers + ways.masked_fill(n + value == 0.0, 0.0)
