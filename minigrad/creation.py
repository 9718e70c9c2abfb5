"""Making tensors: from data, from shapes, by PyTorch's random streams.

These functions record nothing and have no gradient, so they are no op blocks; `requires_grad=True` makes a leaf.
device=, layout= and pin_memory= are accepted as PyTorch has them and mean nothing here (a device must be the CPU).
"""

from __future__ import annotations

import functools
import math

import numpy as np

from minigrad import dtypes
from minigrad.autograd.general import promote_two
from minigrad.errors import describe, message
from minigrad.registry import TENSORS, on_every_path
from minigrad.shapes import index_of, shape_args
from minigrad.tensor import Tensor, wrap

__all__ = [
    "arange", "as_tensor", "asarray", "empty", "empty_like", "eye", "from_numpy", "full", "full_like", "linspace",
    "logspace", "ones", "ones_like", "tensor", "tril_indices", "triu_indices", "zeros", "zeros_like",
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
        kinds = set()
        array = _from_python(data, kinds, op)
        if dtype is None:
            dtype = functools.reduce(promote_two, [_dtype_of_kind(kind) for kind in kinds], None)
            dtype = dtype or dtypes.get_default_dtype().numpy  # there are no elements
        _check_range(array, np.dtype(dtype), op)
    if dtype is None:
        dtype = dtypes.from_numpy_dtype(array.dtype).numpy
    with np.errstate(all="ignore"):
        return array.astype(dtype, copy=False)


def _dtype_of_kind(kind):
    """What an element adds to the dtype: Python numbers by their type, arrays and tensors their own dtype."""
    if isinstance(kind, np.dtype):
        return kind
    return np.dtype(kind) if kind is not float else dtypes.get_default_dtype().numpy


def _check_range(array, dtype, op):
    """Python numbers must fit the integer dtype asked for; unsigned ones may be given as their negative, as in C."""
    if dtype.kind not in "iu" or not array.size or array.dtype == dtype:
        return
    top = np.iinfo(dtype).max
    low = -float(top) - (dtype.kind == "i")
    if not (np.min(array) >= low and np.max(array) <= top):
        name = dtypes.from_numpy_dtype(dtype)
        raise RuntimeError(f"value cannot be converted to type {dtype} without overflow: {op}() was asked for {name}")


def _from_python(data, kinds, op):
    """The array of a number or of nested sequences; the types of the elements (or their dtypes) go to `kinds`."""
    plain = _plain(data, kinds, op)
    try:
        array = np.array(plain)
    except (ValueError, TypeError):
        raise _ragged(plain, op) from None
    if array.dtype.kind == "O":
        raise ValueError(f"{op}(): Overflow when unpacking long long: an element does not fit into 64 bits")
    return array


def _plain(data, kinds, op):
    """The data as lists of numbers and arrays."""
    kind = type(data)
    if kind is float or kind is int or kind is bool:
        kinds.add(kind)
        return data
    if isinstance(data, np.ndarray | np.generic):
        kinds.add(dtypes.from_numpy_dtype(data.dtype).numpy)
        return data
    if isinstance(data, Tensor):
        if data.array.size != 1:
            raise ValueError(
                f"only one element tensors can be converted to Python scalars: {op}() got one of shape "
                f"{list(data._shape)} in a sequence; to join tensors use stack() or cat()"
            )
        kinds.add(data.array.dtype)
        return data.array.item()
    if isinstance(data, bool | int | float):
        return _plain(data.__index__() if isinstance(data, int) else float(data), kinds, op)
    if isinstance(data, str | bytes):
        raise TypeError(message(op, "data", describe(data), "numbers, nested sequences of them, an array or a tensor"))
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")) or isinstance(data, dict):
        raise RuntimeError(
            f"Could not infer dtype of {kind.__name__}: {op}() takes numbers, nested sequences of them, an array or a "
            "tensor"
        )
    return [_plain(item, kinds, op) for item in data]


def _ragged(data, op, depth=1):
    """PyTorch's error about a sequence whose parts differ in length."""
    lengths = [len(item) if isinstance(item, list) or np.ndim(item) else None for item in data]
    if len({n is None for n in lengths}) == 2:
        return TypeError(f"{op}(): not a sequence: at depth {depth} of the data stand both numbers and sequences")
    for n in lengths:
        if n != lengths[0]:
            return ValueError(f"expected sequence of length {lengths[0]} at dim {depth} (got {n})")
    below = [_ragged(item, op, depth + 1) for item in data] if data and lengths[0] else []
    return next((error for error in below if error), None)


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
    if any(stride < 0 for stride in ndarray.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative strides are not "
            "supported: from_numpy() shares memory, so copy the array first, with array.copy()"
        )
    return wrap(np.asarray(ndarray).view(np.dtype(ndarray.dtype.char)))  # no subclass, NumPy's own dtype object


def _shaped(size, op):
    shape = shape_args(size, op)
    if any(n < 0 for n in shape):
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)} in {op}()")
    return shape


def _size_of(args, size, op):
    """The shape from ``f(2, 3)``, ``f((2, 3))`` or ``f(size=(2, 3))``."""
    if size is not None:
        args = (size,)
    elif not args:
        raise TypeError(f"{op}() missing 1 required positional arguments: 'size': give ints, or () for a 0-dim tensor")
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
    if isinstance(fill_value, Tensor) and fill_value._shape:
        raise TypeError(message("full", "fill_value", f"a tensor of shape {list(fill_value._shape)}", "a number"))
    if hasattr(size, "__index__"):
        raise TypeError(f"full(): argument 'size' must be a tuple of ints, not {type(size).__name__}")
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    if dtype is None:
        dtype = {bool: dtypes.bool_, int: dtypes.int64}.get(type(value), dtypes.get_default_dtype())
    shape = _shaped((size,), "full")
    return made(np.full(shape, value, dtypes.as_numpy(dtype)), requires_grad, device)


def _like(function, name):
    def like(input, *, dtype=None, device=None, requires_grad=False, layout=None, memory_format=None):
        if not isinstance(input, Tensor):
            raise TypeError(f"{name}_like(): argument 'input' must be Tensor, not {type(input).__name__}")
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
    n, m = index_of(n, "eye", "n"), None if m is None else index_of(m, "eye", "m")
    if n < 0 or (m is not None and m < 0):
        raise RuntimeError(message("eye", "n" if n < 0 else "m", str(n if n < 0 else m), "a number >= 0"))
    return made(np.eye(n, m, dtype=dtypes.as_numpy(dtype)), requires_grad, device)


def arange(start=0, end=None, step=1, *, dtype=None, device=None, requires_grad=False):
    """arange(start=0, end, step=1, *, dtype=None) -> Tensor

    ``start, start + step, ...`` up to but not including end: ``ceil((end - start) / step)`` values, int64 if all three
    are ints, else the default float dtype. (PyTorch: torch.arange)
    """
    if end is None:
        start, end = 0, start
    start, end, step = (x.item() if isinstance(x, Tensor | np.generic) else x for x in (start, end, step))
    for name, value in (("start", start), ("end", end), ("step", step)):
        if not isinstance(value, int | float):
            raise TypeError(f"arange(): argument '{name}' must be Number, not {type(value).__name__}")
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    if dtype is None and any(isinstance(x, float) for x in (start, end, step)):
        dtype = dtypes.get_default_dtype()
    numpy_dtype = np.dtype(np.int64) if dtype is None else dtypes.as_numpy(dtype)
    if not math.isfinite(end - start):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if numpy_dtype.kind in "iu":  # PyTorch truncates the three before it counts
        start, end, step = int(start), int(end), int(step)
        if not step:
            raise RuntimeError(f"step must be nonzero: arange() of {dtype!r} truncates it to an int")
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
    if numpy_dtype.kind in "iu":
        start, end = int(start), int(end)
    if steps == 1:
        return made(np.full(1, start, numpy_dtype), requires_grad, device)
    step = (real(end) - real(start)) / real(max(steps - 1, 1))
    # PyTorch rounds once, after the sum (a fused multiply-add): so compute in more digits.
    wide = np.longdouble if real is np.float64 else np.float64
    start, end, step, k = wide(real(start)), wide(real(end)), wide(step), np.arange(steps)
    values = np.where(k < steps // 2, start + step * k, end - step * (steps - 1 - k)).astype(real)
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

    def new_zeros(self, *size, dtype=None, device=None, requires_grad=False, **named) -> Tensor:
        return zeros(*size, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad, **named)

    def new_ones(self, *size, dtype=None, device=None, requires_grad=False, **named) -> Tensor:
        return ones(*size, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad, **named)

    def new_empty(self, *size, dtype=None, device=None, requires_grad=False, **named) -> Tensor:
        return empty(*size, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad, **named)

    def new_full(self, size, fill_value, *, dtype=None, device=None, requires_grad=False) -> Tensor:
        return full(size, fill_value, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad)

    def new_tensor(self, data, *, dtype=None, device=None, requires_grad=False) -> Tensor:
        return tensor(data, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad)

    for method in (new_zeros, new_ones, new_empty, new_full, new_tensor):
        method.__doc__ = f"`{method.__name__[4:]}` with this tensor's dtype. (PyTorch: Tensor.{method.__name__})"
        setattr(Tensor, method.__name__, method)


new_methods()
