"""Random graphs for property tests: programs of a few steps over a pool of tensors, scalars or arrays."""

import numpy as np
from hypothesis import strategies as st

import minigrad

UNARY = ["tanh", "sin", "exp", "relu", "neg", "square", "sigmoid", "abs"]
BINARY = ["add", "sub", "mul", "maximum"]
SHAPED = ["matmul", "sum", "mean", "transpose", "reshape", "softmax", "split", "cat", "row"]


@st.composite
def programs(draw, arrays=False):
    """(seed, steps): each step is (op, indices into the pool)."""
    kinds = UNARY + BINARY + (SHAPED if arrays else [])
    index = st.integers(0, 50)
    steps = draw(st.lists(st.tuples(st.sampled_from(kinds), index, index), min_size=1, max_size=9))
    return draw(st.integers(0, 1000)), steps


def run(program, arrays=False):
    """(leaves, result): the result is one number."""
    seed, steps = program
    rng = np.random.default_rng(seed)
    shapes = [(2, 3), (3,), (), (2, 1)] if arrays else [()] * 3
    leaves = [minigrad.tensor(rng.uniform(-1, 1, shape), requires_grad=True) for shape in shapes]
    pool = list(leaves)
    for op, i, j in steps:
        a, b = pool[i % len(pool)], pool[j % len(pool)]
        made = _step(op, a, b)
        if made is not None and made.array.size <= 64:
            pool.append(made)
    result = pool[-1] + pool[len(pool) // 2].sum() if len(pool) > len(leaves) else pool[0] * 2.0
    return leaves, result.sum() if arrays else result


def _step(op, a, b):
    if op in UNARY:
        return getattr(minigrad, op)(a * 0.5 if op == "exp" else a)
    if op in BINARY:
        try:
            return getattr(minigrad, op)(a, b)
        except RuntimeError:  # shapes that do not broadcast
            return None
    if op == "matmul":
        return a @ b if a.ndim == b.ndim == 2 and a.shape[1] == b.shape[0] else a @ a.t() if a.ndim == 2 else None
    if op in ("sum", "mean"):
        return getattr(a, op)(0) if a.ndim else getattr(a, op)()
    if op == "transpose":
        return a.t() if a.ndim == 2 else None
    if op == "reshape":
        return a.reshape(-1)
    if op == "softmax":
        return a.softmax(-1) if a.ndim else None
    if op == "split":
        parts = a.split(1) if a.ndim else ()
        return parts[0] * parts[-1] if parts else None
    if op == "cat":
        return minigrad.cat([a, b]) if a.ndim and a.shape == b.shape else None
    return a[0] if a.ndim else None
