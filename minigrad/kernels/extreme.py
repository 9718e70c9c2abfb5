"""The largest and the smallest number, of all or along an axis, and where it stands.

The numbers are NumPy's work: its vector code for them cannot be beaten from here. Their places are, too, where the
numbers compared lie side by side; rows of numbers are compared with one another (`extreme_rows`).

Before this: `reduce.py`. After it: `ops/reduce.py`, `ops/order.py`.
"""

import math

import numpy as np

from minigrad.kernels.dispatch import jit, kernel
from minigrad.kernels.reduce import WIDE, layout, matrix, reduce_samples

BESIDE, FEW = 16, 4096  # numbers side by side from which rows are compared; numbers so few that calls cost the most


def extreme_of_all(x, sign):
    """The largest (sign 1) or smallest (-1) of all numbers, or NaN. Of few, NumPy finds the place faster."""
    if x.size < FEW // 2 and x.flags.c_contiguous:
        return x.reshape(-1)[x.argmax() if sign > 0 else x.argmin()]
    return x.max() if sign > 0 else x.min()


@jit
def extreme_along(x, sign, values, places, count):
    """values[o]: the largest (sign 1) or smallest (-1) of `count` numbers side by side, or NaN; places[o]: where it is
    first. For arrays of any shape."""
    x, values, places = x.reshape(-1), values.reshape(-1), places.reshape(-1)
    for o in range(values.size):
        best, place = x[o * count], 0
        for i in range(1, count):
            number = x[o * count + i]
            further = number > best if sign > 0 else number < best
            if further or (number != number and best == best):
                best, place = number, i
        values[o], places[o] = best, place


@jit
def extreme_rows(x, sign, values, places, outer, count, inner):
    """values[o, j]: the largest (sign 1) or smallest (-1) of x[o, :, j], or NaN; places[o, j]: where it is first. For
    arrays of any shapes of these sizes."""
    x, values, places = x.reshape(outer, count, inner), values.reshape(outer, inner), places.reshape(outer, inner)
    for o in range(outer):
        for left in range(0, inner, WIDE):
            width = min(WIDE, inner - left)
            best, place = values[o, left : left + width], places[o, left : left + width]
            first = x[o, 0, left : left + width]
            for j in range(width):
                best[j] = first[j]
                place[j] = 0
            for i in range(1, count):
                row = x[o, i, left : left + width]
                if sign > 0:
                    for j in range(width):
                        better = (row[j] > best[j]) | ((row[j] != row[j]) & (best[j] == best[j]))
                        best[j] = row[j] if better else best[j]
                        place[j] = i if better else place[j]
                else:
                    for j in range(width):
                        better = (row[j] < best[j]) | ((row[j] != row[j]) & (best[j] == best[j]))
                        best[j] = row[j] if better else best[j]
                        place[j] = i if better else place[j]


def extreme_samples(size):
    """A matrix of about `size` numbers, whose rows are to be compared."""
    x, _, _ = reduce_samples(size)
    return x * np.float32(7919) % np.float32(31), 0, 1


def by_rows(x, axis):
    """Whether there are rows worth comparing: NumPy would go through them one column at a time."""
    if axis == x.ndim - 1 or not x.flags.c_contiguous or x.dtype.kind not in "fiu":
        return False
    return math.prod(x.shape[axis + 1 :]) >= BESIDE


def extreme_pays(x, axis, sign):
    """The loop is faster for rows, and for few numbers, where NumPy's three steps cost more than the work."""
    return by_rows(x, axis) or (x.size < FEW and x.flags.c_contiguous and x.dtype.kind in "fiu")


@kernel(samples=extreme_samples)
def extreme(x, axis, sign):
    """The largest or smallest along an axis, and where it stands first; NaN is both.

    Args:
        x (ndarray): with numbers along the axis.
        axis (int): not negative.
        sign (int): 1 for the largest, -1 for the smallest.

    Returns:
        tuple[ndarray, ndarray]: the values, of x's dtype, and their places, int64; both without the axis.
    """
    places = x.argmax(axis) if sign > 0 else x.argmin(axis)
    values = np.take_along_axis(x, np.expand_dims(places, axis), axis).squeeze(axis)
    return values, np.asarray(places, np.int64)


@extreme.numba(python=True, when=extreme_pays)
def extreme(x, axis, sign):
    (run,), _, shape = layout(x.shape, (axis,), False)
    values, places = np.empty(shape, x.dtype), np.empty(shape, np.int64)
    x = matrix(np.ascontiguousarray(x))
    if values.size and run[2] == 1:
        extreme_along(x, sign, matrix(values), matrix(places), run[1])
    elif values.size:
        extreme_rows(x, sign, matrix(values), matrix(places), *run)
    return values, places
