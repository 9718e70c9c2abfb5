"""Softmax and the losses, forward and back."""

from __future__ import annotations

from functools import partial

from bench.row import Row
from bench.rows.make import both_ways, classes, normal

SHAPES = ((64, 10), (256, 1000), (4096, 1024))


def softmax(lib, x):
    return lib.softmax(x, 1)


def log_softmax(lib, x):
    return lib.log_softmax(x, 1)


def normalised(function, shape, lib):
    return both_ways(lib, partial(function, lib), normal(*shape))


def cross_entropy(shape, lib):
    rows, count = shape
    target = lib.tensor(classes(count, rows))
    return both_ways(lib, lambda x: lib.nn.functional.cross_entropy(x, target), normal(*shape))


def mse_loss(shape, lib):
    target = lib.tensor(normal(*shape, seed=1))
    return both_ways(lib, lambda x: lib.nn.functional.mse_loss(x, target), normal(*shape))


def bce_with_logits(shape, lib):
    target = lib.tensor((normal(*shape, seed=1) > 0).astype("float32"))
    return both_ways(lib, lambda x: lib.nn.functional.binary_cross_entropy_with_logits(x, target), normal(*shape))


def rows() -> list[Row]:
    works = {
        "softmax": partial(normalised, softmax),
        "log_softmax": partial(normalised, log_softmax),
        "cross_entropy": cross_entropy,
        "mse_loss": mse_loss,
        "bce_with_logits": bce_with_logits,
    }
    return [
        Row(f"loss/{name} {rows}x{count} forward+backward", partial(work, (rows, count)))
        for name, work in works.items()
        for rows, count in SHAPES
    ]
