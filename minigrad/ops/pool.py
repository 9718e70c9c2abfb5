"""Pooling of images: the largest, the smallest or the mean of each window.

Maximum and minimum hand their gradient to the place they came from; that and its derivative (`gather_pool`) are each
other's, so the family is closed under differentiation.  MinPool is ours: PyTorch has none.
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.

import numpy as np

from minigrad.errors import shape_text
from minigrad.kernels import pool as kernels
from minigrad.registry import FUNCTIONAL, Op, composite, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import pair


@on_every_path("pool_window")
def pool_window(op, input, kernel_size, stride, padding, dilation=1):
    """The settings of a pooling as pairs, checked."""
    if input.ndim not in (3, 4):
        raise RuntimeError(
            f"{op}(): Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got: "
            f"{shape_text(input.shape)}"
        )
    window = pair(kernel_size, op, "kernel_size")
    stride = window if stride is None or stride == [] else pair(stride, op, "stride")
    padding, dilation = pair(padding, op, "padding"), pair(dilation, op, "dilation")
    if min(window) < 1 or min(stride) < 1 or min(dilation) < 1:
        raise RuntimeError(
            f"{op}(): kernel size, stride and dilation should be greater than zero, but got kernel {list(window)}, "
            f"stride {list(stride)}, dilation {list(dilation)}"
        )
    if any(p < 0 or 2 * p > w for p, w in zip(padding, window, strict=True)):
        raise RuntimeError(
            f"{op}(): pad should be at most half of effective kernel size, but got padding {list(padding)} and kernel "
            f"{list(window)}"
        )
    sizes = [
        (n + 2 * p - d * (w - 1) - 1) // s + 1
        for n, p, d, w, s in zip(input.shape[-2:], padding, dilation, window, stride, strict=True)
    ]
    if min(sizes) < 1:
        raise RuntimeError(
            f"Given input size: {shape_text(input.shape)}. Calculated output size: {shape_text(sizes)}. Output size is "
            f"too small: {op}()'s window {list(window)} does not fit"
        )
    return window, stride, padding, dilation


def as_floats(images):
    """The kernels are of floats; the integers below 2**53 are among the float64."""
    return images if images.dtype.kind == "f" else images.astype(np.float64)


class max_pool(Op):
    """The largest of each window, and its place; called by `max_pool2d`."""

    public, nout, aux = (), 2, ("indices",)
    symbol, backward_name = "max_pool2d", "MaxPool2DWithIndicesBackward0"

    def forward(input, /, window, stride, padding, dilation, ceil_mode):
        values, places = kernels.max_pool2d(as_floats(input), window, stride, padding, dilation, ceil_mode)
        return values.astype(input.dtype, copy=False), places

    def grad_input(g, indices, input_shape):
        return scatter_pool(g, indices, input_shape)


class scatter_pool(Op):
    """Zeros of a given shape with each number added at its place: the gradient of a pooling by places."""

    public, fresh = (), True

    def forward(input, indices, /, shape):
        return kernels.max_pool2d_backward(input, indices, tuple(shape))

    def grad_input(g, indices):
        return gather_pool(g, indices)


class gather_pool(Op):
    """The numbers at the places a pooling chose."""

    public, fresh = (), True

    def forward(input, indices, /):
        return kernels.gather_pool(input, indices)

    def grad_input(g, indices, input_shape):
        return scatter_pool(g, indices, input_shape)


POOL_SAMPLES = of(
    lambda make: S(make(2, 3, 6, 7), 2),
    lambda make: S(make(2, 6, 7), (3, 2), stride=(2, 1), padding=1),
    lambda make: S(make(1, 2, 7, 7), 3, 2, ceil_mode=True),
)


@composite(public=(FUNCTIONAL,), samples=POOL_SAMPLES)
def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False)
    -> Tensor

    The largest of each window of (N, C, H, W) or (C, H, W); stride None is the window. The first of equal maxima gets
    the gradient. return_indices: also the flat places in each H*W plane. (PyTorch: F.max_pool2d)
    """
    window = pool_window("max_pool2d", input, kernel_size, stride, padding, dilation)
    values, indices = max_pool(input, *window, ceil_mode)
    return (values, indices) if return_indices else values


@composite(public=(FUNCTIONAL,), samples=POOL_SAMPLES, torch="")
def min_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """min_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False) -> Tensor

    The smallest of each window: ``-max_pool2d(-input)``. Arguments as `max_pool2d`.
    (Ours; PyTorch has no such function.)
    """
    return -max_pool2d(-input, kernel_size, stride, padding, dilation, ceil_mode)


class avg_pool(Op):
    """The mean of each window; called by `avg_pool2d`."""

    public, fresh, symbol, backward_name = (), True, "avg_pool2d", "AvgPool2DBackward0"

    def forward(input, /, window, stride, padding, ceil_mode, count_include_pad, divisor_override):
        settings = (window, stride, padding, ceil_mode, count_include_pad, divisor_override)
        return kernels.avg_pool2d(as_floats(input), *settings).astype(input.dtype, copy=False)

    def grad_input(g, input_shape, window, stride, padding, ceil_mode, count_include_pad, divisor_override):
        return avg_unpool(g, input_shape, window, stride, padding, ceil_mode, count_include_pad, divisor_override)


class avg_unpool(Op):
    """The gradient of `avg_pool`: each number spread over its window."""

    public, fresh = (), True

    def forward(input, /, shape, window, stride, padding, ceil_mode, count_include_pad, divisor_override):
        settings = (window, stride, padding, ceil_mode, count_include_pad, divisor_override)
        return kernels.avg_pool2d_backward(input, tuple(shape), *settings)

    def grad_input(g, window, stride, padding, ceil_mode, count_include_pad, divisor_override):
        return avg_pool(g, window, stride, padding, ceil_mode, count_include_pad, divisor_override)


@composite(
    public=(FUNCTIONAL,),
    samples=of(
        lambda make: S(make(2, 3, 6, 7), 2),
        lambda make: S(make(2, 6, 7), (3, 2), stride=(2, 1), padding=1),
        lambda make: S(make(1, 2, 7, 7), 3, 2, 1, ceil_mode=True, count_include_pad=False),
    ),
)
def avg_pool2d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """avg_pool2d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
    divisor_override=None) -> Tensor

    The mean of each window of (N, C, H, W) or (C, H, W); padding counts as zeros unless count_include_pad is False.
    (PyTorch: F.avg_pool2d)
    """
    window, stride, padding, _ = pool_window("avg_pool2d", input, kernel_size, stride, padding)
    if divisor_override == 0:
        raise RuntimeError("avg_pool2d(): divisor must be not zero")
    return avg_pool(input, window, stride, padding, ceil_mode, count_include_pad, divisor_override)


@on_every_path("adaptive_size")
def adaptive_size(op, input, output_size):
    if input.ndim not in (3, 4):
        raise RuntimeError(f"{op}(): Expected 3D or 4D tensor, but got {shape_text(input.shape)}")
    size = output_size if isinstance(output_size, tuple | list) else (output_size, output_size)
    return tuple([n if s is None else int(s) for s, n in zip(size, input.shape[-2:], strict=True)])


class adaptive_avg_pool2d(Op):
    """adaptive_avg_pool2d(input, output_size) -> Tensor

    Means of windows that divide the image into output_size (an int or two; None: as the input) parts.
    (PyTorch: F.adaptive_avg_pool2d)
    """

    public, fresh, backward_name = (FUNCTIONAL,), True, "AdaptiveAvgPool2DBackward0"

    def prepare(input, output_size):
        return input, adaptive_size("adaptive_avg_pool2d", input, output_size)

    def forward(input, /, output_size):
        return kernels.adaptive_avg_pool2d(input, output_size)

    def grad_input(g, input_shape):
        return adaptive_avg_unpool(g, input_shape)

    samples = of(lambda make: S(make(2, 3, 6, 7), (3, 2)), lambda make: S(make(2, 5, 5), 1))


class adaptive_avg_unpool(Op):
    """The gradient of `adaptive_avg_pool2d`."""

    public, fresh = (), True

    def forward(input, /, shape):
        return kernels.adaptive_avg_pool2d_backward(input, tuple(shape))

    def grad_input(g, input_shape):
        return adaptive_avg_pool2d(g, input_shape[-2:])


class adaptive_max_pool(Op):
    """The largest of each part, and its place; called by `adaptive_max_pool2d`."""

    public, nout, aux, backward_name = (), 2, ("indices",), "AdaptiveMaxPool2DBackward0"

    def forward(input, /, output_size):
        return kernels.adaptive_max_pool2d(input, output_size)

    def grad_input(g, indices, input_shape):
        return scatter_pool(g, indices, input_shape)


@composite(public=(FUNCTIONAL,), samples=of(lambda make: S(make(2, 3, 6, 7), (3, 2)), lambda make: S(make(2, 5, 5), 1)))
def adaptive_max_pool2d(input, output_size, return_indices=False):
    """adaptive_max_pool2d(input, output_size, return_indices=False) -> Tensor

    The largest of each of the parts into which output_size divides the image. (PyTorch: F.adaptive_max_pool2d)
    """
    values, indices = adaptive_max_pool(input, adaptive_size("adaptive_max_pool2d", input, output_size))
    return (values, indices) if return_indices else values
