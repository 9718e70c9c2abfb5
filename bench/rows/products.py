"""Matrix products and linear layers."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.row import Row
from bench.rows.make import both_ways, normal

MATRICES = (
    (64, 64, 64), (256, 256, 256), (1024, 1024, 1024), (64, 784, 256), (64, 256, 128), (64, 128, 10), (32, 128, 512),
)  # fmt: skip
BATCHES = ((512, 64, 64, 64), (512, 64, 32, 64), (32, 128, 128, 64), (128, 16, 16, 16))
LINEAR = ((64, 784, 256), (64, 256, 128), (64, 128, 10), (256, 256, 256))


def matmul(form, m, k, n, lib):
    """form: NN, TN or NT, T for a transposed matrix."""
    first = lib.tensor(normal(k, m)).T if form[0] == "T" else lib.tensor(normal(m, k))
    other = lib.tensor(normal(n, k, seed=1)).T if form[1] == "T" else lib.tensor(normal(k, n, seed=1))
    return lambda: first @ other


def bmm(form, b, m, k, n, lib):
    first = lib.tensor(normal(b, m, k))
    other = lib.tensor(normal(b, n, k, seed=1)).mT if form[1] == "T" else lib.tensor(normal(b, k, n, seed=1))
    return lambda: lib.bmm(first, other)


def parameters(m, k, n):
    return normal(m, k), normal(n, k, seed=1) / np.float32(k**0.5), normal(n, seed=2)


def linear(m, k, n, lib):
    return both_ways(lib, lib.nn.functional.linear, *parameters(m, k, n))


def activated(name, m, k, n, lib):
    """Forward, as in evaluation: nothing is recorded."""
    F, inputs = lib.nn.functional, [lib.tensor(array) for array in parameters(m, k, n)]
    activation = {"relu": F.relu, "gelu": partial(F.gelu, approximate="tanh")}[name]
    return lambda: activation(F.linear(*inputs))


def rows() -> list[Row]:
    found = [
        Row(f"matmul/{form} {m}x{k}x{n}", partial(matmul, form, m, k, n))
        for m, k, n in MATRICES
        for form in ("NN", "TN", "NT")
    ]
    found += [
        Row(f"bmm/{form} {'x'.join(map(str, size))}", partial(bmm, form, *size))
        for size in BATCHES
        for form in ("NN", "NT")
    ]
    found += [Row(f"linear/{m}x{k}x{n} forward+backward", partial(linear, m, k, n)) for m, k, n in LINEAR]
    found += [
        Row(f"linear/linear+{name} 64x784x256 forward", partial(activated, name, 64, 784, 256))
        for name in ("relu", "gelu")
    ]
    return found
