"""The inverse of maximum pooling: numbers put back to the places they came from, zeros elsewhere."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math

import numpy as np

from minigrad.errors import shape_text
from minigrad.ops.pool import flat_planes
from minigrad.registry import FUNCTIONAL, Op, composite, helper, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import pair


class place_pool(Op):
    """Zeros with each number written at its place, the last one where several name the same; called by `max_unpool1d`
    and its fellows."""

    public, fresh, symbol = (), True, "max_unpool"

    def backward_name(node):
        return f"MaxUnpool{max(len(node.attrs[0]), 2)}DBackward0"

    def forward(input, indices, /, image):
        count, size = len(image), math.prod(image)
        places = flat_planes(indices, count)
        if places.size and (places.min() < 0 or places.max() >= size):
            wrong = places.min() if places.min() < 0 else places.max()
            raise RuntimeError(
                f"Found an invalid max index: {wrong} (output volumes are of size {'x'.join(map(str, image))})"
            )
        lead = input.shape[:-count]
        made = np.zeros((*lead, 1, size), input.dtype)
        np.put_along_axis(made, places, flat_planes(input, count), -1)
        return made.reshape(*lead, *image)

    def grad_input(g, indices, image):
        return gather_pool(g, indices, len(image))


@helper
def unpool(count, input, indices, kernel_size, stride, padding, output_size):
    """The inverse of a pooling over the last `count` dimensions."""
    op = f"max_unpool{count}d"
    window = pair(kernel_size, op, "kernel_size", count)
    stride = window if stride is None else pair(stride, op, "stride", count)
    padding = pair(padding, op, "padding", count)
    check_unpool(op, count, input, indices)
    image = unpooled_size(op, input.shape[-count:], window, stride, padding, output_size)
    refuse_dtype(op, input, "biu")
    return place_pool(input, indices, image)


@on_every_path("check_unpool")
def check_unpool(op, count, input, indices):
    if str(indices.dtype).removeprefix("torch.") != "int64":
        raise RuntimeError(f"{op}(): elements in indices should be type int64 but got: {indices.dtype}")
    if input.ndim not in (count + 1, count + 2):
        raise RuntimeError(
            f"{op}(): Input to max_unpooling{count}d should be a {count + 1}d or {count + 2}d Tensor, but got "
            f"{shape_text(input.shape)}"
        )
    if tuple(input.shape) != tuple(indices.shape):
        raise RuntimeError(
            f"{op}(): Expected shape of indices to be same as that of the input tensor ({shape_text(input.shape)}) but "
            f"got indices tensor with shape: {shape_text(indices.shape)}"
        )
    if not all(input.shape[1:]):
        raise RuntimeError(
            f"{op}(): Expected input to have non-zero size for non-batch dimensions, but got {shape_text(input.shape)}"
        )


@on_every_path("unpooled_size")
def unpooled_size(op, image, window, stride, padding, wanted):
    """The size of what was pooled: `wanted`, checked, or the smallest that the pooling's settings allow."""
    plain = [(n - 1) * s + k - 2 * p for n, k, s, p in zip(image, window, stride, padding, strict=True)]
    if wanted is None:
        size = tuple(plain)
    else:
        size = tuple(wanted)[2:] if len(wanted) == len(window) + 2 else tuple(wanted)
        if len(size) != len(window):
            raise ValueError(
                f"{op}(): output_size should be a sequence containing {len(window)} or {len(window) + 2} elements, but "
                f"it has a length of '{len(size)}'"
            )
        for d, (n, least, s) in enumerate(zip(size, plain, stride, strict=True)):
            if not least - s < n < least + s:
                raise ValueError(
                    f'{op}(): invalid output_size "{size}" (dim {d} must be between {least - s} and {least + s})'
                )
    if min(size) < 0:
        raise ValueError(
            f"{op}(): output_size must contain non-negative spatial dimensions, but got output_size {list(size)}"
        )
    return size


@composite(public=(FUNCTIONAL,), samples=of(lambda make: S(make(1, 2, 3), np.array([[[0, 3, 5], [1, 2, 4]]]), 2)))
def max_unpool1d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """max_unpool1d(input, indices, kernel_size, stride=None, padding=0, output_size=None) -> Tensor

    Zeros with the numbers of (N, C, L) or (C, L) at the places that `max_pool1d` returned as indices. output_size: the
    size of what was pooled, where the settings leave it open. (PyTorch: F.max_unpool1d)
    """
    return unpool(1, input, indices, kernel_size, stride, padding, output_size)


@composite(
    public=(FUNCTIONAL,),
    samples=of(
        lambda make: S(make(1, 1, 2, 2), np.array([[[[0, 3], [9, 14]]]]), 2),
        lambda make: S(make(1, 2, 1), np.array([[[4], [7]]]), (2, 3), output_size=(4, 4)),
    ),
)
def max_unpool2d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """max_unpool2d(input, indices, kernel_size, stride=None, padding=0, output_size=None) -> Tensor

    Zeros with the numbers of (N, C, H, W) or (C, H, W) at the places that `max_pool2d` returned as indices.
    output_size: the size of what was pooled, where the settings leave it open. (PyTorch: F.max_unpool2d)
    """
    return unpool(2, input, indices, kernel_size, stride, padding, output_size)


@composite(public=(FUNCTIONAL,), samples=of(lambda make: S(make(1, 1, 1, 1, 2), np.array([[[[[5, 10]]]]]), 2)))
def max_unpool3d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """max_unpool3d(input, indices, kernel_size, stride=None, padding=0, output_size=None) -> Tensor

    Zeros with the numbers of (N, C, D, H, W) or (C, D, H, W) at the places that `max_pool3d` returned as indices.
    output_size: the size of what was pooled, where the settings leave it open. (PyTorch: F.max_unpool3d)
    """
    return unpool(3, input, indices, kernel_size, stride, padding, output_size)
