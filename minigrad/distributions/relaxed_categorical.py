"""`RelaxedOneHotCategorical`, and its logarithmic form."""

from __future__ import annotations

import math

import minigrad
from minigrad.distributions import constraints
from minigrad.distributions.categorical import Categorical
from minigrad.distributions.distribution import in_support
from minigrad.distributions.odds import OverCategories
from minigrad.distributions.transformed_distribution import TransformedDistribution
from minigrad.distributions.transforms import ExpTransform
from minigrad.distributions.utils import broadcast_all, clamp_probs
from minigrad.tensor import Tensor

__all__ = ["ExpRelaxedCategorical", "RelaxedOneHotCategorical"]


class ExpRelaxedCategorical(OverCategories):
    """The logarithm of `RelaxedOneHotCategorical`: ``log_softmax((logits + Gumbel noise) / temperature)``.

    Args:
        temperature (Tensor): positive.
        probs (Tensor | None): probabilities of shape (..., K); or
        logits (Tensor | None): their logarithms, up to a constant.
        validate_args (bool | None): see `Distribution`.

    PyTorch: torch.distributions.relaxed_categorical.ExpRelaxedCategorical.
    """

    support = constraints.real_vector
    has_rsample = True
    _batched = {**OverCategories._batched, "temperature": None}

    def __init__(
        self,
        temperature: Tensor,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self.temperature = temperature
        super().__init__(Categorical(probs, logits), validate_args)

    def rsample(self, sample_shape=()):
        u = clamp_probs(minigrad.rand(self._extended_shape(sample_shape), dtype=self.logits.dtype))
        scores = (self.logits - (-u.log()).log()) / self.temperature
        return scores - scores.logsumexp(dim=-1, keepdim=True)

    @in_support
    def log_prob(self, value):
        k = self.event_shape[0]
        logits, value = broadcast_all(self.logits, value)
        score = logits - value * self.temperature
        score = (score - score.logsumexp(dim=-1, keepdim=True)).sum(-1)
        return score + (math.lgamma(k) + self.temperature.log() * (k - 1))


class RelaxedOneHotCategorical(TransformedDistribution):
    """Points of the simplex that come close to one-hot vectors as the temperature falls, and can be differentiated.

    Args:
        temperature (Tensor): positive.
        probs (Tensor | None): probabilities of shape (..., K); or
        logits (Tensor | None): their logarithms, up to a constant.
        validate_args (bool | None): see `Distribution`.

    PyTorch: torch.distributions.RelaxedOneHotCategorical (Maddison et al., 2017; Jang et al., 2017).
    """

    arg_constraints = OverCategories.arg_constraints
    support = constraints.simplex
    has_rsample = True
    _batched: dict[str, int | None] = {}

    def __init__(
        self,
        temperature: Tensor,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, ExpTransform(), validate_args=validate_args)

    temperature = property(lambda self: self.base_dist.temperature, doc="The temperature.")
    logits = property(lambda self: self.base_dist.logits, doc="The logarithms of the probabilities.")
    probs = property(lambda self: self.base_dist.probs, doc="The probabilities.")
