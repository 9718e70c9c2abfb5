"""`MixtureSameFamily`."""

from __future__ import annotations

import minigrad
from minigrad.distributions import constraints
from minigrad.distributions.categorical import Categorical
from minigrad.distributions.distribution import Distribution, in_support
from minigrad.dtypes import Size
from minigrad.nn import functional as F
from minigrad.tensor import Tensor

__all__ = ["MixtureSameFamily"]


class MixtureSameFamily(Distribution):
    """A mixture of K distributions of one family, e.g. of Gaussians: ``Σ π_k p_k(x)``.

    Args:
        mixture_distribution (Categorical): the weights π, K categories.
        component_distribution (Distribution): the components; its last batch dimension is K.
        validate_args (bool | None): see `Distribution`.

    ValueError if the two do not fit together. There is no `rsample`.

    PyTorch: torch.distributions.MixtureSameFamily.
    """

    arg_constraints: dict[str, constraints.Constraint] = {}
    has_rsample = False

    def __init__(
        self,
        mixture_distribution: Categorical,
        component_distribution: Distribution,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError("The Mixture distribution needs to be an instance of minigrad.distributions.Categorical")
        if not isinstance(component_distribution, Distribution):
            raise ValueError(
                "The Component distribution needs to be an instance of minigrad.distributions.Distribution"
            )
        weights, batch = mixture_distribution.batch_shape, component_distribution.batch_shape[:-1]
        if any(1 != i != j != 1 for i, j in zip(reversed(weights), reversed(batch))):
            raise ValueError(
                f"`mixture_distribution.batch_shape` ({weights}) is not compatible with "
                f"`component_distribution.batch_shape`({batch})"
            )
        count, components = mixture_distribution.logits.shape[-1], component_distribution.batch_shape[-1]
        if count != components:
            raise ValueError(
                f"`mixture_distribution component` ({count}) does not equal `component_distribution.batch_shape[-1]` "
                f"({components})"
            )
        self._mixture_distribution, self._component_distribution = mixture_distribution, component_distribution
        super().__init__(batch, component_distribution.event_shape, validate_args=validate_args)

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(MixtureSameFamily, _instance)
        count = self._mixture_distribution._num_events
        new._component_distribution = self._component_distribution.expand((*batch_shape, count))
        new._mixture_distribution = self._mixture_distribution.expand(batch_shape)
        return self._expanded(new, batch_shape)

    @constraints.dependent_property
    def support(self):
        return constraints.MixtureSameFamilyConstraint(self._component_distribution.support)

    @property
    def mixture_distribution(self) -> Categorical:
        """The distribution of the weights."""
        return self._mixture_distribution

    @property
    def component_distribution(self) -> Distribution:
        """The components."""
        return self._component_distribution

    @property
    def _dim(self):
        """The dimension of the components, of which a value has none."""
        return -1 - len(self.event_shape)

    @property
    def _weights(self):
        """The weights, so that they broadcast against moments of the components."""
        probs = self.mixture_distribution.probs
        return probs.reshape(probs.shape + (1,) * len(self.event_shape))

    @property
    def mean(self) -> Tensor:
        return (self._weights * self.component_distribution.mean).sum(self._dim)

    @property
    def variance(self) -> Tensor:
        between = (self.component_distribution.mean - self.mean.unsqueeze(self._dim)).pow(2.0)
        within = (self._weights * self.component_distribution.variance).sum(self._dim)
        return within + (self._weights * between).sum(self._dim)

    def cdf(self, x):
        below = self.component_distribution.cdf(x.unsqueeze(self._dim))
        return (below * self.mixture_distribution.probs).sum(-1)

    @in_support
    def log_prob(self, x):
        each = self.component_distribution.log_prob(x.unsqueeze(self._dim))
        return (each + F.log_softmax(self.mixture_distribution.logits, dim=-1)).logsumexp(dim=-1)

    def sample(self, sample_shape=()):
        with minigrad.no_grad():
            sample_shape = Size(sample_shape)
            dim = len(sample_shape) + len(self.batch_shape)
            mixture = self.mixture_distribution
            if mixture.batch_shape != self.batch_shape:
                mixture = mixture.expand(self.batch_shape)
            chosen = mixture.sample(sample_shape)
            samples = self.component_distribution.sample(sample_shape)
            chosen = chosen.reshape(chosen.shape + (1,) * (len(self.event_shape) + 1))
            chosen = chosen.expand((*samples.shape[:dim], 1, *self.event_shape))
            return samples.gather(dim, chosen).squeeze(dim)

    def __repr__(self):
        return f"MixtureSameFamily(\n  {self.mixture_distribution},\n  {self.component_distribution})"
