"""Leaves and vectors for the tests of the engine: float64, so that a difference in the last digits shows."""

import minigrad

f64 = minigrad.float64


def leaf(*values, dtype=f64):
    return minigrad.tensor(values if len(values) > 1 else values[0], dtype=dtype, requires_grad=True)


def ones(*shape, grad=True):
    return minigrad.ones(shape, dtype=f64).requires_grad_(grad)


def vector(*values):
    return minigrad.tensor(values, dtype=f64)
