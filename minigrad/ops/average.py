"""Average pooling of signals, images and volumes, and power means, which are made of it.

Each average has its transpose as its gradient, and that the average as its own. A signal (N, C, L) is pooled as an
image of one row.
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math

import numpy as np

from minigrad.kernels import average as kernels
from minigrad.ops.pool import adaptive_samples, as_floats, pool_samples
from minigrad.registry import FUNCTION, FUNCTIONAL, Op, composite, helper
from minigrad.samples import S, of
from minigrad.shapes import index_of, pair


class avg_pool(Op):
    """The mean of each window; called by `avg_pool1d`, `avg_pool2d` and `avg_pool3d`."""

    public, fresh = (), True

    def symbol(node):
        return f"avg_pool{len(node.attrs[0])}d"

    def backward_name(node):
        return f"AvgPool{len(node.attrs[0])}DBackward0"

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


@helper
def average(count, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override):
    """The averages over windows of `count` dimensions."""
    op = f"avg_pool{count}d"
    window, stride, padding, _ = pool_window(op, count, input, kernel_size, stride, padding, 1, ceil_mode)
    if divisor_override is not None:
        divisor_override = index_of(divisor_override, op, "divisor_override")
    if divisor_override == 0:
        raise RuntimeError(f"{op}(): divisor must be not zero, but got divisor_override=0")
    refuse_dtype(op, input, "b" if np_dtype(input) == np.int64 else "biu")
    return avg_pool(input, window, stride, padding, bool(ceil_mode), bool(count_include_pad), divisor_override)


@composite(public=(FUNCTION, FUNCTIONAL), samples=pool_samples(1))
def avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True) -> Tensor

    The mean of each window of (N, C, L) or (C, L); padding counts as zeros unless count_include_pad is False.
    (PyTorch: F.avg_pool1d)
    """
    row = pool_row(input, "avg_pool1d")
    window, stride, padding, _ = pool_window("avg_pool1d", 1, input, kernel_size, stride, padding, 1, ceil_mode)
    return squeeze(average(2, row, (1, *window), (1, *stride), (0, *padding), ceil_mode, count_include_pad, None), -2)


@composite(public=(FUNCTIONAL,), samples=pool_samples(2, count_include_pad=False))
def avg_pool2d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """avg_pool2d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
    divisor_override=None) -> Tensor

    The mean of each window of (N, C, H, W) or (C, H, W); padding counts as zeros unless count_include_pad is False.
    divisor_override: divide the sums by this instead. (PyTorch: F.avg_pool2d)
    """
    return average(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


@composite(public=(FUNCTIONAL,), samples=pool_samples(3, divisor_override=3))
def avg_pool3d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """avg_pool3d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
    divisor_override=None) -> Tensor

    The mean of each window of (N, C, D, H, W) or (C, D, H, W). Arguments as `avg_pool2d`. (PyTorch: F.avg_pool3d)
    """
    return average(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


class adaptive_average(Op):
    """Means of the parts into which output_size divides the last dimensions; called by `adaptive_avg_pool1d` etc."""

    public, fresh = (), True

    def symbol(node):
        return f"adaptive_avg_pool{len(node.attrs[0])}d"

    def backward_name(node):
        return f"AdaptiveAvgPool{len(node.attrs[0])}DBackward0"

    def forward(input, /, output_size):
        return kernels.adaptive_avg_pool2d(input, output_size)

    def grad_input(g, input_shape, output_size):
        return adaptive_spread(g, input_shape, output_size)


class adaptive_spread(Op):
    """The gradient of `adaptive_average`."""

    public, fresh = (), True

    def forward(input, /, shape, output_size):
        return kernels.adaptive_avg_pool2d_backward(input, tuple(shape), output_size)

    def grad_input(g, output_size):
        return adaptive_average(g, output_size)


@composite(public=(FUNCTION, FUNCTIONAL), samples=adaptive_samples(1))
def adaptive_avg_pool1d(input, output_size):
    """adaptive_avg_pool1d(input, output_size) -> Tensor

    Means of windows that divide (N, C, L) or (C, L) into output_size parts. (PyTorch: F.adaptive_avg_pool1d)
    """
    size = adaptive_size("adaptive_avg_pool1d", 1, input, output_size)
    if input.shape[0]:  # PyTorch looks at the dtype only where there is something to add up
        refuse_dtype("adaptive_avg_pool1d", input, "biu")
    return squeeze(adaptive_average(unsqueeze(input, -2), (1, *size)), -2)


@composite(public=(FUNCTIONAL,), samples=adaptive_samples(2))
def adaptive_avg_pool2d(input, output_size):
    """adaptive_avg_pool2d(input, output_size) -> Tensor

    Means of windows that divide the image into output_size (an int or two; None: as the input) parts.
    (PyTorch: F.adaptive_avg_pool2d)
    """
    size = adaptive_size("adaptive_avg_pool2d", 2, input, output_size)
    refuse_dtype("adaptive_avg_pool2d", input, "biu")
    return adaptive_average(input, size)


@composite(public=(FUNCTIONAL,), samples=adaptive_samples(3))
def adaptive_avg_pool3d(input, output_size):
    """adaptive_avg_pool3d(input, output_size) -> Tensor

    Means of windows that divide the volume into output_size (an int or three; None: as the input) parts.
    (PyTorch: F.adaptive_avg_pool3d)
    """
    size = adaptive_size("adaptive_avg_pool3d", 3, input, output_size)
    refuse_dtype("adaptive_avg_pool3d", input, "biu")
    return adaptive_average(input, size)


def power_samples(count):
    """Positive numbers: powers of negative ones have no gradient worth comparing."""
    size = (5, 4, 3)[:count]
    return of(
        lambda make: S(make(1, 2, *size, low=0.5), 2, 2),
        lambda make: S(make(1, *size, low=0.5), 3.0, 2, stride=2, ceil_mode=True),
        lambda make: S(make(1, 2, *size), float("inf"), 2),
    )


@helper
def power_pool(count, input, norm_type, kernel_size, stride, ceil_mode):
    """Power means of `count` dimensions, times the number of entries: the p-norm of each window."""
    pool, largest = average_pools()[count - 1], max_pools()[count - 1]
    if norm_type == math.inf:
        return largest(abs(input), kernel_size, stride, 0, 1, ceil_mode)
    if norm_type == -math.inf:
        return -largest(-abs(input), kernel_size, stride, 0, 1, ceil_mode)
    entries = math.prod(pair(kernel_size, f"lp_pool{count}d", "kernel_size", count))
    mean_ = pool(input**norm_type, kernel_size, stride, 0, ceil_mode)
    return (sign(mean_) * relu(abs(mean_)) * entries) ** (1.0 / norm_type)


@helper
def average_pools():
    return avg_pool1d, avg_pool2d, avg_pool3d


@helper
def max_pools():
    return max_pool1d, max_pool2d, max_pool3d


@composite(public=(FUNCTIONAL,), samples=power_samples(1))
def lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False) -> Tensor

    The p-norm of each window of (N, C, L) or (C, L), p = norm_type: ``(sum of x ** p) ** (1 / p)``.
    (PyTorch: F.lp_pool1d)
    """
    return power_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


@composite(public=(FUNCTIONAL,), samples=power_samples(2))
def lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False) -> Tensor

    The p-norm of each window of (N, C, H, W) or (C, H, W), p = norm_type. (PyTorch: F.lp_pool2d)
    """
    return power_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


@composite(public=(FUNCTIONAL,), samples=power_samples(3))
def lp_pool3d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """lp_pool3d(input, norm_type, kernel_size, stride=None, ceil_mode=False) -> Tensor

    The p-norm of each window of (N, C, D, H, W) or (C, D, H, W), p = norm_type. (PyTorch: F.lp_pool3d)
    """
    return power_pool(3, input, norm_type, kernel_size, stride, ceil_mode)
