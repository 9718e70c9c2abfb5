"""`OneHotCategorical` and its straight-through form."""

from __future__ import annotations

import minigrad
from minigrad.distributions import constraints
from minigrad.distributions.categorical import Categorical
from minigrad.distributions.distribution import in_support
from minigrad.distributions.odds import OverCategories
from minigrad.nn import functional as F
from minigrad.tensor import Tensor

__all__ = ["OneHotCategorical", "OneHotCategoricalStraightThrough"]


class OneHotCategorical(OverCategories):
    """One of K categories, as a vector of K with a single 1; see `Categorical`.

    Args:
        probs (Tensor | None): probabilities of shape (..., K); or
        logits (Tensor | None): their logarithms, up to a constant.
        validate_args (bool | None): see `Distribution`.

    PyTorch: torch.distributions.OneHotCategorical.
    """

    support = constraints.one_hot
    has_enumerate_support = True
    _batched = OverCategories._batched

    def __init__(
        self, probs: Tensor | None = None, logits: Tensor | None = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(Categorical(probs, logits), validate_args)

    def _one_hot(self, index):
        return F.one_hot(index, self.event_shape[0]).to(self.probs)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        return self._one_hot(self.probs.argmax(dim=-1))

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape=()):
        return self._one_hot(self._categorical.sample(sample_shape))

    @in_support
    def log_prob(self, value):
        return self._categorical.log_prob(value.max(-1)[1])

    def entropy(self):
        return self._categorical.entropy()

    def enumerate_support(self, expand=True):
        n = self.event_shape[0]
        values = minigrad.eye(n, dtype=self._param.dtype).view((n,) + (1,) * len(self.batch_shape) + (n,))
        return values.expand((n, *self.batch_shape, n)) if expand else values


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """`OneHotCategorical` whose samples pass gradients on to the probabilities as if they were these (Bengio 2013).

    PyTorch: torch.distributions.OneHotCategoricalStraightThrough.
    """

    has_rsample = True

    def rsample(self, sample_shape=()):
        return self.sample(sample_shape) + (self.probs - self.probs.detach())
