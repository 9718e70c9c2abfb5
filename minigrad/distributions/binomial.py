"""`Binomial`."""

from __future__ import annotations

import minigrad
from minigrad.distributions import constraints
from minigrad.distributions.distribution import in_support
from minigrad.distributions.odds import Odds
from minigrad.tensor import Tensor

__all__ = ["Binomial"]


class Binomial(Odds):
    """How many of `total_count` trials succeed, each with probability p: ``(n over k) p^k (1 - p)^(n - k)``.

    Args:
        total_count (int | Tensor): how many trials (n).
        probs (float | Tensor | None): the probability of success (p); or
        logits (float | Tensor | None): its log odds.
        validate_args (bool | None): see `Distribution`.

    `entropy` and `enumerate_support` need one `total_count` for the whole batch, else NotImplementedError.

    PyTorch: torch.distributions.Binomial.
    """

    arg_constraints = {"total_count": constraints.nonnegative_integer, **Odds.arg_constraints}
    has_enumerate_support = True
    _batched = {"total_count": 0, **Odds._batched}

    def __init__(
        self,
        total_count: Tensor | int = 1,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(self._keep_odds(probs, logits, total_count=total_count), validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self):
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.probs

    @property
    def mode(self) -> Tensor:
        return ((self.total_count + 1) * self.probs).floor().clamp(max=self.total_count)

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        with minigrad.no_grad():
            return minigrad.binomial(self.total_count.expand(shape), self.probs.expand(shape))

    @in_support
    def log_prob(self, value):
        n, logits = self.total_count, self.logits
        # n log(1 + exp(logits)), which does not overflow. Half a slope at 0: the gradient there is that of a sum.
        positive = (logits.clamp(min=0) + logits - logits.clamp(max=0)) / 2
        normalizer = n * positive + n * (-logits.abs()).exp().log1p() - (n + 1).lgamma()
        return value * logits - (value + 1).lgamma() - (n - value + 1).lgamma() - normalizer

    def _count(self, method):
        count = int(self.total_count.max())
        if not self.total_count.min() == count:
            raise NotImplementedError(f"Inhomogeneous total count not supported by `{method}`.")
        return count

    def entropy(self):
        self._count("entropy")
        log_prob = self.log_prob(self.enumerate_support(False))
        return -(log_prob.exp() * log_prob).sum(0)

    def enumerate_support(self, expand=True):
        values = minigrad.arange(1 + self._count("enumerate_support"), dtype=self._param.dtype)
        return self._enumerated(values, expand)
