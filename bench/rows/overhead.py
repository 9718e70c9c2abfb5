"""What a single op costs beside its arithmetic: chains of 100 small ops, and small ops alone."""

from __future__ import annotations

from functools import partial

from bench.row import Row, gradient_row
from bench.rows.make import both_ways, leaf, normal

SHAPES = {"(1,)": (1,), "32x32": (32, 32)}
BOUND = {"(1,)": 0.5, "32x32": 0.65}


def chain(lib, x, w, b):
    """100 ops: [mul add relu add] x 25."""
    relu = lib.relu
    y = x
    for _ in range(25):
        y = relu(y * w + b) + x
    return y


def chain_inputs(shape):
    # Factors below 1 keep 25 rounds of products finite; a positive shift keeps half of relu's inputs alive.
    return normal(*shape, seed=1), 0.5 * normal(*shape, seed=2), normal(*shape, seed=3)


def chain_forward(shape, lib):
    leaves = [leaf(lib, array) for array in chain_inputs(shape)]
    return lambda: chain(lib, *leaves)


def chain_backward(shape, lib):
    ones = lib.ones(shape)

    def graph():
        leaves = [leaf(lib, array) for array in chain_inputs(shape)]
        return chain(lib, *leaves), ones, leaves

    return graph


def chain_both(shape, lib):
    return both_ways(lib, partial(chain, lib), *chain_inputs(shape))


SINGLE = {
    "add": (2, lambda lib, a, b: a + b),
    "mul": (2, lambda lib, a, b: a * b),
    "mul by 2.0": (1, lambda lib, a: a * 2.0),
    "relu": (1, lambda lib, a: lib.relu(a)),
    "tanh": (1, lambda lib, a: lib.tanh(a)),
    "sum": (1, lambda lib, a: a.sum()),
    "reshape": (1, lambda lib, a: a.reshape(-1)),
    "index row": (1, lambda lib, a: a[0]),
    "matmul": (2, lambda lib, a, b: a @ b),
}


def single(operands, function, shape, recorded, lib):
    inputs = [lib.tensor(normal(*shape, seed=k), requires_grad=recorded) for k in range(operands)]
    return lambda: function(lib, *inputs)


def rows() -> list[Row]:
    found = []
    for label, shape in SHAPES.items():
        found += [
            Row(f"overhead/chain of 100 {label} forward", partial(chain_forward, shape)),
            gradient_row(f"overhead/chain of 100 {label} backward", partial(chain_backward, shape)),
            Row(
                f"overhead/chain of 100 {label} forward+backward",
                partial(chain_both, shape),
                targets={"torch": BOUND[label]},
            ),
        ]
    for label, shape in SHAPES.items():
        for name, (operands, function) in SINGLE.items():
            if name == "matmul" and len(shape) < 2:
                continue
            for recorded, how in ((True, "recorded"), (False, "plain")):
                found.append(
                    Row(f"overhead/{name} {label} {how}", partial(single, operands, function, shape, recorded))
                )
    return found
