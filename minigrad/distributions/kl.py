"""`kl_divergence` and its registry. The formulas are in `kl_same.py` (of one family) and `kl_cross.py` (of two)."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from minigrad.distributions.distribution import Distribution
from minigrad.tensor import Tensor

__all__ = ["kl_divergence", "register_kl"]

_KL_REGISTRY: dict[tuple[type, type], Callable] = {}
_KL_MEMOIZE: dict[tuple[type, type], Callable | None] = {}


def register_kl(type_p: type, type_q: type) -> Callable:
    """Decorator: the function of p and q that computes ``KL(p || q)`` for these classes and their subclasses.

    Where several match, those nearest to p's class are taken, and of them the one nearest to q's; a RuntimeWarning says
    when the other order would have found another function. TypeError if one is no class of distributions.
    """
    for name, given in (("type_p", type_p), ("type_q", type_q)):
        if not (isinstance(given, type) and issubclass(given, Distribution)):
            raise TypeError(f"Expected {name} to be a Distribution subclass but got {given}")

    def decorator(fun):
        _KL_REGISTRY[type_p, type_q] = fun
        _KL_MEMOIZE.clear()
        return fun

    return decorator


def _nearest(pairs, first, second, order):
    """Of pairs of base classes, the one nearest in the line of ancestors: by one place first, then by the other."""
    lines = (first.__mro__, second.__mro__)
    return min(pairs, key=lambda pair: [lines[k].index(pair[k]) for k in order])


def _dispatch_kl(type_p, type_q):
    pairs = [pair for pair in _KL_REGISTRY if issubclass(type_p, pair[0]) and issubclass(type_q, pair[1])]
    if not pairs:
        return None
    left, right = (_nearest(pairs, type_p, type_q, order) for order in ((0, 1), (1, 0)))
    if _KL_REGISTRY[left] is not _KL_REGISTRY[right]:
        warnings.warn(
            f"Ambiguous kl_divergence({type_p.__name__}, {type_q.__name__}). "
            f"Please register_kl({left[0].__name__}, {right[1].__name__})",
            RuntimeWarning,
            stacklevel=3,
        )
    return _KL_REGISTRY[left]


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The Kullback-Leibler divergence ``KL(p || q) = ∫ p(x) log(p(x) / q(x)) dx``, of shape `batch_shape`.

    NotImplementedError if nobody has registered a function for the two classes. (torch.distributions.kl_divergence)
    """
    pair = type(p), type(q)
    if pair not in _KL_MEMOIZE:
        _KL_MEMOIZE[pair] = _dispatch_kl(*pair)
    fun = _KL_MEMOIZE[pair]
    if fun is None:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {pair[0].__name__} and q type {pair[1].__name__}: register_kl one"
        )
    return fun(p, q)
