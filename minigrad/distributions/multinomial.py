"""`Multinomial`."""

from __future__ import annotations

import math

import minigrad
from minigrad.distributions import constraints
from minigrad.distributions.binomial import Binomial
from minigrad.distributions.categorical import Categorical
from minigrad.distributions.distribution import in_support
from minigrad.distributions.odds import OverCategories
from minigrad.distributions.utils import broadcast_all
from minigrad.dtypes import Size
from minigrad.tensor import Tensor

__all__ = ["Multinomial"]


class Multinomial(OverCategories):
    """How often each of K categories comes in `total_count` trials: ``n! Π p_i^x_i / x_i!``.

    Args:
        total_count (int): how many trials (n).
        probs (Tensor | None): probabilities of shape (..., K), divided by their sum; or
        logits (Tensor | None): their logarithms, up to a constant.
        validate_args (bool | None): see `Distribution`.

    `log_prob` takes any total count.

    PyTorch: torch.distributions.Multinomial.
    """

    _batched = {"total_count": None, **OverCategories._batched}

    def __init__(
        self,
        total_count: int = 1,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported: it has to be an int")
        self.total_count = total_count
        super().__init__(Categorical(probs, logits), validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self):
        return constraints.multinomial(self.total_count)

    @property
    def mean(self) -> Tensor:
        return self.probs * self.total_count

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape=()):
        sample_shape = Size(sample_shape)
        trials = self._categorical.sample((self.total_count, *sample_shape)).movedim(0, -1)
        counts = trials.new_zeros(self._extended_shape(sample_shape))
        return counts.scatter_add(-1, trials, minigrad.ones_like(trials)).type_as(self.probs)

    def entropy(self):
        n = self.total_count
        each = Binomial(n, probs=self.probs)
        values = each.enumerate_support(expand=False)[1:]
        ways = (each.log_prob(values).exp() * (values + 1).lgamma()).sum([0, -1])
        return n * self._categorical.entropy() - math.lgamma(n + 1) + ways

    @in_support
    def log_prob(self, value):
        logits, value = broadcast_all(self.logits, value)
        logits = minigrad.where((value == 0) & (logits == -math.inf), 0.0, logits)  # 0 * -inf is to be 0
        ways = (value.sum(-1) + 1).lgamma() - (value + 1).lgamma().sum(-1)
        return ways + (logits * value).sum(-1)
