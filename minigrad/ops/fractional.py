"""Fractional maximum pooling: windows at places drawn at random, so that sizes shrink by any factor (Graham 2014)."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math

import numpy as np

from minigrad.errors import shape_text
from minigrad.registry import FUNCTIONAL, Op, composite, helper, on_every_path
from minigrad.shapes import pair


class fractional_max_pool(Op):
    """The largest of each window, and its place; called by `fractional_max_pool2d` and its fellows."""

    public, nout, aux = (), 2, ("indices",)

    def symbol(node):
        return f"fractional_max_pool{len(node.attrs[0])}d"

    def backward_name(node):
        return f"FractionalMaxPool{len(node.attrs[0])}DBackward0"

    def forward(input, samples, /, window, size):
        count, lead = len(size), input.shape[: -len(size)]
        image = input.shape[-count:]
        flat = np.zeros((*lead, *[1] * (2 * count)), np.int64)  # (..., output places, places in the window)
        for axis, (n, out, reach) in enumerate(zip(image, size, window, strict=True)):
            which = axis if count == 3 else 1 - axis  # PyTorch's order: x before y, but depth before both
            starts = window_starts(samples[..., which].reshape(lead), n, out, reach)
            places = starts[..., None] + np.arange(reach)
            shape = [*lead, *[1] * (2 * count)]
            shape[len(lead) + axis], shape[len(lead) + count + axis] = out, reach
            flat = flat * n + places.reshape(shape)
        flat = flat.reshape(*lead, math.prod(size), math.prod(window))
        values = np.take_along_axis(input.reshape(*lead, 1, math.prod(image)), flat, -1)
        best = values.argmax(-1)[..., None]
        values, indices = (np.take_along_axis(each, best, -1).reshape(*lead, *size) for each in (values, flat))
        return values, indices

    def grad_input(g, indices, input_shape, size):
        return scatter_pool(g, indices, input_shape, len(size))


def window_starts(sample, n, out, reach):
    """Where the windows of each plane begin along an axis: steps of two sizes in an order that `sample` decides."""
    starts = np.full((*sample.shape, out), n - reach, np.int64)
    if out > 1:
        step = sample.dtype.type(n - reach) / sample.dtype.type(out - 1)
        at = np.arange(out - 1, dtype=sample.dtype)
        sample = sample[..., None]
        starts[..., :-1] = ((at + sample) * step).astype(np.int64) - (sample * step).astype(np.int64)
    return starts


@helper
def pool_by_fractions(count, input, kernel_size, output_size, output_ratio, samples):
    """Fractional pooling over the last `count` dimensions: values and places."""
    op = f"fractional_max_pool{count}d"
    tensors_only(op, input=input)
    window = pair(kernel_size, op, "kernel_size", count)
    size = fractional_size(op, count, input, window, output_size, output_ratio)
    refuse_dtype(op, input, "biu")
    planes = (*([1] if input.ndim == count + 1 else []), *input.shape[:-count], count)
    if samples is None:
        samples = zeros_of(planes, np_dtype(input)).uniform_()
    check_fractions(op, input, samples, planes)
    return fractional_max_pool(input, samples, window, size)


@on_every_path("fractional_size")
def fractional_size(op, count, input, window, output_size, output_ratio):
    """The output size that is given or follows from the ratio, checked."""
    if output_size is None and output_ratio is None:
        raise ValueError(f"{op} requires specifying either an output_size or an output_ratio")
    if input.ndim not in (count + 1, count + 2) or not all(input.shape[-count - 1 :]):
        raise RuntimeError(
            f"{op}(): Expected {count + 1}D or {count + 2}D tensor with non-zero sizes but for the batch, but got: "
            f"{shape_text(input.shape)}"
        )
    image = input.shape[-count:]
    if output_size is None:
        ratios = tuple(output_ratio) if isinstance(output_ratio, tuple | list) else (output_ratio,) * count
        if len(ratios) != count:
            raise ValueError(f"{op}(): output_ratio must be one number or {count}, but got {output_ratio}")
        size = tuple([int(n * ratio) for n, ratio in zip(image, ratios, strict=True)])
    else:
        size = pair(output_size, op, "output_size", count)
    most = [n - w + (count == 2) for n, w in zip(image, window, strict=True)]  # PyTorch asks for one more in volumes
    if min(window) < 1 or min(size) < 0 or any(o > n for o, n in zip(size, most, strict=True)):
        raise RuntimeError(
            f"{op}(): pool size {list(window)} and output size {list(size)} do not fit the input's {list(image)}: "
            f"the output may be as large as {most}"
        )
    return size


@on_every_path("check_fractions")
def check_fractions(op, input, samples, planes):
    """The random numbers: one per plane and dimension."""
    if samples.dtype != input.dtype:
        raise RuntimeError(f"Expect _random_samples to have the same dtype as input in {op}(), got {samples.dtype}")
    if tuple(samples.shape) != planes:
        raise RuntimeError(
            f"{op}(): Expect _random_samples of shape {shape_text(planes)}, but got {shape_text(samples.shape)}"
        )


@composite(public=(FUNCTIONAL,))
def fractional_max_pool2d_with_indices(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None
):
    """fractional_max_pool2d_with_indices(input, kernel_size, output_size=None, output_ratio=None,
    return_indices=False, _random_samples=None) -> (Tensor, Tensor)

    `fractional_max_pool2d` with return_indices=True, whatever is given.
    (PyTorch: F.fractional_max_pool2d_with_indices)
    """
    return pool_by_fractions(2, input, kernel_size, output_size, output_ratio, _random_samples)


@composite(public=(FUNCTIONAL,))
def fractional_max_pool2d(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None
):
    """fractional_max_pool2d(input, kernel_size, output_size=None, output_ratio=None, return_indices=False,
    _random_samples=None) -> Tensor

    The largest of each window of (N, C, H, W) or (C, H, W), the windows lying at steps of two sizes in random order so
    that output_size (or output_ratio, between 0 and 1, of the input's size) is met. _random_samples: numbers in [0, 1)
    of shape (N, C, 2) to be used instead of drawn ones. return_indices: also the flat places in each plane.
    (Graham 2014; PyTorch: F.fractional_max_pool2d)
    """
    values, indices = pool_by_fractions(2, input, kernel_size, output_size, output_ratio, _random_samples)
    return (values, indices) if return_indices else values


@composite(public=(FUNCTIONAL,))
def fractional_max_pool3d_with_indices(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None
):
    """fractional_max_pool3d_with_indices(input, kernel_size, output_size=None, output_ratio=None,
    return_indices=False, _random_samples=None) -> (Tensor, Tensor)

    `fractional_max_pool3d` with return_indices=True, whatever is given.
    (PyTorch: F.fractional_max_pool3d_with_indices)
    """
    return pool_by_fractions(3, input, kernel_size, output_size, output_ratio, _random_samples)


@composite(public=(FUNCTIONAL,))
def fractional_max_pool3d(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None
):
    """fractional_max_pool3d(input, kernel_size, output_size=None, output_ratio=None, return_indices=False,
    _random_samples=None) -> Tensor

    The largest of each window of (N, C, D, H, W) or (C, D, H, W). Arguments as `fractional_max_pool2d`.
    (Graham 2014; PyTorch: F.fractional_max_pool3d)
    """
    values, indices = pool_by_fractions(3, input, kernel_size, output_size, output_ratio, _random_samples)
    return (values, indices) if return_indices else values
