"""Convolution of images.  The three kernels are one another's derivatives: the family is closed under differentiation.

y = convolution(x, w)      dx = convolution_input(g, w)      dw = convolution_weight(g, x)
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

from minigrad.errors import shape_text
from minigrad.kernels import conv as kernels
from minigrad.registry import FUNCTION, FUNCTIONAL, Op, composite, on_every_path
from minigrad.samples import S
from minigrad.shapes import pair


class convolution(Op):
    """Cross-correlation of (N, C, H, W) with (O, C/groups, KH, KW); called by `conv2d`, which documents it."""

    public, fresh, optional, symbol = (), True, ("bias",), "conv2d"

    def forward(input, weight, bias, /, stride, padding, dilation, groups):
        return kernels.conv2d_forward(input, weight, bias, stride, padding, dilation, groups)

    def grad_input(g, weight, input_shape, stride, padding, dilation, groups):
        return convolution_input(g, weight, input_shape, stride, padding, dilation, groups)

    def grad_weight(g, input, weight_shape, stride, padding, dilation, groups):
        return convolution_weight(g, input, weight_shape, stride, padding, dilation, groups)

    def grad_bias(g):
        return sum(g, (0, 2, 3))


class convolution_input(Op):
    """The derivative of a convolution by its input: the transposed convolution."""

    public, fresh = (), True

    def forward(grad, weight, /, shape, stride, padding, dilation, groups):
        return kernels.conv2d_input(grad, weight, tuple(shape), stride, padding, dilation, groups)

    def grad_grad(g, weight, stride, padding, dilation, groups):
        return convolution(g, weight, None, stride, padding, dilation, groups)

    def grad_weight(g, grad, weight_shape, stride, padding, dilation, groups):
        return convolution_weight(grad, g, weight_shape, stride, padding, dilation, groups)


class convolution_weight(Op):
    """The derivative of a convolution by its weight."""

    public, fresh = (), True

    def forward(grad, input, /, shape, stride, padding, dilation, groups):
        return kernels.conv2d_weight(grad, input, tuple(shape), stride, padding, dilation, groups)

    def grad_grad(g, input, stride, padding, dilation, groups):
        return convolution(input, g, None, stride, padding, dilation, groups)

    def grad_input(g, grad, input_shape, stride, padding, dilation, groups):
        return convolution_input(grad, g, input_shape, stride, padding, dilation, groups)


def samples(make):
    """A plain one, one with every setting, and an unbatched one with padding by name."""
    yield S(make(2, 3, 6, 5), make(4, 3, 3, 3), make(4))
    yield S(make(2, 4, 6, 7), make(6, 2, 3, 2), None, stride=(2, 1), padding=1, dilation=(1, 2), groups=2)
    yield S(make(3, 5, 5), make(2, 3, 2, 2), padding="same")


@composite(public=(FUNCTION, FUNCTIONAL), samples=samples)
def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> Tensor

    Cross-correlation. input (N, C, H, W) or (C, H, W), weight (O, C/groups, KH, KW), bias (O); output (N, O, OH, OW)
    with ``OH = (H + 2 padding - dilation (KH - 1) - 1) // stride + 1``. padding may be 'valid' or 'same' (stride 1).
    (PyTorch: F.conv2d)
    """
    if input.ndim == 3:
        return squeeze(conv2d(unsqueeze(input, 0), weight, bias, stride, padding, dilation, groups), 0)
    stride, dilation = pair(stride, "conv2d", "stride"), pair(dilation, "conv2d", "dilation")
    check_conv(input, weight, bias, groups)
    if isinstance(padding, str):
        padding, extra = named_padding(padding, weight.shape[2:], stride, dilation)
        if extra != (0, 0):
            input = pad(input, (0, extra[1], 0, extra[0]))
    padding = pair(padding, "conv2d", "padding")
    check_window(input.shape, weight.shape, stride, padding, dilation)
    return convolution(input, weight, bias, stride, padding, dilation, groups)


@on_every_path("named_padding")
def named_padding(name, window, stride, dilation):
    """'valid' and 'same' as (padding on both sides, extra padding at the end)."""
    if name == "valid":
        return (0, 0), (0, 0)
    if name != "same":
        raise RuntimeError(f"conv2d(): Invalid padding string: {name!r}, should be one of 'valid', 'same'")
    if stride != (1, 1):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    total = [d * (k - 1) for d, k in zip(dilation, window, strict=True)]
    return tuple([n // 2 for n in total]), tuple([n % 2 for n in total])


@on_every_path("check_conv")
def check_conv(input, weight, bias, groups):
    if input.ndim != 4:
        raise RuntimeError(
            f"Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: {shape_text(input.shape)}"
        )
    if weight.ndim != 4:
        raise RuntimeError(
            f"conv2d(): expected a 4-dimensional weight (O, C/groups, KH, KW), but got {shape_text(weight.shape)}"
        )
    if input.dtype != weight.dtype:
        raise RuntimeError(f"Input type ({input.dtype}) and weight type ({weight.dtype}) should be the same")
    if groups < 1 or weight.shape[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of "
            f"size {shape_text(weight.shape)} instead"
        )
    if input.shape[1] != weight.shape[1] * groups:
        raise RuntimeError(
            f"Given groups={groups}, weight of size {shape_text(weight.shape)}, expected "
            f"input{shape_text(input.shape)} to have {weight.shape[1] * groups} channels, but got {input.shape[1]} "
            "channels instead"
        )
    if bias is not None and tuple(bias.shape) != (weight.shape[0],):
        raise RuntimeError(
            f"Given weight of size {shape_text(weight.shape)}, expected bias to be 1-dimensional with "
            f"{weight.shape[0]} elements, but got bias of size {shape_text(bias.shape)} instead"
        )


@on_every_path("check_window")
def check_window(image, weight, stride, padding, dilation):
    if 0 in stride or min(*stride, *dilation) < 1:
        raise RuntimeError("conv2d(): non-positive stride or dilation is not supported")
    if min(padding) < 0:
        raise RuntimeError("conv2d(): negative padding is not supported")
    padded = [n + 2 * p for n, p in zip(image[2:], padding, strict=True)]
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, weight[2:], strict=True)]
    if any(n < r for n, r in zip(padded, reach, strict=True)):
        raise RuntimeError(
            f"Calculated padded input size per channel: ({padded[0]} x {padded[1]}). Kernel size: ({reach[0]} x "
            f"{reach[1]}). Kernel size can't be greater than actual input size"
        )
