"""`RelaxedBernoulli`, and its logarithmic form."""

from __future__ import annotations

import minigrad
from minigrad.distributions import constraints
from minigrad.distributions.distribution import in_support
from minigrad.distributions.odds import Odds
from minigrad.distributions.transformed_distribution import TransformedDistribution
from minigrad.distributions.transforms import SigmoidTransform
from minigrad.distributions.utils import broadcast_all, clamp_probs
from minigrad.tensor import Tensor

__all__ = ["LogitRelaxedBernoulli", "RelaxedBernoulli"]


class LogitRelaxedBernoulli(Odds):
    """The log odds of `RelaxedBernoulli`: ``(logits + logit(u)) / temperature``, u uniform.

    Args:
        temperature (Tensor): positive.
        probs (float | Tensor | None): the probability of 1; or
        logits (float | Tensor | None): its log odds.
        validate_args (bool | None): see `Distribution`.

    PyTorch: torch.distributions.relaxed_bernoulli.LogitRelaxedBernoulli.
    """

    support = constraints.real
    _batched = {**Odds._batched, "temperature": None}

    def __init__(
        self,
        temperature: Tensor,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self.temperature = temperature
        super().__init__(self._keep_odds(probs, logits), validate_args=validate_args)

    def rsample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        probs = clamp_probs(self.probs.expand(shape))
        u = clamp_probs(minigrad.rand(shape, dtype=probs.dtype))
        return (u.log() - (-u).log1p() + probs.log() - (-probs).log1p()) / self.temperature

    @in_support
    def log_prob(self, value):
        logits, value = broadcast_all(self.logits, value)
        difference = logits - value * self.temperature
        return self.temperature.log() + difference - 2 * difference.exp().log1p()


class RelaxedBernoulli(TransformedDistribution):
    """Numbers in (0, 1) that come close to `Bernoulli` ones as the temperature falls, and can be differentiated.

    Args:
        temperature (Tensor): positive.
        probs (float | Tensor | None): the probability of 1; or
        logits (float | Tensor | None): its log odds.
        validate_args (bool | None): see `Distribution`.

    PyTorch: torch.distributions.RelaxedBernoulli (Maddison et al., 2017; Jang et al., 2017).
    """

    arg_constraints = Odds.arg_constraints
    support = constraints.unit_interval
    has_rsample = True
    _batched: dict[str, int | None] = {}

    def __init__(
        self,
        temperature: Tensor,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        base = LogitRelaxedBernoulli(temperature, probs, logits)
        super().__init__(base, SigmoidTransform(), validate_args=validate_args)

    temperature = property(lambda self: self.base_dist.temperature, doc="The temperature.")
    logits = property(lambda self: self.base_dist.logits, doc="The log odds.")
    probs = property(lambda self: self.base_dist.probs, doc="The probability of 1.")
