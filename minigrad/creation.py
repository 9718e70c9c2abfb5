"""Making tensors: from data, from shapes, by PyTorch's random streams.

These functions record nothing and have no gradient, so they are no op blocks; `requires_grad=True` makes a leaf.
device=, layout= and pin_memory= are accepted as PyTorch has them and mean nothing here (a device must be the CPU).
"""

from __future__ import annotations

import math

import numpy as np

from minigrad import dtypes
from minigrad.errors import describe, message
from minigrad.registry import TENSORS, on_every_path
from minigrad.shapes import shape_args
from minigrad.tensor import Tensor, wrap

__all__ = [
    "arange", "as_tensor", "empty", "empty_like", "eye", "from_numpy", "full", "full_like", "linspace", "logspace",
    "ones", "ones_like", "tensor", "tril_indices", "triu_indices", "zeros", "zeros_like",
]  # fmt: skip


def made(array, requires_grad=False, device=None):
    if device is not None:
        dtypes.device(device)
    out = wrap(array)
    return out.requires_grad_() if requires_grad else out


def array_from(data, dtype=None, op="tensor"):
    """The NumPy array of Python data: numbers, nested sequences of them, arrays, tensors. dtype None: PyTorch's rule
    (Python floats are the default dtype; arrays and tensors keep theirs)."""
    if isinstance(data, Tensor):
        array = data.array
    elif isinstance(data, np.ndarray | np.generic):
        array = np.asarray(data)
    else:
        array = _from_python(data, op)
        if (dtype is None and array.dtype.kind == "f" and not _has_typed(data)) or (dtype is None and not array.size):
            dtype = dtypes.get_default_dtype().numpy
    if dtype is None:
        dtype = dtypes.from_numpy_dtype(array.dtype).numpy
    with np.errstate(all="ignore"):
        return array.astype(dtype, copy=False)


def _has_typed(data):
    """Whether the first element is a tensor or a NumPy array or scalar, whose dtype then counts."""
    while isinstance(data, list | tuple) and data:
        data = data[0]
    return isinstance(data, Tensor | np.ndarray) or (isinstance(data, np.generic) and not isinstance(data, float))


def _from_python(data, op):
    if not isinstance(data, bool | int | float | list | tuple):
        try:
            data = list(data)
        except TypeError:
            raise TypeError(
                message(op, "data", describe(data), "numbers, nested sequences of them, an array or a tensor")
            ) from None
    try:
        array = np.array(_plain(data))
    except ValueError:
        raise ValueError(_ragged(data)) from None
    if array.dtype.kind not in "biuf":
        raise TypeError(message(op, "data", f"elements that NumPy reads as {array.dtype}", "numbers or bools"))
    return array


def _plain(data):
    """The data with tensors as arrays."""
    if isinstance(data, list | tuple):
        return [_plain(item) for item in data]
    return data.array if isinstance(data, Tensor) else data


def _ragged(data, depth=0):
    """PyTorch's sentence about a sequence whose parts differ in length."""
    expected = None
    for item in data:
        length = len(item) if hasattr(item, "__len__") else None
        if expected is not None and length != expected:
            return f"expected sequence of length {expected} at dim {depth + 1} (got {length})"
        expected = length
    return _ragged(data[0], depth + 1) if expected else "the data is not a rectangular sequence of numbers"


TENSORS["array_from"] = array_from


def tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False):
    """tensor(data, *, dtype=None, requires_grad=False) -> Tensor

    A copy of the data (numbers, nested sequences, arrays) as a leaf. Python floats become the default dtype (float32),
    ints int64, bools bool; arrays keep their dtype. (PyTorch: torch.tensor)
    """
    array = array_from(data, None if dtype is None else dtypes.as_numpy(dtype))
    return made(np.array(array), requires_grad, device)


def as_tensor(data, dtype=None, device=None):
    """as_tensor(data, dtype=None) -> Tensor

    As `tensor`, sharing the memory of an array, and returning a tensor itself, where no conversion is needed.
    (PyTorch: torch.as_tensor)
    """
    if isinstance(data, Tensor):
        return data if dtype is None else TENSORS["to"](data, dtype)
    return made(array_from(data, None if dtype is None else dtypes.as_numpy(dtype)), False, device)


asarray = as_tensor


def from_numpy(ndarray):
    """from_numpy(ndarray) -> Tensor

    A tensor that shares the array's memory. (PyTorch: torch.from_numpy)
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    dtypes.from_numpy_dtype(ndarray.dtype)
    return wrap(ndarray)


def _shaped(size, op):
    shape = shape_args(size, op)
    if any(n < 0 for n in shape):
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)} in {op}()")
    return shape


def _size_of(args, size, op):
    """The shape from ``f(2, 3)``, ``f((2, 3))`` or ``f(size=(2, 3))``."""
    if size is not None:
        args = (size,)
    return _shaped(args, op)


def zeros(*size, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False, **named):
    """zeros(*size, dtype=None, requires_grad=False) -> Tensor: all zeros. (PyTorch: torch.zeros)"""
    return made(
        np.zeros(_size_of(size, named.pop("size", None), "zeros"), dtypes.as_numpy(dtype)), requires_grad, device
    )


def ones(*size, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False, **named):
    """ones(*size, dtype=None, requires_grad=False) -> Tensor: all ones. (PyTorch: torch.ones)"""
    return made(np.ones(_size_of(size, named.pop("size", None), "ones"), dtypes.as_numpy(dtype)), requires_grad, device)


def empty(*size, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False, **named):
    """empty(*size, dtype=None, requires_grad=False) -> Tensor: whatever the memory held. (PyTorch: torch.empty)"""
    return made(
        np.empty(_size_of(size, named.pop("size", None), "empty"), dtypes.as_numpy(dtype)), requires_grad, device
    )


def full(size, fill_value, *, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False):
    """full(size, fill_value, *, dtype=None, requires_grad=False) -> Tensor

    One value everywhere; the dtype is the value's (bool, int64 or the default float). (PyTorch: torch.full)
    """
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    if dtype is None:
        dtype = {bool: dtypes.bool_, int: dtypes.int64}.get(type(value), dtypes.get_default_dtype())
    shape = _shaped((size,), "full")
    return made(np.full(shape, value, dtypes.as_numpy(dtype)), requires_grad, device)


def _like(function, name):
    def like(input, *, dtype=None, device=None, requires_grad=False, layout=None, memory_format=None):
        return made(function(input._shape, dtypes.as_numpy(dtype or input.dtype)), requires_grad, device)

    like.__name__ = like.__qualname__ = name + "_like"
    like.__doc__ = (
        f"{name}_like(input, *, dtype=None, requires_grad=False) -> Tensor: `{name}` of the input's shape and dtype. "
        f"(PyTorch: torch.{name}_like)"
    )
    return like


zeros_like, ones_like, empty_like = _like(np.zeros, "zeros"), _like(np.ones, "ones"), _like(np.empty, "empty")


def full_like(input, fill_value, *, dtype=None, device=None, requires_grad=False, layout=None, memory_format=None):
    """full_like(input, fill_value) -> Tensor: `full` of the input's shape and dtype. (PyTorch: torch.full_like)"""
    return full(input.shape, fill_value, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)


def eye(n, m=None, *, dtype=None, device=None, requires_grad=False):
    """eye(n, m=None) -> Tensor: ones on the diagonal of an (n, m) matrix, zeros elsewhere. (PyTorch: torch.eye)"""
    if n < 0 or (m is not None and m < 0):
        raise RuntimeError(message("eye", "n" if n < 0 else "m", str(n if n < 0 else m), "a number >= 0"))
    return made(np.eye(n, m, dtype=dtypes.as_numpy(dtype)), requires_grad, device)


def arange(start, end=None, step=1, *, dtype=None, device=None, requires_grad=False):
    """arange(start=0, end, step=1, *, dtype=None) -> Tensor

    ``start, start + step, ...`` up to but not including end: ``ceil((end - start) / step)`` values, int64 if all three
    are ints, else the default float dtype. (PyTorch: torch.arange)
    """
    if end is None:
        start, end = 0, start
    start, end, step = (x.item() if isinstance(x, Tensor | np.generic) else x for x in (start, end, step))
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    if dtype is None and any(isinstance(x, float) for x in (start, end, step)):
        dtype = dtypes.get_default_dtype()
    numpy_dtype = np.dtype(np.int64) if dtype is None else dtypes.as_numpy(dtype)
    count = math.ceil((end - start) / step)
    values = start + np.arange(count, dtype=np.float64 if numpy_dtype.kind == "f" else np.int64) * step
    return made(values.astype(numpy_dtype), requires_grad, device)


def linspace(start, end, steps, *, dtype=None, device=None, requires_grad=False):
    """linspace(start, end, steps) -> Tensor

    `steps` values evenly spaced from start to end, both included: counted from the nearer end, as PyTorch does.
    (PyTorch: torch.linspace)
    """
    if steps < 0:
        raise RuntimeError(f"number of steps must be non-negative, but got {steps}")
    numpy_dtype = dtypes.as_numpy(dtype)
    start, end = (x.item() if isinstance(x, Tensor) else x for x in (start, end))
    real = numpy_dtype.type if numpy_dtype.kind == "f" else np.float64
    if steps == 1:
        return made(np.full(1, start, numpy_dtype), requires_grad, device)
    step = (real(end) - real(start)) / real(max(steps - 1, 1))
    k = np.arange(steps)
    values = np.where(
        k < steps // 2, real(start) + step * k.astype(real), real(end) - step * (steps - 1 - k).astype(real)
    )
    return made(values.astype(numpy_dtype), requires_grad, device)


def logspace(start, end, steps, base=10.0, *, dtype=None, device=None, requires_grad=False):
    """logspace(start, end, steps, base=10.0) -> Tensor: ``base ** linspace(start, end, steps)``.
    (PyTorch: torch.logspace)"""
    exponents = linspace(start, end, steps, dtype=dtypes.float64).array
    return made(np.power(base, exponents).astype(dtypes.as_numpy(dtype)), requires_grad, device)


def tril_indices(row, col, offset=0):
    """tril_indices(row, col, offset=0) -> LongTensor

    Where the lower triangle of a (row, col) matrix is, as (2, n) indices. (PyTorch: torch.tril_indices)
    """
    return wrap(np.array(np.tril_indices(row, offset, col), np.int64).reshape(2, -1))


def triu_indices(row, col, offset=0):
    """triu_indices(row, col, offset=0) -> LongTensor

    Where the upper triangle of a (row, col) matrix is, as (2, n) indices. (PyTorch: torch.triu_indices)
    """
    return wrap(np.array(np.triu_indices(row, offset, col), np.int64).reshape(2, -1))


# ---- what the op language needs: the same names on tensors and on arrays

TENSORS["zeros_of"] = lambda shape, dtype: wrap(np.zeros(tuple(shape), dtype))
TENSORS["full_of"] = lambda shape, value, dtype: wrap(np.full(tuple(shape), value, dtype))
TENSORS["eye_mask"] = lambda n: wrap(np.eye(n, dtype=bool))


@on_every_path("type_name")
def type_name(dtype):
    """PyTorch's name of a dtype in its error messages, e.g. "Float"."""
    names = {
        "f4": "Float",
        "f8": "Double",
        "f2": "Half",
        "i8": "Long",
        "i4": "Int",
        "i2": "Short",
        "i1": "Char",
        "u1": "Byte",
        "b1": "Bool",
    }
    return names.get(dtype.str[1:], str(dtype))


def new_methods():
    """`Tensor.new_zeros` and its kind: of the tensor's dtype unless told otherwise."""

    def new_zeros(self, *size, dtype=None, device=None, requires_grad=False, **named):
        return zeros(*size, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad, **named)

    def new_ones(self, *size, dtype=None, device=None, requires_grad=False, **named):
        return ones(*size, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad, **named)

    def new_empty(self, *size, dtype=None, device=None, requires_grad=False, **named):
        return empty(*size, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad, **named)

    def new_full(self, size, fill_value, *, dtype=None, device=None, requires_grad=False):
        return full(size, fill_value, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad)

    def new_tensor(self, data, *, dtype=None, device=None, requires_grad=False):
        return tensor(data, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad)

    for method in (new_zeros, new_ones, new_empty, new_full, new_tensor):
        method.__doc__ = f"`{method.__name__[4:]}` with this tensor's dtype. (PyTorch: Tensor.{method.__name__})"
        setattr(Tensor, method.__name__, method)


new_methods()
