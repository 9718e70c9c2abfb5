"""Windows as columns and back: Unfold, Fold."""

from __future__ import annotations

from minigrad.nn import functional as F
from minigrad.nn.modules.module import Module
from minigrad.tensor import Tensor

__all__ = ["Fold", "Unfold"]


class Unfold(Module):
    """The windows of images as columns: what a convolution multiplies by its filters.

    Input ``(N, C, H, W)`` or ``(C, H, W)``; output ``(N, C·kH·kW, L)`` or ``(C·kH·kW, L)``, L being the number of
    places of the window: the product over the two dimensions of
    ``⌊(size + 2·padding - dilation·(kernel_size - 1) - 1) / stride⌋ + 1``.

    Args:
        kernel_size (int or (int, int)): the window.
        dilation (int or (int, int)): distance between the window's elements.
        padding (int or (int, int)): zeros added on each side.
        stride (int or (int, int)): its step.

    PyTorch: torch.nn.Unfold
    """

    def __init__(self, kernel_size, dilation=1, padding=0, stride=1) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Fold(Module):
    """Columns added up in images: the transpose of `Unfold`. Where windows overlap, their numbers are added.

    Input ``(N, C·kH·kW, L)`` or ``(C·kH·kW, L)``; output ``(N, C, *output_size)`` or ``(C, *output_size)``.

    Args:
        output_size (int or (int, int)): height and width of the images.
        kernel_size, dilation, padding, stride: of the `Unfold` that it transposes.

    PyTorch: torch.nn.Fold
    """

    def __init__(self, output_size, kernel_size, dilation=1, padding=0, stride=1) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, dilation={self.dilation}, "
            f"padding={self.padding}, stride={self.stride}"
        )
