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
    "ShortTensor", "set_default_tensor_type",
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


def set_default_tensor_type(t):
    """set_default_tensor_type(t): `set_default_dtype` by a type such as `DoubleTensor`, or its name
    "torch.DoubleTensor". (PyTorch: torch.set_default_tensor_type)"""
    made = next((kind for kind in FLOATS if t is kind or t in (f"torch.{kind.__name__}", kind.__name__)), None)
    if made is None:
        raise TypeError(f"only floating-point types are supported as the default type, got {t!r}: e.g. FloatTensor")
    dtypes.set_default_dtype(made.dtype_made)


FLOATS = (FloatTensor, DoubleTensor, HalfTensor)
