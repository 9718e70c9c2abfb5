"""Pointwise ops on arrays: forward on plain tensors, backward through one recorded op."""

from __future__ import annotations

from functools import partial

from bench.row import Row, gradient_row
from bench.rows.make import leaf, normal, positive

SIZES = {"1e3": 1_000, "1e5": 100_000, "1e6": 1_000_000}

# name: (operands, what to draw them from, the op)
OPS = {
    "add": (2, normal, lambda lib, a, b: a + b),
    "mul": (2, normal, lambda lib, a, b: a * b),
    "relu": (1, normal, lambda lib, a: lib.relu(a)),
    "sigmoid": (1, normal, lambda lib, a: lib.sigmoid(a)),
    "tanh": (1, normal, lambda lib, a: lib.tanh(a)),
    "gelu": (1, normal, lambda lib, a: lib.nn.functional.gelu(a)),
    "gelu tanh": (1, normal, lambda lib, a: lib.nn.functional.gelu(a, approximate="tanh")),
    "silu": (1, normal, lambda lib, a: lib.nn.functional.silu(a)),
    "exp": (1, normal, lambda lib, a: lib.exp(a)),
    "log": (1, positive, lambda lib, a: lib.log(a)),
}


def forward(operands, draw, function, size, lib):
    inputs = [lib.tensor(draw(size, seed=k)) for k in range(operands)]
    return lambda: function(lib, *inputs)


def backward(operands, draw, function, size, lib):
    arrays = [draw(size, seed=k) for k in range(operands)]
    gradient = lib.tensor(normal(size, seed=9))

    def graph():
        leaves = [leaf(lib, array) for array in arrays]
        return function(lib, *leaves), gradient, leaves

    return graph


def rows() -> list[Row]:
    found = []
    for name, (operands, draw, function) in OPS.items():
        for label, size in SIZES.items():
            what = (operands, draw, function, size)
            found += [
                Row(f"elementwise/{name} {label} forward", partial(forward, *what)),
                gradient_row(f"elementwise/{name} {label} backward", partial(backward, *what)),
            ]
    return found
