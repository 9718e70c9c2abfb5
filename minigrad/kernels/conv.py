"""Convolution over images, and its two derivatives, as one idea: unfold the image into columns, multiply, fold back.

Take a window of the kernel's size at every output position and lay its numbers in a column. Then the convolution is a
plain matrix product, weight (O, C*KH*KW) times columns (C*KH*KW, OH*OW), and so are its derivatives:

    forward       y       = weight @ columns(x)
    weight's      dweight = g @ columns(x).T
    input's       dx      = fold(weight.T @ g)         fold is the transpose of columns: overlapping windows add up

The three serve one another to every order: each is linear in both its arrays, so the derivative of one is always
another of the three (`conv_transpose2d` is `conv2d_input` with the arguments renamed).

The NumPy definitions are of any number of dimensions. The numba twins are of images; a volume (N, C, D, H, W) is N*OD
images to them, whose channels are the slices of it that meet in one slice of the output.

The numba twins work through a batch in pieces whose columns stay in the processor's second-level cache, and leave the
products to NumPy's BLAS. An image is first *staged*: padded, and for a stride s split into its s*s phases, so that
every entry of the kernel reads whole rows of neighbouring numbers whatever the stride, padding and dilation.

Before this: `dispatch.py`. After it: `ops/conv.py`.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from minigrad.kernels.dispatch import jit, kernel

LANES = 16  # rows are copied in blocks of this many numbers; buffers have that much room at their end
CACHE_BYTES = 1 << 20  # what the columns of one piece may take
NARROW = 128  # images with fewer output pixels share one matrix product


class Plan(NamedTuple):
    """Where everything lies for one image size, kernel, stride, padding and dilation."""

    rows: int  # of the output
    columns: int
    pitch: int  # length of a row of a staged plane
    plane: int  # numbers in a staged plane
    phases: np.ndarray  # (F, 6): x's row and column at the plane's origin; first and end row, first and end column
    taps: np.ndarray  # (KH*KW,): where the window of output pixel (0, 0) finds each kernel entry


@functools.lru_cache(maxsize=512)
def plan_for(image, window, stride, padding, dilation):
    """The `Plan` for image (H, W), window (KH, KW), and stride, padding, dilation as pairs."""
    out = [(i + 2 * p - d * (k - 1) - 1) // s + 1 for i, k, s, p, d in zip(image, window, stride, padding, dilation)]
    height = out[0] + (window[0] - 1) * dilation[0] // stride[0]
    pitch = out[1] + (window[1] - 1) * dilation[1] // stride[1]
    reads = [[divmod(k * d, s) for k in range(n)] for n, d, s in zip(window, dilation, stride)]
    origins = {}  # phase -> its index
    taps = []
    for down, row_phase in reads[0]:
        for right, column_phase in reads[1]:
            index = origins.setdefault((row_phase, column_phase), len(origins))
            taps.append((index * height + down) * pitch + right)
    phases = []
    for phase in origins:
        first = [a - p for a, p in zip(phase, padding)]
        start = [max(0, -(f // s)) for f, s in zip(first, stride)]
        stop = [min(n, -((f - i) // s)) for f, i, s, n in zip(first, image, stride, (height, pitch))]
        phases.append((*first, start[0], stop[0], start[1], stop[1]))
    return Plan(*out, pitch, height * pitch, np.array(phases, np.int64), np.array(taps, np.int64))


@jit
def stage(x, first, images, staged, phases, plane, pitch, sh, sw):
    """Copy images first, first+1, ... of x (N, C, H, W) into the interior of the zero-padded planes of `staged`."""
    base = 0
    for n in range(first, first + images):
        for c in range(x.shape[1]):
            for f in range(phases.shape[0]):
                row, column, top, bottom = phases[f, 0], phases[f, 1], phases[f, 2], phases[f, 3]
                left, right = phases[f, 4], phases[f, 5]
                for u in range(top, bottom):
                    source = x[n, c, u * sh + row]
                    target = staged[base + u * pitch + left : base + u * pitch + right]
                    if sw == 1:
                        source = source[column + left :]
                        for v in range(right - left):
                            target[v] = source[v]
                    else:
                        for v in range(right - left):
                            target[v] = source[(left + v) * sw + column]
                base += plane


@jit
def unstage(staged, x, first, images, phases, plane, pitch, sh, sw):
    """The reverse of `stage`: the interior of the planes goes to x."""
    base = 0
    for n in range(first, first + images):
        for c in range(x.shape[1]):
            for f in range(phases.shape[0]):
                row, column, top, bottom = phases[f, 0], phases[f, 1], phases[f, 2], phases[f, 3]
                left, right = phases[f, 4], phases[f, 5]
                for u in range(top, bottom):
                    target = x[n, c, u * sh + row]
                    source = staged[base + u * pitch + left : base + u * pitch + right]
                    if sw == 1:
                        target = target[column + left :]
                        for v in range(right - left):
                            target[v] = source[v]
                    else:
                        for v in range(right - left):
                            target[(left + v) * sw + column] = source[v]
                base += plane


@jit
def unfold(staged, taps, columns, images, channels, size, start, stop, width, pitch, together):
    """Lay the windows of output rows start..stop as columns: (images, C*taps, pixels), or (C*taps, images, pixels)
    if `together`. `size` is the length of a staged channel. Writes up to LANES numbers past the end."""
    # A row is copied in whole blocks of LANES, which the compiler turns into one or a few vector moves. What it
    # writes too far is overwritten by the row that comes next, because rows are written in the order they lie.
    length = (width + LANES - 1) // LANES * LANES
    outer, inner = (1, images) if together else (images, 1)
    out = 0
    for a in range(outer):
        for c in range(channels):
            for t in range(taps.size):
                for b in range(inner):
                    at = ((a + b) * channels + c) * size + taps[t] + start * pitch
                    for _ in range(start, stop):
                        source = staged[at : at + length]
                        target = columns[out : out + length]
                        for v in range(length):
                            target[v] = source[v]
                        at += pitch
                        out += width


@jit
def fold(columns, taps, staged, images, channels, size, start, stop, width, pitch, together):
    """Add columns, laid out as by `unfold`, to the places it takes them from."""
    outer, inner = (1, images) if together else (images, 1)
    at = 0
    for a in range(outer):
        for c in range(channels):
            for t in range(taps.size):
                for b in range(inner):
                    to = ((a + b) * channels + c) * size + taps[t] + start * pitch
                    for _ in range(start, stop):
                        source = columns[at : at + width]
                        target = staged[to : to + width]
                        for v in range(width):
                            target[v] += source[v]
                        at += width
                        to += pitch


def pieces(images, rows, row_bytes, minimum):
    """Cut a batch into pieces (first image, images, first row, end row) of about CACHE_BYTES of columns each.

    Several whole images a piece, at least `minimum`; or, if one image is too much, some rows of it.
    """
    row_bytes = max(row_bytes, 1)  # an image may have no channels
    together = max(CACHE_BYTES // (rows * row_bytes), minimum)
    if together >= 1:
        for first in range(0, images, together):
            yield first, min(together, images - first), 0, rows
        return
    height = max(1, CACHE_BYTES // row_bytes)
    for first in range(images):
        for start in range(0, rows, height):
            yield first, 1, start, min(rows, start + height)


def least_images(plan):
    """How many images to take together at least: enough to keep a matrix product from being narrow, else 0."""
    pixels = plan.rows * plan.columns
    return -(-2 * NARROW // pixels) if pixels < NARROW else 0


def walk(x, plan, depth, stride, together):
    """The columns of x, piece by piece: yields first image, images, first row, end row and columns.

    The columns are (images, depth, pixels), or (depth, images * pixels) if `together`, and live until the next piece.
    """
    x = np.ascontiguousarray(x)
    size = len(plan.phases) * plan.plane
    staged = columns = None
    for first, images, start, stop in pieces(len(x), plan.rows, depth * plan.columns * x.itemsize, least_images(plan)):
        pixels = (stop - start) * plan.columns
        if is_pointwise(plan, x.shape) and not together:
            part = x[first : first + images].reshape(images, depth, plan.rows * plan.columns)
            yield first, images, start, stop, part[:, :, start * plan.columns : stop * plan.columns]
            continue
        if staged is None:  # the first piece is the largest
            staged = np.zeros(images * x.shape[1] * size + LANES, x.dtype)
            columns = np.empty(images * depth * pixels + LANES, x.dtype)
        if start == 0:
            stage(x, first, images, staged, plan.phases, plan.plane, plan.pitch, *stride)
        unfold(staged, plan.taps, columns, images, x.shape[1], size, start, stop, plan.columns, plan.pitch, together)
        shape = (depth, images * pixels) if together else (images, depth, pixels)
        yield first, images, start, stop, columns[: images * depth * pixels].reshape(shape)


def is_pointwise(plan, image_shape):
    """Whether the columns are the image itself: a 1x1 kernel that takes every pixel once."""
    return len(plan.taps) == 1 and (plan.rows, plan.columns) == image_shape[2:] and not plan.phases[0, :2].any()


def numpy_columns(x, window, stride, padding, dilation):
    """The NumPy twins' columns of x (N, C, ...), of any number of dimensions: (N, C, *window, *positions)."""
    count = len(window)
    padded = np.pad(x, ((0, 0), (0, 0), *zip(padding, padding)))
    reach = [(k - 1) * d + 1 for k, d in zip(window, dilation)]
    view = sliding_window_view(padded, reach, range(2, 2 + count))
    steps = (1, 1, *stride, *dilation)
    view = view[tuple([slice(None, None, step) for step in steps])]
    return view.transpose(0, 1, *range(2 + count, 2 + 2 * count), *range(2, 2 + count))


def numpy_fold(columns, image, stride, padding, dilation):
    """The transpose of `numpy_columns`: adds columns to an image of this size (H, W), where they overlap."""
    count = len(image)
    window, positions = columns.shape[2 : 2 + count], columns.shape[2 + count :]
    padded = np.zeros((*columns.shape[:2], *[n + 2 * p for n, p in zip(image, padding)]), columns.dtype)
    for entry in np.ndindex(*window):
        first = [k * d for k, d in zip(entry, dilation)]
        put = (..., *[slice(f, f + n * s, s) for f, n, s in zip(first, positions, stride)])
        taken = (slice(None), slice(None), *entry)
        padded[put] += columns[taken]
    inner = (..., *[slice(p, p + n) for n, p in zip(image, padding)])
    return padded[inner].copy()


def in_groups(columns, groups):
    """Columns (N, C, *window, *positions) as the matrices of a product: (N, G, C/G * window, positions)."""
    images, channels, *rest = columns.shape
    window, positions = rest[: len(rest) // 2], rest[len(rest) // 2 :]
    return columns.reshape(images, groups, channels // groups * math.prod(window), math.prod(positions))


def slices(x, depth, stride, padding, dilation):
    """A volume (N, C, D, H, W) as images (N*OD, C*depth, H, W): the slices that a window of this depth reads."""
    columns = numpy_columns(x, (depth, 1, 1), (stride[0], 1, 1), (padding[0], 0, 0), (dilation[0], 1, 1))
    images, channels, _, _, _, positions, *image = columns.shape
    return columns[:, :, :, 0, 0].transpose(0, 3, 1, 2, 4, 5).reshape(images * positions, channels * depth, *image)


def in_slices(g):
    """An output (N, O, OD, OH, OW) as that of the images of `slices`: (N*OD, O, OH, OW)."""
    return g.swapaxes(1, 2).reshape(len(g) * g.shape[2], g.shape[1], *g.shape[3:])


def as_images(w):
    """The weight (O, C, KD, KH, KW) for the images of `slices`: (O, C*KD, KH, KW)."""
    return w.reshape(len(w), w.shape[1] * w.shape[2], *w.shape[3:])


def volume_input(g, w, input_shape, stride, padding, dilation, groups):
    """`conv2d_input` for volumes."""
    (images, channels, *volume), (depth, positions) = input_shape, (w.shape[2], g.shape[2])
    shape = (images * positions, channels * depth, *volume[1:])
    dx = conv2d_input(in_slices(g), as_images(w), shape, stride[1:], padding[1:], dilation[1:], groups)
    columns = dx.reshape(images, positions, channels, depth, *volume[1:]).transpose(0, 2, 3, 1, 4, 5)[
        :, :, :, None, None
    ]
    return numpy_fold(columns, volume, (stride[0], 1, 1), (padding[0], 0, 0), (dilation[0], 1, 1))


def forward_samples(size):
    """x, w, bias and settings of a 3x3 convolution with about `size` numbers in x."""
    images, side, channels = (4, 8, 1) if size < 4096 else (16, 16, max(1, size // 4096))
    x = np.linspace(-1, 1, images * channels * side * side, dtype=np.float32).reshape(images, channels, side, side)
    w = np.linspace(-1, 1, 16 * channels * 9, dtype=np.float32).reshape(16, channels, 3, 3)
    return x, w, np.ones(16, np.float32), (1, 1), (1, 1), (1, 1), 1


def input_samples(size):
    """g, w, x's shape and settings for the same convolution."""
    x, w, _, *settings = forward_samples(size)
    g = np.linspace(-1, 1, len(x) * 16 * x[0, 0].size, dtype=np.float32).reshape(len(x), 16, *x.shape[2:])
    return g, w, x.shape, *settings


def weight_samples(size):
    """g, x, w's shape and settings for the same convolution."""
    x, w, _, *settings = forward_samples(size)
    return input_samples(size)[0], x, w.shape, *settings


@kernel(samples=forward_samples)
def conv2d_forward(x, w, bias, stride, padding, dilation, groups):
    """Cross-correlation of images with a kernel (PyTorch's conv2d).

        y[n, o, i, j] = bias[o] + sum over c, k, l of w[o, c, k, l] * x[n, c', i*sh + k*dh - ph, j*sw + l*dw - pw]

    x outside its image is 0; c' = c + the first channel of o's group.

    Args:
        x (ndarray): images (N, C, H, W), or (N, C, D, H, W) with a weight and settings of three dimensions.
        w (ndarray): weight (O, C // groups, KH, KW), of x's dtype.
        bias (ndarray | None): (O,).
        stride, padding, dilation (tuple[int, int]): for rows and columns.
        groups (int): divides C and O.

    Returns:
        ndarray: (N, O, OH, OW), with OH = (H + 2*ph - dh*(KH-1) - 1) // sh + 1 and OW alike.
    """
    columns = numpy_columns(x, w.shape[2:], stride, padding, dilation)
    size, matrices = columns.shape[w.ndim :], in_groups(columns, groups)
    y = np.matmul(w.reshape(groups, len(w) // groups, matrices.shape[2]), matrices).reshape(len(x), len(w), *size)
    return y if bias is None else y + bias.reshape(-1, *[1] * len(size))


@conv2d_forward.numba(python=True)
def conv2d_forward(x, w, bias, stride, padding, dilation, groups):
    if x.ndim == 5:
        y = conv2d_forward(
            slices(x, w.shape[2], stride, padding, dilation),
            as_images(w),
            bias,
            stride[1:],
            padding[1:],
            dilation[1:],
            groups,
        )
        positions = (x.shape[2] + 2 * padding[0] - dilation[0] * (w.shape[2] - 1) - 1) // stride[0] + 1
        return np.ascontiguousarray(y.reshape(len(x), positions, *y.shape[1:]).swapaxes(1, 2))
    outputs, depth = len(w), w.shape[1] * w.shape[2] * w.shape[3]
    plan = plan_for(x.shape[2:], w.shape[2:], stride, padding, dilation)
    pixels = plan.rows * plan.columns
    y = np.empty((len(x), outputs, pixels), x.dtype)
    matrix = w.reshape(groups, outputs // groups, depth)
    add, narrow = None if bias is None else bias[:, None], pixels < NARROW
    for first, images, start, stop, columns in walk(x, plan, groups * depth, stride, narrow):
        part = y[first : first + images, :, start * plan.columns : stop * plan.columns]
        columns = columns.reshape(1 if narrow else images, groups, depth, columns.shape[-1])
        if narrow:
            product = np.matmul(matrix, columns).reshape(outputs, images, -1).transpose(1, 0, 2)
            np.copyto(part, product) if add is None else np.add(product, add, out=part)
        else:
            np.matmul(matrix, columns, out=part.reshape(images, groups, -1, part.shape[-1]))
            if add is not None:
                part += add
    return y.reshape(len(x), outputs, plan.rows, plan.columns)


@kernel(samples=input_samples)
def conv2d_input(g, w, input_shape, stride, padding, dilation, groups):
    """Derivative of `conv2d_forward` with respect to x, applied to g; PyTorch's conv_transpose2d.

        dx[n, c] = sum over o, i, j, k, l of w[o, c, k, l] * g[n, o, i, j] at row i*sh + k*dh - ph, column alike

    Args:
        g (ndarray): (N, O, OH, OW).
        w (ndarray): weight (O, C // groups, KH, KW).
        input_shape (tuple[int, ...]): x's shape (N, C, H, W).
        stride, padding, dilation, groups: those of the forward convolution.

    Returns:
        ndarray: of `input_shape`.
    """
    outputs, per_group, *window = w.shape
    positions = g.shape[2:]
    matrix = w.reshape(groups, outputs // groups, per_group * math.prod(window)).swapaxes(1, 2)
    parts = np.matmul(matrix, g.reshape(len(g), groups, outputs // groups, math.prod(positions)))
    return numpy_fold(parts.reshape(*input_shape[:2], *window, *positions), input_shape[2:], stride, padding, dilation)


@conv2d_input.numba(python=True)
def conv2d_input(g, w, input_shape, stride, padding, dilation, groups):
    if g.ndim == 5:
        return volume_input(g, w, input_shape, stride, padding, dilation, groups)
    outputs, depth = len(w), w.shape[1] * w.shape[2] * w.shape[3]
    plan = plan_for(input_shape[2:], w.shape[2:], stride, padding, dilation)
    pixels = plan.rows * plan.columns
    matrix = w.reshape(groups, outputs // groups, depth).swapaxes(1, 2)
    g = g.reshape(len(g), groups, outputs // groups, pixels)
    if is_pointwise(plan, input_shape):
        return np.matmul(matrix, g).reshape(input_shape)
    dx = np.zeros(input_shape, g.dtype)
    channels, size, narrow = input_shape[1], len(plan.phases) * plan.plane, pixels < NARROW
    row_bytes = groups * depth * plan.columns * g.itemsize
    staged = None
    for first, images, start, stop in pieces(len(g), plan.rows, row_bytes, least_images(plan)):
        if staged is None:
            staged = np.empty(images * channels * size, g.dtype)
        if start == 0:
            staged.fill(0)
        part = g[first : first + images, :, :, start * plan.columns : stop * plan.columns]
        if narrow:
            part = part.transpose(1, 2, 0, 3).reshape(1, groups, outputs // groups, -1)
        # With one output channel a group the product has nothing to add up, which matmul is slow at.
        columns = (matrix * part if outputs == groups else np.matmul(matrix, part)).reshape(-1)
        fold(columns, plan.taps, staged, images, channels, size, start, stop, plan.columns, plan.pitch, narrow)
        if stop == plan.rows:
            unstage(staged, dx, first, images, plan.phases, plan.plane, plan.pitch, *stride)
    return dx


@kernel(samples=weight_samples)
def conv2d_weight(g, x, weight_shape, stride, padding, dilation, groups):
    """Derivative of `conv2d_forward` with respect to w, applied to g.

        dw[o, c, k, l] = sum over n, i, j of g[n, o, i, j] * x[n, c', i*sh + k*dh - ph, j*sw + l*dw - pw]

    Args:
        g (ndarray): (N, O, OH, OW).
        x (ndarray): images (N, C, H, W).
        weight_shape (tuple[int, ...]): w's shape (O, C // groups, KH, KW).
        stride, padding, dilation, groups: those of the forward convolution.

    Returns:
        ndarray: of `weight_shape`.
    """
    columns = in_groups(numpy_columns(x, weight_shape[2:], stride, padding, dilation), groups)
    g = g.reshape(len(g), groups, weight_shape[0] // groups, columns.shape[3])
    return np.matmul(g, columns.swapaxes(2, 3)).sum(0).reshape(weight_shape)


@conv2d_weight.numba(python=True)
def conv2d_weight(g, x, weight_shape, stride, padding, dilation, groups):
    if x.ndim == 5:
        images = slices(x, weight_shape[2], stride, padding, dilation)
        flat = (weight_shape[0], weight_shape[1] * weight_shape[2], *weight_shape[3:])
        return conv2d_weight(in_slices(g), images, flat, stride[1:], padding[1:], dilation[1:], groups).reshape(
            weight_shape
        )
    outputs, depth = weight_shape[0], weight_shape[1] * weight_shape[2] * weight_shape[3]
    plan = plan_for(x.shape[2:], weight_shape[2:], stride, padding, dilation)
    g = g.reshape(len(g), groups, outputs // groups, plan.rows * plan.columns)
    narrow = plan.rows * plan.columns < NARROW
    # BLAS is faster with the long side of a product first.
    tall = depth >= outputs // groups
    total = np.zeros((groups, depth, outputs // groups) if tall else (groups, outputs // groups, depth), g.dtype)
    for first, images, start, stop, columns in walk(x, plan, groups * depth, stride, narrow):
        part = g[first : first + images, :, :, start * plan.columns : stop * plan.columns]
        if narrow:
            part = part.transpose(1, 2, 0, 3).reshape(1, groups, outputs // groups, -1)
        columns = columns.reshape(len(part), groups, depth, columns.shape[-1])
        one, other = (columns, part) if tall else (part, columns)
        total += np.matmul(one, other.swapaxes(2, 3)).sum(0)
    return np.ascontiguousarray(total.swapaxes(1, 2) if tall else total).reshape(weight_shape)
