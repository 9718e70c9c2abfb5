"""Maximum pooling of signals, images and volumes, and what is made of it. Its inverse stands in `unpool.py`.

A maximum hands its gradient to the place it came from; that and its derivative (`gather_pool`) are each other's, so the
family is closed under differentiation. A signal (N, C, L) is pooled as an image of one row. Means stand in
`average.py`. MinPool is ours: PyTorch has none.
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math

import numpy as np

from minigrad.errors import shape_text
from minigrad.kernels import pool as kernels
from minigrad.registry import FUNCTION, FUNCTIONAL, Op, composite, helper, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import index_of, pair


@on_every_path("pool_window")
def pool_window(op, count, input, kernel_size, stride, padding, dilation=1, ceil_mode=False):
    """The settings of a pooling over the last `count` dimensions, checked: tuples of `count` ints."""
    window = pair(kernel_size, op, "kernel_size", count)
    stride = window if stride is None or stride in ((), []) else pair(stride, op, "stride", count)
    padding, dilation = pair(padding, op, "padding", count), pair(dilation, op, "dilation", count)
    if input.ndim not in (count + 1, count + 2):
        raise RuntimeError(
            f"{op}(): Expected {count + 1}D or {count + 2}D (batch mode) tensor with optional 0 dim batch size for "
            f"input, but got: {shape_text(input.shape)}"
        )
    if min(window) < 1 or min(stride) < 1 or min(dilation) < 1:
        raise RuntimeError(
            f"{op}(): kernel size, stride and dilation should be greater than zero, but got kernel {list(window)}, "
            f"stride {list(stride)}, dilation {list(dilation)}"
        )
    if any(p < 0 or 2 * p > d * (w - 1) + 1 for p, w, d in zip(padding, window, dilation, strict=True)):
        raise RuntimeError(
            f"{op}(): pad should be non-negative and at most half of effective kernel size, but got padding "
            f"{list(padding)} and kernel {list(window)}"
        )
    if not all(input.shape[-count - 1 :]):
        raise RuntimeError(f"{op}(): only the batch may be empty, but got input {shape_text(input.shape)}")
    image = input.shape[-count:]
    settings = zip(image, window, stride, padding, dilation, strict=True)
    sizes = [kernels.pooled_size(*each, ceil_mode) for each in settings]
    if min(sizes) < 1:
        raise RuntimeError(
            f"Given input size: {shape_text(input.shape)}. Calculated output size: {shape_text(sizes)}. Output size is "
            f"too small: {op}()'s window {list(window)} does not fit"
        )
    return window, stride, padding, dilation


def as_floats(images):
    """The kernels are of floats; the integers below 2**53 are among the float64."""
    return images if images.dtype.kind == "f" else images.astype(np.float64)


def flat_planes(array, count):
    """An array with its last `count` dimensions laid out as one row: what the kernels of places take."""
    return array.reshape(*array.shape[:-count], 1, math.prod(array.shape[-count:]))


class max_pool(Op):
    """The largest of each window, and its place; called by `max_pool1d`, `max_pool2d` and `max_pool3d`."""

    public, nout, aux = (), 2, ("indices",)

    def symbol(node):
        return f"max_pool{len(node.attrs[0])}d"

    def backward_name(node):
        return f"MaxPool{len(node.attrs[0])}DWithIndicesBackward0"

    def forward(input, /, window, stride, padding, dilation, ceil_mode):
        values, places = kernels.max_pool2d(as_floats(input), window, stride, padding, dilation, ceil_mode)
        return values.astype(input.dtype, copy=False), places

    def grad_input(g, indices, input_shape, window):
        return scatter_pool(g, indices, input_shape, len(window))


class scatter_pool(Op):
    """Zeros of a given shape with each number added at its place: the gradient of a pooling by places."""

    public, fresh = (), True

    def forward(input, indices, /, shape, count):
        places = flat_planes(indices, count)
        row = (*shape[:-count], 1, math.prod(shape[-count:]))
        return kernels.max_pool2d_backward(flat_planes(input, count), places, row).reshape(shape)

    def grad_input(g, indices, count):
        return gather_pool(g, indices, count)


class gather_pool(Op):
    """The numbers at the places a pooling chose."""

    public, fresh = (), True

    def forward(input, indices, /, count):
        return kernels.gather_pool(flat_planes(input, count), flat_planes(indices, count)).reshape(indices.shape)

    def grad_input(g, indices, input_shape, count):
        return scatter_pool(g, indices, input_shape, count)


def pool_samples(count, **settings):
    """A plain one, an unbatched one with every setting, and one with a window beyond the end."""
    size = ((7,), (6, 5), (4, 3, 4))[count - 1]
    return of(
        lambda make: S(make(2, 2, *size), 2),
        lambda make: S(make(1, *size), (3, 2, 2)[:count], stride=(2, 1, 2)[:count], padding=1, **settings),
        lambda make: S(make(1, 1, *size), 3, 2, ceil_mode=True),
    )


@helper
def pool_row(input, op):
    """A signal as an image of one row."""
    if input.ndim not in (2, 3):
        raise RuntimeError(f"{op}() Expected 2D or 3D input tensor, but got input of shape {list(input.shape)}")
    return unsqueeze(input, -2)


@composite(public=(FUNCTION, FUNCTIONAL), samples=pool_samples(1, dilation=2))
def max_pool1d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """max_pool1d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False)
    -> Tensor

    The largest of each window of (N, C, L) or (C, L). Arguments as `max_pool2d`. (PyTorch: F.max_pool1d)
    """
    row = pool_row(input, "max_pool1d")
    refuse_dtype("max_pool1d", input, "b" if return_indices else "biu")
    window, stride, padding, dilation = pool_window(
        "max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode
    )
    values, indices = max_pool(row, (1, *window), (1, *stride), (0, *padding), (1, *dilation), ceil_mode)
    return (squeeze(values, -2), squeeze(indices, -2)) if return_indices else squeeze(values, -2)


@composite(public=(FUNCTION, FUNCTIONAL), samples=pool_samples(2, dilation=(1, 2)))
def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False)
    -> Tensor

    The largest of each window of (N, C, H, W) or (C, H, W); stride None is the window. The first of equal maxima gets
    the gradient. return_indices: also the flat places in each H*W plane. (PyTorch: F.max_pool2d)
    """
    settings = pool_window("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode)
    refuse_dtype("max_pool2d", input, "b")
    values, indices = max_pool(input, *settings, ceil_mode)
    return (values, indices) if return_indices else values


@composite(public=(FUNCTION, FUNCTIONAL), samples=pool_samples(3, dilation=(1, 2, 1)))
def max_pool3d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """max_pool3d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False)
    -> Tensor

    The largest of each window of (N, C, D, H, W) or (C, D, H, W). Arguments as `max_pool2d`. (PyTorch: F.max_pool3d)
    """
    settings = pool_window("max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode)
    refuse_dtype("max_pool3d", input, "b")
    values, indices = max_pool(input, *settings, ceil_mode)
    return (values, indices) if return_indices else values


@composite(public=(FUNCTION, FUNCTIONAL), samples=pool_samples(1))
def max_pool1d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """max_pool1d_with_indices(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
    return_indices=False) -> (Tensor, Tensor)

    `max_pool1d` with return_indices=True, whatever is given. (PyTorch: F.max_pool1d_with_indices)
    """
    return max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


@composite(public=(FUNCTIONAL,), samples=pool_samples(2))
def max_pool2d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """max_pool2d_with_indices(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
    return_indices=False) -> (Tensor, Tensor)

    `max_pool2d` with return_indices=True, whatever is given. (PyTorch: F.max_pool2d_with_indices)
    """
    return max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


@composite(public=(FUNCTIONAL,), samples=pool_samples(3))
def max_pool3d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """max_pool3d_with_indices(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
    return_indices=False) -> (Tensor, Tensor)

    `max_pool3d` with return_indices=True, whatever is given. (PyTorch: F.max_pool3d_with_indices)
    """
    return max_pool3d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


@composite(public=(FUNCTIONAL,), samples=pool_samples(1), torch="")
def min_pool1d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """min_pool1d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False) -> Tensor

    The smallest of each window: ``-max_pool1d(-input)``. Arguments as `max_pool1d`.
    (Ours; PyTorch has no such function.)
    """
    return -max_pool1d(-input, kernel_size, stride, padding, dilation, ceil_mode)


@composite(public=(FUNCTIONAL,), samples=pool_samples(2), torch="")
def min_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """min_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False) -> Tensor

    The smallest of each window: ``-max_pool2d(-input)``. Arguments as `max_pool2d`.
    (Ours; PyTorch has no such function.)
    """
    return -max_pool2d(-input, kernel_size, stride, padding, dilation, ceil_mode)


@composite(public=(FUNCTIONAL,), samples=pool_samples(3), torch="")
def min_pool3d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """min_pool3d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False) -> Tensor

    The smallest of each window: ``-max_pool3d(-input)``. Arguments as `max_pool3d`.
    (Ours; PyTorch has no such function.)
    """
    return -max_pool3d(-input, kernel_size, stride, padding, dilation, ceil_mode)


@on_every_path("adaptive_size")
def adaptive_size(op, count, input, output_size):
    """The output size of an adaptive pooling as `count` ints (in a tuple of several, None: as the input), checked."""
    listed = isinstance(output_size, tuple | list)
    given = output_size if listed else (index_of(output_size, op, "output_size"),) * count
    given = [None if s is None and count > 1 else index_of(s, op, "output_size") for s in given]
    if listed and count > 1 and input.ndim <= len(given):
        raise ValueError(f"{op}(): Input dimension should be at least {len(given) + 1}, but got {input.ndim}")
    if len(given) != count:
        raise RuntimeError(f"{op}(): output_size must be {count}, but got {len(given)} numbers")
    if input.ndim not in (count + 1, count + 2):
        raise RuntimeError(f"{op}(): Expected {count + 1}D or {count + 2}D tensor, but got {shape_text(input.shape)}")
    channels_count = op not in ("adaptive_avg_pool1d", "adaptive_avg_pool2d")  # of which there may be none
    if not all(input.shape[1:] if channels_count else input.shape[-count:]):
        raise RuntimeError(
            f"{op}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes "
            f"{shape_text(input.shape)}"
        )
    size = tuple([n if s is None else s for s, n in zip(given, input.shape[-count:], strict=True)])
    if min(size) < 0:
        raise RuntimeError(f"{op}(): elements of output_size must be greater than or equal to 0, but got {list(size)}")
    return size


class adaptive_max_pool(Op):
    """The largest of each part, and its place; called by `adaptive_max_pool1d` and its fellows."""

    public, nout, aux = (), 2, ("indices",)

    def symbol(node):
        return f"adaptive_max_pool{len(node.attrs[0])}d"

    def backward_name(node):
        return f"AdaptiveMaxPool{len(node.attrs[0])}DBackward0"

    def forward(input, /, output_size):
        return kernels.adaptive_max_pool2d(input, output_size)

    def grad_input(g, indices, input_shape, output_size):
        return scatter_pool(g, indices, input_shape, len(output_size))


def adaptive_samples(count):
    """Parts of different sizes, and one part."""
    size = (5, 4, 3)[:count]
    return of(lambda make: S(make(2, 2, *size), (3, 2, 2)[:count]), lambda make: S(make(2, *size), 1))


@composite(public=(FUNCTIONAL,), samples=adaptive_samples(1))
def adaptive_max_pool1d(input, output_size, return_indices=False):
    """adaptive_max_pool1d(input, output_size, return_indices=False) -> Tensor

    The largest of each of the parts into which output_size divides (N, C, L) or (C, L).
    (PyTorch: F.adaptive_max_pool1d)
    """
    size = adaptive_size("adaptive_max_pool1d", 1, input, output_size)
    refuse_dtype("adaptive_max_pool1d", input, "biu")
    values, indices = adaptive_max_pool(unsqueeze(input, -2), (1, *size))
    return (squeeze(values, -2), squeeze(indices, -2)) if return_indices else squeeze(values, -2)


@composite(public=(FUNCTIONAL,), samples=adaptive_samples(2))
def adaptive_max_pool2d(input, output_size, return_indices=False):
    """adaptive_max_pool2d(input, output_size, return_indices=False) -> Tensor

    The largest of each of the parts into which output_size divides the image. (PyTorch: F.adaptive_max_pool2d)
    """
    size = adaptive_size("adaptive_max_pool2d", 2, input, output_size)
    refuse_dtype("adaptive_max_pool2d", input, "biu")
    values, indices = adaptive_max_pool(input, size)
    return (values, indices) if return_indices else values


@composite(public=(FUNCTIONAL,), samples=adaptive_samples(3))
def adaptive_max_pool3d(input, output_size, return_indices=False):
    """adaptive_max_pool3d(input, output_size, return_indices=False) -> Tensor

    The largest of each of the parts into which output_size divides the volume. (PyTorch: F.adaptive_max_pool3d)
    """
    size = adaptive_size("adaptive_max_pool3d", 3, input, output_size)
    refuse_dtype("adaptive_max_pool3d", input, "biu")
    values, indices = adaptive_max_pool(input, size)
    return (values, indices) if return_indices else values


@composite(public=(FUNCTIONAL,), samples=adaptive_samples(1))
def adaptive_max_pool1d_with_indices(input, output_size, return_indices=False):
    """adaptive_max_pool1d_with_indices(input, output_size, return_indices=False) -> (Tensor, Tensor)

    `adaptive_max_pool1d` with return_indices=True, whatever is given. (PyTorch: F.adaptive_max_pool1d_with_indices)
    """
    return adaptive_max_pool1d(input, output_size, True)


@composite(public=(FUNCTIONAL,), samples=adaptive_samples(2))
def adaptive_max_pool2d_with_indices(input, output_size, return_indices=False):
    """adaptive_max_pool2d_with_indices(input, output_size, return_indices=False) -> (Tensor, Tensor)

    `adaptive_max_pool2d` with return_indices=True, whatever is given. (PyTorch: F.adaptive_max_pool2d_with_indices)
    """
    return adaptive_max_pool2d(input, output_size, True)


@composite(public=(FUNCTIONAL,), samples=adaptive_samples(3))
def adaptive_max_pool3d_with_indices(input, output_size, return_indices=False):
    """adaptive_max_pool3d_with_indices(input, output_size, return_indices=False) -> (Tensor, Tensor)

    `adaptive_max_pool3d` with return_indices=True, whatever is given. (PyTorch: F.adaptive_max_pool3d_with_indices)
    """
    return adaptive_max_pool3d(input, output_size, True)
