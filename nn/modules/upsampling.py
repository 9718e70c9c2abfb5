"""Resampling layers: Upsample and its two old names."""

from __future__ import annotations

from minigrad.nn import functional as F
from minigrad.nn.modules.module import Module
from minigrad.tensor import Tensor

__all__ = ["Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"]


class Upsample(Module):
    """Signals, images or volumes resampled to another size, as `F.interpolate` does.

    Input ``(N, C, L)``, ``(N, C, H, W)`` or ``(N, C, D, H, W)``; output likewise with the sizes `size`, or
    ``⌊size of the input · scale_factor⌋``.

    Args:
        size (int or tuple of ints, optional): of the output; one for each dimension after the channels.
        scale_factor (float or tuple of floats, optional): output size over input size. Give this or `size`.
        mode (str): "nearest", "linear" (signals), "bilinear" and "bicubic" (images), "trilinear" (volumes).
        align_corners (bool, optional): the outermost elements keep their places, instead of the outer edges.
        recompute_scale_factor (bool, optional): interpolate with the factor that the rounded sizes give.

    PyTorch: torch.nn.Upsample
    """

    def __init__(
        self,
        size=None,
        scale_factor=None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.name = self._get_name()
        self.size = size
        self.scale_factor: float | tuple[float, ...] | None
        if isinstance(scale_factor, tuple):
            self.scale_factor = tuple(float(factor) for factor in scale_factor)
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        if self.scale_factor is not None:
            return f"scale_factor={self.scale_factor!r}, mode={self.mode!r}"
        return f"size={self.size!r}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """`Upsample` of images by the nearest pixel.

    Args:
        size (int or (int, int), optional): of the output.
        scale_factor (float or (float, float), optional): output size over input size. Give this or `size`.

    PyTorch: torch.nn.UpsamplingNearest2d
    """

    def __init__(self, size=None, scale_factor=None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """`Upsample` of images by bilinear interpolation with ``align_corners=True``.

    Args:
        size (int or (int, int), optional): of the output.
        scale_factor (float or (float, float), optional): output size over input size. Give this or `size`.

    PyTorch: torch.nn.UpsamplingBilinear2d
    """

    def __init__(self, size=None, scale_factor=None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)
