"""softmax, log_softmax and logsumexp along an axis, and their derivatives.

    softmax(x) = e^(x - m) / s        m = max x, s = sum of e^(x - m)
    log_softmax(x) = (x - m) - log s
    logsumexp(x) = m + log s

Subtracting the maximum changes nothing in exact arithmetic and keeps e^... from overflowing.

An array is seen as (outer, count, inner), `count` being the axis. With inner = 1 the numbers of one softmax lie side by
side; otherwise `inner` softmaxes are done at once, number by number.

The loops need the exponential of their own dtype, so they are compiled per dtype: `by_dtype`.

Before this: `dispatch.py`, `vecmath.py`. After it: `loss.py`, and `ops/`.
"""

import functools
import math

import numpy as np

from minigrad.kernels.dispatch import Jit, jit, kernel
from minigrad.kernels.vecmath import JIT

SHORT = 32  # rows shorter than this are taken several at a time
BLOCK = 4096  # numbers taken at a time: so many are summed in vector lanes, the sums of blocks in float64
TILE = 512  # softmaxes done at once if their numbers do not lie side by side


class ByDtype(dict):
    """A loop compiled apart for each dtype: {"f": Jit, "d": Jit}, by the dtype's `char`."""


def by_dtype(function=None, *, fastmath=("contract",)):
    """Decorator: a `jit` helper in which `exp` and `log` are `vecmath`'s for the dtype. Such helpers may call others."""
    if function is None:
        return functools.partial(by_dtype, fastmath=fastmath)

    def look_up(dtype, name, owner):
        if name in ("exp", "log"):
            return JIT[dtype][name]
        value = owner.__globals__[name]
        return value[np.dtype(dtype).char] if isinstance(value, ByDtype) else value

    return ByDtype(
        (np.dtype(dtype).char, Jit(function, fastmath, look_up=functools.partial(look_up, dtype)))
        for dtype in (np.float32, np.float64)
    )


def exp(x):
    """Stands in the loops below for `vecmath`'s."""
    return math.exp(x)


def log(x):
    """Stands in the loops below for `vecmath`'s."""
    return math.log(x)


@jit
def greatest_single(x):
    """Maximum of float32 numbers; anything at all if there is a NaN with its sign bit set."""
    # Read as integers, floats are ordered by size once the bits of the negative ones are turned over; and a maximum
    # of integers becomes vector code, which one of floats, where NaN has to be thought of, does not.
    bits = x.view(np.int32)
    best = np.int32(-0x80000000)
    for i in range(bits.size):
        key = np.int32(bits[i] ^ np.int32(np.int32(bits[i] >> np.int32(31)) & np.int32(0x7FFFFFFF)))
        best = key if key > best else best
    return np.int32(best ^ np.int32(np.int32(best >> np.int32(31)) & np.int32(0x7FFFFFFF))).view(np.float32)


@jit
def greatest_double(x):
    """The same for float64."""
    bits = x.view(np.int64)
    best = np.int64(-0x8000000000000000)
    for i in range(bits.size):
        key = bits[i] ^ ((bits[i] >> 63) & 0x7FFFFFFFFFFFFFFF)
        best = key if key > best else best
    return np.int64(best ^ ((best >> 63) & 0x7FFFFFFFFFFFFFFF)).view(np.float64)


greatest = ByDtype({"f": greatest_single, "d": greatest_double})


# --------------------------------------------------------------------------------------------------------------------
# Rows: the numbers of one softmax lie side by side.


@by_dtype(fastmath=("contract", "reassoc"))
def exp_block(x, top, y):
    """y = exp(x - top); returns its sum."""
    total = x.dtype.type(0)
    for j in range(x.size):
        power = exp(x[j] - top)
        y[j] = power
        total += power
    return total


@by_dtype(fastmath=("contract", "reassoc"))
def exp_sum_block(x, top):
    """Sum of exp(x - top)."""
    total = x.dtype.type(0)
    for j in range(x.size):
        total += exp(x[j] - top)
    return total


@by_dtype
def exp_all(y):
    """y = exp(y)."""
    for i in range(y.size):
        y[i] = exp(y[i])


@jit(fastmath=("reassoc",))
def dot_block(a, b):
    """Sum of a * b."""
    total = a.dtype.type(0)
    for j in range(a.size):
        total += a[j] * b[j]
    return total


@jit
def minus_greatest(x, y, tops):
    """y = each row of x minus its maximum, for short rows; the maxima go to `tops`."""
    for i in range(x.shape[0]):
        top = x[i, 0]
        for j in range(1, x.shape[1]):
            top = x[i, j] if x[i, j] > top else top
        tops[i] = top
        for j in range(x.shape[1]):
            y[i, j] = x[i, j] - top


@by_dtype
def row_sums(x, tops, totals):
    """For each row of x: its maximum, and the sum of exp(x - maximum)."""
    rows, count = x.shape
    if count < SHORT:
        # A loop over few numbers is no vector code, so the exponentials of several rows are taken at once.
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
        return
    for i in range(rows):
        row = x[i]
        top = greatest(row)
        total = 0.0
        for left in range(0, count, BLOCK):
            total += exp_sum_block(row[left : left + BLOCK], top)
        tops[i], totals[i] = top, total


@by_dtype
def softmax_rows(x, y):
    """y = softmax of each row of x."""
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
def log_softmax_rows(x, y):
    """y = log_softmax of each row of x."""
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
    for i in range(y.shape[0]):
        along, row, out = g[i], y[i], dx[i]
        total = add_pairwise(along)
        for j in range(row.size):
            out[j] = along[j] - exp(row[j]) * total


# --------------------------------------------------------------------------------------------------------------------
# Columns: the numbers of one softmax are `inner` apart, and `inner` softmaxes are done side by side, TILE at a time.


@by_dtype
def column_sums(x, tops, totals):
    """For each column of x (count, inner): its maximum, and the sum of exp(x - maximum)."""
    tops[:] = x[0]
    totals[:] = 0
    for i in range(1, x.shape[0]):
        row = x[i]
        for j in range(tops.size):
            tops[j] = row[j] if row[j] > tops[j] else tops[j]
    for i in range(x.shape[0]):
        row = x[i]
        for j in range(tops.size):
            totals[j] += exp(row[j] - tops[j])
