"""`Tensor.to` and its kind: changing the dtype, copying values in, joining the operators that are no op blocks."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import dtypes
from minigrad.autograd import inplace
from minigrad.autograd.general import NUMBER, OPERAND, as_tensor, broadcast_error, not_a_tensor, promote, quiet
from minigrad.autograd.modes import is_grad_enabled
from minigrad.autograd.node import bump, node_of
from minigrad.autograd.outputs import into
from minigrad.creation import as_scalar, check_fits, tensors_only
from minigrad.errors import NoDeviceError
from minigrad.memory import check_overlap
from minigrad.ops import index as index_ops
from minigrad.registry import ARRAYS, OPS, TENSORS
from minigrad.tensor import Tensor, wrap


def to(self, *args, dtype=None, device=None, other=None, non_blocking=False, copy=False, memory_format=None):
    """to(dtype, non_blocking=False, copy=False) -> Tensor;  to(device, dtype=None, ...);  to(other, ...)

    The tensor in another dtype (recorded); itself if it already has it and copy is False. The device must be the CPU.
    (PyTorch: Tensor.to)
    """
    if len(args) == 1 and args[0].__class__ is dtypes.dtype and not copy:
        wanted = dtypes.as_numpy(args[0], "to")
    else:
        flags = [arg for arg in args if isinstance(arg, bool)]
        copy = flags[1] if len(flags) > 1 else copy
        dtype, device = _dtype_and_device([arg for arg in args if not isinstance(arg, bool)], dtype, device, other)
        wanted = self.array.dtype if dtype is None else dtypes.as_numpy(dtype, "to")
    if wanted is self.array.dtype or wanted == self.array.dtype:
        return TENSORS["clone"](self, memory_format=memory_format) if copy else self
    made = TENSORS["to_dtype"](self, wanted)
    return made.contiguous() if memory_format is dtypes.contiguous_format else made


def _dtype_and_device(given, dtype, device, other):
    """What the positional arguments of `to` mean: a tensor, a dtype, a device, or a device and a dtype."""
    for position, arg in enumerate(given):
        if isinstance(arg, Tensor) and position == 0:
            other = arg
        elif isinstance(arg, dtypes.dtype | np.dtype | type) and dtype is None:
            dtype = arg
        elif isinstance(arg, str | dtypes.device | int) and device is None and position == 0:
            device = arg
        elif arg is not None:
            raise TypeError(
                f"to() received an invalid combination of arguments: got {type(arg).__name__} at position {position}; "
                "expected (dtype), (device), (device, dtype) or (other), then non_blocking and copy"
            )
    if device is not None:
        dtypes.device(device)
    return (other.dtype if other is not None else dtype), device


def type_(self, dtype=None, non_blocking=False):
    """type() -> str;  type(dtype) -> Tensor: the type's name, e.g. 'torch.FloatTensor'; with a dtype as `to`."""
    if dtype is None:
        return f"torch.{TENSORS['type_name'](self.array.dtype)}Tensor"
    if isinstance(dtype, str):
        for known in dtypes.ALL:
            if dtype == f"torch.{TENSORS['type_name'](known.numpy)}Tensor":
                return to(self, known)
        raise ValueError(f"invalid type: {dtype!r}")
    if isinstance(dtype, type) and not hasattr(dtype, "dtype_made"):
        raise ValueError(f"invalid type: {dtype.__name__!r}")
    return to(self, getattr(dtype, "dtype_made", dtype))


def _converter(name, dtype):
    def method(self, memory_format=None):
        return to(self, dtype)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"{name}() -> Tensor: ``self.to({dtype!r})``. (PyTorch: Tensor.{name})"
    setattr(Tensor, name, method)


for _name in ("float", "double", "half", "long", "int", "short", "bool"):
    _converter(_name, dtypes.PUBLIC[_name])
_converter("byte", dtypes.uint8)
_converter("char", dtypes.int8)
TENSORS["to"] = to


def type_as(self, other):
    """type_as(other) -> Tensor: ``self.to(other.dtype)``. (PyTorch: Tensor.type_as)"""
    tensors_only("type_as", other=other)
    return to(self, other.dtype)


def cpu(self, memory_format=None):
    """cpu() -> Tensor: itself. (PyTorch: Tensor.cpu)"""
    return self


def cuda(self, *args, **kwargs) -> Tensor:
    """cuda() raises: there is no GPU here."""
    raise NoDeviceError(
        "cuda(): minigrad runs on the CPU only; guard the call with cuda.is_available(), which is False"
    )


def pin_memory(self, device=None):
    """pin_memory() -> Tensor: itself; there is no device to copy to. (PyTorch: Tensor.pin_memory)"""
    return self


def share_memory_(self):
    """share_memory_() -> Tensor: itself. (PyTorch: Tensor.share_memory_)"""
    return self


def copy_(self, src, non_blocking=False):
    """copy_(src) -> Tensor: src's values written into this tensor, broadcast and converted; recorded as any write.
    (PyTorch: Tensor.copy_)"""
    if not isinstance(src, OPERAND) or isinstance(src, np.ndarray):
        raise not_a_tensor("copy_", "other", src)
    if inplace.write_at_once(inplace.overwrite, self, (src,), "copy_"):
        return self
    return inplace.write(OPS["copy"], self, (src,))


def fill_(self, value):
    """fill_(value) -> Tensor: a number (or 0-dim tensor) written everywhere. (PyTorch: Tensor.fill_)"""
    if isinstance(value, bool | int | float):
        as_scalar(value, self.array.dtype)  # an error where it does not fit
    if isinstance(value, Tensor) and value._shape:
        raise RuntimeError(f"fill_ only supports 0-dimension value tensor but got tensor with {value.ndim} dimensions.")
    return copy_(self, value)


def zero_(self):
    """zero_() -> Tensor: zeros written everywhere. (PyTorch: Tensor.zero_)"""
    return copy_(self, 0)


def fill_diagonal_(self, fill_value, wrap=False):
    """fill_diagonal_(fill_value, wrap=False) -> Tensor: a number written to the main diagonal of a matrix, or of a
    tensor whose dimensions are all of one size. wrap: a tall matrix has a further diagonal each `columns` rows below.
    (PyTorch: Tensor.fill_diagonal_)"""
    shape = self._shape
    if len(shape) < 2:
        raise RuntimeError("dimensions must larger than 1: fill_diagonal_() needs a matrix")
    if len(shape) > 2 and len(set(shape)) > 1:
        raise RuntimeError(f"all dimensions of input must be of equal length: fill_diagonal_() got {list(shape)}")
    mask = np.zeros(shape, bool)
    np.fill_diagonal(mask, True, wrap)
    return self.masked_fill_(TENSORS["wrap"](mask), fill_value)


type_.__name__ = type_.__qualname__ = "type"  # in this file that name is Python's
for _method in (
    to, type_, type_as, cpu, cuda, pin_memory, share_memory_, copy_, fill_, zero_, fill_diagonal_,
):  # fmt: skip
    setattr(Tensor, _method.__name__, _method)
TENSORS["copy_"] = copy_


def _scan_in_place(name):
    """cumsum_ and cumprod_, which compute in the tensor's own dtype."""

    def method(self, dim, *, dtype=None) -> Tensor:
        return inplace.rewrite(self, name, TENSORS[name], (dim,), {"dtype": dtype or self.dtype})

    method.__name__ = method.__qualname__ = name + "_"
    method.__doc__ = f"{name}_(dim, *, dtype=None) -> Tensor: `{name}` in place. (PyTorch: Tensor.{name}_)"
    setattr(Tensor, name + "_", method)


_scan_in_place("cumsum")
_scan_in_place("cumprod")


def setitem(self, index, value):
    """``self[index] = value``: a number or a tensor, broadcast to the indexed part and converted to this dtype."""
    if isinstance(value, complex):
        raise RuntimeError("value cannot be converted to a real number without overflow")
    if not isinstance(value, NUMBER) and not isinstance(value, Tensor):
        raise TypeError(f"can't assign a {type(value).__name__} to a {type_(self)}: make a tensor of it first")
    if index is False:  # nothing is named, so PyTorch does not look at the value
        return
    view, pick = TENSORS["index_steps"](None if index is True else index, self.ndim)
    if isinstance(value, Tensor):
        value = without_leading_ones(value)
        if pick is not None:
            index_ops.same_dtype_to_put(self, pick, value)
    recording = is_grad_enabled() and (
        node_of(self) is not None
        or (isinstance(value, Tensor) and node_of(value) is not None)
        or inplace.base_requires_grad(self)
    )
    if recording:
        part = self if view is None else TENSORS["getitem"](self, view)
        if pick is None:
            inplace.write(OPS["copy"], part, (value,))
        else:
            inplace.write(OPS["index_put"], part, (value,), (pick, False))
        return
    inplace.check_not_at_once()
    array = value.array if isinstance(value, Tensor) else np.asarray(value)
    with np.errstate(all="ignore"):
        part = self.array if view is None else index_ops.picked(self.array, view)
        if not part.flags.writeable:
            part = inplace.writable(part, array.size)
        if pick is not None:
            index_ops.write_at(part, pick, array)
        else:
            if isinstance(value, Tensor) and value.vc is not None and value.vc is self.vc:
                spread = array.shape != part.shape and array.ndim <= part.ndim
                if not spread:  # numbers read more than once are copied first
                    check_overlap(part, array, "__setitem__")
            try:
                part[...] = array
            except ValueError:
                raise RuntimeError(
                    f"The expanded size of the tensor {list(part.shape)} must match the existing size "
                    f"{list(array.shape)}: the value does not broadcast to what it is assigned to"
                ) from None
    bump(self, "__setitem__")


def without_leading_ones(value):
    """The tensor without its first dimensions of size 1, which an assignment does not mind."""
    lead = next((d for d, n in enumerate(value._shape) if n != 1), value.ndim)
    return TENSORS["reshape"](value, value._shape[lead:]) if lead else value


TENSORS["setitem"] = setitem


def promoted_tensors(*tensors):
    """The tensors (and numbers) in their common dtype."""
    kinds = {t.array.dtype if isinstance(t, Tensor) else None for t in tensors}
    if len(kinds) == 1 and None not in kinds:
        return list(tensors)
    dtype = promote(tensors)
    return [as_tensor(t, dtype, OPS["where"], "input") for t in tensors]


def promoted_arrays(*values):
    """The same on arrays: Python numbers take the arrays' dtype."""
    kinds = [v.dtype for v in values if hasattr(v, "dtype")]
    dtype = np.result_type(*kinds)
    return [np.asarray(v, dtype) for v in values]


def filler_tensor(input, value):
    """A value to fill with, as a 0-dim tensor of the input's dtype."""
    dtype = input.array.dtype
    if not isinstance(value, Tensor):
        check_fits(dtype, value)
    elif dtype != value.array.dtype and not value._shape and isinstance(value.array, np.ndarray):
        check_fits(dtype, value.item())
    return as_tensor(value, dtype, OPS["masked_fill"], "value")


TENSORS["promoted"], ARRAYS["promoted"] = promoted_tensors, promoted_arrays
TENSORS["untracked"], ARRAYS["untracked"] = Tensor.detach, lambda array: array
TENSORS["filler"], ARRAYS["filler"] = filler_tensor, lambda input, value: np.asarray(value, input.dtype)


def _float_tensor(input):
    return input if input.array.dtype.kind == "f" else to(input, dtypes.get_default_dtype())


def as_double(value):
    """A tensor in float64; a Python number as it is."""
    return to(value, dtypes.float64) if isinstance(value, Tensor) else value


TENSORS["as_double"] = as_double
TENSORS["to_float"] = _float_tensor
ARRAYS["to_float"] = lambda a: a if a.dtype.kind == "f" else a.astype(dtypes.get_default_dtype().numpy)


def _compare(dunder, name):
    """== and != that answer False and True for what cannot be compared, as Python expects."""

    def operator(self, other):
        if not isinstance(other, OPERAND):
            return NotImplemented
        return TENSORS[name](self, other)

    setattr(Tensor, dunder, operator)


_compare("__eq__", "eq")
_compare("__ne__", "ne")


def where(self, condition, other):
    """where(condition, other) -> Tensor: this tensor's elements where condition is true, other's elsewhere.
    (PyTorch: Tensor.where)"""
    return TENSORS["where"](condition, self, other)


def polygamma(self, n):
    """polygamma(n) -> Tensor: the n-th derivative of `digamma`. (PyTorch: Tensor.polygamma)"""
    return TENSORS["polygamma"](n, self)


def float_power_(self, exponent):
    """float_power_(exponent) -> Tensor: `float_power` in place, of float64 only. (PyTorch: Tensor.float_power_)"""
    if self.array.dtype != np.float64:
        raise RuntimeError(
            f"the base given to float_power_ has dtype {self.dtype!r} but the operation's result requires dtype Double"
        )
    return self.pow_(as_double(exponent))


for _method in (where, polygamma, inplace.rewriting("polygamma", polygamma), float_power_):
    setattr(Tensor, _method.__name__, _method)


def nonzero(input, *, as_tuple=False, out=None):
    """nonzero(input, *, as_tuple=False, out=None) -> LongTensor

    The indices of the elements that are not zero, (count, ndim); as_tuple: one vector per dimension.
    (PyTorch: torch.nonzero)
    """
    tensors_only("nonzero", input=input)
    if out is not None:
        if as_tuple:
            raise TypeError("nonzero(): argument 'out' is for as_tuple=False, where there is one result")
        return into(out, nonzero, input)
    array = input.array
    if as_tuple:
        return tuple([wrap(places) for places in np.nonzero(array if array.ndim else array.reshape(1))])
    return wrap(np.argwhere(array).astype(np.int64))


def where_or_nonzero(condition, input=None, other=None, *, out=None):
    """where(condition, input, other) -> Tensor;  where(condition) -> tuple of LongTensor

    input where condition is true, other elsewhere; with condition alone the indices of its true elements, as
    ``nonzero(as_tuple=True)``. (PyTorch: torch.where)
    """
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    return TENSORS["where"](condition, input, other, out=out)


where_or_nonzero.__name__ = where_or_nonzero.__qualname__ = "where"


def equal(input, other):
    """equal(input, other) -> bool: same shape and same elements. (PyTorch: torch.equal)"""
    tensors_only("equal", input=input, other=other)
    return input._shape == other._shape and bool((input.array == other.array).all())


def isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """isclose(input, other) -> BoolTensor: ``|input - other| <= atol + rtol * |other|``. (PyTorch: torch.isclose)"""
    tensors_only("isclose", input=input, other=other)
    if input.array.dtype != other.array.dtype:
        raise RuntimeError(f"{input.dtype!r} did not match {other.dtype!r} in isclose(): convert one with .to()")
    if rtol < 0 or atol < 0:
        name, value = ("rtol", rtol) if rtol < 0 else ("atol", atol)
        raise RuntimeError(f"isclose(): {name} must be greater than or equal to zero, but got {value}")
    try:
        return wrap(np.asarray(quiet.run(np.isclose, input.array, other.array, rtol, atol, equal_nan)))
    except ValueError:
        raise broadcast_error(OPS["eq"], [input._shape, other._shape]) from None


def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """allclose(input, other) -> bool: whether `isclose` holds everywhere. (PyTorch: torch.allclose)"""
    return bool(isclose(input, other, rtol, atol, equal_nan).array.all())


FUNCTIONS: dict[str, Any] = {f.__name__: f for f in (nonzero, equal, isclose, allclose)}
for _name, _function in FUNCTIONS.items():
    setattr(Tensor, _name, _function)
FUNCTIONS["where"] = where_or_nonzero  # the method has its arguments in another order
