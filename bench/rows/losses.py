"""Softmax and the losses, forward and back."""

from __future__ import annotations

from functools import partial

from bench.row import TORCH, Row
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
    # name: (work, times promised as a part of torch's at the three shapes)
    works = {
        "softmax": (partial(normalised, softmax), (0.3, 1.1, 1.1)),
        "log_softmax": (partial(normalised, log_softmax), (0.3, 1.1, 1.1)),
        "cross_entropy": (cross_entropy, (0.15, 0.6, 0.6)),
        "mse_loss": (mse_loss, ()),
        "bce_with_logits": (bce_with_logits, ()),
    }
    found = []
    for name, (work, promised) in works.items():
        for k, (rows, count) in enumerate(SHAPES):
            targets = {TORCH: promised[k]} if promised else {}
            label = f"loss/{name} {rows}x{count} forward+backward"
            found.append(Row(label, partial(work, (rows, count)), targets=targets))
    return found
