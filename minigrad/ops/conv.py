"""Convolution of signals, images and volumes.  The three kernels are one another's derivatives, so the family is closed
under differentiation:

y = convolution(x, w)      dx = convolution_input(g, w)      dw = convolution_weight(g, x)

A transposed convolution is `convolution_input` by another name. A signal (N, C, L) is computed as an image of one row.
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad.errors import shape_text
from minigrad.kernels import conv as kernels
from minigrad.ops.window import refuse_dtype
from minigrad.registry import FUNCTION, FUNCTIONAL, Op, composite, helper, np_dtype, on_every_path
from minigrad.samples import S
from minigrad.shapes import pair


class convolution(Op):
    """Cross-correlation of (N, C, ...) with (O, C/groups, ...); called by `conv1d`, `conv2d` and `conv3d`."""

    public, fresh, optional = (), True, ("bias",)

    def symbol(node):
        return f"conv{len(node.attrs[0])}d"

    def forward(input, weight, bias, /, stride, padding, dilation, groups):
        if input.ndim > 3:
            return kernels.conv2d_forward(input, weight, bias, stride, padding, dilation, groups)
        settings = as_row(stride, padding, dilation)
        return kernels.conv2d_forward(input[:, :, None], weight[:, :, None], bias, *settings, groups)[:, :, 0]

    def grad_input(g, weight, input_shape, stride, padding, dilation, groups):
        return convolution_input(g, weight, None, input_shape, stride, padding, dilation, groups)

    def grad_weight(g, input, weight_shape, stride, padding, dilation, groups):
        return convolution_weight(g, input, weight_shape, stride, padding, dilation, groups)

    def grad_bias(g):
        return sum(g, all_but_channels(g.ndim))


class convolution_input(Op):
    """The derivative of a convolution by its input; with a bias, the transposed convolutions, which call it."""

    public, fresh, optional, backward_name = (), True, ("bias",), "ConvolutionBackward0"

    def symbol(node):
        return f"conv_transpose{len(node.attrs[1])}d"

    def forward(grad, weight, bias, /, shape, stride, padding, dilation, groups):
        if grad.ndim > 3:
            dx = kernels.conv2d_input(grad, weight, tuple(shape), stride, padding, dilation, groups)
        else:
            row = (*shape[:2], 1, shape[2])
            settings = as_row(stride, padding, dilation)
            dx = kernels.conv2d_input(grad[:, :, None], weight[:, :, None], row, *settings, groups)[:, :, 0]
        if bias is not None:
            dx += bias.reshape(-1, *[1] * (grad.ndim - 2))
        return dx

    def grad_grad(g, weight, stride, padding, dilation, groups):
        return convolution(g, weight, None, stride, padding, dilation, groups)

    def grad_weight(g, grad, weight_shape, stride, padding, dilation, groups):
        return convolution_weight(grad, g, weight_shape, stride, padding, dilation, groups)

    def grad_bias(g):
        return sum(g, all_but_channels(g.ndim))


class convolution_weight(Op):
    """The derivative of a convolution by its weight."""

    public, fresh = (), True

    def forward(grad, input, /, shape, stride, padding, dilation, groups):
        if grad.ndim > 3:
            return kernels.conv2d_weight(grad, input, tuple(shape), stride, padding, dilation, groups)
        row = (*shape[:2], 1, shape[2])
        settings = as_row(stride, padding, dilation)
        return kernels.conv2d_weight(grad[:, :, None], input[:, :, None], row, *settings, groups)[:, :, 0]

    def grad_grad(g, input, stride, padding, dilation, groups):
        return convolution(input, g, None, stride, padding, dilation, groups)

    def grad_input(g, grad, input_shape, stride, padding, dilation, groups):
        return convolution_input(grad, g, None, input_shape, stride, padding, dilation, groups)


on_every_path("all_but_channels")(lambda ndim: tuple([d for d in range(ndim) if d != 1]))


def as_row(stride, padding, dilation):
    """The settings of a signal's convolution for an image of one row."""
    return (1, *stride), (0, *padding), (1, *dilation)


def conv_samples(count):
    """A plain one, one with every setting, and an unbatched one with padding by name; of `count` dimensions."""

    def samples(make):
        size, window, stride = ((6,), (5, 4), (3, 4, 3))[count - 1], (3, 2, 2), (2, 1, 2)
        yield S(make(2, 3, *size), make(2, 3, *window[:count]), make(2))
        yield S(
            make(1, 4, *size), make(2, 2, *window[:count]), None,
            stride=stride[:count], padding=1, dilation=(1, 2, 2)[:count], groups=2,
        )  # fmt: skip
        yield S(make(2, *size), make(3, 2, *[2] * count), padding="same")

    return samples


@composite(public=(FUNCTION, FUNCTIONAL), samples=conv_samples(1))
def conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> Tensor

    Cross-correlation. input (N, C, L) or (C, L), weight (O, C/groups, K), bias (O); output (N, O, OL) with
    ``OL = (L + 2 padding - dilation (K - 1) - 1) // stride + 1``. padding may be 'valid' or 'same' (stride 1).
    (PyTorch: F.conv1d)
    """
    return convolve(1, input, weight, bias, stride, padding, dilation, groups)


@composite(public=(FUNCTION, FUNCTIONAL), samples=conv_samples(2))
def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> Tensor

    Cross-correlation. input (N, C, H, W) or (C, H, W), weight (O, C/groups, KH, KW), bias (O); output (N, O, OH, OW)
    with ``OH = (H + 2 padding - dilation (KH - 1) - 1) // stride + 1``. padding may be 'valid' or 'same' (stride 1).
    (PyTorch: F.conv2d)
    """
    return convolve(2, input, weight, bias, stride, padding, dilation, groups)


@composite(public=(FUNCTION, FUNCTIONAL), samples=conv_samples(3))
def conv3d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """conv3d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> Tensor

    Cross-correlation. input (N, C, D, H, W) or (C, D, H, W), weight (O, C/groups, KD, KH, KW), bias (O); sizes as for
    `conv2d`. padding may be 'valid' or 'same' (stride 1). (PyTorch: F.conv3d)
    """
    return convolve(3, input, weight, bias, stride, padding, dilation, groups)


@helper
def convolve(count, input, weight, bias, stride, padding, dilation, groups):
    """The convolution of `count` dimensions."""
    op = f"conv{count}d"
    stride, dilation = pair(stride, op, "stride", count), pair(dilation, op, "dilation", count)
    check_settings(op, stride, dilation, groups)
    if input.ndim == count + 1:
        batch = convolve(count, unsqueeze(input, 0), weight, bias, stride, padding, dilation, groups)
        return squeeze(batch, 0)
    check_conv(op, count, input, weight, bias, groups)
    if isinstance(padding, str):
        padding, extra = named_padding(op, padding, weight.shape[2:], stride, dilation)
        if extra:
            input = pad(input, extra)
    padding = pair(padding, op, "padding", count)
    check_window(op, input.shape, weight.shape, padding, dilation)
    return convolution(input, weight, bias, stride, padding, dilation, groups)


def transpose_samples(count):
    """A plain one, one with every setting, and an unbatched one."""

    def samples(make):
        size, window, stride = (3, 2, 2), (3, 2, 2), (2, 3, 2)
        yield S(make(2, 3, *size[:count]), make(3, 2, *window[:count]), make(2))
        yield S(
            make(1, 2, *size[:count]), make(2, 3, *window[:count]), None,
            stride=stride[:count], padding=1, output_padding=(1, 2, 1)[:count], groups=2, dilation=(1, 2, 2)[:count],
        )  # fmt: skip
        yield S(make(2, *size[:count]), make(2, 2, *[2] * count), padding=1, output_padding=1, dilation=2)

    return samples


@composite(public=(FUNCTION, FUNCTIONAL), samples=transpose_samples(1))
def conv_transpose1d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """conv_transpose1d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1)
    -> Tensor

    The gradient of `conv1d` by its input, as a layer. input (N, C, L) or (C, L), weight (C, O/groups, K), bias (O);
    output (N, O, OL) with ``OL = (L - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1``.
    (PyTorch: F.conv_transpose1d)
    """
    return convolve_back(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


@composite(backward_name="ConvolutionBackward0", public=(FUNCTION, FUNCTIONAL), samples=transpose_samples(2))
def conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1)
    -> Tensor

    The gradient of `conv2d` by its input, as a layer. input (N, C, H, W) or (C, H, W), weight (C, O/groups, KH, KW),
    bias (O); output (N, O, OH, OW) with ``OH = (H - 1) stride - 2 padding + dilation (KH - 1) + output_padding + 1``.
    (PyTorch: F.conv_transpose2d)
    """
    return convolve_back(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


@composite(public=(FUNCTION, FUNCTIONAL), samples=transpose_samples(3))
def conv_transpose3d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """conv_transpose3d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1)
    -> Tensor

    The gradient of `conv3d` by its input, as a layer. input (N, C, D, H, W) or (C, D, H, W), weight
    (C, O/groups, KD, KH, KW), bias (O); sizes as for `conv_transpose2d`. (PyTorch: F.conv_transpose3d)
    """
    return convolve_back(3, input, weight, bias, stride, padding, output_padding, groups, dilation)


@helper
def convolve_back(count, input, weight, bias, stride, padding, output_padding, groups, dilation):
    """The transposed convolution of `count` dimensions."""
    op = f"conv_transpose{count}d"
    stride, dilation = pair(stride, op, "stride", count), pair(dilation, op, "dilation", count)
    padding, further = pair(padding, op, "padding", count), pair(output_padding, op, "output_padding", count)
    check_settings(op, stride, dilation, groups)
    if input.ndim == count + 1:
        batch = convolve_back(count, unsqueeze(input, 0), weight, bias, stride, padding, further, groups, dilation)
        return squeeze(batch, 0)
    check_transpose(op, count, input, weight, bias, groups)
    size = transposed_size(op, input.shape, weight.shape, stride, padding, further, dilation)
    channels = weight.shape[1] * groups
    if not too_far(further, stride):
        shape = (input.shape[0], channels, *size)
        return convolution_input(input, weight, bias, shape, stride, padding, dilation, groups)
    # That much more output than stride is not the gradient of any convolution: the whole one, cut and filled up.
    whole = transposed_size(op, input.shape, weight.shape, stride, (0,) * count, (0,) * count, dilation)
    shape = (input.shape[0], channels, *whole)
    whole = convolution_input(input, weight, None, shape, stride, (0,) * count, dilation, groups)
    whole = pad(whole, borders(padding, further))
    return whole if bias is None else whole + reshape(bias, (-1, *[1] * count))


on_every_path("too_far")(lambda further, stride: any(f >= s for f, s in zip(further, stride, strict=True)))


@on_every_path("borders")
def borders(padding, further):
    """The argument of `pad` that cuts `padding` at both ends and gives back `further` at the end."""
    return tuple([n for p, f in zip(padding[::-1], further[::-1], strict=True) for n in (-p, f - p)])


@on_every_path("named_padding")
def named_padding(op, name, window, stride, dilation):
    """'valid' and 'same' as padding on both sides, and what `pad` has to add at the end (None: nothing)."""
    if name == "valid":
        return (0,) * len(window), None
    if name != "same":
        raise RuntimeError(f"{op}(): Invalid padding string: {name!r}, should be one of 'valid', 'same'")
    if any(s != 1 for s in stride):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    total = [d * (k - 1) for d, k in zip(dilation, window, strict=True)]
    extra = tuple([n for t in reversed(total) for n in (0, t % 2)])
    return tuple([t // 2 for t in total]), extra if any(extra) else None


@on_every_path("check_settings")
def check_settings(op, stride, dilation, groups):
    if min(stride) < 1:
        raise RuntimeError(f"{op}(): non-positive stride is not supported, but got {list(stride)}")
    if min(dilation) < 1:
        raise RuntimeError(f"{op}(): dilation should be greater than zero, but got {list(dilation)}")
    if groups < 1:
        raise RuntimeError(f"{op}(): expected groups to be greater than 0, but got groups={groups}")


@on_every_path("check_images")
def check_images(op, count, input, weight, bias, outputs):
    """What convolutions of both directions check; `outputs` is the number of their output channels."""
    if input.ndim != count + 2:
        raise RuntimeError(
            f"Expected {count + 1}D (unbatched) or {count + 2}D (batched) input to {op}, but got input of size: "
            f"{shape_text(input.shape)}"
        )
    if weight.ndim != count + 2:
        raise RuntimeError(
            f"{op}(): expected a {count + 2}-dimensional weight for the {count + 2}-dimensional input "
            f"{shape_text(input.shape)}, but got weight of size {shape_text(weight.shape)} instead"
        )
    if bias is not None and bias.dtype != input.dtype:
        raise RuntimeError(f"Input type ({input.dtype}) and bias type ({bias.dtype}) should be the same")
    refuse_dtype(op, input, "b")
    if input.dtype != weight.dtype:
        raise RuntimeError(f"Input type ({input.dtype}) and weight type ({weight.dtype}) should be the same")
    if bias is not None and tuple(bias.shape) != (outputs,):
        raise RuntimeError(
            f"Given weight of size {shape_text(weight.shape)}, expected bias to be 1-dimensional with "
            f"{outputs} elements, but got bias of size {shape_text(bias.shape)} instead"
        )


@on_every_path("check_conv")
def check_conv(op, count, input, weight, bias, groups):
    check_images(op, count, input, weight, bias, weight.shape[0] if weight.ndim else 0)
    if weight.shape[0] % groups or not weight.shape[0]:
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


@on_every_path("check_transpose")
def check_transpose(op, count, input, weight, bias, groups):
    refuse_dtype(op, input, "b" if np_dtype(input) == np.int64 else "biu")
    check_images(op, count, input, weight, bias, weight.shape[1] * groups if weight.ndim > 1 else 0)
    if input.shape[1] != weight.shape[0] or weight.shape[0] % groups:
        raise RuntimeError(
            f"Given transposed=1, groups={groups}, weight of size {shape_text(weight.shape)}, expected "
            f"input{shape_text(input.shape)} to have {weight.shape[0]} channels, divisible by groups, but got "
            f"{input.shape[1]} channels instead"
        )


@on_every_path("transposed_size")
def transposed_size(op, image, weight, stride, padding, further, dilation):
    """The output size of a transposed convolution, checked."""
    if min(padding) < 0:
        raise RuntimeError(f"{op}(): negative padding is not supported, but got {list(padding)}")
    if min(further) < 0 or any(f >= max(s, d) for f, s, d in zip(further, stride, dilation, strict=True)):
        raise RuntimeError(
            f"{op}(): output padding must be smaller than either stride or dilation, but got output_padding "
            f"{list(further)}, stride {list(stride)}, dilation {list(dilation)}"
        )
    size = [
        (n - 1) * s - 2 * p + d * (k - 1) + f + 1
        for n, k, s, p, f, d in zip(image[2:], weight[2:], stride, padding, further, dilation, strict=True)
    ]
    if min(size) < 1:
        raise RuntimeError(
            f"Given input size per channel: {shape_text(image[2:])}. Calculated output size per channel: "
            f"{shape_text(size)}. Output size is too small: {op}()'s padding {list(padding)} takes it all"
        )
    return tuple(size)


@on_every_path("check_window")
def check_window(op, image, weight, padding, dilation):
    if min(padding) < 0:
        raise RuntimeError(f"{op}(): negative padding is not supported, but got {list(padding)}")
    padded = [n + 2 * p for n, p in zip(image[2:], padding, strict=True)]
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, weight[2:], strict=True)]
    if any(n < r for n, r in zip(padded, reach, strict=True)):
        raise RuntimeError(
            f"Calculated padded input size per channel: ({' x '.join(map(str, padded))}). Kernel size: "
            f"({' x '.join(map(str, reach))}). Kernel size can't be greater than actual input size"
        )
