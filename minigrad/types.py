"""`minigrad.types`: names for annotations. (PyTorch: torch.types)"""

from __future__ import annotations

from builtins import bool as _bool
from builtins import float as _float
from builtins import int as _int
from collections.abc import Sequence
from os import PathLike
from typing import TypeAlias

from minigrad import Tensor
from minigrad.dtypes import Size
from minigrad.dtypes import device as _device

__all__ = ["Device", "FileLike", "Number", "Size", "Tensor"]

Number: TypeAlias = _int | _float | _bool
Device: TypeAlias = _device | str | _int | None
FileLike: TypeAlias = str | PathLike[str]
_TensorOrTensors: TypeAlias = Tensor | Sequence[Tensor]
_size: TypeAlias = Size | list[_int] | tuple[_int, ...]
