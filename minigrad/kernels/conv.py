"""Convolution over images, and its two derivatives.

Take a window of the kernel's size at every output position and lay its numbers in a column. Then the convolution is a
plain matrix product, weight (O, C*KH*KW) times columns (C*KH*KW, OH*OW), and so are its derivatives:

    forward       y       = weight @ columns(x)
    weight's      dweight = g @ columns(x).T
    input's       dx      = fold(weight.T @ g)         fold is the transpose of columns: overlapping windows add up

The three serve one another to every order: each is linear in both its arrays, so the derivative of one is always
another of the three (`conv_transpose2d` is `conv2d_input` with the arguments renamed).

The NumPy definitions say just this, of any number of dimensions. The numba twins never lay out columns, which are KH*KW
times the image. There are four ways, and `way` chooses:

    tiles        most convolutions: `conv_tiles.py`, products whose one operand is looked up in the image
    depthwise    as many groups as channels: no products at all, `conv_planes.py`
    thin         the input's derivative where the input has few channels: product and fold, `conv_planes.py`
    whole        a window as large as the image: every image is a row, and BLAS multiplies

Before this: `dispatch.py`, `conv_tiles.py`, `conv_planes.py`. After it: `ops/conv.py`.
"""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from minigrad.kernels import conv_planes, conv_tiles, tiles
from minigrad.kernels.dispatch import FLOATS, kernel

THIN = 3 / 8  # of the lanes


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


def as_volumes(*arrays):
    """Contiguous volumes (N, C, D, H, W) of images (N, C, H, W)."""
    arrays = [np.ascontiguousarray(a) for a in arrays]
    return arrays if arrays[0].ndim == 5 else [a[:, :, None] for a in arrays]


def as_triples(count, stride, padding, dilation):
    """The settings of `count` dimensions as those of volumes."""
    return ((1,) * (3 - count) + stride, (0,) * (3 - count) + padding, (1,) * (3 - count) + dilation)


def way(image, weight_shape, padding, groups, dtype):
    """Which of the four: "whole" where the window is the image; "depthwise" where every group has one channel and there
    are several; "thin" where one group has so few channels that most lanes of a vector would be empty; else "tiles"."""
    channels, window = weight_shape[1], weight_shape[2:]
    if groups == 1 and window == image and not any(padding):
        return "whole"
    if groups > 1:
        return "depthwise" if channels == 1 else "tiles"
    return "thin" if channels <= THIN * tiles.lanes.py_func(tiles.table(dtype)) else "tiles"


def by_numba(first, second, *_):
    """float32 and float64 numbers, if there are any."""
    return first.dtype in FLOATS and first.size > 0 and second.size > 0


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
    if not by_numba(x, w):
        return conv2d_forward.twin(x, w, bias, stride, padding, dilation, groups)
    which = way(x.shape[2:], w.shape, padding, groups, x.dtype)
    if which == "whole":
        y = x.reshape(len(x), -1) @ w.reshape(len(w), -1).T
        if bias is not None:
            y += bias
        return y.reshape(*y.shape, *(1,) * (x.ndim - 2))
    (volumes, windows), settings = as_volumes(x, w), as_triples(x.ndim - 2, stride, padding, dilation)
    bias = None if bias is None else np.ascontiguousarray(bias)
    if which == "depthwise":
        y = conv_planes.depthwise_forward(volumes, windows, bias, *settings)
    else:
        y = conv_tiles.forward(volumes, windows, bias, *settings, groups)
    return y if x.ndim == 5 else y[:, :, 0]


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
    if not by_numba(g, w):
        return conv2d_input.twin(g, w, input_shape, stride, padding, dilation, groups)
    which = way(input_shape[2:], w.shape, padding, groups, g.dtype)
    if which == "whole":
        return (g.reshape(len(g), -1) @ w.reshape(len(w), -1)).reshape(input_shape)
    (volumes, windows), settings = as_volumes(g, w), as_triples(g.ndim - 2, stride, padding, dilation)
    shape = (*input_shape[:2], *(1,) * (5 - g.ndim), *input_shape[2:])
    if which == "depthwise":
        dx = conv_planes.depthwise_input_gradient(volumes, windows, shape, *settings)
    elif which == "thin":
        dx = conv_planes.thin_input_gradient(volumes, windows, shape, *settings)
    else:
        dx = conv_tiles.input_gradient(volumes, windows, shape, *settings, groups)
    return dx.reshape(input_shape)


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
    if not by_numba(g, x):
        return conv2d_weight.twin(g, x, weight_shape, stride, padding, dilation, groups)
    which = way(x.shape[2:], weight_shape, padding, groups, x.dtype)
    if which == "whole":
        return (g.reshape(len(g), -1).T @ x.reshape(len(x), -1)).reshape(weight_shape)
    (gradients, volumes), settings = as_volumes(g, x), as_triples(g.ndim - 2, stride, padding, dilation)
    shape = (*weight_shape[:2], *(1,) * (5 - g.ndim), *weight_shape[2:])
    if which == "depthwise":
        dw = conv_planes.depthwise_weight_gradient(gradients, volumes, shape, *settings)
    else:
        dw = conv_tiles.weight_gradient(gradients, volumes, shape, *settings, groups)
    return dw.reshape(weight_shape)
