"""softmax, log_softmax and logsumexp along an axis, and their derivatives.

    softmax(x) = e^(x - m) / s        m = max x, s = sum of e^(x - m)
    log_softmax(x) = (x - m) - log s
    logsumexp(x) = m + log s

Subtracting the maximum changes nothing in exact arithmetic and keeps e^... from overflowing.

An array is seen as (outer, count, inner), `count` being the axis. With inner = 1 the numbers of one softmax lie side by
side; otherwise `inner` softmaxes are done at once, number by number.

The loops need the exponential of their own dtype, so they are compiled per dtype: `by_dtype`.

Before this: `dispatch.py`, `vecmath.py`. After it: `loss.py`, `attention.py`, and `ops/`.
"""

import math

import numpy as np

from minigrad.kernels.dispatch import jit, kernel, widest
from minigrad.kernels.reduce import add_pairwise, greatest
from minigrad.kernels.threads import share
from minigrad.kernels.vecmath import by_dtype

SHORT = 32  # rows shorter than this are taken several at a time
BLOCK = 4096  # numbers taken at a time: so many are summed in vector lanes, the sums of blocks in float64
STRIP = 64  # so many are added one after the other, then the sums of strips
FEW = 16  # side by side, softmaxes are not worth being done together if they are fewer
LEAST = 1 << 17  # numbers that are worth a thread of their own
TILE = 512  # softmaxes done at once if their numbers do not lie side by side


exp_falling, log = math.exp, math.log  # `vecmath`'s stand in their place in the loops below


# --------------------------------------------------------------------------------------------------------------------
# Rows: the numbers of one softmax lie side by side.


@by_dtype(fastmath=("contract", "reassoc"))
def exp_block(x, top, y):
    """y = exp(x - top); returns its sum."""
    widest()
    total = x.dtype.type(0)
    for j in range(x.size):
        power = exp_falling(x[j] - top)
        y[j] = power
        total += power
    return total


@by_dtype(fastmath=("contract", "reassoc"))
def exp_sum_block(x, top):
    """Sum of exp(x - top)."""
    widest()
    total = x.dtype.type(0)
    for j in range(x.size):
        total += exp_falling(x[j] - top)
    return total


@by_dtype
def exp_all(y):
    """y = exp(y)."""
    widest()
    for i in range(y.size):
        y[i] = exp_falling(y[i])


@jit(fastmath=("reassoc",))
def dot_block(a, b):
    """Sum of a * b."""
    widest()
    total = a.dtype.type(0)
    for j in range(a.size):
        total += a[j] * b[j]
    return total


@jit
def minus_greatest(x, y, tops):
    """y = each row of x minus its maximum, for short rows; the maxima go to `tops`."""
    widest()
    for i in range(x.shape[0]):
        top = x[i, 0]
        for j in range(1, x.shape[1]):
            top = x[i, j] if x[i, j] > top else top
        tops[i] = top
        for j in range(x.shape[1]):
            y[i, j] = x[i, j] - top


@by_dtype
def short_row_sums(x, tops, totals):
    """`row_sums` of short rows: as a loop over few numbers is no vector code, the exponentials of several rows are
    taken at once."""
    rows, count = x.shape
    group = BLOCK // count
    powers = np.empty(min(rows, group) * count, x.dtype)
    for first in range(0, rows, group):
        part = x[first : first + group]
        flat = powers[: part.size]
        minus_greatest(part, flat.reshape(part.shape), tops[first : first + group])
        exp_all(flat)
        for i in range(part.shape[0]):
            total = x.dtype.type(0)
            for j in range(i * count, (i + 1) * count):
                total += flat[j]
            totals[first + i] = total


@by_dtype
def long_row_sums(x, tops, totals):
    """`row_sums` of others."""
    count = x.shape[1]
    for i in range(x.shape[0]):
        row = x[i]
        top = greatest(row)
        total = 0.0
        for left in range(0, count, BLOCK):
            total += exp_sum_block(row[left : left + BLOCK], top)
        tops[i], totals[i] = top, total


@by_dtype
def row_sums(x, tops, totals):
    """For each row of x: its maximum, and the sum of exp(x - maximum)."""
    if x.shape[1] < SHORT:
        short_row_sums(x, tops, totals)
    else:
        long_row_sums(x, tops, totals)


@by_dtype
def softmax_rows(x, y):
    """y = softmax of each row of x."""
    widest()
    rows, count = x.shape
    one = x.dtype.type(1)
    if count < SHORT:
        group = BLOCK // count
        tops = np.empty(min(rows, group), x.dtype)
        for first in range(0, rows, group):
            part = y[first : first + group]
            minus_greatest(x[first : first + group], part, tops)
            exp_all(part.reshape(-1))
            for i in range(part.shape[0]):
                total = x.dtype.type(0)
                for j in range(count):
                    total += part[i, j]
                share = one / total
                for j in range(count):
                    part[i, j] *= share
        return
    for i in range(rows):
        row, out = x[i], y[i]
        top = greatest(row)
        total = 0.0
        for left in range(0, count, BLOCK):
            total += exp_block(row[left : left + BLOCK], top, out[left : left + BLOCK])
        share = x.dtype.type(1 / total)
        for j in range(count):
            out[j] *= share


@by_dtype
def logsumexp_rows(x, y):
    """y = logsumexp of each row of x."""
    widest()
    totals = np.empty(x.shape[0], x.dtype)
    row_sums(x, y, totals)
    for i in range(y.size):
        if abs(y[i]) == np.inf:  # inf - inf has made NaN of the sum; the maximum is the answer
            for v in x[i]:
                y[i] = v if v != v else y[i]
        else:
            y[i] += log(totals[i])


@by_dtype
def log_softmax_rows(x, y):
    """y = log_softmax of each row of x."""
    widest()
    tops, totals = np.empty(x.shape[0], x.dtype), np.empty(x.shape[0], x.dtype)
    row_sums(x, tops, totals)
    for i in range(x.shape[0]):
        top, rest = tops[i], log(totals[i])
        row, out = x[i], y[i]
        for j in range(row.size):
            out[j] = (row[j] - top) - rest


@jit
def softmax_backward_rows(g, y, dx):
    """dx = (g - sum(g * y)) * y, row by row."""
    widest()
    for i in range(y.shape[0]):
        along, row, out = g[i], y[i], dx[i]
        total = 0.0
        for left in range(0, row.size, BLOCK):
            total += dot_block(along[left : left + BLOCK], row[left : left + BLOCK])
        total = y.dtype.type(total)
        for j in range(row.size):
            out[j] = (along[j] - total) * row[j]


@by_dtype
def log_softmax_backward_rows(g, y, dx):
    """dx = g - exp(y) * sum(g), row by row."""
    widest()
    rows, count = y.shape
    if count < SHORT:
        powers, flat = dx.reshape(-1), y.reshape(-1)
        for i in range(flat.size):
            powers[i] = exp_falling(flat[i])
        for i in range(rows):
            total = y.dtype.type(0)
            for j in range(count):
                total += g[i, j]
            for j in range(count):
                dx[i, j] = g[i, j] - dx[i, j] * total
        return
    for i in range(rows):
        along, row, out = g[i], y[i], dx[i]
        total = add_pairwise(along)
        for j in range(count):
            out[j] = along[j] - exp_falling(row[j]) * total


# --------------------------------------------------------------------------------------------------------------------
# Columns: the numbers of one softmax are `inner` apart, and `inner` softmaxes are done side by side, TILE at a time.


@by_dtype
def column_sums(x, left, tops, totals, part):
    """For some columns of x (count, inner), from `left` on: the maximum, and the sum of exp(x - maximum)."""
    widest()
    right = left + tops.size
    tops[:] = -np.inf
    totals[:] = 0
    for i in range(x.shape[0]):
        row = x[i, left:right]
        for j in range(row.size):
            tops[j] = row[j] if row[j] > tops[j] else tops[j]
    for first in range(0, x.shape[0], STRIP):
        part[:] = 0
        for i in range(first, min(first + STRIP, x.shape[0])):
            row = x[i, left:right]
            for j in range(row.size):
                part[j] += exp_falling(row[j] - tops[j])
        for j in range(totals.size):
            totals[j] += part[j]


@by_dtype
def softmax_columns(x, y, logarithm):
    """y = softmax, or log_softmax, along the middle axis of x (outer, count, inner)."""
    widest()
    work = np.empty((3, min(TILE, x.shape[2])), x.dtype)
    one = x.dtype.type(1)
    for o in range(x.shape[0]):
        for left in range(0, x.shape[2], TILE):
            right = min(left + TILE, x.shape[2])
            tops, totals, part = work[0, : right - left], work[1, : right - left], work[2, : right - left]
            column_sums(x[o], left, tops, totals, part)
            for j in range(totals.size):
                totals[j] = log(totals[j]) if logarithm else one / totals[j]
            for i in range(x.shape[1]):
                row, out = x[o, i, left:right], y[o, i, left:right]
                if logarithm:
                    for j in range(row.size):
                        out[j] = (row[j] - tops[j]) - totals[j]
                else:
                    for j in range(row.size):
                        out[j] = exp_falling(row[j] - tops[j]) * totals[j]


@by_dtype
def logsumexp_columns(x, y):
    """y (outer, inner) = logsumexp along the middle axis of x (outer, count, inner)."""
    widest()
    work = np.empty((2, min(TILE, x.shape[2])), x.dtype)
    for o in range(x.shape[0]):
        for left in range(0, x.shape[2], TILE):
            right = min(left + TILE, x.shape[2])
            tops, totals, part = y[o, left:right], work[0, : right - left], work[1, : right - left]
            column_sums(x[o], left, tops, totals, part)
            for j in range(totals.size):
                if abs(tops[j]) == np.inf:
                    for i in range(x.shape[1]):
                        v = x[o, i, left + j]
                        tops[j] = v if v != v else tops[j]
                else:
                    tops[j] += log(totals[j])


@jit
def softmax_backward_columns(g, y, dx):
    """dx = (g - sum(g * y)) * y along the middle axis."""
    widest()
    sums = np.empty(min(TILE, y.shape[2]), y.dtype)
    for o in range(y.shape[0]):
        for left in range(0, y.shape[2], TILE):
            right = min(left + TILE, y.shape[2])
            total = sums[: right - left]
            total[:] = 0
            for i in range(y.shape[1]):
                along, row = g[o, i, left:right], y[o, i, left:right]
                for j in range(row.size):
                    total[j] += along[j] * row[j]
            for i in range(y.shape[1]):
                along, row, out = g[o, i, left:right], y[o, i, left:right], dx[o, i, left:right]
                for j in range(row.size):
                    out[j] = (along[j] - total[j]) * row[j]


@by_dtype
def log_softmax_backward_columns(g, y, dx):
    """dx = g - exp(y) * sum(g) along the middle axis."""
    widest()
    sums = np.empty(min(TILE, y.shape[2]), y.dtype)
    for o in range(y.shape[0]):
        for left in range(0, y.shape[2], TILE):
            right = min(left + TILE, y.shape[2])
            total = sums[: right - left]
            total[:] = 0
            for i in range(y.shape[1]):
                along = g[o, i, left:right]
                for j in range(along.size):
                    total[j] += along[j]
            for i in range(y.shape[1]):
                along, row, out = g[o, i, left:right], y[o, i, left:right], dx[o, i, left:right]
                for j in range(row.size):
                    out[j] = along[j] - exp_falling(row[j]) * total[j]


# --------------------------------------------------------------------------------------------------------------------
# Kernels


def run(rows, columns, axis, *arrays, flags=()):
    """Call the loop for rows, or the one for columns (with `flags`), on `arrays` and a new array, all of one shape.

    Returns the new array.
    """
    x = arrays[0]
    if not x.ndim:
        return run(rows, columns, 0, *[a.reshape(1) for a in arrays], flags=flags).reshape(())
    y = np.empty(x.shape, x.dtype)
    if not x.size:
        return y
    arrays = [np.ascontiguousarray(a) for a in arrays]
    if axis == x.ndim - 1:
        arrays.append(y)
        if x.ndim != 2:
            shape = (x.size // x.shape[-1], x.shape[-1])
            arrays = [a.reshape(shape) for a in arrays]
        if x.size < 2 * LEAST:
            rows(*arrays)
        else:
            least = max(1, LEAST // x.shape[-1])
            share(lambda first, last: rows(*[a[first:last] for a in arrays]), len(arrays[0]), least)
        return y
    inner = math.prod(x.shape[axis + 1 :])
    if inner < FEW:  # too few side by side: turn them into rows
        return np.ascontiguousarray(
            run(rows, None, x.ndim - 1, *[a.swapaxes(axis, -1) for a in arrays]).swapaxes(axis, -1)
        )
    shape = (-1, x.shape[axis], inner)
    arrays = [a.reshape(shape) for a in (*arrays, y)]
    least = max(1, LEAST // (shape[1] * inner))
    share(lambda first, last: columns(*[a[first:last] for a in arrays], *flags), len(arrays[0]), least)
    return y


def samples(size):
    """A matrix of about `size` numbers, and its last axis."""
    columns = max(1, int(size**0.5))
    return np.sin(np.arange(max(1, size // columns) * columns, dtype=np.float32)).reshape(-1, columns), 1


@kernel(samples=samples)
def softmax(x, axis):
    """e^x along an axis, divided by its sum.

    Args:
        x (ndarray): float32 or float64.
        axis (int): not negative.

    Returns:
        ndarray: of x's shape and dtype; each run along the axis adds up to 1 (NaN where x has a NaN or inf, or where
        all is -inf).
    """
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        y = np.exp(x - x.max(axis, keepdims=True, initial=-np.inf))
        y /= y.sum(axis, keepdims=True)
    return y


@softmax.numba(python=True)
def softmax(x, axis):
    kind = x.dtype.char
    return run(softmax_rows[kind], softmax_columns[kind], axis, x, flags=(False,))


@kernel(samples=lambda size: (samples(size)[0][::-1].copy(), *samples(size)))
def softmax_backward(g, y, axis):
    """Derivative of `softmax` applied to g: (g - sum(g * y)) * y, with y = softmax(x)."""
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        return (g - (g * y).sum(axis, keepdims=True)) * y


@softmax_backward.numba(python=True)
def softmax_backward(g, y, axis):
    return run(softmax_backward_rows, softmax_backward_columns, axis, g, y)


@kernel(samples=samples)
def log_softmax(x, axis):
    """Logarithm of `softmax`, x - logsumexp(x), without the loss of computing one after the other.

    Args:
        x (ndarray): float32 or float64.
        axis (int): not negative.

    Returns:
        ndarray: of x's shape and dtype.
    """
    with np.errstate(invalid="ignore", over="ignore", under="ignore", divide="ignore"):
        y = x - x.max(axis, keepdims=True, initial=-np.inf)
        y -= np.log(np.exp(y).sum(axis, keepdims=True))
    return y


@log_softmax.numba(python=True)
def log_softmax(x, axis):
    kind = x.dtype.char
    return run(log_softmax_rows[kind], softmax_columns[kind], axis, x, flags=(True,))


@kernel(samples=lambda size: (samples(size)[0][::-1].copy(), *samples(size)))
def log_softmax_backward(g, y, axis):
    """Derivative of `log_softmax` applied to g: g - e^y * sum(g), with y = log_softmax(x)."""
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        return g - np.exp(y) * g.sum(axis, keepdims=True)


@log_softmax_backward.numba(python=True)
def log_softmax_backward(g, y, axis):
    kind = y.dtype.char
    return run(log_softmax_backward_rows[kind], log_softmax_backward_columns[kind], axis, g, y)


@kernel(samples=samples)
def logsumexp(x, axis):
    """log of the sum of e^x along an axis.

    Args:
        x (ndarray): float32 or float64.
        axis (int): not negative; it is gone from the result.

    Returns:
        ndarray: -inf where there is nothing to add, inf where x has an inf.
    """
    with np.errstate(invalid="ignore", over="ignore", under="ignore", divide="ignore"):
        top = x.max(axis, keepdims=True, initial=-np.inf)
        top = np.where(np.isinf(top), x.dtype.type(0), top)  # inf - inf would be NaN
        return np.asarray(np.log(np.exp(x - top).sum(axis)) + top.squeeze(axis))


@logsumexp.numba(python=True)
def logsumexp(x, axis):
    if not x.size:
        return logsumexp.twin(x, axis)
    y = np.empty(x.shape[:axis] + x.shape[axis + 1 :], x.dtype)
    inner = y.size // math.prod(x.shape[:axis])
    if inner >= FEW:
        shape = (-1, x.shape[axis], inner)
        logsumexp_columns[x.dtype.char](np.ascontiguousarray(x).reshape(shape), y.reshape(-1, inner))
    else:
        x = np.ascontiguousarray(x if inner == 1 else np.moveaxis(x, axis, -1))
        logsumexp_rows[x.dtype.char](x.reshape(y.size, -1), y.reshape(-1))
    return y
