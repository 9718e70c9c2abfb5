"""Average pooling over images, and its derivative.

Averages are sums over windows, along one axis after the other, whose derivative spreads a gradient evenly over its
window. Both twins reduce the same windows, which `pool.spans` lists. The NumPy definitions are of any number of axes;
the numba twins are of images, and take volumes slice by slice.

Before this: `pool.py`. After it: `ops/average.py`.
"""

import functools
import math

import numpy as np

from minigrad.kernels.dispatch import jit, kernel
from minigrad.kernels.pool import adaptive_spans, images, planes, spans


def average_backward_samples(size):
    """Gradients for an average over 2x2 windows."""
    x = images(size)
    return x[:, :, ::2, ::2].copy(), x.shape, (2, 2), (2, 2), (0, 0), True, True, None


@jit
def sum_areas(x, rows, columns, divisors, y):
    """y = sums over the windows, divided by `divisors`: down the rows for each column first, then across."""
    line = np.empty(x.shape[2], x.dtype)
    for p in range(x.shape[0]):
        for i in range(rows.shape[0]):
            line[:] = 0
            for r in range(rows[i, 0], rows[i, 1]):
                source = x[p, r]
                for c in range(line.size):
                    line[c] += source[c]
            for j in range(columns.shape[0]):
                total = x.dtype.type(0)
                for c in range(columns[j, 0], columns[j, 1]):
                    total += line[c]
                y[p, i, j] = total / divisors[i, j]


@jit
def spread_areas(g, rows, columns, divisors, dx):
    """The transpose of `sum_areas`: adds g, divided by `divisors`, to every number of its window in dx."""
    line = np.empty(dx.shape[2], dx.dtype)
    for p in range(dx.shape[0]):
        for i in range(rows.shape[0]):
            line[:] = 0
            for j in range(columns.shape[0]):
                share = g[p, i, j] / divisors[i, j]
                for c in range(columns[j, 0], columns[j, 1]):
                    line[c] += share
            for r in range(rows[i, 0], rows[i, 1]):
                target = dx[p, r]
                for c in range(line.size):
                    target[c] += line[c]


def numpy_sum_areas(x, *areas):
    """The NumPy twin of `sum_areas`, along any number of axes."""
    *axes, divisors = areas
    for axis, windows in enumerate(axes, x.ndim - len(axes)):
        y = np.empty((*x.shape[:axis], len(windows), *x.shape[axis + 1 :]), x.dtype)
        before = (slice(None),) * axis
        for i, (start, stop, _) in enumerate(windows):
            taken, put = (*before, slice(start, stop)), (*before, i)
            np.sum(x[taken], axis, out=y[put])
        x = y
    return np.divide(x, divisors, out=x, casting="unsafe")  # integers come only without elements


def numpy_spread_areas(g, *areas, input_shape):
    """The NumPy twin of `spread_areas`."""
    *axes, divisors = areas
    g = g / divisors
    for axis, windows in enumerate(axes, g.ndim - len(axes)):
        dx = np.zeros((*g.shape[:axis], input_shape[axis], *g.shape[axis + 1 :]), g.dtype)
        before = (slice(None),) * axis
        for i, (start, stop, _) in enumerate(windows):
            put, taken = (*before, slice(start, stop)), (*before, slice(i, i + 1))
            dx[put] += g[taken]
        g = dx
    return g


def summed(x, *areas):
    """The sums over windows, divided, by `sum_areas`; of volumes slice by slice, and then over the slices."""
    *axes, divisors = areas
    if len(axes) == 3:
        (depth, *image), size = axes, divisors.shape[1:]
        y = summed(x, *image, np.ones(size, x.dtype)).reshape(*x.shape[:-2], math.prod(size))
        areas = depth, single(y.shape[-1]), divisors.reshape(len(depth), -1)
        return summed(y, *areas).reshape(*x.shape[:-3], *divisors.shape)
    y = np.empty(x.shape[:-2] + divisors.shape, x.dtype)
    sum_areas(planes(x), *areas, planes(y))
    return y


def spread(g, *areas, input_shape):
    """The transpose of `summed`."""
    *axes, divisors = areas
    if len(axes) == 3:
        (depth, *image), size = axes, divisors.shape[1:]
        rows = (*input_shape[:-2], math.prod(size))
        areas = depth, single(rows[-1]), divisors.reshape(len(depth), -1)
        dx = spread(g.reshape(*g.shape[:-2], rows[-1]), *areas, input_shape=rows)
        return spread(dx.reshape(*input_shape[:-2], *size), *image, np.ones(size, g.dtype), input_shape=input_shape)
    dx = np.zeros(input_shape, g.dtype)
    spread_areas(planes(g), *areas, planes(dx))
    return dx


def single(size):
    """The windows of one number each."""
    return spans(size, 1, 1, 0, 1, False)


@functools.lru_cache(maxsize=512)
def average_areas(input_shape, window, stride, padding, ceil_mode, count_include_pad, divisor_override, dtype):
    """The windows of an average along each axis, and what each sum is divided by (OH, OW)."""
    image = input_shape[-len(window) :]
    axes = [spans(n, k, s, p, 1, ceil_mode) for n, k, s, p in zip(image, window, stride, padding)]
    counts = [a[:, 2] if count_include_pad else a[:, 1] - a[:, 0] for a in axes]
    divisors = functools.reduce(np.multiply.outer, counts).astype(dtype)
    if divisor_override is not None:
        divisors.fill(divisor_override)
    return *axes, divisors


@functools.lru_cache(maxsize=512)
def adaptive_areas(input_shape, size, dtype):
    """The same for the windows of an adaptive average."""
    axes = [adaptive_spans(n, count) for n, count in zip(input_shape[-len(size) :], size)]
    return *axes, functools.reduce(np.multiply.outer, [a[:, 2] for a in axes]).astype(dtype)


@kernel(samples=lambda size: (images(size), (2, 2), (2, 2), (0, 0), False, True, None))
def avg_pool2d(x, window, stride, padding, ceil_mode, count_include_pad, divisor_override):
    """Averages over windows.

    Args:
        x (ndarray): (..., H, W).
        window, stride, padding (tuple[int, int]): for rows and columns; padding is at most half the window.
        ceil_mode (bool): round the number of windows up, see `pooled_size`.
        count_include_pad (bool): divide by the window's size with its padding, else by the numbers in the image.
        divisor_override (int | None): divide by this instead.

    Returns:
        ndarray: (..., OH, OW).
    """
    areas = average_areas(x.shape, window, stride, padding, ceil_mode, count_include_pad, divisor_override, x.dtype)
    return numpy_sum_areas(x, *areas)


@avg_pool2d.numba(python=True)
def avg_pool2d(x, window, stride, padding, ceil_mode, count_include_pad, divisor_override):
    areas = average_areas(x.shape, window, stride, padding, ceil_mode, count_include_pad, divisor_override, x.dtype)
    return summed(x, *areas)


@kernel(samples=average_backward_samples)
def avg_pool2d_backward(g, input_shape, window, stride, padding, ceil_mode, count_include_pad, divisor_override):
    """Derivative of `avg_pool2d` applied to g (..., OH, OW): an ndarray of `input_shape`."""
    areas = average_areas(input_shape, window, stride, padding, ceil_mode, count_include_pad, divisor_override, g.dtype)
    return numpy_spread_areas(g, *areas, input_shape=input_shape)


@avg_pool2d_backward.numba(python=True)
def avg_pool2d_backward(g, input_shape, window, stride, padding, ceil_mode, count_include_pad, divisor_override):
    areas = average_areas(input_shape, window, stride, padding, ceil_mode, count_include_pad, divisor_override, g.dtype)
    return spread(g, *areas, input_shape=input_shape)


@kernel(samples=lambda size: (images(size), (3, 3)))
def adaptive_avg_pool2d(x, size):
    """Averages over OH x OW windows that cover the image; `size` (OH, OW). x (..., H, W) gives (..., OH, OW)."""
    return numpy_sum_areas(x, *adaptive_areas(x.shape, size, x.dtype))


@adaptive_avg_pool2d.numba(python=True)
def adaptive_avg_pool2d(x, size):
    return summed(x, *adaptive_areas(x.shape, size, x.dtype))


@kernel(samples=lambda size: (images(size)[:, :, :3, :3].copy(), images(size).shape, (3, 3)))
def adaptive_avg_pool2d_backward(g, input_shape, size):
    """Derivative of `adaptive_avg_pool2d` applied to g (..., OH, OW): an ndarray of `input_shape`."""
    return numpy_spread_areas(g, *adaptive_areas(input_shape, size, g.dtype), input_shape=input_shape)


@adaptive_avg_pool2d_backward.numba(python=True)
def adaptive_avg_pool2d_backward(g, input_shape, size):
    return spread(g, *adaptive_areas(input_shape, size, g.dtype), input_shape=input_shape)
