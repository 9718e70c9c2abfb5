"""A product with its activation, as a network's layer computes it when nothing is recorded."""

from __future__ import annotations

from functools import partial

from bench.row import Row
from bench.rows.make import normal

SHAPES = ((64, 784, 256), (1, 128, 128), (512, 512, 2048))
ACTIVATIONS = ("relu", "gelu")


def activated(name, m, k, n, lib):
    x, weight, bias = (lib.tensor(array) for array in (normal(m, k), normal(n, k, seed=1) / k**0.5, normal(n, seed=2)))
    linear, activation = lib.nn.functional.linear, getattr(lib.nn.functional, name)
    return lambda: activation(linear(x, weight, bias))


def rows() -> list[Row]:
    return [
        Row(f"linear/linear+{name} {m}x{k}x{n} forward", partial(activated, name, m, k, n))
        for name in ACTIVATIONS
        for m, k, n in SHAPES
    ]
