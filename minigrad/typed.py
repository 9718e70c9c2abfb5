"""`FloatTensor`, `LongTensor` and their kind: PyTorch's old constructors, one for each dtype.

``FloatTensor(2, 3)`` is an uninitialised tensor of that shape, ``FloatTensor([1, 2])`` one of these values.  They are
not types of tensors: ``isinstance(x, LongTensor)`` asks for the dtype, as in PyTorch.
"""

from __future__ import annotations

from minigrad import dtypes
from minigrad.protocol import legacy
from minigrad.tensor import Tensor

__all__ = [
    "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "HalfTensor", "IntTensor", "LongTensor",
    "ShortTensor",
]  # fmt: skip


class _TypedTensor(type):
    """The type of these constructors: calling one makes a plain Tensor, `isinstance` asks for the dtype."""

    def __call__(cls, *args):
        return legacy(Tensor, args, cls.dtype_made.numpy)

    def __instancecheck__(cls, instance):
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype_made


def _typed(name, dtype):
    doc = f"{name}(*shape) or {name}(data) -> Tensor of {dtype!r}. (PyTorch: torch.{name})"
    return _TypedTensor(name, (), {"dtype_made": dtype, "__doc__": doc, "__module__": "minigrad"})


FloatTensor = _typed("FloatTensor", dtypes.float32)
DoubleTensor = _typed("DoubleTensor", dtypes.float64)
LongTensor = _typed("LongTensor", dtypes.int64)
IntTensor = _typed("IntTensor", dtypes.int32)
ByteTensor = _typed("ByteTensor", dtypes.uint8)
HalfTensor = _typed("HalfTensor", dtypes.float16)
ShortTensor = _typed("ShortTensor", dtypes.int16)
CharTensor = _typed("CharTensor", dtypes.int8)
BoolTensor = _typed("BoolTensor", dtypes.bool_)
