"""Normalisation and pooling, forward and back."""

from __future__ import annotations

from functools import partial

from bench.row import TORCH, Row, gradient_row
from bench.rows.make import both_ways, leaf, normal

SHAPES = {(64, 10): 0.15, (256, 1000): 0.6, (4096, 1024): 0.6}  # and the time promised as a part of torch's
IMAGES = ((64, 1, 28, 28), (64, 32, 14, 14), (16, 64, 56, 56))


def batch_norm(lib, x, weight, bias):
    return lib.nn.functional.batch_norm(x, None, None, weight, bias, training=True)


def layer_norm(lib, x, weight, bias):
    return lib.nn.functional.layer_norm(x, weight.shape, weight, bias)


def rms_norm(lib, x, weight):
    return lib.nn.functional.rms_norm(x, weight.shape, weight)


def normalised(function, parameters, shape, lib):
    weights = [normal(shape[1], seed=1 + k) for k in range(parameters)]
    return both_ways(lib, partial(function, lib), normal(*shape), *weights)


def pool(name, lib, x):
    return getattr(lib.nn.functional, name)(x, 2)


def pooled(name, shape, lib):
    x = lib.tensor(normal(*shape))
    return lambda: pool(name, lib, x)


def pooled_back(name, shape, lib):
    array = normal(*shape)
    gradient = lib.tensor(normal(*shape[:2], shape[2] // 2, shape[3] // 2, seed=9))

    def graph():
        x = leaf(lib, array)
        return pool(name, lib, x), gradient, [x]

    return graph


def rows() -> list[Row]:
    found = []
    norms = {"layer_norm": (layer_norm, 2), "batch_norm": (batch_norm, 2), "rms_norm": (rms_norm, 1)}
    for name, (function, parameters) in norms.items():
        for shape, promised in SHAPES.items():
            label = f"norm/{name} {_by(shape)} forward+backward"
            setup = partial(normalised, function, parameters, shape)
            found.append(Row(label, setup, targets={TORCH: promised}))
    for shape in IMAGES:
        label = f"norm/batch_norm {_by(shape)} forward+backward"
        found.append(Row(label, partial(normalised, batch_norm, 2, shape), targets={TORCH: 1.0}))
    for name, promised in (("max_pool2d", 0.15), ("avg_pool2d", 1.0)):
        for shape in IMAGES:
            label = f"pool/{name} {_by(shape)}"
            found += [
                Row(f"{label} forward", partial(pooled, name, shape), targets={TORCH: promised}),
                gradient_row(f"{label} backward", partial(pooled_back, name, shape), targets={TORCH: 1.0}),
            ]
    return found


def _by(shape):
    return "x".join(map(str, shape))
