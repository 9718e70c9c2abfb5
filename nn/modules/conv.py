"""Convolution layers, forwards and transposed, of signals, images and volumes; and those that learn at the first call
how many channels come in (`lazy.py`)."""

from __future__ import annotations

from typing import ClassVar

import minigrad
from minigrad.errors import shape_text
from minigrad.nn import functional as F
from minigrad.nn.modules.lazy import LazyModuleMixin
from minigrad.nn.modules.linear import init_affine
from minigrad.nn.modules.module import Module
from minigrad.nn.modules.utils import _reverse_repeat_tuple
from minigrad.nn.parameter import Parameter, UninitializedParameter
from minigrad.shapes import pair
from minigrad.tensor import Tensor

__all__ = [
    "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d",
    "LazyConv1d", "LazyConv2d", "LazyConv3d", "LazyConvTranspose1d", "LazyConvTranspose2d", "LazyConvTranspose3d",
]  # fmt: skip

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What convolutions of both directions and any number of dimensions share: settings, parameters, printing."""

    _dims: ClassVar[int]

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride,
        padding,
        dilation,
        transposed,
        output_padding,
        groups,
        bias,
        padding_mode,
        device=None,
        dtype=None,
    ) -> None:
        super().__init__()
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups != 0:
            raise ValueError(f"in_channels must be divisible by groups, got {in_channels} and {groups}")
        if out_channels % groups != 0:
            raise ValueError(f"out_channels must be divisible by groups, got {out_channels} and {groups}")
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"Invalid padding string {padding!r}, should be one of 'valid', 'same'")
            if padding == "same" and any(s != 1 for s in stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
        if padding_mode not in PADDING_MODES:
            raise ValueError(f"padding_mode must be one of {PADDING_MODES}, but got padding_mode='{padding_mode}'")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.transposed = transposed
        self.output_padding = output_padding
        self.groups = groups
        self.padding_mode = padding_mode
        self._reversed_padding_repeated_twice = edges(kernel_size, padding, dilation)
        channels = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        shape = (channels[0], channels[1] // groups, *kernel_size)
        self.weight = Parameter(minigrad.empty(shape, device=device, dtype=dtype))
        self.register_parameter(
            "bias", Parameter(minigrad.empty(out_channels, device=device, dtype=dtype)) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        init_affine(self.weight, self.bias)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * len(self.kernel_size):
            text += f", padding={self.padding}"
        if self.dilation != (1,) * len(self.kernel_size):
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * len(self.kernel_size):
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


def edges(kernel_size, padding, dilation):
    """The padding as `F.pad` wants it: last dimension first, before and after."""
    if padding == "same":
        total = [gap * (size - 1) for gap, size in zip(dilation, kernel_size, strict=True)]
        return [n for t in reversed(total) for n in (t // 2, t - t // 2)]
    numbers = (0,) * len(kernel_size) if isinstance(padding, str) else padding
    return _reverse_repeat_tuple(numbers, 2)


class _Convolution(_ConvNd):
    """Conv1d, Conv2d, Conv3d: a subclass says of how many dimensions it is."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device=None,
        dtype=None,
    ) -> None:
        name, dims = self._get_name(), self._dims
        super().__init__(
            in_channels,
            out_channels,
            pair(kernel_size, name, "kernel_size", dims),
            pair(stride, name, "stride", dims),
            padding if isinstance(padding, str) else pair(padding, name, "padding", dims),
            pair(dilation, name, "dilation", dims),
            False,
            (0,) * dims,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight, self.bias)

    def _conv_forward(self, input, weight, bias):
        """The convolution with these settings and a weight of any making; programs override or call it."""
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode), 0
        convolve = (F.conv1d, F.conv2d, F.conv3d)[self._dims - 1]
        return convolve(input, weight, bias, self.stride, padding, self.dilation, self.groups)


class Conv1d(_Convolution):
    """Slides `out_channels` filters over signals: ``y[n, o, i] = b[o] + Σ_c Σ_u W[o, c, u] · x[n, c, i·stride + ...]``.

    Input ``(N, C_in, L)`` or ``(C_in, L)``; output ``(N, C_out, L')`` or ``(C_out, L')`` with
    ``L' = ⌊(L + 2·padding - dilation·(kernel_size - 1) - 1) / stride⌋ + 1``.
    Arguments and attributes are those of `Conv2d`, with one number (or a tuple of one) where it has two.

    PyTorch: torch.nn.Conv1d
    """

    _dims = 1


class Conv2d(_Convolution):
    """Slides `out_channels` filters over images: each output pixel is the sum over a window of input times filter.

    ``y[n, o, i, j] = b[o] + Σ_c Σ_u Σ_v W[o, c, u, v] · x[n, c, i·stride + u·dilation - padding, ...]``

    Input ``(N, C_in, H, W)`` or ``(C_in, H, W)``; output ``(N, C_out, H', W')`` or ``(C_out, H', W')`` with
    ``H' = ⌊(H + 2·padding - dilation·(kernel_size - 1) - 1) / stride⌋ + 1``, likewise ``W'``.

    Args:
        in_channels (int), out_channels (int): how many planes come in and go out.
        kernel_size (int or (int, int)): height and width of the filters.
        stride (int or (int, int)): step of the window.
        padding (int, (int, int), "valid" or "same"): rows and columns added on each side; "valid" is none, "same" as
            many as keep height and width (stride 1 only).
        dilation (int or (int, int)): distance between the filter's elements.
        groups (int): split the channels into this many groups convolved apart.
        bias (bool): whether to add `b`.
        padding_mode (str): what is added: "zeros", "reflect", "replicate" or "circular".
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): of the parameters.

    Attributes:
        weight: ``(out_channels, in_channels // groups, *kernel_size)``, initially uniform in ±√(1/fan_in),
            ``fan_in = in_channels // groups · kernel height · kernel width``.
        bias: ``(out_channels,)``, initially uniform in the same bounds; None without bias.

    PyTorch: torch.nn.Conv2d
    """

    _dims = 2


class Conv3d(_Convolution):
    """Slides `out_channels` filters over volumes: `Conv2d` with a depth.

    Input ``(N, C_in, D, H, W)`` or ``(C_in, D, H, W)``; output likewise with the sizes of `Conv2d`'s formula.
    Arguments and attributes are those of `Conv2d`, with three numbers where it has two.

    PyTorch: torch.nn.Conv3d
    """

    _dims = 3


class _ConvTransposeNd(_ConvNd):
    """ConvTranspose1d, 2d, 3d: a subclass says of how many dimensions it is."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size,
        stride=1,
        padding=0,
        output_padding=0,
        groups: int = 1,
        bias: bool = True,
        dilation=1,
        padding_mode: str = "zeros",
        device=None,
        dtype=None,
    ) -> None:
        name, dims = self._get_name(), self._dims
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {name}, got padding_mode={padding_mode!r}')
        super().__init__(
            in_channels,
            out_channels,
            pair(kernel_size, name, "kernel_size", dims),
            pair(stride, name, "stride", dims),
            pair(padding, name, "padding", dims),
            pair(dilation, name, "dilation", dims),
            True,
            pair(output_padding, name, "output_padding", dims),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor, output_size=None) -> Tensor:
        """The transposed convolution; `output_size` (a sequence of ints, with or without batch and channels) chooses
        among the sizes that a convolution with this stride takes to the input's."""
        if self.padding_mode != "zeros":
            raise ValueError(f"Only `zeros` padding mode is supported for {self._get_name()}")
        further = self._output_padding(input, output_size)
        convolve = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[self._dims - 1]
        return convolve(input, self.weight, self.bias, self.stride, self.padding, further, self.groups, self.dilation)

    def _output_padding(self, input, output_size):
        """`output_padding`, or what has to stand in its place for the output to be of the size asked for."""
        if output_size is None:
            return self.output_padding
        lead = 2 if input.dim() == self._dims + 2 else 1
        wanted = output_size[lead:] if len(output_size) == lead + self._dims else output_size
        if len(wanted) != self._dims:
            raise ValueError(
                f"{self._get_name()}: for {input.dim()}D input, output_size must have {self._dims} or "
                f"{lead + self._dims} elements (got {len(wanted)})"
            )
        sizes = zip(input.shape[lead:], self.stride, self.padding, self.dilation, self.kernel_size, strict=True)
        least = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, s, p, d, k in sizes]
        most = [n + s - 1 for n, s in zip(least, self.stride, strict=True)]
        if any(not low <= n <= high for low, n, high in zip(least, wanted, most, strict=True)):
            raise ValueError(
                f"{self._get_name()}: requested an output size of {list(wanted)}, but valid sizes range from {least} "
                f"to {most} (for an input of {list(input.shape[lead:])})"
            )
        return [n - low for n, low in zip(wanted, least, strict=True)]


class ConvTranspose1d(_ConvTransposeNd):
    """The gradient of `Conv1d` by its input, as a layer: each number of the signal adds a scaled filter to the output.

    Input ``(N, C_in, L)`` or ``(C_in, L)``; output ``(N, C_out, L')`` or ``(C_out, L')`` with
    ``L' = (L - 1)·stride - 2·padding + dilation·(kernel_size - 1) + output_padding + 1``.
    Arguments and attributes are those of `ConvTranspose2d`, with one number where it has two.

    PyTorch: torch.nn.ConvTranspose1d
    """

    _dims = 1


class ConvTranspose2d(_ConvTransposeNd):
    """The gradient of `Conv2d` by its input, as a layer: each pixel adds a scaled filter to a larger image.

    Input ``(N, C_in, H, W)`` or ``(C_in, H, W)``; output ``(N, C_out, H', W')`` or ``(C_out, H', W')`` with
    ``H' = (H - 1)·stride - 2·padding + dilation·(kernel_size - 1) + output_padding + 1``, likewise ``W'``.
    Called with ``output_size=``, that decides instead of `output_padding`.

    Args:
        in_channels (int), out_channels (int): how many planes come in and go out.
        kernel_size (int or (int, int)): height and width of the filters.
        stride (int or (int, int)): how far apart the filters are added.
        padding (int or (int, int)): rows and columns cut off on each side: what a convolution would have added.
        output_padding (int or (int, int)): rows and columns more at the end; less than stride or dilation.
        groups (int): split the channels into this many groups convolved apart.
        bias (bool): whether to add a number to each output plane.
        dilation (int or (int, int)): distance between the filter's elements.
        padding_mode (str): "zeros"; there is no other.
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): of the parameters.

    Attributes:
        weight: ``(in_channels, out_channels // groups, *kernel_size)``, initially uniform in ±√(1/fan_in),
            ``fan_in = out_channels // groups · kernel height · kernel width``.
        bias: ``(out_channels,)``, initially uniform in the same bounds; None without bias.

    PyTorch: torch.nn.ConvTranspose2d
    """

    _dims = 2


class ConvTranspose3d(_ConvTransposeNd):
    """The gradient of `Conv3d` by its input, as a layer: `ConvTranspose2d` with a depth.

    Input ``(N, C_in, D, H, W)`` or ``(C_in, D, H, W)``; output likewise with the sizes of `ConvTranspose2d`'s formula.
    Arguments and attributes are those of `ConvTranspose2d`, with three numbers where it has two.

    PyTorch: torch.nn.ConvTranspose3d
    """

    _dims = 3


class _LazyConv(LazyModuleMixin, _ConvNd):
    """What the six lazy convolutions share: how they learn `in_channels`. Stands before the convolution in the MRO."""

    def _wait_for_input(self, out_channels, bias, device, dtype):
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_channels = out_channels
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw the parameters anew, once they have shapes."""
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()

    def initialize_parameters(self, input, *args, **kwargs):
        """Give the parameters the shapes that the first input asks for, and draw them."""
        if not self.has_uninitialized_params():
            return
        if input.dim() not in (self._dims + 1, self._dims + 2):
            raise RuntimeError(
                f"Expected {self._dims + 1}D (unbatched) or {self._dims + 2}D (batched) input to {self._get_name()}, "
                f"but got input of size: {shape_text(input.shape)}"
            )
        self.in_channels = input.shape[-self._dims - 1]
        if self.in_channels % self.groups != 0:
            raise ValueError(f"in_channels must be divisible by groups, got {self.in_channels} and {self.groups}")
        channels = (self.in_channels, self.out_channels) if self.transposed else (self.out_channels, self.in_channels)
        self.weight.materialize((channels[0], channels[1] // self.groups, *self.kernel_size))
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()


class _LazyConvolution(_LazyConv):
    def __init__(
        self,
        out_channels: int,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device=None,
        dtype=None,
    ) -> None:
        super().__init__(0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode, device, dtype)
        self._wait_for_input(out_channels, bias, device, dtype)


class LazyConv1d(_LazyConvolution, Conv1d):
    """A `Conv1d` that takes `in_channels` from its first input and then is one. (PyTorch: torch.nn.LazyConv1d)"""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConvolution, Conv2d):
    """A `Conv2d` that takes `in_channels` from its first input and then is one. (PyTorch: torch.nn.LazyConv2d)"""

    cls_to_become = Conv2d


class LazyConv3d(_LazyConvolution, Conv3d):
    """A `Conv3d` that takes `in_channels` from its first input and then is one. (PyTorch: torch.nn.LazyConv3d)"""

    cls_to_become = Conv3d


class _LazyConvTranspose(_LazyConv):
    def __init__(
        self,
        out_channels: int,
        kernel_size,
        stride=1,
        padding=0,
        output_padding=0,
        groups: int = 1,
        bias: bool = True,
        dilation=1,
        padding_mode: str = "zeros",
        device=None,
        dtype=None,
    ) -> None:
        super().__init__(
            0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation, padding_mode, device, dtype
        )
        self._wait_for_input(out_channels, bias, device, dtype)


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """A `ConvTranspose1d` that takes `in_channels` from its first input and then is one.

    PyTorch: torch.nn.LazyConvTranspose1d
    """

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """A `ConvTranspose2d` that takes `in_channels` from its first input and then is one.

    PyTorch: torch.nn.LazyConvTranspose2d
    """

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """A `ConvTranspose3d` that takes `in_channels` from its first input and then is one.

    PyTorch: torch.nn.LazyConvTranspose3d
    """

    cls_to_become = ConvTranspose3d
