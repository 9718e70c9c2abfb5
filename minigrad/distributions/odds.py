"""Distributions that are given by `probs` or by `logits`. (Not a module of PyTorch's.)"""

from __future__ import annotations

import minigrad
from minigrad.distributions import constraints
from minigrad.distributions.distribution import Distribution
from minigrad.distributions.utils import NUMBER, lazy_property, logits_to_probs, probs_to_logits
from minigrad.dtypes import Size
from minigrad.tensor import Tensor


def one_of(probs, logits) -> str:
    """Which of the two was given; ValueError if it is not exactly one."""
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")
    return "logits" if probs is None else "probs"


class Odds(Distribution):
    """Distributions of something that happens with probability `probs`, whose log odds are `logits`.

    The one that was not given is computed when it is first used. `_param` is the one that was.
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    _batched = {"probs": 0, "logits": 0, "_param": 0}

    def _keep_odds(self, probs, logits, **counts):
        """Keep `probs` or `logits` and, in their dtype, counts; all of one shape, which is returned."""
        given = one_of(probs, logits)
        odds = probs if logits is None else logits
        for name, count in counts.items():
            if isinstance(odds, NUMBER) and isinstance(count, Tensor) and not count.is_floating_point():
                counts[name] = count.to(minigrad.get_default_dtype())  # or the odds would be cut down to an integer
        shape = self._keep(**counts, **{given: odds})
        self._param = self.__dict__[given]
        for name in counts:
            setattr(self, name, self.__dict__[name].type_as(self._param))
        return shape

    @lazy_property
    def logits(self) -> Tensor:
        """The log odds, ``log(probs / (1 - probs))``."""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self) -> Tensor:
        """The probability, ``sigmoid(logits)``."""
        return logits_to_probs(self.logits, is_binary=True)

    @property
    def param_shape(self) -> Size:
        """The shape of the parameter given."""
        return self._param.size()

    def _new(self, *args, **kwargs):
        return self._param.new(*args, **kwargs)


class OverCategories(Distribution):
    """Distributions over vectors with an entry per category, made of a `Categorical`: `self._categorical`."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}

    _batched = {"_categorical": 0}

    def __init__(self, categorical, validate_args=None):
        self._categorical = categorical
        shape = categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    @property
    def probs(self) -> Tensor:
        """The probabilities of the categories, in the last dimension."""
        return self._categorical.probs

    @property
    def logits(self) -> Tensor:
        """Their logarithms."""
        return self._categorical.logits

    @property
    def _param(self) -> Tensor:
        return self._categorical._param

    @property
    def param_shape(self) -> Size:
        """The shape of the parameter given."""
        return self._categorical.param_shape

    def _new(self, *args, **kwargs):
        return self._categorical._new(*args, **kwargs)
