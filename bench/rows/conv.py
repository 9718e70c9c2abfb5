"""Convolution and pooling."""

from __future__ import annotations

from functools import partial

from bench.row import Row, gradient_row
from bench.rows.make import both_ways, leaf, normal

# (batch, channels, height = width), channels out
CONVS = (((64, 1, 28), 32), ((64, 32, 14), 64), ((16, 64, 56), 64))


def conv_arrays(shape, out):
    batch, channels, size = shape
    weight = normal(out, channels, 3, 3, seed=1) / (9 * channels) ** 0.5
    return normal(batch, channels, size, size), weight, normal(out, seed=2)


def conv_forward(shape, out, lib):
    x, weight, bias = (lib.tensor(array) for array in conv_arrays(shape, out))
    conv2d = lib.nn.functional.conv2d
    return lambda: conv2d(x, weight, bias, padding=1)


def conv_both(shape, out, lib):
    conv2d = lib.nn.functional.conv2d
    return both_ways(lib, lambda x, weight, bias: conv2d(x, weight, bias, padding=1), *conv_arrays(shape, out))


def pool_forward(name, shape, lib):
    x = lib.tensor(normal(shape[0], shape[1], shape[2], shape[2]))
    pool = getattr(lib.nn.functional, name)
    return lambda: pool(x, 2)


def pool_backward(name, shape, lib):
    array = normal(shape[0], shape[1], shape[2], shape[2])
    half = shape[2] // 2
    gradient = lib.tensor(normal(shape[0], shape[1], half, half, seed=1))
    pool = getattr(lib.nn.functional, name)

    def graph():
        x = leaf(lib, array)
        return pool(x, 2), gradient, [x]

    return graph


def rows() -> list[Row]:
    found = []
    for shape, out in CONVS:
        label = f"{_by(shape)} to {out}"
        found += [
            Row(f"conv/3x3 {label} forward", partial(conv_forward, shape, out)),
            Row(f"conv/3x3 {label} forward+backward", partial(conv_both, shape, out)),
        ]
    for name in ("max_pool2d", "avg_pool2d"):
        for shape, _ in CONVS:
            found += [
                Row(f"pool/{name} {_by(shape)} forward", partial(pool_forward, name, shape)),
                gradient_row(f"pool/{name} {_by(shape)} backward", partial(pool_backward, name, shape)),
            ]
    return found


def _by(shape):
    return "x".join(map(str, (*shape, shape[-1])))
