"""The op blocks, one module per family. Importing this package reads them all; `autograd.link` then makes functions."""

from minigrad.ops import activation, compare, conv, index, join, linalg, pointwise, reduce, shape

__all__ = ["activation", "compare", "conv", "index", "join", "linalg", "pointwise", "reduce", "shape"]
