"""Padding layers: a border of one value, or of the input's own elements, around the last dimensions.

A layer for n dimensions takes one width for all sides, or 2n: before and after the last dimension, then the last but
one, ... Negative widths cut.
"""

from __future__ import annotations

from typing import ClassVar

from minigrad.nn import functional as F
from minigrad.nn.modules.module import Module
from minigrad.nn.modules.utils import _ntuple
from minigrad.tensor import Tensor

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d",
    "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d",
    "ZeroPad1d", "ZeroPad2d", "ZeroPad3d",
]  # fmt: skip


class _Pad(Module):
    """A border made of the input's own elements; a subclass says how and of how many dimensions."""

    _dims: ClassVar[int]
    _mode: ClassVar[str]

    def __init__(self, padding) -> None:
        super().__init__()
        self.padding = _ntuple(2 * self._dims)(padding)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPadNd(_Pad):
    _mode = "constant"

    def __init__(self, padding, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self._mode, self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """A border of one value around the last dimension of a tensor of any shape ``(*, L)``.

    Args:
        padding (int or (int, int)): widths before and after.
        value (float): what the border is made of.

    PyTorch: torch.nn.ConstantPad1d
    """

    _dims = 1


class ConstantPad2d(_ConstantPadNd):
    """A border of one value around the last two dimensions of ``(*, H, W)``.

    Args:
        padding (int or (left, right, top, bottom)): widths of the sides.
        value (float): what the border is made of.

    PyTorch: torch.nn.ConstantPad2d
    """

    _dims = 2


class ConstantPad3d(_ConstantPadNd):
    """A border of one value around the last three dimensions of ``(*, D, H, W)``.

    Args:
        padding (int or (left, right, top, bottom, front, back)): widths of the sides.
        value (float): what the border is made of.

    PyTorch: torch.nn.ConstantPad3d
    """

    _dims = 3


class _ZeroPad(_ConstantPadNd):
    """Stands before a ConstantPad in the MRO: the value is 0, and not shown."""

    def __init__(self, padding) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad1d(_ZeroPad, ConstantPad1d):
    """`ConstantPad1d` with zeros. (PyTorch: torch.nn.ZeroPad1d)"""


class ZeroPad2d(_ZeroPad, ConstantPad2d):
    """`ConstantPad2d` with zeros. (PyTorch: torch.nn.ZeroPad2d)"""


class ZeroPad3d(_ZeroPad, ConstantPad3d):
    """`ConstantPad3d` with zeros. (PyTorch: torch.nn.ZeroPad3d)"""


class _ReflectionPadNd(_Pad):
    _mode = "reflect"


class ReflectionPad1d(_ReflectionPadNd):
    """The border mirrors the inside at the edge, which is not repeated: ``c b | a b c d | c b``.

    Input ``(N, C, L)`` or ``(C, L)``; output likewise with ``L + before + after``. Widths are less than L.

    Args:
        padding (int or (int, int)): widths before and after.

    PyTorch: torch.nn.ReflectionPad1d
    """

    _dims = 1


class ReflectionPad2d(_ReflectionPadNd):
    """As `ReflectionPad1d`, around ``(N, C, H, W)`` or ``(C, H, W)``.

    Args:
        padding (int or (left, right, top, bottom)): widths of the sides.

    PyTorch: torch.nn.ReflectionPad2d
    """

    _dims = 2


class ReflectionPad3d(_ReflectionPadNd):
    """As `ReflectionPad1d`, around ``(N, C, D, H, W)`` or ``(C, D, H, W)``.

    Args:
        padding (int or (left, right, top, bottom, front, back)): widths of the sides.

    PyTorch: torch.nn.ReflectionPad3d
    """

    _dims = 3


class _ReplicationPadNd(_Pad):
    _mode = "replicate"


class ReplicationPad1d(_ReplicationPadNd):
    """The border repeats the edge: ``a a | a b c d | d d``.

    Input ``(N, C, L)`` or ``(C, L)``; output likewise with ``L + before + after``.

    Args:
        padding (int or (int, int)): widths before and after.

    PyTorch: torch.nn.ReplicationPad1d
    """

    _dims = 1


class ReplicationPad2d(_ReplicationPadNd):
    """As `ReplicationPad1d`, around ``(N, C, H, W)`` or ``(C, H, W)``.

    Args:
        padding (int or (left, right, top, bottom)): widths of the sides.

    PyTorch: torch.nn.ReplicationPad2d
    """

    _dims = 2


class ReplicationPad3d(_ReplicationPadNd):
    """As `ReplicationPad1d`, around ``(N, C, D, H, W)`` or ``(C, D, H, W)``.

    Args:
        padding (int or (left, right, top, bottom, front, back)): widths of the sides.

    PyTorch: torch.nn.ReplicationPad3d
    """

    _dims = 3


class _CircularPadNd(_Pad):
    _mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        ranks = self._dims + 1, self._dims + 2
        if input.dim() not in ranks:
            raise ValueError(
                f"{self._get_name()}: expected {ranks[0]}D or {ranks[1]}D input (got {input.dim()}D input)"
            )
        return super().forward(input)


class CircularPad1d(_CircularPadNd):
    """The border continues from the other end: ``c d | a b c d | a b``.

    Input ``(N, C, L)`` or ``(C, L)``; output likewise with ``L + before + after``. Widths are at most L.

    Args:
        padding (int or (int, int)): widths before and after.

    PyTorch: torch.nn.CircularPad1d
    """

    _dims = 1


class CircularPad2d(_CircularPadNd):
    """As `CircularPad1d`, around ``(N, C, H, W)`` or ``(C, H, W)``.

    Args:
        padding (int or (left, right, top, bottom)): widths of the sides.

    PyTorch: torch.nn.CircularPad2d
    """

    _dims = 2


class CircularPad3d(_CircularPadNd):
    """As `CircularPad1d`, around ``(N, C, D, H, W)`` or ``(C, D, H, W)``.

    Args:
        padding (int or (left, right, top, bottom, front, back)): widths of the sides.

    PyTorch: torch.nn.CircularPad3d
    """

    _dims = 3
