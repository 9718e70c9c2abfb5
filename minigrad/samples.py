"""Inputs for an op's tests and bench, declared in its block.

`samples` of a block is a function of a maker: ``samples(make)`` yields `Sample`s, whose NumPy arrays stand for tensors.
`make(*shape, low=, high=, kind=)` gives an array: "f" floats (differentiable), "i" integers in [low, high), "b" bools.
Small shapes, and among them broadcasting, 0-dim and non-square ones; the tests derive the rest (dtypes, empty,
non-contiguous) from these.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Constant", "S", "Sample", "Symmetric", "binary", "constant", "of", "symmetric", "tensors", "unary"]


class Sample(NamedTuple):
    """One call: positional and keyword arguments; NumPy arrays in them become tensors."""

    args: tuple
    kwargs: dict


def S(*args, **kwargs):
    """A `Sample`, written as the call is."""
    return Sample(args, kwargs)


class Constant(np.ndarray):
    """An array of a sample that is not to require grad, though it holds floats."""


def constant(values):
    """Floats that the op takes as constants, e.g. the weights of classes."""
    return np.asarray(values, dtype=float).view(Constant)


class Symmetric(np.ndarray):
    """Matrices of a sample whose op reads one triangle: it is called with ``(x + x.mT) / 2``, so that a difference in
    either triangle counts."""


def symmetric(values):
    """Matrices that the op takes to be symmetric."""
    return ((values + np.swapaxes(values, -1, -2)) / 2).view(Symmetric)


def unary(low=-3.0, high=3.0, **kwargs):
    """One tensor, of several shapes, with values in [low, high)."""

    def samples(make):
        yield S(make(3, 4, low=low, high=high))
        yield S(make(low=low, high=high))
        yield S(make(5, low=low, high=high))
        if kwargs:
            yield S(make(2, 3, low=low, high=high), **kwargs)

    return samples


def tensors(low=-3.0, high=3.0, low2=None, high2=None):
    """Two tensors that broadcast in several ways."""
    low2, high2 = low if low2 is None else low2, high if high2 is None else high2

    def samples(make):
        yield S(make(3, 4, low=low, high=high), make(3, 4, low=low2, high=high2))
        yield S(make(3, 1, low=low, high=high), make(4, low=low2, high=high2))
        yield S(make(2, 3, low=low, high=high), make(low=low2, high=high2))
        yield S(make(low=low, high=high), make(low=low2, high=high2))

    return samples


def binary(low=-3.0, high=3.0, low2=None, high2=None):
    """Two tensors that broadcast in several ways, and a number on the right."""
    both = tensors(low, high, low2, high2)
    number = ((low if low2 is None else low2) + (high if high2 is None else high2)) / 2 + 0.5

    def samples(make):
        yield from both(make)
        yield S(make(2, 3, low=low, high=high), number)

    return samples


def of(*calls):
    """Samples from functions of the maker: ``of(lambda m: S(m(3, 4), 1), ...)``."""

    def samples(make):
        for call in calls:
            yield call(make)

    return samples
