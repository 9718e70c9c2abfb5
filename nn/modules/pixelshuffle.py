"""Channels laid out as pixels and back: PixelShuffle, PixelUnshuffle."""

from __future__ import annotations

from minigrad.nn import functional as F
from minigrad.nn.modules.module import Module
from minigrad.tensor import Tensor

__all__ = ["PixelShuffle", "PixelUnshuffle"]


class PixelShuffle(Module):
    """Channels laid out as pixels, ``r = upscale_factor``: ``y[c, h·r + i, w·r + j] = x[c·r² + i·r + j, h, w]``.

    Input ``(*, C·r², H, W)``, output ``(*, C, H·r, W·r)``. With a convolution before it, an upsampling that is learned.

    Args:
        upscale_factor (int): by how much height and width grow.

    Source: Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional
    Neural Network (2016). PyTorch: torch.nn.PixelShuffle
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """The inverse of `PixelShuffle`: pixels laid out as channels.

    Input ``(*, C, H·r, W·r)``, output ``(*, C·r², H, W)``.

    Args:
        downscale_factor (int): r, by how much height and width shrink.

    PyTorch: torch.nn.PixelUnshuffle
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"
