"""`Categorical`."""

from __future__ import annotations

import math

import minigrad
from minigrad.distributions import constraints
from minigrad.distributions.distribution import Distribution, in_support
from minigrad.distributions.odds import one_of
from minigrad.distributions.utils import lazy_property, logits_to_probs, probs_to_logits
from minigrad.dtypes import Size
from minigrad.tensor import Tensor

__all__ = ["Categorical"]


class Categorical(Distribution):
    """One of K categories, 0 ... K - 1, with the given probabilities.

    Args:
        probs (Tensor | None): probabilities of shape (..., K), not below 0; they are divided by their sum. Or
        logits (Tensor | None): their logarithms, up to a constant; they are normalised.
        validate_args (bool | None): see `Distribution`.

    The batch has the shape (...); samples are int64. It has neither mean nor variance: they are NaN.

    PyTorch: torch.distributions.Categorical.
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True
    _batched = {"probs": 1, "logits": 1, "_param": 1, "_num_events": None}

    def __init__(
        self, probs: Tensor | None = None, logits: Tensor | None = None, validate_args: bool | None = None
    ) -> None:
        given = one_of(probs, logits)
        if probs is not None:
            self._at_least_1d("probs", probs)
            self.probs = probs / probs.sum(-1, keepdim=True)
        elif logits is not None:
            self._at_least_1d("logits", logits)
            self.logits = logits - logits.logsumexp(dim=-1, keepdim=True)
        self._param = self.__dict__[given]
        self._num_events = self._param.size()[-1]
        super().__init__(self._param.size()[:-1], validate_args=validate_args)

    @staticmethod
    def _at_least_1d(name, value):
        if value.dim() < 1:
            raise ValueError(f"`{name}` parameter must be at least one-dimensional.")

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self):
        return constraints.integer_interval(0, self._num_events - 1)

    @lazy_property
    def logits(self) -> Tensor:
        """The logarithms of the probabilities."""
        return probs_to_logits(self.probs)

    @lazy_property
    def probs(self) -> Tensor:
        """The probabilities."""
        return logits_to_probs(self.logits)

    @property
    def param_shape(self) -> Size:
        """The shape of the parameter given."""
        return self._param.size()

    def _new(self, *args, **kwargs):
        return self._param.new(*args, **kwargs)

    mean = property(lambda self: self._filled(math.nan))
    mode = property(lambda self: self.probs.argmax(dim=-1))
    variance = property(lambda self: self._filled(math.nan))

    def sample(self, sample_shape=()):
        sample_shape = Size(sample_shape)
        rows = self.probs.detach().reshape(-1, self._num_events)
        samples = minigrad.multinomial(rows, sample_shape.numel(), True).T
        return samples.reshape(self._extended_shape(sample_shape))

    @in_support
    def log_prob(self, value):
        value, logits = value.long().unsqueeze(-1), self.logits
        if value.shape[:-1] != logits.shape[:-1]:
            value, logits = minigrad.broadcast_tensors(value, logits)
            value = value[..., :1]
        return logits.gather(-1, value).squeeze(-1)

    def entropy(self):
        logits = self.logits.clamp(min=minigrad.finfo(self.logits.dtype).min)  # 0 * -inf is to be 0
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand=True):
        return self._enumerated(minigrad.arange(self._num_events), expand)
