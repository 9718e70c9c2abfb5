"""One step of Adafactor or Muon: optimizers of matrices, which look at rows and columns instead of single weights.

PyTorch's operations (`torch/optim/_adafactor.py` and `_muon.py`), in place.

Before this: `adaptive.py`. After it: `optim/`.
"""

import math

import numpy as np

from minigrad.kernels.adaptive import lerp_, mean_after, waves
from minigrad.kernels.dispatch import jit, kernel

# ---- Adafactor


def adafactor_samples(size):
    """A stack of two matrices and their means by row and by column; a single one if `size` is odd."""
    depth, rows = 1 + (size + 1) % 2, max(1, math.isqrt(size) // 2)
    columns = max(1, size // (depth * rows))
    p, g = (array.reshape(depth, rows, columns) for array in waves(2, depth * rows * columns))
    row, col = np.abs(p).mean(2, keepdims=True), np.abs(g).mean(1, keepdims=True)
    return p, g, row, col, 0.3, 0.05, 0.01, 1e-3, 1e-7, 1e-3, 1.0, False


@kernel(samples=adafactor_samples)
def adafactor_step(p, g, row, col, share, rho, lr, weight_decay, eps1, eps2, d, maximize):
    """One step of Adafactor (Shazeer, Stern 2018), in place.

        g = -g if maximize;  a = rho * max(eps2, rms(p));  p *= 1 - lr * weight_decay
        row += share * (mean of g² along rows - row);  col += share * (mean of g² along columns - col)
        v = row * col / max(mean(row), eps1);  u = g / sqrt(max(v, eps1²));  p -= a * u / max(1, rms(u) / d)

    Args:
        p, g (ndarray): parameter, in C order, and gradient: a stack of matrices (depth, rows, columns).
        row (ndarray): (depth, rows, 1).
        col (ndarray | None): (depth, 1, columns). None is not factored: `row` has p's shape, and v is row.
        share, rho, lr, weight_decay, eps1, eps2, d (float): PyTorch's; share is ``step ** beta2_decay``.
    """
    if maximize:
        g = -g
    size = p.size**0.5
    rate = rho * max(eps2, float(np.linalg.norm(p.reshape(-1))) / size)
    p *= 1 - lr * weight_decay
    squares = g * g
    if col is None:
        lerp_(row, squares, share)
        v = row
    else:
        lerp_(row, squares.mean(2, keepdims=True), share)
        lerp_(col, squares.mean(1, keepdims=True), share)
        v = row * col
        v /= np.maximum(row.mean(1, keepdims=True), eps1)
    u = g / np.sqrt(np.maximum(v, eps1 * eps1))
    p -= rate / max(1.0, float(np.linalg.norm(u.reshape(-1))) / (size * d)) * u


@jit(fastmath=("reassoc", "contract"))
def sum_of_squares(x):
    """In double precision, of an array of one dimension."""
    total = 0.0
    for i in range(x.size):
        total += np.float64(x[i]) * np.float64(x[i])
    return total


@jit(fastmath=("reassoc", "contract"))
def squares_by_row_and_column(g, columns):
    """The sum of the squares of matrix g; those of its columns are added to `columns` (double precision)."""
    by_row = np.empty(g.shape[0])
    for i in range(g.shape[0]):
        total = 0.0
        for j in range(g.shape[1]):
            square = np.float64(g[i, j]) * np.float64(g[i, j])
            total += square
            columns[j] += square
        by_row[i] = total
    return by_row


@jit(fastmath=("reassoc", "contract"))
def scaled(p, g, v, floor, keep):
    """p times `keep`; v becomes g / sqrt(max(v, floor)). Returns the sum of its squares. All of one dimension."""
    total = 0.0
    for i in range(p.size):
        u = g[i] / math.sqrt(floor if v[i] < floor else v[i])
        v[i] = u
        p[i] = p[i] * keep
        total += np.float64(u) * np.float64(u)
    return total


@adafactor_step.numba
def adafactor_step(p, g, row, col, share, rho, lr, weight_decay, eps1, eps2, d, maximize):
    number, size = p.dtype.type, p.size**0.5
    depth, rows, columns = p.shape
    flat = p.reshape(-1)
    rate = rho * max(eps2, math.sqrt(sum_of_squares(flat)) / size)
    part, v = number(share), np.empty_like(p)
    rest = part - number(1)
    for k in range(depth):
        if col is None:
            for i in range(rows):
                for j in range(columns):
                    row[k, i, j] = mean_after(row[k, i, j], g[k, i, j] * g[k, i, j], part, rest)
                    v[k, i, j] = row[k, i, j]
        else:
            down = np.zeros(columns)
            along = squares_by_row_and_column(g[k], down)
            total = 0.0
            for i in range(rows):
                row[k, i, 0] = mean_after(row[k, i, 0], number(along[i] / columns), part, rest)
                total += row[k, i, 0]
            for j in range(columns):
                col[k, 0, j] = mean_after(col[k, 0, j], number(down[j] / rows), part, rest)
            mean = number(total / rows)
            mean = number(eps1) if mean < eps1 else mean
            for i in range(rows):
                for j in range(columns):
                    v[k, i, j] = row[k, i, 0] * col[k, 0, j] / mean
    u = v.reshape(-1)
    total = scaled(flat, np.ascontiguousarray(g).reshape(-1), u, number(eps1 * eps1), number(1 - lr * weight_decay))
    down_by = number((1 if maximize else -1) * rate / max(1.0, math.sqrt(total) / (size * d)))
    for i in range(flat.size):
        flat[i] = flat[i] + down_by * u[i]


# ---- Muon


def rounded_to_bfloat16(x):
    """float32 numbers rounded to the eight bits of bfloat16, to nearest even, in place."""
    bits = x.view(np.uint32)
    bits += (bits >> 16 & 1) + 0x7FFF
    bits &= 0xFFFF0000
    return x


def blend_samples(size):
    """Two vectors, and what they are multiplied by."""
    return *waves(2, size), 3.4445, -4.775


@kernel(samples=blend_samples)
def bfloat16_blend(x, y, a, b):
    """y = a * x + b * y, rounded to bfloat16; float32 arrays of one dimension, in place."""
    y *= b
    y += a * x
    if y.dtype == np.float32:
        rounded_to_bfloat16(y)


@bfloat16_blend.numba
def bfloat16_blend(x, y, a, b):
    number = y.dtype.type
    more, less = number(a), number(b)
    for i in range(y.size):
        y[i] = more * x[i] + less * y[i]
    if y.itemsize == 4:
        bits = y.view(np.uint32)
        for i in range(bits.size):
            bits[i] = (bits[i] + (bits[i] >> 16 & 1) + 0x7FFF) & 0xFFFF0000


def muon_step(p, g, buffer, momentum, nesterov, coefficients, steps, eps, rate, keep):
    """One step of Muon (Jordan 2024), in place.

        buffer += (1 - momentum) * (g - buffer);  x = g + momentum * (buffer - g) if nesterov, else buffer
        x /= max(|x|, eps);  a few times: x = a x + (b x xᵀ + c (x xᵀ)²) x;  p = keep * p - rate * x

    The iteration (of Newton and Schulz) draws all singular values of x near 1. Its numbers are rounded to bfloat16,
    as PyTorch's are. A plain function: nearly all of it is matrix products.

    Args:
        p, g, buffer (ndarray): matrices: parameter, gradient, momentum.
        momentum, eps, rate, keep (float), nesterov (bool): see above; keep is ``1 - lr * weight_decay``.
        coefficients (tuple), steps (int): a, b, c and how many times.
    """
    lerp_(buffer, g, 1 - momentum)
    x = buffer
    if nesterov:
        x = g.copy()
        lerp_(x, buffer, momentum)
    a, b, c = coefficients
    turned = x.shape[0] > x.shape[1]
    x = rounded_to_bfloat16(np.array(x.T if turned else x, np.float32, order="C"))
    norm = rounded_to_bfloat16(np.atleast_1d(np.linalg.norm(x.reshape(-1)).astype(np.float32)))
    x = rounded_to_bfloat16(x / max(norm[0], rounded_to_bfloat16(np.float32([eps]))[0]))
    for _ in range(steps):
        square = rounded_to_bfloat16(x @ x.T)
        factor = square @ square.T
        bfloat16_blend(square.reshape(-1), factor.reshape(-1), b, c)
        after = factor @ x
        bfloat16_blend(x.reshape(-1), after.reshape(-1), a, 1.0)
        x = after
    p *= keep
    p -= rate * (x.T if turned else x).astype(p.dtype)
