"""Figures of one array: how large its numbers are, how many units of it are dead, how much of it is saturated.

Before it: nothing of this package.  After it: `passes.py`, which measures what layers give and the gradients they get.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

__all__ = ["SATURATING", "Stats", "alive_units", "saturated_share", "stats_of", "sums_of", "unit_axis"]

BLOCK = 1 << 16  # elements that are widened to float64 at once
SAMPLE = 1024  # values kept of an array, for pictures

# The ends of the activations that level off. An output is saturated within 1 % of the range from an end; the slope of
# sigmoid, y(1 - y), and of tanh, 1 - y², is there below 4 % of its greatest.
SATURATING = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}
NEAR = 0.01

PRODUCTS, CONVOLUTIONS = ("linear", "matmul"), ("convolution", "convolution_input")
LOOKED_BACK = 12  # operations


@dataclass(slots=True)
class Stats:
    """Of all elements: mean, std (biased), norm (the root of the sum of squares), count of elements and of those that
    are NaN or infinite, share of zeros; and an even sample of at most `SAMPLE` values (float64)."""

    size: int
    mean: float
    std: float
    norm: float
    nonfinite: int
    zeros: float
    sample: np.ndarray = field(repr=False)

    @classmethod
    def pooled(cls, parts: list[Stats]) -> Stats:
        """The figures of several arrays taken as one."""
        if len(parts) == 1:
            return parts[0]
        size = sum(part.size for part in parts)
        mean = sum(part.mean * part.size for part in parts) / max(size, 1)
        norm = math.hypot(*[part.norm for part in parts])
        spread = math.sqrt(max(norm * norm / max(size, 1) - mean * mean, 0.0)) if math.isfinite(norm) else math.nan
        zeros = sum(part.zeros * part.size for part in parts) / max(size, 1)
        together = np.concatenate([part.sample for part in parts])
        sample = together[:: -(-together.size // SAMPLE) or 1]
        return cls(size, mean, spread, norm, sum(part.nonfinite for part in parts), zeros, sample)


def stats_of(array, zeros=True) -> Stats:
    """The `Stats` of a float array of any shape; of an empty one all are 0. Without `zeros` these are not counted."""
    flat = np.ravel(array, order="K")
    size = flat.size
    if not size:
        return Stats(0, 0.0, 0.0, 0.0, 0, 0.0, np.empty(0))
    total, squares = sums_of(flat)
    mean = total / size
    spread = math.sqrt(max(squares / size - mean * mean, 0.0)) if math.isfinite(squares) else math.nan
    lost = 0 if math.isfinite(squares) else size - int(np.count_nonzero(np.isfinite(flat)))
    norm = math.sqrt(squares) if squares >= 0 else math.nan
    share = int(np.count_nonzero(flat == 0)) / size if zeros else 0.0
    sample = flat[:: -(-size // SAMPLE)].astype(np.float64)
    return Stats(size, mean, spread, norm, lost, share, sample)


def sums_of(flat) -> tuple[float, float]:
    """(the sum, the sum of squares) of a 1-D float array: in its own dtype, which is fast, or where that would not do
    (overflow, underflow, a mean far larger than the spread, half precision) in float64."""
    with np.errstate(all="ignore"):
        if flat.itemsize > 2:
            total, squares = float(flat.sum()), float(np.dot(flat, flat))
            if 1e-30 < squares < 1e30 and squares * flat.size > (1 + 1e-3) * total * total:
                return total, squares
        total = squares = 0.0
        for start in range(0, flat.size, BLOCK):
            wide = flat[start : start + BLOCK].astype(np.float64)
            total += float(wide.sum())
            squares += float(np.dot(wide, wide))
    return total, squares


def saturated_share(array, op: str) -> float:
    """The share of outputs of a sigmoid or tanh (`op`) that are within 1 % of the range from an end."""
    low, high = SATURATING[op]
    near = NEAR * (high - low)
    return 1.0 - int(np.count_nonzero((array > low + near) & (array < high - near))) / max(array.size, 1)


def alive_units(array, axis: int) -> np.ndarray:
    """For each unit along `axis` of a ReLU's output whether it is above zero for a sample (NaN counts as alive)."""
    if not array.ndim:
        return np.atleast_1d(array != 0)
    others = tuple(i for i in range(array.ndim) if i != axis % array.ndim)
    return array.max(axis=others, initial=0) != 0


def unit_axis(node, ndim: int) -> int:
    """The axis along which the units of an activation lie: that of the channels after a convolution, else the last.

    node   the node of the activation in the recorded graph, or None; the operations before it say what its layer is
    ndim   dimensions of the output; without a graph, four and more are taken for images ``(N, C, ...)``
    """
    for _ in range(LOOKED_BACK):
        if node is None:
            break
        if node.op.name in CONVOLUTIONS:
            return max(ndim + 1 - len(node.shape), 0)  # recorded as (N, C, ...), also for a lone sample (C, ...)
        if node.op.name in PRODUCTS:
            return ndim - 1
        node = next((parent for parent in node.parents if parent is not None), None)
    return 1 if ndim >= 4 else ndim - 1
