"""Inputs for rows: the same numbers for every side, fresh in each."""

from __future__ import annotations

import numpy as np

from bench.timing import Work


def normal(*shape, seed=0) -> np.ndarray:
    """float32 draws from N(0, 1)."""
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def positive(*shape, seed=0) -> np.ndarray:
    """float32 draws from (0.1, 10)."""
    return np.random.default_rng(seed).uniform(0.1, 10, shape).astype(np.float32)


def classes(count, n, seed=0) -> np.ndarray:
    """n int64 class numbers below `count`."""
    return np.random.default_rng(seed).integers(0, count, n)


def leaf(lib, array):
    """A tensor of `lib` with its own copy of `array` that wants its gradient."""
    return lib.tensor(array, requires_grad=True)


def both_ways(lib, function, *arrays) -> Work:
    """Forward through `function(*leaves)` and back to the leaves; the result is their gradients.

    What is fed in is drawn once: going back from `output.sum()` would time a reduction as well, and a gradient of ones
    has nothing to say to a softmax or a norm, whose gradients then are rounding alone.
    """
    if hasattr(lib, "both_ways"):  # a library without `backward`: see bench/rivals.py
        return lib.both_ways(function, gradient_for, *arrays)
    leaves = [leaf(lib, array) for array in arrays]
    gradient = gradient_for(function(*leaves))
    gradient = None if gradient is None else lib.tensor(gradient)

    def run():
        for each in leaves:
            each.grad = None
        function(*leaves).backward(gradient)

    return Work(run, result=lambda _: [each.grad for each in leaves])


def gradient_for(output) -> np.ndarray | None:
    """What is sent back from an output; None for a number, from which 1 is."""
    return normal(*output.shape, seed=77) if output.ndim else None
