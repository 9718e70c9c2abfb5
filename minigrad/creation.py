"""Making tensors: from data and from shapes. (By PyTorch's random streams: `sampling.py`.)

These functions record nothing and have no gradient, so they are no op blocks; `requires_grad=True` makes a leaf.
device=, layout= and pin_memory= are accepted as PyTorch has them and mean nothing here (a device must be the CPU).
"""

from __future__ import annotations

import functools
import math

import numpy as np

from minigrad import dtypes
from minigrad.autograd.general import not_a_tensor, promote_two
from minigrad.autograd.outputs import into
from minigrad.errors import describe, message
from minigrad.memory import strided_view
from minigrad.registry import ARRAYS, NUMBERS, TENSORS, on_every_path
from minigrad.shapes import index_of, not_negative, shape_args
from minigrad.tensor import Tensor, wrap

__all__ = [
    "as_tensor", "asarray", "empty", "empty_like", "empty_strided", "eye", "from_numpy", "full", "full_like", "ones",
    "ones_like", "scalar_tensor", "tensor", "zeros", "zeros_like",
]  # fmt: skip


def made(array, requires_grad=False, device=None):
    if device is not None:
        dtypes.device(device)
    out = wrap(array)
    return out.requires_grad_() if requires_grad else out


def dtype_for(out, dtype):
    """The dtype of what is to be written into `out`: the one asked for, or out's own."""
    return getattr(out, "dtype", None) if dtype is None else dtype


def array_from(data, dtype=None, op="tensor"):
    """The NumPy array of Python data: numbers, nested sequences of them, arrays, tensors. dtype None: PyTorch's rule
    (Python floats are the default dtype; arrays and tensors keep theirs)."""
    if isinstance(data, Tensor):
        array = data.array
    elif isinstance(data, np.ndarray | np.generic):
        array = np.asarray(data)
        if any(stride < 0 for stride in array.strides):  # tensors have none
            array = array.copy()
    elif hasattr(data, "__dlpack__"):
        array = np.from_dlpack(data)
    else:
        kinds = set()
        array = _from_python(data, kinds, op)
        found = functools.reduce(promote_two, [_dtype_of_kind(kind) for kind in kinds], None)
        found = found or dtypes.get_default_dtype().numpy  # there are no elements
        if array.dtype.kind in "uO" and found.kind == "i" and (dtype is None or np.dtype(dtype).kind != "f"):
            raise ValueError(f"{op}(): Overflow when unpacking long long: an element does not fit into 64 bits")
        dtype = found if dtype is None else dtype
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
    return array


def _plain(data, kinds, op, nested=False):
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
        return _plain(data.__index__() if isinstance(data, int) else float(data), kinds, op, nested)
    if isinstance(data, str | bytes):
        expected = message(op, "data", describe(data), "numbers, nested sequences of them, an array or a tensor")
        raise ValueError("too many dimensions 'str': " + expected) if nested else TypeError(expected)
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")) or isinstance(data, dict):
        raise RuntimeError(
            f"Could not infer dtype of {kind.__name__}: {op}() takes numbers, nested sequences of them, an array or a "
            "tensor"
        )
    return [_plain(item, kinds, op, True) for item in data]


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


def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """asarray(obj, *, dtype=None, copy=None, requires_grad=False) -> Tensor

    A tensor of whatever holds numbers: tensors, arrays, what speaks DLPack or is a buffer, numbers and sequences.
    Memory is shared where that can be, unless copy=True; copy=False raises where it cannot. (PyTorch: torch.asarray)
    """
    if device is not None:
        dtypes.device(device)
    wanted = None if dtype is None else dtypes.as_numpy(dtype, "asarray")
    if isinstance(obj, Tensor):
        out = obj.detach() if requires_grad and not obj.requires_grad else obj
    elif isinstance(obj, np.ndarray | np.generic) or hasattr(obj, "__dlpack__"):
        out = wrap(array_from(obj))
    elif isinstance(obj, bytes | bytearray | memoryview):
        out = wrap(np.frombuffer(obj, dtypes.as_numpy(dtype)))
    elif copy is False:
        raise ValueError("can't alias arbitrary sequence into a tensor: asarray(copy=False) takes arrays and buffers")
    else:
        return tensor(obj, dtype=dtype, requires_grad=requires_grad)
    if wanted is not None and wanted != out.array.dtype:
        if copy is False:
            raise ValueError(f"can't alias tensor of dtype {out.dtype!r} as {dtype!r}: leave copy=False out")
        out = TENSORS["to"](out, dtype)
    elif copy:
        out = TENSORS["clone"](out)
    return out.requires_grad_() if requires_grad and out.is_leaf else out


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
    return not_negative(shape_args(size, op), op)


def size_of(args, size, op):
    """The shape from ``f(2, 3)``, ``f((2, 3))`` or ``f(size=(2, 3))``."""
    if size is not None:
        args = (size,)
    elif not args or isinstance(args[0], bool):
        raise TypeError(f"{op}() missing 1 required positional arguments: 'size': give ints, or () for a 0-dim tensor")
    return _shaped(args, op)


def _filled(name, function, what):
    """`zeros`, `ones` and `empty`, by the NumPy function of that name."""

    def make(
        *args,
        size=None,
        dtype=None,
        layout=None,
        device=None,
        pin_memory=False,
        requires_grad=False,
        memory_format=dtypes.contiguous_format,
        out=None,
    ):
        if out is not None:
            return into(out, make, *args, size=size, dtype=dtype_for(out, dtype))
        dtypes.only_plain_format(memory_format, name)
        return made(function(size_of(args, size, name), dtypes.as_numpy(dtype, name)), requires_grad, device)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"{name}(*size, dtype=None, requires_grad=False) -> Tensor: {what}. (PyTorch: torch.{name})"
    return make


zeros, ones = _filled("zeros", np.zeros, "all zeros"), _filled("ones", np.ones, "all ones")
empty = _filled("empty", np.empty, "whatever the memory held")


def empty_strided(size, stride, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
    """empty_strided(size, stride, *, dtype=None, requires_grad=False) -> Tensor

    Whatever the memory held, with these steps (in elements) between the elements of each dimension.
    (PyTorch: torch.empty_strided)
    """
    size, stride = _shaped((size,), "empty_strided"), shape_args((stride,), "empty_strided")
    if len(size) != len(stride):
        raise RuntimeError(
            f"dimensionality of sizes ({len(size)}) must match dimensionality of strides ({len(stride)})"
        )
    if any(n < 0 for n in stride):
        raise RuntimeError(f"empty_strided: strides must be non-negative, got strides: {list(stride)}")
    kind = dtypes.as_numpy(dtype, "empty_strided")
    reach = 0 if 0 in size else 1 + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    memory = np.empty(reach, kind)
    return made(
        strided_view(memory, 0, size, [s * kind.itemsize for s in stride], 0 not in stride or max(size) < 2),
        requires_grad,
        device,
    )


def fill_number(value, op, argument="fill_value"):
    """The number to fill with: a Python number, or the one of a 0-dim tensor."""
    if isinstance(value, Tensor):
        if value._shape:
            raise TypeError(message(op, argument, f"a tensor of shape {list(value._shape)}", "a number"))
        value = value.item()
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, bool | int | float):
        raise TypeError(f"{op}(): argument '{argument}' must be Number, not {type(value).__name__}")
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise OverflowError(f"int too big to convert: {op}() got {value}, which does not fit into 64 bits")
    return value


def full(size, fill_value, *, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False, out=None):
    """full(size, fill_value, *, dtype=None, requires_grad=False) -> Tensor

    One value everywhere; the dtype is the value's (bool, int64 or the default float). (PyTorch: torch.full)
    """
    if out is not None:
        return into(out, full, size, fill_value, dtype=dtype_for(out, dtype))
    if hasattr(size, "__index__"):
        raise TypeError(f"full(): argument 'size' must be a tuple of ints, not {type(size).__name__}")
    value = fill_number(fill_value, "full")
    if dtype is None:
        dtype = {bool: dtypes.bool_, int: dtypes.int64}.get(type(value), dtypes.get_default_dtype())
    kind = dtypes.as_numpy(dtype, "full")
    return made(np.full(_shaped((size,), "full"), as_scalar(value, kind)), requires_grad, device)


def _like(function, name):
    def like(input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=dtypes.preserve_format):
        tensors_only(name + "_like", input=input)
        return made(laid_out_as(function, input, dtype, memory_format, name + "_like"), requires_grad, device)

    like.__name__ = like.__qualname__ = name + "_like"
    like.__doc__ = (
        f"{name}_like(input, *, dtype=None, requires_grad=False) -> Tensor: `{name}` of the input's shape and dtype. "
        f"(PyTorch: torch.{name}_like)"
    )
    return like


def laid_out_as(function, input, dtype, memory_format, op):
    """A new array of the input's shape, with its axes in the same order in memory unless contiguous_format is asked."""
    dtypes.only_plain_format(memory_format, op)
    kind = input.array.dtype if dtype is None else dtypes.as_numpy(dtype, op)
    if memory_format is dtypes.contiguous_format or input.array.flags.c_contiguous or 0 in input.array.strides:
        return function(input._shape, kind)
    order = sorted(range(input.ndim), key=lambda d: -input.array.strides[d])
    back = [order.index(d) for d in range(input.ndim)]
    return function(tuple([input._shape[d] for d in order]), kind).transpose(back)


zeros_like, ones_like, empty_like = _like(np.zeros, "zeros"), _like(np.ones, "ones"), _like(np.empty, "empty")


def full_like(
    input,
    fill_value,
    *,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
    memory_format=dtypes.preserve_format,
):
    """full_like(input, fill_value) -> Tensor: `full` of the input's shape and dtype. (PyTorch: torch.full_like)"""
    tensors_only("full_like", input=input)
    array = laid_out_as(np.empty, input, dtype, memory_format, "full_like")
    array.fill(as_scalar(fill_number(fill_value, "full_like"), array.dtype))
    return made(array, requires_grad, device)


def scalar_tensor(s, *, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False):
    """scalar_tensor(s, *, dtype=None) -> Tensor: a 0-dim tensor of a number, of the default dtype.
    (PyTorch: torch.scalar_tensor)"""
    kind = dtypes.as_numpy(dtype, "scalar_tensor")
    return made(np.asarray(as_scalar(fill_number(s, "scalar_tensor", "s"), kind)), requires_grad, device)


def eye(n, m=..., *, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False, out=None):
    """eye(n, m=n) -> Tensor: ones on the diagonal of an (n, m) matrix, zeros elsewhere. (PyTorch: torch.eye)"""
    if out is not None:
        return into(out, eye, n, m, dtype=dtype_for(out, dtype))
    n, m = index_of(n, "eye", "n"), index_of(n if m is ... else m, "eye", "m")
    if n < 0 or m < 0:
        raise RuntimeError(message("eye", "n" if n < 0 else "m", str(n if n < 0 else m), "a number >= 0"))
    return made(np.eye(n, m, dtype=dtypes.as_numpy(dtype)), requires_grad, device)


def as_scalar(value, dtype):
    """A Python number in a dtype, as PyTorch takes a Scalar: RuntimeError where it does not fit."""
    if dtype.kind == "b":
        return np.bool_(value)
    if dtype.kind == "f":
        check_fits(dtype, value)
        return dtype.type(value)
    limits = np.iinfo(dtype)
    low = limits.min if isinstance(value, float) or dtype.kind == "i" else -limits.max
    if not low <= value <= limits.max:
        raise _overflow(dtype)
    return np.asarray(int(value)).astype(dtype)[()]  # negative ints wrap around in uint8


NUMBER = (float, int)
LARGEST = {np.dtype(kind): float(np.finfo(kind).max) for kind in ("f2", "f4", "f8")}


@on_every_path("check_fits")
def check_fits(dtype, number):
    """RuntimeError for a finite number beyond the largest of a float dtype; numbers come there where PyTorch has them
    in the tensor's dtype, and not where it computes with them in a wider one."""
    if not isinstance(number, NUMBER) or -65504.0 <= number <= 65504.0:  # float16, the narrowest, has these
        return
    if dtype.kind == "f" and LARGEST[dtype] < abs(number) < math.inf:
        raise _overflow(dtype)


def _overflow(dtype):
    name = {"f2": "c10::Half", "f4": "float", "f8": "double"}.get(dtype.str[1:], f"{dtype}_t")
    return RuntimeError(f"value cannot be converted to type {name} without overflow")


# ---- what the op language needs: the same names on tensors and on arrays


def tensors_only(op, **arguments):
    """TypeError for an argument that is no tensor. (In a plain backward there are only arrays, and all is well.)"""
    for name, value in arguments.items():
        if not isinstance(value, Tensor):
            raise not_a_tensor(op, name, value)


TENSORS["tensors_only"] = tensors_only
ARRAYS["tensors_only"] = NUMBERS["tensors_only"] = lambda op, **arguments: None


def _on_both(name, make):
    ARRAYS[name], TENSORS[name] = make, lambda *args: wrap(make(*args))


_on_both("zeros_of", lambda shape, dtype: np.zeros(tuple(shape), dtype))
_on_both("full_of", lambda shape, value, dtype: np.full(tuple(shape), value, dtype))
_on_both("eye_mask", lambda n: np.eye(n, dtype=bool))
_on_both("class_numbers", lambda shape: np.arange(max(shape, default=1)).reshape(shape))
_on_both("index_tensor", lambda places: places)


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

    def new_zeros(self, *args, size=None, dtype=None, device=None, requires_grad=False, **unused) -> Tensor:
        return zeros(*args, size=size, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad, **unused)

    def new_ones(self, *args, size=None, dtype=None, device=None, requires_grad=False, **unused) -> Tensor:
        return ones(*args, size=size, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad, **unused)

    def new_empty(self, *args, size=None, dtype=None, device=None, requires_grad=False, **unused) -> Tensor:
        return empty(*args, size=size, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad, **unused)

    def new_full(self, size, fill_value, *, dtype=None, device=None, requires_grad=False, **unused) -> Tensor:
        return full(size, fill_value, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad, **unused)

    def new_tensor(self, data, *, dtype=None, device=None, requires_grad=False, **unused) -> Tensor:
        return tensor(data, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad, **unused)

    def new_empty_strided(self, size, stride, *, dtype=None, device=None, requires_grad=False, **unused) -> Tensor:
        return empty_strided(
            size, stride, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad, **unused
        )

    for method in (new_zeros, new_ones, new_empty, new_full, new_tensor, new_empty_strided):
        method.__doc__ = f"`{method.__name__[4:]}` with this tensor's dtype. (PyTorch: Tensor.{method.__name__})"
        setattr(Tensor, method.__name__, method)


new_methods()
