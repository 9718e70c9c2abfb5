"""Pointwise ops on arrays: forward on plain tensors, backward through one recorded op; and awkward layouts."""

from __future__ import annotations

from functools import partial

from bench.row import TORCH, Row, gradient_row
from bench.rows.make import leaf, normal, positive

SIZES = {"1e3": 1_000, "1e5": 100_000, "1e6": 1_000_000, "1e7": 10_000_000}

# name: (operands, what to draw them from, the op, time promised as a part of torch's)
OPS = {
    "add": (2, normal, lambda lib, a, b: a + b, 1.0),
    "mul": (2, normal, lambda lib, a, b: a * b, 1.0),
    "relu": (1, normal, lambda lib, a: lib.relu(a), 1.0),
    "sigmoid": (1, normal, lambda lib, a: lib.sigmoid(a), 1.0),
    "tanh": (1, normal, lambda lib, a: lib.tanh(a), 1.3),
    "gelu": (1, normal, lambda lib, a: lib.nn.functional.gelu(a), 0.5),
    "gelu tanh": (1, normal, lambda lib, a: lib.nn.functional.gelu(a, approximate="tanh"), 0.5),
    "silu": (1, normal, lambda lib, a: lib.nn.functional.silu(a), 0.5),
    "exp": (1, normal, lambda lib, a: lib.exp(a), 1.3),
    "log": (1, positive, lambda lib, a: lib.log(a), 1.3),
}

# name: a view of a square of numbers that does not lie in memory as it is read
LAYOUTS = {
    "transposed": lambda a: a.t(),
    "every second": lambda a: a[:, ::2],
    "broadcast": lambda a: a[:1].expand(a.shape[0], -1),
}
SIDES = {"32x32": 32, "1000x1000": 1000}


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


def laid_out(operands, draw, function, side, view, lib):
    inputs = [view(lib.tensor(draw(side, side, seed=k))) for k in range(operands)]
    return lambda: function(lib, *inputs)


def rows() -> list[Row]:
    found = []
    for name, (operands, draw, function, promised) in OPS.items():
        for label, size in SIZES.items():
            what, targets = (operands, draw, function, size), {TORCH: promised}
            found += [
                Row(f"elementwise/{name} {label} forward", partial(forward, *what), targets=targets),
                gradient_row(f"elementwise/{name} {label} backward", partial(backward, *what), targets=targets),
            ]
    for name in ("add", "relu", "exp"):
        for layout, view in LAYOUTS.items():
            for label, side in SIDES.items():
                setup = partial(laid_out, *OPS[name][:3], side, view)
                found.append(Row(f"elementwise/{name} {layout} {label} forward", setup))
    return found
