"""Batch normalisation and its derivative: each channel of x (N, C, ...) made mean 0 and variance 1.

    y = (x - mean) * invstd * weight + bias        invstd = 1 / sqrt(var + eps)

With xhat = (x - mean) * invstd, h = g * weight and < > for the average over a channel:

    dx = invstd * (h - <h> - xhat * <h * xhat>)        dweight = sum of g * xhat        dbias = sum of g

In evaluation mean and variance are given numbers, and dx = invstd * h.

Numbers are added in blocks or strips, and those sums in float64. A mean is taken of the distances from the first
number, and the variance takes a second look, so a large mean costs no accuracy.

Before this: `reduce.py`. After it: `rownorm.py`, `ops/softmax.py`.
"""

import functools
import math

import numpy as np

from minigrad.kernels.dispatch import jit, kernel, widest
from minigrad.kernels.reduce import STRIP, square_pairwise

# Of so many neighbouring numbers a channel is taken by itself (LEAST: if there are at most FEW numbers in all).
LONG, LEAST, FEW = 24, 16, 1 << 14
MANY = 64  # and of more than so many where its moments are taken
BLOCK = 1024  # numbers added in lanes, as in reduce.py


@jit(fastmath=("reassoc",), inline=True)
def shifted_lanes(x, origin):
    """Sum of x - origin over a short run of numbers."""
    widest()
    total = x.dtype.type(0)
    for i in range(x.size):
        total += x[i] - origin
    return total


@jit
def shifted_sum(x, origin):
    """Sum of x - origin, as a float64."""
    total = 0.0
    for left in range(0, x.size, BLOCK):
        total += shifted_lanes(x[left : left + BLOCK], origin)
    return total


@jit(fastmath=("contract", "reassoc"))
def product_lanes(g, x, mean):
    """Sums of g and of g * (x - mean) over a short run of numbers."""
    widest()
    plain = product = x.dtype.type(0)
    for i in range(x.size):
        plain += g[i]
        product += g[i] * (x[i] - mean)
    return plain, product


# --------------------------------------------------------------------------------------------------------------------
# Channels. x is (N, C, L). Where L is long, channels are taken one by one (`channel_...`). Where it is short, the rows
# of C*L numbers are taken as they are (`row_...`), and what there is per channel is repeated L times to go with them.
# Python chooses, so that only what a program needs is compiled.


@jit
def channel_moments(x, eps, mean, invstd):
    """Mean and 1 / sqrt(variance + eps) of each channel of x (N, C, L)."""
    images, channels, length = x.shape
    count = images * length
    for c in range(channels):
        origin, total, squares = x[0, c, 0], 0.0, 0.0
        for n in range(images):
            total += shifted_sum(x[n, c], origin)
        mean[c] = origin + total / count
        for n in range(images):
            squares += square_pairwise(x[n, c], mean[c])
        invstd[c] = 1 / math.sqrt(squares / count + eps)


@jit
def repeated(values, length):
    """Each of `values` `length` times."""
    out = np.empty(values.size * length, values.dtype)
    for i in range(values.size):
        out[i * length : (i + 1) * length] = values[i]
    return out


@jit
def row_moments(x, eps, mean, invstd):
    """`channel_moments` of short channels."""
    images, channels, length = x.shape
    count = images * length
    sums, parts = np.zeros(channels, np.float64), np.empty(channels * length, x.dtype)
    if count > 0:
        rows = x.reshape(images, channels * length)
        origins = rows[0]
        for first in range(0, images, STRIP):
            for i in range(parts.size):
                parts[i] = 0
            for n in range(first, min(first + STRIP, images)):
                row = rows[n]
                for i in range(row.size):
                    parts[i] += row[i] - origins[i]
            for c in range(channels):
                for i in range(c * length, (c + 1) * length):
                    sums[c] += parts[i]
        for i in range(parts.size):
            sums[i // length] += np.float64(origins[i]) * images
        for c in range(channels):
            mean[c] = sums[c] / count
            sums[c] = 0
        means = repeated(mean, length)
        for first in range(0, images, STRIP):
            for i in range(parts.size):
                parts[i] = 0
            for n in range(first, min(first + STRIP, images)):
                row = rows[n]
                for i in range(row.size):
                    parts[i] += (row[i] - means[i]) * (row[i] - means[i])
            for c in range(channels):
                for i in range(c * length, (c + 1) * length):
                    sums[c] += parts[i]
    for c in range(channels):
        invstd[c] = 1 / math.sqrt(sums[c] / count + eps)


@jit
def channel_scale(x, mean, scale, shift, y):
    """y = (x - mean) * scale + shift, each channel of x (N, C, L) with its own."""
    images, channels, length = x.shape
    for n in range(images):
        for c in range(channels):
            row, out = x[n, c], y[n, c]
            middle, factor, end = mean[c], scale[c], shift[c]
            for j in range(length):
                out[j] = (row[j] - middle) * factor + end


@jit
def row_scale(x, mean, scale, shift, y):
    """`channel_scale` of short channels."""
    length = x.shape[2]
    means, scales, shifts = repeated(mean, length), repeated(scale, length), repeated(shift, length)
    for n in range(x.shape[0]):
        row, out = x[n].reshape(-1), y[n].reshape(-1)
        for j in range(row.size):
            out[j] = (row[j] - means[j]) * scales[j] + shifts[j]


@jit
def average(sums, rising, count, invstd, plain, product, offset, slope):
    """What `channel_products` returns, from the sums of g and of g * (x - mean)."""
    for c in range(plain.size):
        plain[c] = sums[c]
        product[c] = rising[c] * invstd[c]
        offset[c] = sums[c] / count
        slope[c] = rising[c] * invstd[c] * invstd[c] / count


@jit
def channel_products(g, x, mean, invstd, plain, product, offset, slope):
    """Sums of g, and of g * (x - mean) * invstd, of each channel; both averaged, the latter times invstd, to `offset`
    and `slope`."""
    images, channels, length = x.shape
    sums, rising = np.zeros(channels, np.float64), np.zeros(channels, np.float64)
    for n in range(images):
        for c in range(channels):
            along, row, middle = g[n, c], x[n, c], mean[c]
            for left in range(0, length, BLOCK):
                a, b = product_lanes(along[left : left + BLOCK], row[left : left + BLOCK], middle)
                sums[c] += a
                rising[c] += b
    average(sums, rising, images * length, invstd, plain, product, offset, slope)


@jit
def row_products(g, x, mean, invstd, plain, product, offset, slope):
    """`channel_products` of short channels."""
    images, channels, length = x.shape
    sums, rising = np.zeros(channels, np.float64), np.zeros(channels, np.float64)
    means = repeated(mean, length)
    part = np.empty((2, means.size), x.dtype)
    for first in range(0, images, STRIP):
        part[:] = 0
        for n in range(first, min(first + STRIP, images)):
            along, row = g[n].reshape(-1), x[n].reshape(-1)
            for j in range(row.size):
                part[0, j] += along[j]
                part[1, j] += along[j] * (row[j] - means[j])
        for j in range(means.size):
            sums[j // length] += part[0, j]
            rising[j // length] += part[1, j]
    average(sums, rising, images * length, invstd, plain, product, offset, slope)


@jit
def channel_gradient(g, x, mean, scale, offset, slope, dx):
    """dx = (g - offset - (x - mean) * slope) * scale, each channel with its own."""
    images, channels, length = x.shape
    for n in range(images):
        for c in range(channels):
            along, row, out = g[n, c], x[n, c], dx[n, c]
            middle, factor, level, rise = mean[c], scale[c], offset[c], slope[c]
            for j in range(length):
                out[j] = (along[j] - level - (row[j] - middle) * rise) * factor


@jit
def row_gradient(g, x, mean, scale, offset, slope, dx):
    """`channel_gradient` of short channels."""
    length = x.shape[2]
    means, scales = repeated(mean, length), repeated(scale, length)
    offsets, slopes = repeated(offset, length), repeated(slope, length)
    for n in range(x.shape[0]):
        along, row, out = g[n].reshape(-1), x[n].reshape(-1), dx[n].reshape(-1)
        for j in range(row.size):
            out[j] = (along[j] - offsets[j] - (row[j] - means[j]) * slopes[j]) * scales[j]


# --------------------------------------------------------------------------------------------------------------------
# Kernels


@functools.lru_cache(maxsize=1024)
def channel_shape(shape):
    """(N, C, L) for (N, C, ...)."""
    return shape[0], shape[1], math.prod(shape[2:])


def channels(x):
    """x (N, C, ...) as contiguous (N, C, L)."""
    return np.ascontiguousarray(x).reshape(channel_shape(x.shape))


def by_channel(x):
    """Whether channels of x (N, C, L) are taken one by one by the loops over all numbers."""
    return x.shape[2] >= LONG or (x.shape[2] >= LEAST and x.size <= FEW)


def moments(x, eps, mean, invstd):
    """`channel_moments` or `row_moments`, whichever is faster."""
    images, _, length = x.shape
    one_by_one = length > MANY or 2 * images < length >= LEAST
    (channel_moments if one_by_one and x.size else row_moments)(x, float(eps), mean, invstd)


def scaled(x, mean, scale, shift, y):
    """`channel_scale` or `row_scale`, whichever is faster."""
    (channel_scale if by_channel(x) else row_scale)(x, mean, scale, shift, y)


def given(array, x):
    """A weight or bias as the loops take it: contiguous and flat; none is empty."""
    return np.empty(0, x.dtype) if array is None else np.ascontiguousarray(array).reshape(-1)


def per_channel(array, x):
    """A (C,) array so that it broadcasts against x (N, C, ...)."""
    return array.reshape(-1, *(1,) * (x.ndim - 2))


def rows(size):
    """Samples: a gradient and rows of 64 numbers, `size` in all, and a weight."""
    x = np.sin(np.arange(max(2, size // 64) * 64, dtype=np.float32)).reshape(-1, 64)
    return x[::-1].copy(), x, np.linspace(1, 2, 64, dtype=np.float32)


def images(size):
    """The same as images of 4 channels."""
    g, x, weight = rows(size)
    return g.reshape(-1, 4, 4, 4), x.reshape(-1, 4, 4, 4), weight[::16].copy()


def numpy_moments(x, axes, eps):
    """Mean and invstd over axes, which are kept; computed in float64."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = x.mean(axes, dtype=np.float64, keepdims=True)
        var = np.square(x - mean).mean(axes, keepdims=True)
        return mean.astype(x.dtype), (1 / np.sqrt(var + eps)).astype(x.dtype)


@kernel(samples=lambda size: (*images(size)[1:], None, 1e-5))
def batch_norm_train(x, weight, bias, eps):
    """Batch normalisation by the batch's own statistics.

    Args:
        x (ndarray): (N, C, ...), more than one number per channel.
        weight, bias (ndarray | None): (C,), of x's dtype; None leaves them out.
        eps (float): added to the variance.

    Returns:
        tuple[ndarray, ndarray, ndarray]: y of x's shape; mean and invstd of the channels (C,). The variance in invstd
        is the biased one, sum((x - mean)**2) / count.
    """
    mean, invstd = numpy_moments(x, (0, *range(2, x.ndim)), eps)
    y = (x - mean) * invstd
    y = y if weight is None else y * per_channel(weight, x)
    y = y if bias is None else y + per_channel(bias, x)
    return y, mean.reshape(-1), invstd.reshape(-1)


@batch_norm_train.numba(python=True)
def batch_norm_train(x, weight, bias, eps):
    y = np.empty(x.shape, x.dtype)
    mean, invstd = np.empty(x.shape[1], x.dtype), np.empty(x.shape[1], x.dtype)
    x3 = channels(x)
    moments(x3, eps, mean, invstd)
    scale = invstd if weight is None else invstd * weight
    shift = np.zeros(scale.shape, x.dtype) if bias is None else given(bias, x)
    scaled(x3, mean, scale, shift, channels(y))
    return y, mean, invstd


@kernel(samples=lambda size: (*images(size), 1e-5))
def batch_norm_backward(g, x, weight, eps, mean=None, invstd=None):
    """Derivative of `batch_norm_train`'s y, applied to g.

    Args:
        g, x (ndarray): (N, C, ...).
        weight (ndarray | None): (C,).
        eps (float): added to the variance.
        mean, invstd (ndarray | None): what the forward pass returned; None computes them again.

    Returns:
        tuple[ndarray, ndarray | None, ndarray]: dx; dweight, None if there is no weight; dbias.
    """
    axes = (0, *range(2, x.ndim))
    if mean is None:
        mean, invstd = numpy_moments(x, axes, eps)
    else:
        mean, invstd = per_channel(mean, x), per_channel(invstd, x)
    xhat = (x - mean) * invstd
    dbias, dweight = g.sum(axes), (g * xhat).sum(axes)
    count = max(1, x.size // max(1, x.shape[1]))
    scale = invstd if weight is None else invstd * per_channel(weight, x)
    dx = (g - per_channel(dbias / count, x) - xhat * per_channel(dweight / count, x)) * scale
    return dx.astype(x.dtype, copy=False), None if weight is None else dweight, dbias


@batch_norm_backward.numba(python=True)
def batch_norm_backward(g, x, weight, eps, mean=None, invstd=None):
    x3 = channels(x)
    if mean is None:
        mean, invstd = np.empty(x.shape[1], x.dtype), np.empty(x.shape[1], x.dtype)
        moments(x3, eps, mean, invstd)
    return batch_gradients(g, x3, weight, mean, invstd, False)


def batch_gradients(g, x3, weight, mean, invstd, fixed):
    """dx, dweight and dbias by the numba loops; `fixed` statistics do not depend on x."""
    dx, dweight, dbias = np.empty(g.shape, g.dtype), np.empty(mean.shape, g.dtype), np.empty(mean.shape, g.dtype)
    offset, slope = np.empty((2, *mean.shape), g.dtype)
    g, mean = channels(g), given(mean, g)
    one_by_one = by_channel(x3)
    (channel_products if one_by_one else row_products)(g, x3, mean, invstd, dbias, dweight, offset, slope)
    scale = invstd if weight is None else invstd * weight
    if fixed:
        offset.fill(0)
        scaled(g, offset, scale, offset, channels(dx))
    else:
        (channel_gradient if one_by_one else row_gradient)(g, x3, mean, scale, offset, slope, channels(dx))
    return dx, None if weight is None else dweight, dbias


@kernel(samples=lambda size: (*images(size)[1:], np.ones(4, np.float32), None, None, 1e-5))
def batch_norm_eval(x, mean, var, weight, bias, eps):
    """Batch normalisation by given statistics: (x - mean) / sqrt(var + eps) * weight + bias.

    Args:
        x (ndarray): (N, C, ...).
        mean, var (ndarray): (C,).
        weight, bias (ndarray | None): (C,).
        eps (float): added to the variance.

    Returns:
        ndarray: of x's shape.
    """
    scale = 1 / np.sqrt(var + x.dtype.type(eps))
    scale = scale if weight is None else scale * weight
    y = (x - per_channel(mean, x)) * per_channel(scale, x)
    return y if bias is None else y + per_channel(bias, x)


@batch_norm_eval.numba(python=True)
def batch_norm_eval(x, mean, var, weight, bias, eps):
    scale = 1 / np.sqrt(var + x.dtype.type(eps))
    scale = scale if weight is None else scale * weight
    y = np.empty(x.shape, x.dtype)
    shift = np.zeros(scale.shape, x.dtype) if bias is None else given(bias, x)
    scaled(channels(x), given(mean, x), scale, shift, channels(y))
    return y


@kernel(samples=lambda size: (*images(size), np.ones(4, np.float32), None, 1e-5))
def batch_norm_eval_backward(g, x, mean, var, weight, eps):
    """Derivative of `batch_norm_eval` by x, weight and bias, applied to g: dx, dweight (None without weight), dbias."""
    axes = (0, *range(2, x.ndim))
    invstd = 1 / np.sqrt(var + x.dtype.type(eps))
    scale = invstd if weight is None else invstd * weight
    dweight = None if weight is None else (g * (x - per_channel(mean, x))).sum(axes) * invstd
    return g * per_channel(scale, x), dweight, g.sum(axes)


def many_numbers(g, x, mean, var, weight, eps):
    """More than 8000 numbers."""
    return x.size > 8000


@batch_norm_eval_backward.numba(python=True, when=many_numbers)
def batch_norm_eval_backward(g, x, mean, var, weight, eps):
    return batch_gradients(g, channels(x), weight, mean, 1 / np.sqrt(var + x.dtype.type(eps)), True)
