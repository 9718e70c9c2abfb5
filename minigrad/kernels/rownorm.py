"""Layer and RMS normalisation: each row made mean 0 and variance 1, or only mean square 1; and their derivatives.

    y = (x - mean) * invstd * weight + bias        invstd = 1 / sqrt(<(x - mean)²> + eps)

< > is the average over the row; RMS normalisation has mean = 0 and no bias. With xhat = (x - mean) * invstd and
h = g * weight:

    dx = invstd * (h - <h> - xhat * <h * xhat>)    (without <h> where mean = 0)
    dweight = sum over rows of g * xhat            dbias = sum over rows of g

Nothing is kept from the forward pass but x: mean and invstd take two looks at a row that is in the cache anyway. Two
looks, since a variance by <x²> - mean² would lose digits; and the mean is taken of the distances from the first number.

The sums over rows are made in strips, four rows at a time, so that each sum is read and written a quarter as often:

    x   ──────────   ┐                     a strip: STRIP rows         dweight = sum of the strips' sums
        ──────────   ├─► part[strip] +=    its rows' gradients, and
        ──────────   │   four rows         its own sums: what is       threads take whole strips, so the result is
        ──────────   ┘                     added to what is fixed      the same whatever their number

Before this: `norm.py`. After it: `ops/softmax.py`, `ops/normalization.py`.
"""

import math

import numpy as np

from minigrad.kernels.dispatch import jit, kernel, widest
from minigrad.kernels.norm import BLOCK, given, numpy_moments, rows, shifted_lanes, shifted_sum
from minigrad.kernels.reduce import STRIP, add_rows, square_lanes, square_pairwise
from minigrad.kernels.threads import share

LEAST = 1 << 17  # numbers that are worth a thread of their own


@jit(inline=True)
def row_moments(row, eps, centred):
    """Mean (0 unless `centred`) and 1 / sqrt(variance + eps) of a row."""
    short, mean = row.size <= BLOCK, row.dtype.type(0)  # short rows without the calls that cut long ones in blocks
    if centred and row.size:
        total = shifted_lanes(row, row[0]) if short else shifted_sum(row, row[0])
        mean = row.dtype.type(row[0] + total / row.size)
    squares = square_lanes(row, mean) if short else square_pairwise(row, mean)
    return mean, row.dtype.type(1 / math.sqrt(squares / row.size + eps))


@jit(fastmath=("contract",), inline=True)
def normalize_row(row, mean, invstd, weight, bias, out):
    """out = (row - mean) * invstd * weight + bias"""
    for j in range(row.size):
        out[j] = (row[j] - mean) * invstd * weight[j] + bias[j]


@jit
def normalize_rows(x, weight, bias, eps, centred, y):
    """`layer_norm` for x (M, D); `rms_norm` if not `centred`."""
    widest()
    for i in range(x.shape[0]):
        mean, invstd = row_moments(x[i], eps, centred)
        normalize_row(x[i], mean, invstd, weight, bias, y[i])


@jit(fastmath=("contract", "reassoc"), inline=True)
def weighted_product_lanes(g, weight, x, mean):
    """Sums of g * weight and of g * weight * (x - mean) over a short run of numbers."""
    widest()
    plain = product = x.dtype.type(0)
    for i in range(x.size):
        h = g[i] * weight[i]
        plain += h
        product += h * (x[i] - mean)
    return plain, product


@jit(fastmath=("contract",), inline=True)
def gradient_row(g, row, weight, mean, invstd, level, rise, out):
    """out = (g * weight - level - (row - mean) * rise) * invstd"""
    for j in range(row.size):
        out[j] = (g[j] * weight[j] - level - (row[j] - mean) * rise) * invstd


@jit(inline=True)
def normalized_gradient(g, row, weight, eps, centred, out):
    """out = the gradient by the row; returns its mean and invstd."""
    mean, invstd = row_moments(row, eps, centred)
    plain, product = 0.0, 0.0
    if row.size <= BLOCK:
        plain, product = weighted_product_lanes(g, weight, row, mean)
    else:
        for left in range(0, row.size, BLOCK):
            right = min(left + BLOCK, row.size)
            a, b = weighted_product_lanes(g[left:right], weight[left:right], row[left:right], mean)
            plain += a
            product += b
    level = row.dtype.type(plain / row.size if centred else 0)
    rise = row.dtype.type(product * invstd * invstd / row.size)
    gradient_row(g, row, weight, mean, invstd, level, rise, out)
    return mean, invstd


@jit(fastmath=("contract",), inline=True)
def add_products(g, x, mean, invstd, part):
    """part += the sum over four rows of g * (x - mean) * invstd."""
    g0, g1, g2, g3 = g[0], g[1], g[2], g[3]
    x0, x1, x2, x3 = x[0], x[1], x[2], x[3]
    a, b, c, d = mean[0], mean[1], mean[2], mean[3]
    p, q, r, s = invstd[0], invstd[1], invstd[2], invstd[3]
    for j in range(part.size):
        low = g0[j] * ((x0[j] - a) * p) + g1[j] * ((x1[j] - b) * q)
        part[j] += low + (g2[j] * ((x2[j] - c) * r) + g3[j] * ((x3[j] - d) * s))


@jit(inline=True)
def add_four(g, part):
    """part += the sum over four rows of g."""
    g0, g1, g2, g3 = g[0], g[1], g[2], g[3]
    for j in range(part.size):
        part[j] += (g0[j] + g1[j]) + (g2[j] + g3[j])


@jit(fastmath=("contract",), inline=True)
def add_product(g, row, mean, invstd, part):
    """part += g * (row - mean) * invstd"""
    for j in range(part.size):
        part[j] += g[j] * ((row[j] - mean) * invstd)


@jit(inline=True)
def add(g, part):
    """part += g"""
    for j in range(part.size):
        part[j] += g[j]


@jit
def normalized_gradients(first, last, g, x, weight, eps, centred, dx, dweight, dbias):
    """The gradients of `normalize_rows` in the strips from first to last - 1: dx, and dweight and dbias (if that is not
    empty) of each strip, (strips, D)."""
    widest()
    means, invstds = np.empty(4, x.dtype), np.empty(4, x.dtype)
    for strip in range(first, last):
        part, plain, top = dweight[strip], dbias[strip], strip * STRIP
        bottom = min(top + STRIP, x.shape[0])
        part[:] = 0
        plain[:] = 0
        for i in range(top, bottom):
            mean, invstd = normalized_gradient(g[i], x[i], weight, eps, centred, dx[i])
            means[i & 3], invstds[i & 3] = mean, invstd
            if i & 3 == 3:
                add_products(g[i - 3 : i + 1], x[i - 3 : i + 1], means, invstds, part)
                add_four(g[i - 3 : i + 1], plain)
        for i in range(bottom & ~3, bottom):
            add_product(g[i], x[i], means[i & 3], invstds[i & 3], part)
            add(g[i], plain)


# --------------------------------------------------------------------------------------------------------------------
# Kernels


def normalized(x, weight, bias, dims, eps, centred):
    """`normalize_rows` on arrays of any shape and layout."""
    y = np.empty(x.shape, x.dtype)
    count, size = math.prod(x.shape[:-dims]), math.prod(x.shape[-dims:])
    weight = np.ones(size, x.dtype) if weight is None else given(weight, x)
    bias = np.zeros(size, x.dtype) if bias is None else given(bias, x)
    x, out = np.ascontiguousarray(x).reshape(count, size), y.reshape(count, size)
    if x.size < 2 * LEAST:
        normalize_rows(x, weight, bias, eps, centred, out)
    else:
        share(
            lambda first, last: normalize_rows(x[first:last], weight, bias, eps, centred, out[first:last]),
            count,
            max(1, LEAST // size),
        )
    return y


def gradients(g, x, weight, dims, eps, centred):
    """dx, dweight and dbias (None for what there is not) by `normalized_gradients`."""
    shape, size = x.shape[-dims:], math.prod(x.shape[-dims:])
    rows, kind = (math.prod(x.shape[:-dims]), size), x.dtype
    strips, dx = -(-rows[0] // STRIP), np.empty(x.shape, kind)
    dweight, dbias = np.empty((strips, size), kind), np.empty((strips, size if centred else 0), kind)
    scale = np.ones(size, kind) if weight is None else given(weight, x)
    given_arrays = np.ascontiguousarray(g).reshape(rows), np.ascontiguousarray(x).reshape(rows), scale
    results = dx.reshape(rows), dweight, dbias
    if x.size < 2 * LEAST:
        normalized_gradients(0, strips, *given_arrays, eps, centred, *results)
    else:
        share(
            lambda first, last: normalized_gradients(first, last, *given_arrays, eps, centred, *results),
            strips,
            max(1, LEAST // (STRIP * size)),
        )
    dweight = None if weight is None else summed(dweight).reshape(shape)
    return dx, dweight, summed(dbias).reshape(shape) if centred else None


def summed(parts):
    """The sum of the strips' sums."""
    if len(parts) == 1:
        return parts[0]
    out = np.empty(parts.shape[1], parts.dtype)
    add_rows(parts, out)
    return out


@kernel(samples=lambda size: (*rows(size)[1:], None, 1, 1e-5))
def layer_norm(x, weight, bias, dims, eps):
    """Layer normalisation over the last `dims` axes.

    Args:
        x (ndarray): float32 or float64.
        weight, bias (ndarray | None): of the shape of those axes.
        dims (int): at least 1.
        eps (float): added to the variance.

    Returns:
        ndarray: of x's shape.
    """
    mean, invstd = numpy_moments(x, tuple(range(x.ndim - dims, x.ndim)), eps)
    y = (x - mean) * invstd
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


@layer_norm.numba(python=True)
def layer_norm(x, weight, bias, dims, eps):
    return normalized(x, weight, bias, dims, float(eps), True)


@kernel(samples=lambda size: (*rows(size), 1, 1e-5))
def layer_norm_backward(g, x, weight, dims, eps):
    """Derivative of `layer_norm` by x, weight and bias, applied to g.

    Returns:
        tuple[ndarray, ndarray | None, ndarray]: dx; dweight, None if there is no weight; dbias, of the shape of the
        last axes.
    """
    last, lead = tuple(range(x.ndim - dims, x.ndim)), tuple(range(x.ndim - dims))
    mean, invstd = numpy_moments(x, last, eps)
    xhat = (x - mean) * invstd
    h = g if weight is None else g * weight
    with np.errstate(invalid="ignore", divide="ignore"):
        level, rise = (a.mean(last, keepdims=True) if a.size else 0 for a in (h, h * xhat))
    dx = invstd * (h - level - xhat * rise)
    return dx, None if weight is None else (g * xhat).sum(lead), g.sum(lead)


@layer_norm_backward.numba(python=True)
def layer_norm_backward(g, x, weight, dims, eps):
    return gradients(g, x, weight, dims, float(eps), True)


def inverse_root(x, dims, eps):
    """1 / sqrt(<x²> + eps) over the last axes, which are kept; computed in float64."""
    axes = tuple(range(x.ndim - dims, x.ndim))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (1 / np.sqrt(np.square(x, dtype=np.float64).mean(axes, keepdims=True) + eps)).astype(x.dtype)


@kernel(samples=lambda size: (*rows(size)[1:], 1, 1e-5))
def rms_norm(x, weight, dims, eps):
    """RMS normalisation over the last `dims` axes: x / sqrt(<x²> + eps) * weight.

    Args and returns as `layer_norm`.
    """
    y = x * inverse_root(x, dims, eps)
    return y if weight is None else y * weight


@rms_norm.numba(python=True)
def rms_norm(x, weight, dims, eps):
    return normalized(x, weight, None, dims, float(eps), False)


@kernel(samples=lambda size: (*rows(size), 1, 1e-5))
def rms_norm_backward(g, x, weight, dims, eps):
    """Derivative of `rms_norm` by x and weight, applied to g: dx; dweight, None if there is no weight."""
    last, lead = tuple(range(x.ndim - dims, x.ndim)), tuple(range(x.ndim - dims))
    scale = inverse_root(x, dims, eps)
    xhat = x * scale
    h = g if weight is None else g * weight
    with np.errstate(invalid="ignore", divide="ignore"):
        rise = (h * xhat).mean(last, keepdims=True) if x.size else x.dtype.type(0)
    return scale * (h - xhat * rise), None if weight is None else (g * xhat).sum(lead)


@rms_norm_backward.numba(python=True)
def rms_norm_backward(g, x, weight, dims, eps):
    return gradients(g, x, weight, dims, float(eps), False)[:2]
