"""Pooling layers: a window slides over each plane and leaves one number per place."""

from __future__ import annotations

from minigrad.nn import functional as F
from minigrad.nn.modules.module import Module
from minigrad.tensor import Tensor

__all__ = ["AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "AvgPool2d", "MaxPool2d", "MinPool2d"]


class _ExtremePool(Module):
    """Settings and printing of max and min pooling."""

    def __init__(self, kernel_size, stride, padding, dilation, ceil_mode) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool2d(_ExtremePool):
    """The largest element of each window: ``y[n, c, i, j] = max_{u, v} x[n, c, i·stride + u·dilation, ...]``.

    Input ``(N, C, H, W)`` or ``(C, H, W)``; output likewise with
    ``H' = ⌊(H + 2·padding - dilation·(kernel_size - 1) - 1) / stride⌋ + 1``.

    Args:
        kernel_size (int or (int, int)): the window.
        stride (int or (int, int), optional): its step. Default: the window's size, so that windows do not overlap.
        padding (int or (int, int)): -∞ added on each side; at most half the window.
        dilation (int or (int, int)): distance between the window's elements.
        return_indices (bool): also return where each maximum was, as an index into the flattened plane.
        ceil_mode (bool): round the output size up, so that a last partial window counts.

    PyTorch: torch.nn.MaxPool2d
    """

    def __init__(
        self, kernel_size, stride=None, padding=0, dilation=1, return_indices: bool = False, ceil_mode: bool = False
    ) -> None:
        super().__init__(kernel_size, stride, padding, dilation, ceil_mode)
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return F.max_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )


class MinPool2d(_ExtremePool):
    """The smallest element of each window: ``min_pool(x) = -max_pool(-x)``.

    Not in PyTorch. Shapes and arguments are those of `MaxPool2d`, without the indices; the padding is +∞.
    """

    def __init__(self, kernel_size, stride=None, padding=0, dilation=1, ceil_mode: bool = False) -> None:
        super().__init__(kernel_size, stride, padding, dilation, ceil_mode)

    def forward(self, input: Tensor) -> Tensor:
        return F.min_pool2d(input, self.kernel_size, self.stride, self.padding, self.dilation, ceil_mode=self.ceil_mode)


class AvgPool2d(Module):
    """The mean of each window: ``y[n, c, i, j] = 1/(kH·kW) Σ_{u, v} x[n, c, i·stride + u, j·stride + v]``.

    Input ``(N, C, H, W)`` or ``(C, H, W)``; output likewise with
    ``H' = ⌊(H + 2·padding - kernel_size) / stride⌋ + 1``.

    Args:
        kernel_size (int or (int, int)): the window.
        stride (int or (int, int), optional): its step. Default: the window's size.
        padding (int or (int, int)): zeros added on each side; at most half the window.
        ceil_mode (bool): round the output size up, so that a last partial window counts.
        count_include_pad (bool): whether the zeros of the padding count in the mean.
        divisor_override (int, optional): divide by this instead of the window's size.

    PyTorch: torch.nn.AvgPool2d
    """

    def __init__(
        self,
        kernel_size,
        stride=None,
        padding=0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool2d(Module):
    """Means over windows chosen so that the output has the given size, whatever the input's.

    Output row i is the mean of the input rows ``⌊i·H/H'⌋`` to ``⌈(i+1)·H/H'⌉ - 1``, columns likewise.
    Input ``(N, C, H, W)`` or ``(C, H, W)``; output ``(N, C, H', W')`` or ``(C, H', W')``.

    Args:
        output_size (int, None or a pair of them): ``(H', W')``; None keeps the input's size.

    PyTorch: torch.nn.AdaptiveAvgPool2d
    """

    def __init__(self, output_size) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool2d(Module):
    """As `AdaptiveAvgPool2d`, with the largest element of each window.

    Args:
        output_size (int, None or a pair of them): ``(H', W')``; None keeps the input's size.
        return_indices (bool): also return where each maximum was, as an index into the flattened plane.

    PyTorch: torch.nn.AdaptiveMaxPool2d
    """

    def __init__(self, output_size, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"
