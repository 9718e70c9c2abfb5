"""`Distribution`: what every distribution has."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import minigrad
from minigrad.distributions import constraints
from minigrad.distributions.utils import broadcast_all, lazy_property
from minigrad.dtypes import Size
from minigrad.tensor import Tensor

__all__ = ["Distribution"]


def in_support(method):
    """Decorator of `log_prob`, `cdf`...: the value is checked first, unless the distribution does not validate."""

    @functools.wraps(method)
    def checked(self, value):
        if self._validate_args:
            self._validate_sample(value)
        return method(self, value)

    return checked


class Distribution:
    """A probability distribution, or a batch of them: the base class.

    A sample has the shape ``sample_shape + batch_shape + event_shape``.

    Args:
        batch_shape (Size): shape of the batch of distributions, that of the broadcast parameters.
        event_shape (Size): shape of a single sample.
        validate_args (bool | None): whether parameters and values are checked against `arg_constraints` and `support`;
            None: as `set_default_validate_args` says, which is yes unless Python runs with ``-O``.

    Attributes:
        arg_constraints (dict[str, Constraint]): what the parameters have to satisfy.
        support (Constraint): where samples lie.
        has_rsample (bool): whether samples can be differentiated by the parameters (`rsample`).
        has_enumerate_support (bool): whether `enumerate_support` lists all values.

    A subclass says in `_batched` which of its attributes `expand` expands, each with the number of its dimensions that
    belong to the event (None: kept as it is).

    PyTorch: torch.distributions.Distribution.
    """

    has_rsample = False
    has_enumerate_support = False
    _validate_args = __debug__
    _batched: dict[str, int | None]

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions check their arguments when they are not told; ValueError if it is not a bool."""
        if value not in (True, False):
            raise ValueError(f"set_default_validate_args(): expected True or False, but got {value!r}")
        Distribution._validate_args = value

    def __init__(self, batch_shape=(), event_shape=(), validate_args: bool | None = None) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()
        super().__init__()

    def _check_parameters(self):
        try:
            arg_constraints = self.arg_constraints
        except NotImplementedError:
            warnings.warn(
                f"{self.__class__} does not define `arg_constraints`. Please set `arg_constraints = {{}}` or "
                "initialize the distribution with `validate_args=False` to turn off validation.",
                stacklevel=4,
            )
            return
        for name, constraint in arg_constraints.items():
            lazy = name not in self.__dict__ and isinstance(getattr(type(self), name, None), lazy_property)
            if lazy or constraints.is_dependent(constraint):
                continue
            value = getattr(self, name)
            if not constraint.check(value).all():
                raise ValueError(
                    f"Expected parameter {name} ({type(value).__name__} of shape {tuple(value.shape)}) of distribution "
                    f"{self!r} to satisfy the constraint {constraint!r}, but found invalid values:\n{value}"
                )

    def _keep(self, **parameters):
        """Keep the parameters, numbers or tensors, as attributes of one shape, which is returned."""
        for name, value in zip(parameters, broadcast_all(*parameters.values())):
            setattr(self, name, value)
        return value.shape

    # ---- shape

    @property
    def batch_shape(self) -> Size:
        """Shape of the batch of distributions."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """Shape of a single sample."""
        return self._event_shape

    def _extended_shape(self, sample_shape=()) -> Size:
        return Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def expand(self, batch_shape, _instance=None):
        """The distribution with its batch expanded to `batch_shape`; no parameter is copied."""
        owner = next((c for c in type(self).__mro__ if "_batched" in c.__dict__), None)
        if owner is None:
            raise NotImplementedError(f"{type(self).__name__} does not implement expand")
        new = self._get_checked_instance(owner, _instance)
        batch_shape = Size(batch_shape)
        for name, tail in self._batched.items():
            if name not in self.__dict__:
                continue
            value = self.__dict__[name]
            if isinstance(value, Distribution):
                value = value.expand(batch_shape)
            elif tail is not None:
                value = value.expand((*batch_shape, *value.shape[value.dim() - tail :]))
            setattr(new, name, value)
        return self._expanded(new, batch_shape)

    def _expanded(self, new, batch_shape, event_shape=None):
        """The last step of `expand`: what the base class keeps."""
        Distribution.__init__(new, batch_shape, self.event_shape if event_shape is None else event_shape, False)
        new._validate_args = self._validate_args
        return new

    def _get_checked_instance(self, cls, _instance=None):
        if _instance is None and type(self).__init__ != cls.__init__:
            raise NotImplementedError(
                f"Subclass {self.__class__.__name__} of {cls.__name__} that defines a custom __init__ method must also "
                "define a custom .expand() method."
            )
        return self.__new__(type(self)) if _instance is None else _instance

    # ---- what subclasses give

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """What the parameters have to satisfy, by name."""
        raise NotImplementedError

    @property
    def support(self) -> Any:
        """The constraint that samples satisfy."""
        raise NotImplementedError

    @property
    def mean(self) -> Tensor:
        """The mean, of shape ``batch_shape + event_shape``."""
        raise NotImplementedError

    @property
    def mode(self) -> Tensor:
        """The value of the greatest density or probability."""
        raise NotImplementedError(f"{self.__class__} does not implement mode")

    @property
    def variance(self) -> Tensor:
        """The variance, of shape ``batch_shape + event_shape``."""
        raise NotImplementedError

    @property
    def stddev(self) -> Tensor:
        """The standard deviation, ``sqrt(variance)``."""
        return self.variance.sqrt()

    def sample(self, sample_shape=()) -> Tensor:
        """Samples of shape ``sample_shape + batch_shape + event_shape``, without a gradient."""
        with minigrad.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape=()) -> Tensor:
        """Samples that are differentiable functions of the parameters (reparametrised)."""
        raise NotImplementedError(f"{type(self).__name__} has no rsample: use sample(), which has no gradient")

    def sample_n(self, n: int) -> Tensor:
        """``sample((n,))``; warns, as PyTorch does, to use that instead."""
        warnings.warn(
            "`sample_n(n)` will be deprecated. Use `sample((n,))` instead.", category=FutureWarning, stacklevel=2
        )
        return self.sample(Size((n,)))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density or probability of `value`; one number per event."""
        raise NotImplementedError

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of what is not above `value`."""
        raise NotImplementedError

    def icdf(self, value: Tensor) -> Tensor:
        """The quantile: the inverse of `cdf`."""
        raise NotImplementedError

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values of a discrete distribution, along dimension 0: ``(cardinality,) + batch_shape + event_shape``.

        With ``expand=False`` the batch dimensions are of size 1.
        """
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """The entropy, of shape `batch_shape`."""
        raise NotImplementedError

    def perplexity(self) -> Tensor:
        """``exp(entropy)``, of shape `batch_shape`."""
        return self.entropy().exp()

    def _enumerated(self, values, expand):
        """1-D values as `enumerate_support` gives them."""
        values = values.view((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1, *self._batch_shape)) if expand else values

    def _filled(self, number):
        """A tensor of a sample's shape, full of a number, in the dtype of the first parameter."""
        like = next(value for value in self.__dict__.values() if isinstance(value, Tensor))
        return minigrad.full(self._extended_shape(), number, dtype=like.dtype)

    def _validate_sample(self, value: Tensor) -> None:
        """ValueError if `value` is no tensor, does not fit the shape, or is outside the support."""
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        actual, event = value.size(), self._event_shape
        if actual[len(actual) - len(event) :] != event:
            raise ValueError(f"The right-most size of value must match event_shape: {actual} vs {event}.")
        expected = self._extended_shape()
        for i, j in zip(reversed(actual), reversed(expected)):
            if i not in (1, j) and j != 1:
                raise ValueError(f"Value is not broadcastable with batch_shape+event_shape: {actual} vs {expected}.")
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(
                f"{self.__class__} does not define `support` to enable sample validation. Please initialize the "
                "distribution with `validate_args=False` to turn off validation.",
                stacklevel=4,
            )
            return
        if not support.check(value).all():
            raise ValueError(
                f"Expected value argument ({type(value).__name__} of shape {tuple(value.shape)}) to be within the "
                f"support ({support!r}) of the distribution {self!r}, but found invalid values:\n{value}"
            )

    def __repr__(self) -> str:
        given = {name: self.__dict__[name] for name in self.arg_constraints if name in self.__dict__}
        shown = [f"{name}: {value if value.numel() == 1 else value.size()}" for name, value in given.items()]
        return f"{self.__class__.__name__}({', '.join(shown)})"
