"""The op blocks, one module per family. Importing this package reads them all; `autograd.link` then makes functions."""

from minigrad.ops import (
    activation,
    compare,
    conv,
    dropout,
    elementary,
    index,
    join,
    linalg,
    loss,
    order,
    part,
    pointwise,
    pool,
    reduce,
    shape,
    softmax,
)

__all__ = [
    "activation",
    "compare",
    "conv",
    "dropout",
    "elementary",
    "index",
    "join",
    "linalg",
    "loss",
    "order",
    "part",
    "pointwise",
    "pool",
    "reduce",
    "shape",
    "softmax",
]
