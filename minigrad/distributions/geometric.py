"""`Geometric`."""

from __future__ import annotations

import minigrad
from minigrad.distributions import constraints
from minigrad.distributions.distribution import in_support
from minigrad.distributions.odds import Odds
from minigrad.distributions.utils import broadcast_all
from minigrad.nn import functional as F
from minigrad.tensor import Tensor

__all__ = ["Geometric"]


class Geometric(Odds):
    """How many trials fail before the first success, each with probability `probs`: ``(1 - probs)^k probs``, k ≥ 0.

    Args:
        probs (float | Tensor | None): the probability of success, in (0, 1]; or
        logits (float | Tensor | None): its log odds.
        validate_args (bool | None): see `Distribution`.

    PyTorch: torch.distributions.Geometric.
    """

    support = constraints.nonnegative_integer
    _batched = Odds._batched

    def __init__(
        self,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(self._keep_odds(probs, logits), validate_args=validate_args)
        if self._validate_args and probs is not None and not (self.probs > 0).all():
            value = self.probs
            raise ValueError(
                f"Expected parameter probs ({type(value).__name__} of shape {tuple(value.shape)}) of distribution "
                f"{self!r} to be positive but found invalid values:\n{value.detach()[~(value > 0)]}"
            )

    @property
    def mean(self) -> Tensor:
        return 1.0 / self.probs - 1.0

    @property
    def mode(self) -> Tensor:
        return minigrad.zeros_like(self.probs)

    @property
    def variance(self) -> Tensor:
        return (1.0 / self.probs - 1.0) / self.probs

    def sample(self, sample_shape=()):
        tiny = minigrad.finfo(self.probs.dtype).tiny
        with minigrad.no_grad():
            u = self.probs.new_empty(self._extended_shape(sample_shape)).uniform_(tiny, 1)
            return (u.log() / (-self.probs).log1p()).floor()

    @in_support
    def log_prob(self, value):
        value, probs = broadcast_all(value, self.probs)
        failure = minigrad.where((probs == 1) & (value == 0), 0.0, probs)  # 0 * log(0) is to be 0
        return value * (-failure).log1p() + self.probs.log()

    def entropy(self):
        return F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none") / self.probs
