"""Reductions over all, the first or the last axis."""

from __future__ import annotations

from functools import partial

from bench.row import TORCH, Row
from bench.rows.make import both_ways, normal

SHAPES = ((64, 10), (256, 1000), (4096, 1024))
AXES = {"all": None, "dim 0": 0, "dim 1": 1}
NAMES = ("sum", "mean", "max", "argmax", "var")


def reduced(name, dim, lib, x):
    """max by a dim is (values, indices), as in PyTorch."""
    function = getattr(lib, name)
    return function(x) if dim is None else function(x, dim)


def differentiable(name, dim, lib, x):
    out = reduced(name, dim, lib, x)
    return out.values if name == "max" and dim is not None else out


def forward(name, dim, shape, lib):
    x = lib.tensor(normal(*shape))
    function = getattr(lib, name)
    return (lambda: function(x)) if dim is None else (lambda: function(x, dim))


def both(name, dim, shape, lib):
    return both_ways(lib, partial(differentiable, name, dim, lib), normal(*shape))


def rows() -> list[Row]:
    found, targets = [], {TORCH: 1.0}
    for name in NAMES:
        for shape in SHAPES:
            for label, dim in AXES.items():
                setup = partial(forward, name, dim, shape)
                found.append(Row(f"reduction/{name} {label} {_by(shape)} forward", setup, targets=targets))
    for name in NAMES:
        if name == "argmax":
            continue
        for label, dim in AXES.items():
            shape = (256, 1000)
            setup = partial(both, name, dim, shape)
            found.append(Row(f"reduction/{name} {label} {_by(shape)} forward+backward", setup, targets=targets))
    return found


def _by(shape):
    return "x".join(map(str, shape))
