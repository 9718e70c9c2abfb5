"""What Python and NumPy ask of a tensor: numbers, truth, length, iteration, text, ufuncs, copying, pickling.

Base class of `tensor.Tensor`, which comes next and adds the data and its place in the graph; nothing here records
anything.  Operators with a gradient (`+`, `@`, `==`) are not here: they come from the op blocks.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad import dtypes
from minigrad.autograd.modes import is_grad_enabled
from minigrad.autograd.node import LEAF, node_of
from minigrad.memory import storage_of
from minigrad.printing import format_scalar, tensor_repr
from minigrad.registry import TENSORS
from minigrad.shapes import not_negative, shape_args

if TYPE_CHECKING:
    from minigrad.tensor import Tensor

__all__ = ["PythonProtocol", "legacy"]


class PythonProtocol:
    """The special methods of `Tensor` that are no ops. Only `Tensor` derives from it."""

    __slots__ = ()
    array: np.ndarray  # these are Tensor's
    _shape: tuple[int, ...]
    node: Any
    is_leaf: bool
    requires_grad: bool
    grad: Any
    __array_priority__ = 1000  # `ndarray * tensor` asks the tensor first

    def item(self) -> int | float:
        """The value of a one-element tensor as a Python number."""
        try:
            array = self.array
        except AttributeError:
            raise TypeError(f"item(): expected a Tensor, not {type(self).__name__}") from None
        if array.size != 1:
            raise RuntimeError(f"a Tensor with {array.size} elements cannot be converted to Scalar")
        return array.item()

    def tolist(self) -> Any:
        """Nested lists of Python numbers (one number for a 0-dim tensor)."""
        return self.array.tolist()

    def numpy(self, *, force=False) -> np.ndarray:
        """The array itself: memory is shared. Not for tensors that require grad (use detach(), or force=True)."""
        if not force and is_grad_enabled() and node_of(self) is not None:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        return self.array

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            if copy is False:
                raise ValueError(
                    f"a tensor of dtype {array.dtype} cannot become an array of dtype {dtype} without a copy"
                )
            return array.astype(dtype)
        return array.copy() if copy else array

    def __array_wrap__(self, array, context=None, return_scalar=False) -> Tensor:
        """What NumPy's functions that are no ufuncs (`np.cumsum`) make of their result."""
        return TENSORS["wrap"](np.asarray(array))

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs) -> Any:
        """`ndarray * tensor` is the tensor's `*`; results of other NumPy functions come as tensors without history."""
        if method == "__call__" and not kwargs and len(inputs) == 2 and not isinstance(inputs[0], PythonProtocol):
            name = _OPERATOR_OF_UFUNC.get(ufunc.__name__)
            if name is not None:
                left, right = inputs
                if isinstance(left, np.ndarray) and left.ndim:
                    return TENSORS[name](TENSORS["wrap"](left), right)
                left = left.item() if isinstance(left, np.ndarray) else left
                if name in _MIRRORED:
                    return TENSORS[_MIRRORED[name]](right, left)
                return TENSORS[name](left, right)
        arrays = [x.numpy() if isinstance(x, PythonProtocol) else x for x in inputs]
        outs = kwargs.get("out")
        if outs is not None:
            kwargs["out"] = tuple([x.numpy() if isinstance(x, PythonProtocol) else x for x in outs])
        result = getattr(ufunc, method)(*arrays, **kwargs)
        if isinstance(result, np.ndarray | np.generic) and outs is None and _is_supported(result.dtype):
            return TENSORS["wrap"](np.asarray(result))
        return result

    def __bool__(self) -> bool:
        if self.array.size != 1:
            if self.array.size == 0:
                raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
            raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
        return bool(self.array.item())

    def __float__(self) -> float:
        return float(self._only("float"))

    def __int__(self) -> int:
        return int(self._only("int"))

    def __complex__(self) -> complex:
        return complex(self._only("complex"))

    def _only(self, kind):
        if self.array.size != 1:
            raise ValueError(
                f"only one element tensors can be converted to Python scalars: {kind}() of a tensor of shape "
                f"{list(self._shape)}"
            )
        return self.array.item()

    def __index__(self) -> int:
        if self.array.size != 1 or self.array.dtype.kind not in "iub":
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.array.item())

    def __len__(self) -> int:
        if not self._shape:
            raise TypeError("len() of a 0-d tensor")
        return self._shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self._shape:
            raise TypeError("iteration over a 0-d tensor")
        return iter(TENSORS["unbind"](self, 0))

    def __reversed__(self) -> Tensor:
        return TENSORS["flip"](self, (0,)) if self._shape else TENSORS["clone"](self)

    def __contains__(self, element) -> bool:
        if isinstance(element, PythonProtocol | bool | int | float | np.generic):
            return bool((self.array == (element.array if isinstance(element, PythonProtocol) else element)).any())
        raise RuntimeError(f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}.")

    def __getitem__(self, index) -> Tensor:
        return TENSORS["getitem"](self, index)

    def __setitem__(self, index, value) -> None:
        TENSORS["setitem"](self, index, value)

    def __delitem__(self, index) -> None:
        raise TypeError("Tensor does not support deleting items")

    def __pos__(self):
        if self.array.dtype.kind == "b":
            raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
        return self

    def __repr__(self) -> str:
        try:
            node = node_of(self)
            grad_fn = None if node is None or node.op is LEAF else f"<{node.name().rpartition('::')[2]}>"
        except RuntimeError:  # a view whose base was written to in a way that takes its history away
            grad_fn = "<Invalid>"
        return tensor_repr(self.array, requires_grad=self.requires_grad and grad_fn is None, grad_fn=grad_fn)

    def __format__(self, spec) -> str:
        if not self._shape:
            return format_scalar(self.array, spec)
        return object.__format__(self, spec)

    __hash__ = object.__hash__  # by identity, though there is an `==`

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self)} - {"_shape", "_view", "leaf", "node", "vc"})

    def __deepcopy__(self, memo) -> Tensor:
        if id(self) in memo:
            return memo[id(self)]
        if not self.is_leaf:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the "
                "moment. Use .detach().clone() to copy values without history."
            )
        out = memo[id(self)] = _bare(type(self), _copied(self.array, memo))
        if self.node is not None:
            out.requires_grad_()
        if self.grad is not None:
            out.grad = self.grad.__deepcopy__(memo)
        for name, value in self.__dict__.items():
            out.__dict__[name] = copy.deepcopy(value, memo)
        return out

    def __reduce_ex__(self, protocol) -> tuple[Any, ...]:
        return _unpickled, (type(self), self.array, self.node is not None, dict(self.__dict__))


_OPERATOR_OF_UFUNC = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div", "power": "pow",
    "matmul": "matmul", "remainder": "remainder", "floor_divide": "floor_divide", "greater": "gt", "less": "lt",
    "greater_equal": "ge", "less_equal": "le", "equal": "eq", "not_equal": "ne", "bitwise_and": "bitwise_and",
    "bitwise_or": "bitwise_or", "bitwise_xor": "bitwise_xor", "left_shift": "bitwise_left_shift",
    "right_shift": "bitwise_right_shift",
}  # fmt: skip


_MIRRORED = {"eq": "eq", "ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}


def _is_supported(dtype):
    try:
        return dtypes.from_numpy_dtype(dtype) is not None
    except (TypeError, ValueError):
        return False


def _copied(array, memo):
    """A copy of an array; of views of one memory, copies that are views of one copy."""
    root = storage_of(array)
    if not (root.flags.c_contiguous or root.flags.f_contiguous) or root.dtype != array.dtype:
        return array.copy()
    key = "storage", id(root)
    if key not in memo:
        memo[key] = root.copy("K")
    offset = array.ctypes.data - root.ctypes.data
    return np.ndarray(array.shape, array.dtype, memo[key].ravel("K"), offset, array.strides)


def _bare(cls, array):
    """A tensor of class `cls` on this array's memory, without history (`tensor.wrap` makes plain ones, faster)."""
    out = object.__new__(cls)
    out.array, out._shape = array, array.shape
    out.node = out.vc = out._view = out.leaf = None
    return out


def legacy(cls, args, dtype, of_dtype=True):
    """``Tensor(2, 3)`` (a shape) against ``Tensor([2, 3])`` (values), and ``FloatTensor``, ``LongTensor`` likewise.

    of_dtype: a tensor given must be of this dtype already, as `FloatTensor` and its kind ask.
    """
    if not args:
        array = np.empty((0,), dtype)
    elif len(args) == 1 and isinstance(args[0], PythonProtocol):
        array = args[0].array
        if of_dtype and array.dtype != dtype:
            raise TypeError(
                f"expected a tensor of {dtypes.from_numpy_dtype(dtype)!r} (got {args[0].dtype!r}): "
                "convert it with .to()"
            )
    elif len(args) == 1 and _is_data(args[0]):
        if isinstance(args[0], float | str | bytes | type(None)):
            raise TypeError(f"new(): data must be a sequence (got {type(args[0]).__name__})")
        array = TENSORS["array_from"](args[0], dtype)
    else:
        array = np.zeros(not_negative(shape_args(args, "new"), "new"), dtype)
    return _bare(cls, array)


def _is_data(value):
    """Whether the only argument of an old constructor is the data (else it is a size). Arrays have `__index__` too."""
    return isinstance(value, np.ndarray) or not (hasattr(value, "__index__") or isinstance(value, dtypes.Size))


def _unpickled(cls, array, requires_grad, attributes):
    out = _bare(cls, array.view(np.dtype(array.dtype.char)))  # unpickled dtypes are not NumPy's own objects
    if requires_grad:
        out.requires_grad_()
    out.__dict__.update(attributes)
    return out
