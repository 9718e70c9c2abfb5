"""Pooling layers: a window slides over each plane and leaves one number per place.

Layers of one and three dimensions differ from those of two in their shapes only: (N, C, L) or (C, L), and
(N, C, D, H, W) or (C, D, H, W); settings are one number for all dimensions, or one for each.
"""

from __future__ import annotations

from typing import ClassVar

from minigrad.nn import functional as F
from minigrad.nn.modules.module import Module
from minigrad.nn.modules.utils import _ntuple, _single
from minigrad.tensor import Tensor

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "FractionalMaxPool2d", "FractionalMaxPool3d",
    "LPPool1d", "LPPool2d", "LPPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d", "MaxUnpool1d", "MaxUnpool2d",
    "MaxUnpool3d", "MinPool1d", "MinPool2d", "MinPool3d",
]  # fmt: skip


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


class _MaxPoolNd(_ExtremePool):
    _pool: ClassVar

    def __init__(
        self, kernel_size, stride=None, padding=0, dilation=1, return_indices: bool = False, ceil_mode: bool = False
    ) -> None:
        super().__init__(kernel_size, stride, padding, dilation, ceil_mode)
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return self._pool(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )


class MaxPool1d(_MaxPoolNd):
    """The largest element of each window of signals: `MaxPool2d` with one dimension. (PyTorch: torch.nn.MaxPool1d)"""

    _pool = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPoolNd):
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

    _pool = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPoolNd):
    """The largest element of each window of volumes: `MaxPool2d` with a depth. (PyTorch: torch.nn.MaxPool3d)"""

    _pool = staticmethod(F.max_pool3d)


class _MinPoolNd(_ExtremePool):
    _pool: ClassVar

    def __init__(self, kernel_size, stride=None, padding=0, dilation=1, ceil_mode: bool = False) -> None:
        super().__init__(kernel_size, stride, padding, dilation, ceil_mode)

    def forward(self, input: Tensor) -> Tensor:
        return self._pool(input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)


class MinPool1d(_MinPoolNd):
    """The smallest element of each window of signals: `MinPool2d` with one dimension. Not in PyTorch."""

    _pool = staticmethod(F.min_pool1d)


class MinPool2d(_MinPoolNd):
    """The smallest element of each window: ``min_pool(x) = -max_pool(-x)``.

    Not in PyTorch. Shapes and arguments are those of `MaxPool2d`, without the indices; the padding is +∞.
    """

    _pool = staticmethod(F.min_pool2d)


class MinPool3d(_MinPoolNd):
    """The smallest element of each window of volumes: `MinPool2d` with a depth. Not in PyTorch."""

    _pool = staticmethod(F.min_pool3d)


class _MaxUnpoolNd(Module):
    _dims: ClassVar[int]
    _unpool: ClassVar

    def __init__(self, kernel_size, stride=None, padding=0) -> None:
        super().__init__()
        as_tuple = _ntuple(self._dims)
        self.kernel_size = as_tuple(kernel_size)
        self.stride = as_tuple(kernel_size if stride is None else stride)
        self.padding = as_tuple(padding)

    def forward(self, input: Tensor, indices: Tensor, output_size=None) -> Tensor:
        """The unpooling; `output_size` (a sequence of ints) is the size of what was pooled, where the settings leave
        it open."""
        return self._unpool(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpoolNd):
    """The numbers put back where `MaxPool1d` found them: `MaxUnpool2d` with one dimension.

    PyTorch: torch.nn.MaxUnpool1d
    """

    _dims = 1
    _unpool = staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpoolNd):
    """The numbers put back where `MaxPool2d` found them, zeros elsewhere: a partial inverse.

    Called with what ``MaxPool2d(..., return_indices=True)`` returned: input and indices ``(N, C, H, W)`` or
    ``(C, H, W)``; output likewise with ``H' = (H - 1)·stride - 2·padding + kernel_size``, or `output_size` if the call
    says it.

    Args:
        kernel_size (int or (int, int)): of the pooling.
        stride (int or (int, int), optional): of the pooling. Default: the window's size.
        padding (int or (int, int)): of the pooling.

    PyTorch: torch.nn.MaxUnpool2d
    """

    _dims = 2
    _unpool = staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpoolNd):
    """The numbers put back where `MaxPool3d` found them: `MaxUnpool2d` with a depth. (PyTorch: torch.nn.MaxUnpool3d)"""

    _dims = 3
    _unpool = staticmethod(F.max_unpool3d)


class _AvgPoolNd(Module):
    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPoolNd):
    """The mean of each window of signals: `AvgPool2d` with one dimension, without `divisor_override`.

    PyTorch: torch.nn.AvgPool1d
    """

    def __init__(
        self, kernel_size, stride=None, padding=0, ceil_mode: bool = False, count_include_pad: bool = True
    ) -> None:
        super().__init__()
        self.kernel_size = _single(kernel_size)
        self.stride = _single(kernel_size if stride is None else stride)
        self.padding = _single(padding)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class _AvgPoolImages(_AvgPoolNd):
    _pool: ClassVar

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
        return self._pool(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class AvgPool2d(_AvgPoolImages):
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

    _pool = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPoolImages):
    """The mean of each window of volumes: `AvgPool2d` with a depth. (PyTorch: torch.nn.AvgPool3d)"""

    _pool = staticmethod(F.avg_pool3d)


class _LPPoolNd(Module):
    _pool: ClassVar

    def __init__(self, norm_type: float, kernel_size, stride=None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return self._pool(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPoolNd):
    """The p-norm of each window of signals: `LPPool2d` with one dimension. (PyTorch: torch.nn.LPPool1d)"""

    _pool = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPoolNd):
    """The p-norm of each window, p = `norm_type`: ``y = (Σ x^p)^(1/p)``; p = 1 is the sum, p → ∞ the maximum.

    Input ``(N, C, H, W)`` or ``(C, H, W)``; output likewise with ``H' = ⌊(H - kernel_size) / stride⌋ + 1``.

    Args:
        norm_type (float): p.
        kernel_size (int or (int, int)): the window.
        stride (int or (int, int), optional): its step. Default: the window's size.
        ceil_mode (bool): round the output size up, so that a last partial window counts.

    PyTorch: torch.nn.LPPool2d
    """

    _pool = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPoolNd):
    """The p-norm of each window of volumes: `LPPool2d` with a depth. (PyTorch: torch.nn.LPPool3d)"""

    _pool = staticmethod(F.lp_pool3d)


class _FractionalMaxPoolNd(Module):
    _dims: ClassVar[int]
    _pool: ClassVar

    def __init__(
        self, kernel_size, output_size=None, output_ratio=None, return_indices: bool = False, _random_samples=None
    ) -> None:
        super().__init__()
        as_tuple = _ntuple(self._dims)
        self.kernel_size = as_tuple(kernel_size)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else as_tuple(output_size)
        self.output_ratio = None if output_ratio is None else as_tuple(output_ratio)
        if self._dims == 3 and min(self.kernel_size) <= 0:
            raise ValueError(f"kernel_size must be greater than 0, but got {kernel_size}")
        if output_size is None and output_ratio is None:
            raise ValueError(f"{self._get_name()} requires specifying either an output size, or a pooling ratio")
        if output_size is not None and output_ratio is not None:
            raise ValueError(f"{self._get_name()}: only one of output_size and output_ratio may be specified")
        if self.output_ratio is not None and not all([0 < ratio < 1 for ratio in self.output_ratio]):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return self._pool(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            _random_samples=self._random_samples,
        )


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """The largest element of windows at random places, so that the size shrinks by any factor, not only whole ones.

    Input ``(N, C, H, W)`` or ``(C, H, W)``; output likewise with `output_size`, or ``⌊H · output_ratio⌋``.

    Args:
        kernel_size (int or (int, int)): the window.
        output_size (int or (int, int), optional): of the output.
        output_ratio (float or (float, float), optional): output size over input size, between 0 and 1. Give this or
            `output_size`.
        return_indices (bool): also return where each maximum was, as an index into the flattened plane.
        _random_samples (Tensor, optional): ``(N, C, 2)``, used instead of numbers drawn in each call.

    Source: Graham, Fractional Max-Pooling (2014). PyTorch: torch.nn.FractionalMaxPool2d
    """

    _dims = 2
    _pool = staticmethod(F.fractional_max_pool2d)


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """Fractional pooling of volumes: `FractionalMaxPool2d` with a depth. (PyTorch: torch.nn.FractionalMaxPool3d)"""

    _dims = 3
    _pool = staticmethod(F.fractional_max_pool3d)


class _AdaptiveAvgPoolNd(Module):
    _pool: ClassVar

    def __init__(self, output_size) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return self._pool(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """Means over parts of signals: `AdaptiveAvgPool2d` with one dimension. (PyTorch: torch.nn.AdaptiveAvgPool1d)"""

    _pool = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """Means over windows chosen so that the output has the given size, whatever the input's.

    Output row i is the mean of the input rows ``⌊i·H/H'⌋`` to ``⌈(i+1)·H/H'⌉ - 1``, columns likewise.
    Input ``(N, C, H, W)`` or ``(C, H, W)``; output ``(N, C, H', W')`` or ``(C, H', W')``.

    Args:
        output_size (int, None or a pair of them): ``(H', W')``; None keeps the input's size.

    PyTorch: torch.nn.AdaptiveAvgPool2d
    """

    _pool = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """Means over parts of volumes: `AdaptiveAvgPool2d` with a depth. (PyTorch: torch.nn.AdaptiveAvgPool3d)"""

    _pool = staticmethod(F.adaptive_avg_pool3d)


class _AdaptiveMaxPoolNd(Module):
    _pool: ClassVar

    def __init__(self, output_size, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return self._pool(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """The largest of parts of signals: `AdaptiveMaxPool2d` with one dimension. (PyTorch: torch.nn.AdaptiveMaxPool1d)"""

    _pool = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """As `AdaptiveAvgPool2d`, with the largest element of each window.

    Args:
        output_size (int, None or a pair of them): ``(H', W')``; None keeps the input's size.
        return_indices (bool): also return where each maximum was, as an index into the flattened plane.

    PyTorch: torch.nn.AdaptiveMaxPool2d
    """

    _pool = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """The largest of parts of volumes: `AdaptiveMaxPool2d` with a depth. (PyTorch: torch.nn.AdaptiveMaxPool3d)"""

    _pool = staticmethod(F.adaptive_max_pool3d)
