"""Pooling over images: the maximum over windows, and its derivatives. `average.py` has the means.

Pooling works on planes: an image batch (N, C, H, W) is N*C planes of H*W numbers. A maximum remembers where it was
found, as a flat index into its plane (PyTorch's `return_indices`), and its derivative sends each gradient back there;
`gather_pool` reads the numbers at those places, which is the derivative of that.

The adaptive poolings cut H into OH windows, the i-th from floor(i*H/OH) to ceil((i+1)*H/OH), and W alike.

`spans` lists where windows start and stop along one axis. The NumPy definitions are of any number of axes; the numba
twins are of images; they take volumes slice by slice, or leave them to the definition.

Before this: `dispatch.py`. After it: `average.py`, `ops/pool.py`.
"""

import functools
import math

import numpy as np

from minigrad.kernels.dispatch import jit, kernel, widest

BLOCK, PAIRS = 8, 32  # loops over a row of an image run over a multiple of so many numbers
NOWHERE = np.int32(2**31 - 1)  # the place of a number in the padding


def pooled_size(size, window, stride, padding, dilation, ceil_mode):
    """Number of windows along an axis of `size`.

    (size + 2*padding - dilation*(window-1) - 1) / stride + 1, rounded down; or up if `ceil_mode`, but then without
    a window that would start beyond the image and its first padding.
    """
    room = size + 2 * padding - dilation * (window - 1) - 1
    if not ceil_mode:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count


@functools.lru_cache(maxsize=512)
def spans(size, window, stride, padding, dilation, ceil_mode):
    """(count, 3) int64: start and stop of each window in the image, and its size with the padding counted in."""
    rows = []
    for i in range(pooled_size(size, window, stride, padding, dilation, ceil_mode)):
        start = i * stride - padding
        full = min(start + window, size + padding) - start
        stop = min(start + dilation * (window - 1) + 1, size)
        while start < 0:
            start += dilation
        rows.append((start, stop, full))
    return np.array(rows, np.int64).reshape(-1, 3)


@functools.lru_cache(maxsize=512)
def adaptive_spans(size, count):
    """The same for the `count` windows of an adaptive pooling."""
    rows = [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
    return np.array([(a, b, b - a) for a, b in rows], np.int64).reshape(-1, 3)


def planes(x):
    """x (..., H, W) as contiguous planes (P, H, W)."""
    return np.ascontiguousarray(x).reshape(math.prod(x.shape[:-2]), *x.shape[-2:])


def images(size):
    """Samples: four or more images (N, 1, H, W) of about `size` numbers in all."""
    side = max(4, int((size / 4) ** 0.5) if size < 4096 else 32)
    return np.sin(np.arange(max(4, size // side**2) * side**2, dtype=np.float32)).reshape(-1, 1, side, side)


def pool_samples(size):
    """Those images and a 2x2 pooling."""
    return images(size), (2, 2), (2, 2), (0, 0), (1, 1), False


@jit(constants=False)
def greater(v, n, top, held):
    """The greater of v, from place n, and top, from an earlier place `held`; and its place. NaN is greatest."""
    taken = (v > top) | (v != v)
    return v if taken else top, n if taken else held


@jit
def max_row(source, best, place, first):
    """best[c] = the greater of it and source[c], from place first + c."""
    for c in range(source.size):
        best[c], place[c] = greater(source[c], np.int32(first + np.int32(c)), best[c], place[c])


@jit
def greatest(v, n, top, held):
    """The same if n may come before `held`: among equals the first place counts, among NaNs the last."""
    taken = (v > top) | ((v == top) & (n < held)) | ((v != v) & ((top == top) | (n > held)))
    return v if taken else top, n if taken else held


@jit
def max_entry(values, places, step, best, place):
    """best[j] = the greater of it and values[j * step], from place places[j * step]."""
    for j in range(best.size):
        best[j], place[j] = greatest(values[j * step], places[j * step], best[j], place[j])


@jit
def max_windows(x, spans, window, stride, padding, down, right, y, indices):
    """Maxima over windows of x (P, H, W): `spans` and `down` place them in rows, the rest (and `right`) in columns.

    For each row of y: the greatest of the window's rows, column by column; then of the window's columns.
    """
    height, width = x.shape[1:]
    count = y.shape[2]
    # Loops run over a multiple of BLOCK numbers, or they would be mostly remainders: rows of images are short. What
    # is read too far belongs to the next row and is covered up, what is written too far is overwritten by it.
    whole, wide = (width + BLOCK - 1) // BLOCK * BLOCK, (count + BLOCK - 1) // BLOCK * BLOCK
    size = max(padding + whole, (wide - 1) * stride + (window - 1) * right + 1)
    values, places = np.full(size, -np.inf, x.dtype), np.full(size, NOWHERE, np.int32)
    best, place = np.empty(wide, x.dtype), np.empty(wide, np.int32)
    numbers, out, out_places = x.reshape(-1), y.reshape(-1), indices.reshape(-1)
    to = 0
    for p in range(x.shape[0]):
        for i in range(y.shape[1]):
            top = spans[i, 0]
            for r in range(top, spans[i, 1], down):
                at = (p * height + r) * width
                n = whole if at + whole <= numbers.size else width
                source, first = numbers[at : at + n], np.int32(r * width)
                row, row_places = values[padding : padding + n], places[padding : padding + n]
                if r == top:
                    for c in range(n):
                        row[c] = source[c]
                    for c in range(n):
                        row_places[c] = np.int32(first + np.int32(c))
                else:
                    max_row(source, row, row_places, first)
            values[padding + width : padding + whole] = -np.inf
            places[padding + width : padding + whole] = NOWHERE
            for j in range(wide):
                best[j] = values[j * stride]
            for j in range(wide):
                place[j] = places[j * stride]
            for k in range(1, window):
                entries, their_places = values[k * right :], places[k * right :]
                if stride == 1:  # constants make vector code
                    max_entry(entries, their_places, 1, best, place)
                elif stride == 2:
                    max_entry(entries, their_places, 2, best, place)
                else:
                    max_entry(entries, their_places, stride, best, place)
            n = wide if to + wide <= out.size else count
            target, target_places = out[to : to + n], out_places[to : to + n]
            for j in range(n):
                target[j] = best[j]
            for j in range(n):
                target_places[j] = place[j]
            to += count


@jit(inline=True)
def max_pair_row(upper, lower, width, first, n, best, places):
    """The maxima of n pairs of numbers of two rows of an image, `first` being the place of the first number."""
    for j in range(n):
        top, place = greater(upper[2 * j + 1], 1, upper[2 * j], 0)
        top, place = greater(lower[2 * j], width, top, place)
        top, place = greater(lower[2 * j + 1], width + 1, top, place)
        best[j] = top
        places[j] = first + 2 * j + place


@jit
def max_pairs(x, y, indices):
    """Maxima over 2x2 windows that do not overlap: by far the most frequent pooling."""
    widest()
    height, width = x.shape[1:]
    count = y.shape[2]
    # Read and written too far as in max_windows. Narrow rows are made as long as a vector.
    wide = 8 if count <= 8 else 16 if count <= 16 else (count + PAIRS - 1) // PAIRS * PAIRS
    numbers, out, places = x.reshape(-1), y.reshape(-1), indices.reshape(-1)
    to = 0
    for p in range(x.shape[0]):
        for i in range(y.shape[1]):
            at, first = (p * height + 2 * i) * width, 2 * i * width
            n = wide if at + width + 2 * wide <= numbers.size and to + wide <= out.size else count
            upper, lower = numbers[at : at + 2 * n], numbers[at + width : at + width + 2 * n]
            best, held = out[to : to + n], places[to : to + n]
            if n == 8:  # constants make vector code
                max_pair_row(upper, lower, width, first, 8, best, held)
            elif n == 16:
                max_pair_row(upper, lower, width, first, 16, best, held)
            else:
                max_pair_row(upper, lower, width, first, n, best, held)
            to += count


@jit
def max_areas(x, rows, columns, y, indices):
    """Maxima over windows of varying size: of each column of a row of windows first, then of each window."""
    width = x.shape[2]
    best, place = np.empty(width, x.dtype), np.empty(width, np.int32)
    for p in range(x.shape[0]):
        for i in range(rows.shape[0]):
            best[:] = -np.inf
            for c in range(width):
                place[c] = rows[i, 0] * width + c
            for r in range(rows[i, 0], rows[i, 1]):
                max_row(x[p, r], best, place, np.int32(r * width))
            for j in range(columns.shape[0]):
                left, right = columns[j, 0], columns[j, 1]
                top, held = best[left], place[left]
                for c in range(left + 1, right):
                    top, held = greatest(best[c], place[c], top, held)
                y[p, i, j], indices[p, i, j] = top, held


@kernel(samples=pool_samples)
def max_pool2d(x, window, stride, padding, dilation, ceil_mode):
    """Maxima over windows, and where they are.

        y[..., i, j] = max over k, l of x[..., i*sh + k*dh - ph, j*sw + l*dw - pw], inside the image

    Of equal maxima the first in reading order is taken. NaN is the maximum of its window (the last one of several, as
    in PyTorch).

    Args:
        x (ndarray): (..., H, W), float32 or float64.
        window, stride, padding, dilation (tuple[int, int]): for rows and columns; padding is at most half the window.
        ceil_mode (bool): round the number of windows up, see `pooled_size`.

    Returns:
        tuple[ndarray, ndarray]: maxima (..., OH, OW), and int64 flat indices into the H*W numbers of their plane.
    """
    batch, image = x.shape[: -len(window)], x.shape[-len(window) :]
    size = [pooled_size(*each, ceil_mode) for each in zip(image, window, stride, padding, dilation)]
    ends = [(o - 1) * s + (k - 1) * d + 1 for o, k, s, d in zip(size, window, stride, dilation)]
    around = [(p, max(0, end - n - p)) for n, p, end in zip(image, padding, ends)]
    padded = np.pad(x, [(0, 0)] * len(batch) + around, constant_values=-np.inf)
    places = np.pad(np.arange(math.prod(image)).reshape(image), around, constant_values=-1)
    best = np.full((*batch, *size), -np.inf, x.dtype)
    indices = np.full(best.shape, -1)
    for entry in np.ndindex(*window):
        first = [k * d for k, d in zip(entry, dilation)]
        where = tuple(slice(f, f + (o - 1) * s + 1, s) for f, o, s in zip(first, size, stride))
        entries = (..., *where)
        v, place = padded[entries], places[where]
        taken = (v > best) | (v != v) | ((indices < 0) & (place >= 0))
        best, indices = np.where(taken, v, best), np.where(taken, place, indices)
    return best, indices


@max_pool2d.numba(python=True)
def max_pool2d(x, window, stride, padding, dilation, ceil_mode):
    if len(window) == 3:
        return max_of_slices(x, window, stride, padding, dilation, ceil_mode)
    height, width = x.shape[-2:]
    rows = spans(height, window[0], stride[0], padding[0], dilation[0], ceil_mode)
    columns = pooled_size(width, window[1], stride[1], padding[1], dilation[1], ceil_mode)
    x3 = planes(x)
    y = np.empty((len(x3), len(rows), columns), x.dtype)
    indices = np.empty(y.shape, np.int64)
    if window == stride == (2, 2) and padding == (0, 0) and dilation == (1, 1) and not ceil_mode:
        max_pairs(x3, y, indices)
    else:
        max_windows(x3, rows, window[1], stride[1], padding[1], *dilation, y, indices)
    shape = x.shape[:-2] + y.shape[1:]
    return y.reshape(shape), indices.reshape(shape)


def max_of_slices(x, window, stride, padding, dilation, ceil_mode):
    """`max_pool2d` of volumes (..., D, H, W): of every slice first, then of the slices."""
    y, places = max_pool2d(x, window[1:], stride[1:], padding[1:], dilation[1:], ceil_mode)
    size, pixels = y.shape[-2:], y.shape[-2] * y.shape[-1]
    rows = y.reshape(*y.shape[:-2], pixels)
    y, at = max_pool2d(rows, (window[0], 1), (stride[0], 1), (padding[0], 0), (dilation[0], 1), ceil_mode)
    lead = x.shape[:-3]
    flat = places.reshape(*lead, math.prod(places.shape[-3:])), at.reshape(*lead, math.prod(at.shape[-2:]))
    chosen = np.take_along_axis(*flat, -1)
    places = at // pixels * (x.shape[-2] * x.shape[-1]) + chosen.reshape(at.shape)
    return y.reshape(*y.shape[:-1], *size), places.reshape(*y.shape[:-1], *size)


@kernel(samples=lambda size: (images(size), (3, 3)))
def adaptive_max_pool2d(x, size):
    """Maxima over OH x OW windows that cover the image, and where they are.

    Args:
        x (ndarray): (..., H, W).
        size (tuple[int, int]): OH and OW.

    Returns:
        tuple[ndarray, ndarray]: as `max_pool2d`.
    """
    batch, image = x.shape[: -len(size)], x.shape[-len(size) :]
    y, indices = np.empty((*batch, *size), x.dtype), np.empty((*batch, *size), np.int64)
    places = np.arange(math.prod(image)).reshape(image)
    areas = [adaptive_spans(n, count) for n, count in zip(image, size)]
    for which in np.ndindex(*size):
        where = tuple(slice(*spans[i, :2]) for spans, i in zip(areas, which))
        taken, put = (..., *where), (..., *which)
        area = x[taken].reshape(*batch, places[where].size)
        nan = np.isnan(area)
        last = nan.shape[-1] - 1 - nan[..., ::-1].argmax(-1)
        at = np.where(nan.any(-1), last, area.argmax(-1))
        y[put] = np.take_along_axis(area, at[..., None], -1)[..., 0]
        indices[put] = places[where].reshape(-1)[at]
    return y, indices


@adaptive_max_pool2d.numba(python=True)
def adaptive_max_pool2d(x, size):
    if len(size) != 2:
        return adaptive_max_pool2d.twin(x, size)
    y, indices = np.empty((*x.shape[:-2], *size), x.dtype), np.empty((*x.shape[:-2], *size), np.int64)
    rows, columns = adaptive_spans(x.shape[-2], size[0]), adaptive_spans(x.shape[-1], size[1])
    max_areas(planes(x), rows, columns, planes(y), planes(indices))
    return y, indices


@jit
def scatter_planes(g, indices, out):
    """Add the numbers of each plane of g to those of out that its indices name."""
    for p in range(g.shape[0]):
        source, names, target = g[p].reshape(-1), indices[p].reshape(-1), out[p].reshape(-1)
        for q in range(names.size):
            target[names[q]] += source[q]


@jit
def gather_planes(x, indices, out):
    """Read the numbers of each plane of x that its indices name."""
    for p in range(out.shape[0]):
        source, names, target = x[p].reshape(-1), indices[p].reshape(-1), out[p].reshape(-1)
        for q in range(names.size):
            target[q] = source[names[q]]


@kernel(samples=lambda size: (*max_pool2d.twin(*pool_samples(size)), images(size).shape))
def max_pool2d_backward(g, indices, input_shape):
    """Derivative of a maximum (or minimum) pooling: each gradient goes to where its number came from.

    Args:
        g (ndarray): (..., OH, OW).
        indices (ndarray): int64, of g's shape: the pooling's second result.
        input_shape (tuple[int, ...]): x's shape (..., H, W).

    Returns:
        ndarray: of `input_shape`.
    """
    g, indices, dx = planes(g), planes(indices), np.zeros(input_shape, g.dtype)
    flat = dx.reshape(len(g), input_shape[-2] * input_shape[-1])
    np.add.at(flat, (np.arange(len(g))[:, None, None], indices), g)
    return dx


@max_pool2d_backward.numba(python=True)
def max_pool2d_backward(g, indices, input_shape):
    dx = np.zeros(input_shape, g.dtype)
    scatter_planes(planes(g), planes(indices), planes(dx))
    return dx


@kernel(samples=lambda size: (images(size), max_pool2d.twin(*pool_samples(size))[1]))
def gather_pool(x, indices):
    """The numbers of x at a pooling's indices: the derivative of `max_pool2d_backward` with respect to g.

    Args:
        x (ndarray): (..., H, W).
        indices (ndarray): int64 (..., OH, OW), flat indices into the planes of x.

    Returns:
        ndarray: of indices' shape.
    """
    flat = x.reshape(*x.shape[:-2], x.shape[-2] * x.shape[-1])
    places = indices.reshape(*flat.shape[:-1], indices.shape[-2] * indices.shape[-1])
    return np.take_along_axis(flat, places, -1).reshape(indices.shape)


@gather_pool.numba(python=True)
def gather_pool(x, indices):
    out = np.empty(indices.shape, x.dtype)
    gather_planes(planes(x), planes(indices), planes(out))
    return out
