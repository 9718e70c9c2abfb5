"""Sums, means and variances over any axes, as accurate as NumPy's pairwise summation and mostly faster.

Axes that are neighbours are one axis: an array to be summed over a run of neighbouring axes is (outer, count, inner)
for some outer and inner. With inner = 1 the numbers to add lie side by side and are added in many lanes at once (by
`sums.py`, if they are many); otherwise rows of `inner` numbers are added to one another. Axes in several runs are
reduced run by run.

Adding n numbers one after the other loses up to n rounding errors. Here a long run is halved until BLOCK numbers are
left (error about log2(n) roundings), and rows are added in strips, whose sums are added then.

Before this: `dispatch.py`, `sums.py`. After it: `extreme.py`, `ops/reduce.py`, and autograd, where broadcasting is
undone by `sum_to`.
"""

import functools
import math

import numpy as np

from minigrad.kernels.dispatch import jit, kernel, widest
from minigrad.kernels.formula import ByDtype
from minigrad.kernels.sums import BLOCK, add_many, adder

STRIP = 64  # rows added before strips are added
SHORT = 32  # a row too short to be worth lanes
CACHED = 4 << 20  # bytes: what is larger is read from memory
SMALL, SMALL_TOTAL = 512, 8192  # below so many numbers (above: over all axes) NumPy has added them up already
LONG, FEW_ROWS = 64, 16  # a row NumPy adds to another quickly; so few of them that it is done at once
IN_BLAS, IN_ONE_SUM = 4096, 256  # numbers of a matrix, and of one sum, up to which BLAS has done it when loops start
MANY = 512  # numbers of a sum from which `sums.py` is faster
WIDE = 2048  # numbers of a row that are added at a time, to stay in the first-level cache


@functools.lru_cache(maxsize=4096)
def layout(shape, axes, keepdims):
    """How to reduce `axes` of `shape`: the (outer, count, inner) of each run of axes, last run first; count of numbers
    behind each result; shape of the result."""
    axes = tuple(range(len(shape))) if axes is None else axes
    result = tuple(1 if i in axes else n for i, n in enumerate(shape) if keepdims or i not in axes)
    runs, sizes, count = [], list(shape), 1
    remaining = sorted(axes)
    while remaining:
        last = first = remaining.pop()
        while remaining and remaining[-1] == first - 1:
            first = remaining.pop()
        outer, n, inner = (int(np.prod(sizes[a:b])) for a, b in ((0, first), (first, last + 1), (last + 1, None)))
        runs.append((outer, n, inner))
        sizes[first : last + 1] = [1] * (last + 1 - first)
        count *= n
    return tuple(runs), count, result


@jit(fastmath=("reassoc",), inline=True)
def add_lanes(x):
    """Sum of a short run of numbers, in whatever order is fastest."""
    widest()
    total = x.dtype.type(0)
    for i in range(x.size):
        total += x[i]
    return total


@jit
def add_pairwise(x):
    """Sum of a run of numbers, by halves."""
    widest()
    if x.size <= BLOCK:
        return add_lanes(x)
    half = x.size // (2 * BLOCK) * BLOCK if x.size >= 2 * BLOCK else BLOCK
    return add_pairwise(x[:half]) + add_pairwise(x[half:])


@jit(fastmath=("contract", "reassoc"), inline=True)
def square_lanes(x, mean):
    """Sum of (x - mean)**2 over a short run of numbers, in whatever order is fastest."""
    widest()
    total = x.dtype.type(0)
    for i in range(x.size):
        d = x[i] - mean
        total += d * d
    return total


@jit
def square_pairwise(x, mean):
    """Sum of (x - mean)**2, by halves."""
    widest()
    if x.size <= BLOCK:
        return square_lanes(x, mean)
    half = x.size // (2 * BLOCK) * BLOCK if x.size >= 2 * BLOCK else BLOCK
    return square_pairwise(x[:half], mean) + square_pairwise(x[half:], mean)


@jit
def add_rows(x, out):
    """out[j] = sum over i of x[i, j]."""
    strip = np.empty(min(x.shape[1], WIDE), x.dtype)
    for left in range(0, x.shape[1], WIDE):
        width = min(WIDE, x.shape[1] - left)
        total, part = out[left : left + width], strip[:width]
        total[:] = 0
        for top in range(0, x.shape[0], STRIP):
            bottom = min(x.shape[0], top + STRIP)
            part[:] = 0
            i = top
            while i + 4 <= bottom:
                a, b = x[i, left : left + width], x[i + 1, left : left + width]
                c, d = x[i + 2, left : left + width], x[i + 3, left : left + width]
                for j in range(width):
                    part[j] += (a[j] + b[j]) + (c[j] + d[j])
                i += 4
            while i < bottom:
                a = x[i, left : left + width]
                for j in range(width):
                    part[j] += a[j]
                i += 1
            for j in range(width):
                total[j] += part[j]


@jit
def add_squared_rows(x, mean, out):
    """out[j] = sum over i of (x[i, j] - mean[j])**2."""
    strip = np.empty(min(x.shape[1], WIDE), x.dtype)
    for left in range(0, x.shape[1], WIDE):
        width = min(WIDE, x.shape[1] - left)
        total, part, middle = out[left : left + width], strip[:width], mean[left : left + width]
        total[:] = 0
        for top in range(0, x.shape[0], STRIP):
            part[:] = 0
            for i in range(top, min(x.shape[0], top + STRIP)):
                a = x[i, left : left + width]
                for j in range(width):
                    d = a[j] - middle[j]
                    part[j] += d * d
            for j in range(width):
                total[j] += part[j]


@jit
def sum_beside(x, out, outer, count):
    """Sums of few numbers side by side: out[o] = sum over i of x[o, i]. As in `sum_rows`, the arrays may have any
    shapes of these sizes."""
    flat, totals = x.reshape(-1), out.reshape(-1)
    if count < SHORT:
        for o in range(outer):
            total = x.dtype.type(0)
            for i in range(o * count, (o + 1) * count):
                total += flat[i]
            totals[o] = total
    else:
        widest()
        for o in range(outer):
            totals[o] = add_lanes(flat[o * count : (o + 1) * count])


@jit
def sum_rows(x, out, outer, count, inner):
    """Sums of rows: out[o, j] = sum over i of x[o, i, j], for x (outer, count, inner) and out (outer, inner)."""
    x, out = x.reshape(outer, count, inner), out.reshape(outer, inner)
    if inner < SHORT and count > STRIP:
        # Short rows: several of them make a long one, and the sums of those are added.
        fold = 2 * SHORT // inner
        long = count // fold
        folded = np.empty(fold * inner, x.dtype)
        for o in range(outer):
            flat = x[o].reshape(-1)
            add_rows(flat[: long * fold * inner].reshape(long, fold * inner), folded)
            add_rows(folded.reshape(fold, inner), out[o])
            for i in range(long * fold * inner, count * inner):
                out[o, i % inner] += flat[i]
    else:
        for o in range(outer):
            add_rows(x[o], out[o])


def sum_run(x, out, outer, count, inner):
    """Sums over one run of neighbouring axes."""
    x, out = matrix(x), matrix(out)
    if inner > 1:
        sum_rows(x, out, outer, count, inner)
    elif count < MANY:
        sum_beside(x, out, outer, count)
    else:
        add_many(adder(x.dtype), x, out, outer, count)


@jit
def divide(out, divisor):
    """out /= divisor."""
    flat, divisor = out.reshape(-1), out.dtype.type(divisor)
    for i in range(flat.size):
        flat[i] /= divisor


@jit
def square_runs(x, mean, divisor, var, outer, count, inner):
    """var = sums of (x - mean)**2, divided; shapes as in `sum_rows`."""
    x, mean, var = x.reshape(outer, count, inner), mean.reshape(outer, inner), var.reshape(outer, inner)
    for o in range(outer):
        if inner == 1:
            var[o, 0] = square_pairwise(x[o].reshape(-1), mean[o, 0])
        else:
            add_squared_rows(x[o], mean[o], var[o])
    divide(var, divisor)


@jit
def greatest_single(x):
    """Maximum of float32 numbers; anything at all if there is a NaN with its sign bit set."""
    widest()
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
    widest()
    bits = x.view(np.int64)
    best = np.int64(-0x8000000000000000)
    for i in range(bits.size):
        key = bits[i] ^ ((bits[i] >> 63) & 0x7FFFFFFFFFFFFFFF)
        best = key if key > best else best
    return np.int64(best ^ ((best >> 63) & 0x7FFFFFFFFFFFFFFF)).view(np.float64)


greatest = ByDtype({"f": greatest_single, "d": greatest_double})


@functools.lru_cache(maxsize=2 * IN_ONE_SUM)
def ones(count, char):
    """So many ones, to multiply a matrix with: its sums."""
    return np.ones(count, char)


def matrix(x):
    """x as a matrix or less, whichever: the loops are compiled for those, and know the shape that is meant."""
    return x if x.ndim < 3 else x.reshape(x.shape[0], math.prod(x.shape[1:]))


def reduce_samples(size):
    """A matrix of about `size` numbers, its last axis, keepdims."""
    columns = max(1, int(size**0.5))
    return np.linspace(-1, 1, max(1, size // columns) * columns, dtype=np.float32).reshape(-1, columns), (1,), False


def var_samples(size):
    """The same with a correction of 1."""
    x, axes, keepdims = reduce_samples(size)
    return x, axes, 1, keepdims


def sum_to_samples(size):
    """A matrix of about `size` numbers and the shape of one of its rows."""
    x, _, _ = reduce_samples(size)
    return x, x.shape[1:]


@kernel(samples=reduce_samples)
def sum(x, axes, keepdims):
    """Sum over axes.

    Args:
        x (ndarray): any dtype; integers and bool are added in int64, as NumPy and PyTorch do.
        axes (tuple[int, ...] | None): which, not negative; None is all of them.
        keepdims (bool): leave the reduced axes in the shape, with size 1.

    Returns:
        ndarray: 0-d if no axis is left.
    """
    return np.asarray(np.add.reduce(x, axes, keepdims=keepdims))


@sum.numba(python=True, half=True)
def sum(x, axes, keepdims):
    # Asked here and not by `when`, and the twin written out: a sum of few numbers is among the most frequent calls.
    size, over_all = x.size, axes is None or len(axes) == x.ndim
    if over_all and size < SMALL_TOTAL:
        return np.asarray(np.add.reduce(x, axes, keepdims=keepdims))
    ordered, char = x.flags.c_contiguous, x.dtype.char
    if size <= IN_BLAS and ordered and len(axes) == 1 and x.ndim == 2 and char in "fd":
        (axis,) = axes
        count = x.shape[axis]
        if count <= IN_ONE_SUM:
            out = np.dot(x, ones(count, char)) if axis else np.dot(ones(count, char), x)
            return out.reshape((-1, 1) if axis else (1, -1)) if keepdims else out
    if size < SMALL or not ordered or char not in "fd":
        return np.asarray(np.add.reduce(x, axes, keepdims=keepdims))
    runs, _, shape = layout(x.shape, axes, keepdims)
    if not runs:
        return x.copy()
    _, count, inner = runs[0]
    # Columns of what must come from memory, and few long rows: NumPy's single pass is faster.
    if inner > 1 and (x.nbytes > CACHED or (inner >= LONG and count < FEW_ROWS)):
        return sum.twin(x, axes, keepdims)
    for run in runs[:-1]:
        out = np.empty(run[0] * run[2], x.dtype)
        sum_run(x, out, *run)
        x = out
    out = np.empty(shape, x.dtype)
    sum_run(x, out, *runs[-1])
    return out


@kernel(samples=reduce_samples)
def mean(x, axes, keepdims):
    """Mean over axes: their sum divided by their count (NaN if there is nothing to count).

    Args:
        x (ndarray): float32 or float64.
        axes (tuple[int, ...] | None): which, not negative; None is all of them.
        keepdims (bool): leave the reduced axes in the shape, with size 1.

    Returns:
        ndarray: of x's dtype.
    """
    count = layout(x.shape, axes, keepdims)[1]
    with np.errstate(invalid="ignore"):
        if x.dtype == np.float16:  # its sum may not fit
            return np.asarray(np.add.reduce(x, axes, np.float32, keepdims=keepdims) / np.float32(count)).astype(x.dtype)
        return np.asarray(np.add.reduce(x, axes, keepdims=keepdims) / x.dtype.type(count))


@mean.numba(python=True, half=True)
def mean(x, axes, keepdims):
    runs, count, shape = layout(x.shape, axes, keepdims)
    if x.dtype.char not in "fd":
        return mean.twin(x, axes, keepdims)
    if len(runs) != 1 or not x.flags.c_contiguous or (x.nbytes > CACHED and runs[0][2] > 1):
        total = sum(x, axes, keepdims)
        total /= x.dtype.type(count)
        return total
    out = np.empty(shape, x.dtype)
    sum_run(x, out, *runs[0])
    divide(matrix(out), count)
    return out


@kernel(samples=var_samples)
def var_mean(x, axes, correction, keepdims):
    """Variance and mean over axes.

        var = sum((x - mean)**2) / max(0, count - correction)

    Args:
        x (ndarray): float32 or float64.
        axes (tuple[int, ...] | None): which, not negative; None is all of them.
        correction (float): 1 for the unbiased estimate from a sample, 0 for the variance of the numbers themselves.
        keepdims (bool): leave the reduced axes in the shape, with size 1.

    Returns:
        tuple[ndarray, ndarray]: variance and mean, of x's dtype.
    """
    count = layout(x.shape, axes, keepdims)[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = np.add.reduce(x, axes, keepdims=True) / x.dtype.type(count)
        squares = np.square(x - middle)
        var = np.add.reduce(squares, axes, keepdims=keepdims) / x.dtype.type(max(0, count - correction))
    return np.asarray(var, x.dtype), middle.reshape(np.shape(var))


@var_mean.numba(python=True)
def var_mean(x, axes, correction, keepdims):
    runs, count, shape = layout(x.shape, axes, keepdims)
    if x.dtype.char not in "fd" or not x.flags.c_contiguous or len(runs) != 1:
        return var_mean.twin(x, axes, correction, keepdims)
    var, middle = np.empty(shape, x.dtype), mean(x, axes, keepdims)
    divisor = float(max(0, count - correction))
    square_runs(matrix(x), matrix(middle), divisor, matrix(var), *runs[0])
    return var, middle


def var(x, axes, correction, keepdims):
    """The first of `var_mean`'s two."""
    return var_mean(x, axes, correction, keepdims)[0]


@functools.lru_cache(maxsize=4096)
def broadcast_axes(shape, target):
    """The axes over which an array of shape `target` was repeated to make one of `shape`."""
    added = len(shape) - len(target)
    stretched = tuple(i + added for i, n in enumerate(target) if n == 1 and shape[i + added] != 1)
    return tuple(range(added)) + stretched


@kernel(samples=sum_to_samples)
def sum_to(x, shape):
    """Undo a broadcast: sum x over the axes along which an array of `shape` was repeated to x's shape.

    Args:
        x (ndarray): any shape to which `shape` broadcasts.
        shape (tuple[int, ...]): the one to come back to.

    Returns:
        ndarray: of `shape`; x itself if that is its shape.
    """
    if x.shape == shape:
        return x
    return sum(x, broadcast_axes(x.shape, shape), False).reshape(shape)
