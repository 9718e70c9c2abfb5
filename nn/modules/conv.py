"""Convolution layers: Conv2d."""

from __future__ import annotations

import minigrad
from minigrad.nn import functional as F
from minigrad.nn.modules.linear import init_affine
from minigrad.nn.modules.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.shapes import pair
from minigrad.tensor import Tensor

__all__ = ["Conv2d"]

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Convolution(Module):
    """What convolutions of any number of spatial dimensions share: settings, parameters, padding, printing."""

    def __init__(
        self,
        dims,
        in_channels,
        out_channels,
        kernel_size,
        stride,
        padding,
        dilation,
        groups,
        bias,
        padding_mode,
        factory,
    ) -> None:
        super().__init__()
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups != 0:
            raise ValueError(f"in_channels must be divisible by groups, got {in_channels} and {groups}")
        if out_channels % groups != 0:
            raise ValueError(f"out_channels must be divisible by groups, got {out_channels} and {groups}")
        if padding_mode not in PADDING_MODES:
            raise ValueError(f"padding_mode must be one of {PADDING_MODES}, but got padding_mode='{padding_mode}'")
        name = self._get_name()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = pair(kernel_size, name, "kernel_size", dims)
        self.stride = pair(stride, name, "stride", dims)
        self.padding = padding if isinstance(padding, str) else pair(padding, name, "padding", dims)
        self.dilation = pair(dilation, name, "dilation", dims)
        self.groups = groups
        self.padding_mode = padding_mode
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"Invalid padding string {padding!r}, should be one of 'valid', 'same'")
            if padding == "same" and self.stride != (1,) * dims:
                raise ValueError("padding='same' is not supported for strided convolutions")
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        self.weight = Parameter(minigrad.empty(shape, **factory))
        self.register_parameter("bias", Parameter(minigrad.empty(out_channels, **factory)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        init_affine(self.weight, self.bias)

    def _edges(self):
        """The padding as `F.pad` wants it: last dimension first, before and after."""
        edges = []
        for size, gap, pad in zip(self.kernel_size, self.dilation, self._padding_numbers(), strict=True):
            total = gap * (size - 1)
            edges = [total // 2, total - total // 2, *edges] if self.padding == "same" else [pad, pad, *edges]
        return edges

    def _padding_numbers(self):
        return (0,) * len(self.kernel_size) if isinstance(self.padding, str) else self.padding

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * len(self.kernel_size):
            text += f", padding={self.padding}"
        if self.dilation != (1,) * len(self.kernel_size):
            text += f", dilation={self.dilation}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


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
        super().__init__(
            2,
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            {"device": device, "dtype": dtype},
        )

    def forward(self, input: Tensor) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._edges(), mode=self.padding_mode), 0
        return F.conv2d(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)
