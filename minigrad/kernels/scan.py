"""Scans that NumPy has no `accumulate` for.

Before this: `dispatch.py`. After it: `ops/scan.py`.
"""

import numpy as np

from minigrad.kernels.dispatch import jit, kernel


def recurrence_samples(size):
    """A matrix of about `size` numbers and factors below 1, to be run along the rows."""
    columns = max(1, int(size**0.5))
    x = np.linspace(-1, 1, max(1, size // columns) * columns, dtype=np.float32).reshape(-1, columns)
    return x, x[::-1] * np.float32(0.9), 1


@kernel(samples=recurrence_samples)
def recurrence(x, factor, axis):
    """r[i] = x[i] + factor[i] * r[i - 1] along an axis, r[-1] being 0.

    Args:
        x (ndarray): floats.
        factor (ndarray): of x's shape and dtype; what stands first along the axis is not used.
        axis (int): not negative.

    Returns:
        ndarray: of x's shape and dtype.
    """
    out = x.copy()
    rows, factors = np.moveaxis(out, axis, 0), np.moveaxis(factor, axis, 0)
    for i in range(1, len(rows)):
        rows[i] += factors[i] * rows[i - 1]
    return out


@jit
def run_rows(x, factor, out):
    """`recurrence` of (outer, count, inner) numbers along the middle."""
    outer, count, inner = x.shape
    for o in range(outer):
        for j in range(inner):
            out[o, 0, j] = x[o, 0, j]
        for i in range(1, count):
            for j in range(inner):
                out[o, i, j] = x[o, i, j] + factor[o, i, j] * out[o, i - 1, j]


@recurrence.numba(python=True)
def recurrence(x, factor, axis):
    out = np.empty_like(x, order="C")
    if out.size:
        shape = (int(np.prod(x.shape[:axis])), x.shape[axis], -1)
        run_rows(
            np.ascontiguousarray(x).reshape(shape), np.ascontiguousarray(factor).reshape(shape), out.reshape(shape)
        )
    return out
