"""`Tensor.to` and its kind: changing the dtype, copying values in, joining the operators that are no op blocks."""

from __future__ import annotations

import numpy as np

from minigrad import dtypes
from minigrad.autograd import inplace
from minigrad.autograd.general import NUMBER, OPERAND, as_tensor, promote
from minigrad.autograd.modes import is_grad_enabled
from minigrad.autograd.node import bump, node_of
from minigrad.ops import index as index_ops
from minigrad.registry import ARRAYS, OPS, TENSORS
from minigrad.tensor import Tensor, wrap


def to(self, *args, dtype=None, device=None, non_blocking=False, copy=False, memory_format=None):
    """to(dtype) -> Tensor;  to(device);  to(other)

    The tensor in another dtype (recorded); itself if it already has it and copy is False. The device must be the CPU.
    (PyTorch: Tensor.to)
    """
    for arg in args:
        if isinstance(arg, dtypes.dtype | np.dtype):
            dtype = arg
        elif isinstance(arg, Tensor):
            dtype = arg.dtype
        elif isinstance(arg, str | dtypes.device):
            device = arg
        elif arg is not None and not isinstance(arg, bool):
            raise TypeError(f"to(): expected a dtype, a device or a tensor, but got {type(arg).__name__}")
    if device is not None:
        dtypes.device(device)
    wanted = self.array.dtype if dtype is None else dtypes.as_numpy(dtype)
    if wanted == self.array.dtype:
        return TENSORS["clone"](self) if copy else self
    return TENSORS["to_dtype"](self if wanted.kind == "f" else self.detach(), wanted)  # integers have no gradient


def type_(self, dtype=None):
    """type() -> str;  type(dtype) -> Tensor: the type's name, e.g. 'torch.FloatTensor'; with a dtype as `to`."""
    if dtype is None:
        return f"torch.{TENSORS['type_name'](self.array.dtype)}Tensor"
    if isinstance(dtype, str):
        for known in dtypes.ALL:
            if dtype == f"torch.{TENSORS['type_name'](known.numpy)}Tensor":
                return to(self, known)
        raise ValueError(f"invalid type: {dtype!r}")
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
    return to(self, other.dtype)


def cpu(self, memory_format=None):
    """cpu() -> Tensor: itself. (PyTorch: Tensor.cpu)"""
    return self


def cuda(self, *args, **kwargs) -> Tensor:
    """cuda() raises: there is no GPU here."""
    raise RuntimeError("cuda(): minigrad runs on the CPU only; guard the call with cuda.is_available(), which is False")


def pin_memory(self, device=None):
    """pin_memory() -> Tensor: itself; there is no device to copy to. (PyTorch: Tensor.pin_memory)"""
    return self


def share_memory_(self):
    """share_memory_() -> Tensor: itself. (PyTorch: Tensor.share_memory_)"""
    return self


def copy_(self, src, non_blocking=False):
    """copy_(src) -> Tensor: src's values written into this tensor, broadcast and converted; recorded as any write.
    (PyTorch: Tensor.copy_)"""
    if not isinstance(src, OPERAND):
        raise TypeError(f"copy_(): argument 'other' must be Tensor, not {type(src).__name__}")
    return inplace.write(OPS["copy"], self, (src,))


def fill_(self, value):
    """fill_(value) -> Tensor: a number (or 0-dim tensor) written everywhere. (PyTorch: Tensor.fill_)"""
    if isinstance(value, Tensor) and value._shape:
        raise RuntimeError(f"fill_ only supports 0-dimension value tensor but got tensor with {value.ndim} dimensions.")
    return copy_(self, value)


def zero_(self):
    """zero_() -> Tensor: zeros written everywhere. (PyTorch: Tensor.zero_)"""
    return copy_(self, 0)


def clamp_(self, min=None, max=None):
    """clamp_(min=None, max=None) -> Tensor: `clamp` in place. (PyTorch: Tensor.clamp_)"""
    return copy_(self, TENSORS["clamp"](TENSORS["clone"](self), min, max))  # its rule needs the values as they are now


def addcmul_(self, tensor1, tensor2, *, value=1):
    """addcmul_(tensor1, tensor2, value=1): adds ``value * tensor1 * tensor2`` in place. (PyTorch: Tensor.addcmul_)"""
    return self.add_(tensor1 * tensor2, alpha=value)


def addcdiv_(self, tensor1, tensor2, *, value=1):
    """addcdiv_(tensor1, tensor2, value=1): adds ``value * tensor1 / tensor2`` in place. (PyTorch: Tensor.addcdiv_)"""
    return self.add_(tensor1 / tensor2, alpha=value)


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
    to, type_, type_as, cpu, cuda, pin_memory, share_memory_, copy_, fill_, zero_, clamp_, addcmul_, addcdiv_,
    fill_diagonal_,
):  # fmt: skip
    setattr(Tensor, _method.__name__, _method)
TENSORS["copy_"] = copy_


def _transposed(name, doc, swap):
    setattr(Tensor, name, property(swap, doc=doc))


def _all_reversed(self) -> Tensor:
    return TENSORS["permute"](self, tuple(range(self.ndim))[::-1])


def _matrix_transposed(self) -> Tensor:
    if self.ndim < 2:
        raise RuntimeError(f"tensor.mT is only supported on matrices or batches of matrices. Got {self.ndim}-D tensor.")
    return TENSORS["transpose"](self, -1, -2)


_transposed("T", "The transpose: a view with the dimensions in reverse order. (PyTorch: Tensor.T)", _all_reversed)
_transposed("mT", "The transpose of (each of a batch of) matrices, as a view. (PyTorch: Tensor.mT)", _matrix_transposed)


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
    if not self.array.flags.writeable:
        raise inplace.not_writable()
    array = value.array if isinstance(value, Tensor) else np.asarray(value)
    with np.errstate(all="ignore"):
        part = self.array if view is None else index_ops.picked(self.array, view)
        if pick is not None:
            index_ops.write_at(part, pick, array)
        else:
            if isinstance(value, Tensor) and value.vc is not None and value.vc is self.vc:
                inplace.check_overlap(part, array, "__setitem__")
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
    dtype = promote(tensors)
    return [as_tensor(t, dtype, OPS["where"], "input") for t in tensors]


def promoted_arrays(*values):
    """The same on arrays: Python numbers take the arrays' dtype."""
    kinds = [v.dtype for v in values if hasattr(v, "dtype")]
    dtype = np.result_type(*kinds)
    return [np.asarray(v, dtype) for v in values]


def filler_tensor(input, value):
    """A value to fill with, as a 0-dim tensor of the input's dtype."""
    return as_tensor(value, input.array.dtype, OPS["masked_fill"], "value")


TENSORS["promoted"], ARRAYS["promoted"] = promoted_tensors, promoted_arrays
TENSORS["filler"], ARRAYS["filler"] = filler_tensor, lambda input, value: np.asarray(value, input.dtype)


def _float_tensor(input):
    return input if input.array.dtype.kind == "f" else to(input, dtypes.get_default_dtype())


TENSORS["to_float"] = _float_tensor
ARRAYS["to_float"] = lambda a: a if a.dtype.kind == "f" else a.astype(dtypes.get_default_dtype().numpy)
ARRAYS["zeros_of"] = lambda shape, dtype: np.zeros(tuple(shape), dtype)
ARRAYS["full_of"] = lambda shape, value, dtype: np.full(tuple(shape), value, dtype)
ARRAYS["class_numbers"] = lambda shape: np.arange(max(shape, default=1)).reshape(shape)
TENSORS["class_numbers"] = lambda shape: wrap(np.arange(max(shape, default=1)).reshape(shape))
ARRAYS["eye_mask"] = lambda n: np.eye(n, dtype=bool)


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


def contiguous(self, memory_format=None):
    """contiguous() -> Tensor: itself if its elements lie in memory in order, else a copy that does.
    (PyTorch: Tensor.contiguous)"""
    return self if self.array.flags.c_contiguous else TENSORS["contiguous_copy"](self)


for _method in (where, contiguous):
    setattr(Tensor, _method.__name__, _method)


def nonzero(input, *, as_tuple=False):
    """nonzero(input, *, as_tuple=False) -> LongTensor

    The indices of the elements that are not zero, (count, ndim); as_tuple: one vector per dimension.
    (PyTorch: torch.nonzero)
    """
    array = input.array
    if as_tuple:
        return tuple([wrap(places) for places in np.nonzero(array if array.ndim else array.reshape(1))])
    return wrap(np.argwhere(array).astype(np.int64))


def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None) -> Tensor or tuple

    The distinct elements in order; where each element went; how often each occurs. (PyTorch: torch.unique)
    """
    found = np.unique(input.array, return_inverse=True, return_counts=True, axis=dim)
    inverse = found[1].reshape(input._shape if dim is None else (-1,))
    wanted = [found[0], *([inverse] if return_inverse else []), *([found[2]] if return_counts else [])]
    tensors = tuple([wrap(np.asarray(a)) for a in wanted])
    return tensors if len(tensors) > 1 else tensors[0]


def bincount(input, weights=None, minlength=0):
    """bincount(input, weights=None, minlength=0) -> Tensor: how often each integer from 0 up occurs.
    (PyTorch: torch.bincount)"""
    if input.array.dtype.kind == "f":
        raise NotImplementedError(f"bincount(): not implemented for {input.dtype!r}: expected integers")
    if input.array.dtype.kind not in "iu" or input.ndim != 1 or (input.array.size and input.array.min() < 0):
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    counts = np.bincount(input.array, None if weights is None else weights.array, minlength)
    return wrap(counts.astype(np.float32) if weights is not None and weights.array.dtype == np.float32 else counts)


def equal(input, other):
    """equal(input, other) -> bool: same shape and same elements. (PyTorch: torch.equal)"""
    return input._shape == other._shape and bool((input.array == other.array).all())


def isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """isclose(input, other) -> BoolTensor: ``|input - other| <= atol + rtol * |other|``. (PyTorch: torch.isclose)"""
    return wrap(np.isclose(input.array, other.array, rtol, atol, equal_nan))


def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """allclose(input, other) -> bool: whether `isclose` holds everywhere. (PyTorch: torch.allclose)"""
    if input.array.dtype != other.array.dtype:
        raise RuntimeError(f"{input.dtype!r} did not match {other.dtype!r} in allclose()")
    return bool(np.isclose(input.array, other.array, rtol, atol, equal_nan).all())


def is_floating_point(input):
    """is_floating_point(input) -> bool: whether the dtype is a float. (PyTorch: torch.is_floating_point)"""
    return input.array.dtype.kind == "f"


FUNCTIONS = {f.__name__: f for f in (nonzero, unique, bincount, equal, isclose, allclose, is_floating_point)}
for _name, _function in FUNCTIONS.items():
    setattr(Tensor, _name, _function)
