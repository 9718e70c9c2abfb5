"""Tensor: an array, and where it came from.

Comes after `registry.py` in the reading path, before `autograd/engine.py`.  A tensor is a few slots around a NumPy
array; what can be *done* with it comes from the op blocks, whose functions are attached as methods by
`autograd/link.py`.  What stands here is what is no op: its parts, its place in the graph, and the Python protocol.

    array   the numbers                 node   how they were computed (None: no gradient wanted)
    _shape  array.shape, at hand        leaf   the node of a tensor the user made; owns `.grad`
    vc      its version counter, lazy   _view  how it is derived from the tensor whose memory it shares
"""

from __future__ import annotations

import collections
import copy

import numpy as np

from minigrad import dtypes
from minigrad.autograd.node import LEAF, Handle, bump, extra_of, make_leaf, new_version, node_of
from minigrad.printing import format_scalar, tensor_repr
from minigrad.registry import TENSORS

__all__ = ["Tensor", "wrap"]

new = object.__new__
CPU = dtypes.CPU


class Tensor:
    """An n-dimensional array that remembers how it was computed, under PyTorch's names (torch.Tensor).

    Make one with `minigrad.tensor(data)`, `zeros`, `randn`, ... As in PyTorch the class itself is the old constructor:
    ``Tensor(2, 3)`` is an uninitialised float32 tensor of that shape, ``Tensor([1, 2])`` one of these values.
    """

    __slots__ = ("__dict__", "__weakref__", "_shape", "_view", "array", "leaf", "node", "vc")
    __array_priority__ = 1000  # `ndarray * tensor` asks the tensor first
    is_cuda = is_sparse = is_quantized = is_meta = is_mps = is_xpu = is_nested = False

    def __new__(cls, *args, dtype=None, device=None):
        return legacy(cls, args, dtypes.as_numpy(dtype))

    # ---- parts

    @property
    def shape(self):
        """The size of each dimension, as a `Size` (a tuple of ints)."""
        return tuple.__new__(dtypes.Size, self._shape)

    def size(self, dim=None):
        """The shape, or the size of dimension `dim`."""
        return self.shape if dim is None else self._shape[_dim(self, dim)]

    @property
    def dtype(self):
        """The element type, e.g. `minigrad.float32`."""
        return dtypes.from_numpy_dtype(self.array.dtype)

    @property
    def ndim(self):
        """The number of dimensions."""
        return len(self._shape)

    def dim(self):
        """The number of dimensions."""
        return len(self._shape)

    ndimension = dim

    @property
    def device(self):
        """Always ``device(type='cpu')``."""
        return CPU

    def get_device(self):
        """-1, as PyTorch says for the CPU."""
        return -1

    def numel(self):
        """The number of elements."""
        return self.array.size

    nelement = numel

    @property
    def itemsize(self):
        """Bytes per element."""
        return self.array.itemsize

    def element_size(self):
        """Bytes per element, as PyTorch's method."""
        return self.array.itemsize

    @property
    def nbytes(self):
        """Bytes of all elements."""
        return self.array.nbytes

    def stride(self, dim=None):
        """How many elements to step for the next index of each dimension, or of `dim`."""
        size = self.array.itemsize
        strides = tuple([s // size for s in self.array.strides])
        return strides if dim is None else strides[_dim(self, dim)]

    def is_contiguous(self):
        """Whether the elements lie in memory in order (C order)."""
        return self.array.flags.c_contiguous

    def data_ptr(self):
        """The address of the first element."""
        return self.array.ctypes.data

    def is_floating_point(self):
        """Whether the dtype is a float."""
        return self.array.dtype.kind == "f"

    def is_complex(self):
        """False: there are no complex dtypes."""
        return False

    def is_signed(self):
        """Whether the dtype has negative numbers."""
        return self.array.dtype.kind in "if"

    # ---- place in the graph

    @property
    def requires_grad(self):
        """Whether gradients are wanted for this tensor. May be set on leaves."""
        view = self._view
        if view is not None and self.vc.time > view.time:  # its base was written to since: the base decides
            return view.base.node is not None
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, value):
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad=True):
        """Say whether operations on this tensor are to be recorded. Only for leaves of a float dtype."""
        node = node_of(self)
        if node is not None and node.op is not LEAF:
            if not requires_grad:
                raise RuntimeError(
                    "you can only change requires_grad flags of leaf variables. If you want to use a computed variable "
                    "in a subgraph that doesn't require differentiation use var_no_grad = var.detach()."
                )
        elif requires_grad:
            if self.array.dtype.kind != "f":
                raise RuntimeError(
                    f"only Tensors of floating point dtype can require gradients, but this one is {self.dtype!r}: "
                    "convert it with .float()"
                )
            self.node = self.leaf or make_leaf(self)
        else:
            self.node = None
        return self

    @property
    def is_leaf(self):
        """Whether the tensor was made by the user rather than by a recorded operation."""
        node = node_of(self)
        return node is None or node.op is LEAF

    @property
    def grad_fn(self):
        """The node that computed this tensor, or None for leaves."""
        node = node_of(self)
        return None if node is None or node.op is LEAF else node

    @property
    def grad(self):
        """The gradient that `backward()` accumulated, a tensor of the same shape, or None."""
        node = node_of(self)
        if node is None or node.op is LEAF:
            return None if self.leaf is None else self.leaf.grad
        return None if node.extra is None else node.extra.grad

    @grad.setter
    def grad(self, value):
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(
                    f"assigned grad expected to be a Tensor or None but got grad of type {type(value).__name__}"
                )
            if value is self:
                raise RuntimeError("can't assign Variable as its own grad")
            if value._shape != self._shape:
                raise RuntimeError(
                    f"assigned grad has data of a different size: the tensor has shape {list(self._shape)}, the grad "
                    f"{list(value._shape)}"
                )
            if value.array.dtype != self.array.dtype:
                raise RuntimeError(
                    f"assigned grad has data of a different type: the tensor is {self.dtype!r}, the grad {value.dtype!r}"
                )
        node = node_of(self)
        if node is not None and node.op is not LEAF:
            extra_of(node).grad = value
        else:
            (self.leaf or make_leaf(self)).grad = value

    @grad.deleter
    def grad(self):
        self.grad = None

    @property
    def data(self):
        """The same memory without history; writes to it are not noticed by autograd (prefer `detach()`)."""
        return wrap(self.array)

    @data.setter
    def data(self, other):
        if not isinstance(other, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(other).__name__}")
        self.array, self._shape = other.array, other._shape
        bump(self, "data=")
        if self.leaf is not None:
            self.leaf.shape = other._shape

    def detach(self):
        """A tensor of the same memory that does not require grad. Writes through it are noticed by autograd."""
        out = wrap(self.array)
        out.vc = self.vc or new_version(self)
        return out

    def detach_(self):
        """Forget how this tensor was computed: it becomes a leaf."""
        if self._view is not None:
            raise RuntimeError(
                "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP), "
                "make sure gradient_as_bucket_view is set to False."
            )
        self.node = None
        return self

    def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
        """Compute the gradients of the leaves this tensor depends on, and add them to their `.grad`.

        gradient: the gradient of this tensor (same shape); not needed for one-element tensors. retain_graph: keep what
        was saved, to run backward again. create_graph: record the backward, for higher derivatives. inputs: only these
        leaves get gradients. (PyTorch: torch.Tensor.backward)
        """
        from minigrad.autograd.engine import backward  # the engine is built on this class

        gradient = None if gradient is None else [gradient]
        backward([self], gradient, retain_graph, create_graph, inputs)

    def retain_grad(self):
        """Keep this intermediate tensor's gradient in `.grad` when backward passes."""
        node = node_of(self)
        if node is None:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if node.op is not LEAF:
            extra_of(node).retain = True

    @property
    def retains_grad(self):
        """Whether `retain_grad` was called on this non-leaf tensor."""
        node = node_of(self)
        return node is not None and node.op is not LEAF and node.extra is not None and node.extra.retain

    def register_hook(self, hook):
        """Call ``hook(grad)`` when the gradient of this tensor is computed; a tensor it returns replaces the gradient.
        Returns a handle with `remove()`."""
        node = node_of(self)
        if node is None:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        return Handle(extra_of(node).hooks, hook)

    def register_post_accumulate_grad_hook(self, hook):
        """Call ``hook(tensor)`` after a gradient was added to this leaf's `.grad`."""
        node = node_of(self)
        if node is None:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if node.op is not LEAF:
            raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
        return Handle(extra_of(node).after, hook)

    @property
    def _version(self):
        return 0 if self.vc is None else self.vc.count

    @property
    def _base(self):
        return None if self._view is None else self._view.base

    def _is_view(self):
        return self._view is not None

    # ---- out of the graph: Python and NumPy

    def item(self):
        """The value of a one-element tensor as a Python number."""
        if self.array.size != 1:
            raise RuntimeError(f"a Tensor with {self.array.size} elements cannot be converted to Scalar")
        return self.array.item()

    def tolist(self):
        """Nested lists of Python numbers (one number for a 0-dim tensor)."""
        return self.array.tolist()

    def numpy(self, *, force=False):
        """The array itself: memory is shared. Not for tensors that require grad (use detach(), or force=True)."""
        if node_of(self) is not None and not force:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        return self.array

    def __array__(self, dtype=None, copy=None):
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            if copy is False:
                raise ValueError(
                    f"a tensor of dtype {array.dtype} cannot become an array of dtype {dtype} without a copy"
                )
            return array.astype(dtype)
        return array.copy() if copy else array

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        """`ndarray * tensor` is the tensor's `*`; NumPy functions called on tensors give arrays."""
        if method == "__call__" and not kwargs and len(inputs) == 2 and not isinstance(inputs[0], Tensor):
            name = _OPERATOR_OF_UFUNC.get(ufunc.__name__)
            if name is not None:
                left = inputs[0]
                left = wrap(np.asarray(left)) if isinstance(left, np.ndarray) and left.ndim else left
                return TENSORS[name](left.item() if isinstance(left, np.ndarray) else left, inputs[1])
        arrays = [x.numpy() if isinstance(x, Tensor) else x for x in inputs]
        outs = kwargs.get("out")
        if outs is not None:
            kwargs["out"] = tuple([x.numpy() if isinstance(x, Tensor) else x for x in outs])
        result = getattr(ufunc, method)(*arrays, **kwargs)
        if isinstance(result, np.ndarray | np.generic) and outs is None and _is_supported(result.dtype):
            return wrap(np.asarray(result))
        return result

    def __bool__(self):
        if self.array.size != 1:
            if self.array.size == 0:
                raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
            raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
        return bool(self.array.item())

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __complex__(self):
        return complex(self.item())

    def __index__(self):
        if self.array.size != 1 or self.array.dtype.kind not in "iub":
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.array.item())

    def __len__(self):
        if not self._shape:
            raise TypeError("len() of a 0-d tensor")
        return self._shape[0]

    def __iter__(self):
        if not self._shape:
            raise TypeError("iteration over a 0-d tensor")
        return iter(TENSORS["unbind"](self, 0))

    def __contains__(self, element):
        if isinstance(element, Tensor | bool | int | float | np.generic):
            return bool((self.array == (element.array if isinstance(element, Tensor) else element)).any())
        raise RuntimeError(f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}.")

    def __getitem__(self, index):
        return TENSORS["getitem"](self, index)

    def __setitem__(self, index, value):
        TENSORS["setitem"](self, index, value)

    def __repr__(self):
        node = node_of(self)
        grad_fn = None if node is None or node.op is LEAF else f"<{node.name()}>"
        return tensor_repr(self.array, requires_grad=node is not None and grad_fn is None, grad_fn=grad_fn)

    def __format__(self, spec):
        if not self._shape:
            return format_scalar(self.array, spec)
        return object.__format__(self, spec)

    def __hash__(self):
        return id(self)

    def __dir__(self):
        return sorted({*object.__dir__(self)} - {"_shape", "_view", "leaf", "node", "vc"})

    def __deepcopy__(self, memo):
        if id(self) in memo:
            return memo[id(self)]
        if not self.is_leaf:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment. "
                "Use .detach().clone() to copy values without history."
            )
        out = memo[id(self)] = new(type(self))
        _fill(out, self.array.copy())
        if self.node is not None:
            out.requires_grad_()
        if self.grad is not None:
            out.grad = self.grad.__deepcopy__(memo)
        for name, value in self.__dict__.items():
            out.__dict__[name] = copy.deepcopy(value, memo)
        return out

    def __reduce_ex__(self, protocol):
        if not self.is_leaf:
            raise RuntimeError("only leaf tensors can be pickled: use .detach() to keep the values without history")
        return _rebuild, (type(self), self.array, self.node is not None, dict(self.__dict__))


_OPERATOR_OF_UFUNC = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div", "power": "pow",
    "matmul": "matmul", "remainder": "remainder", "floor_divide": "floor_divide", "greater": "gt", "less": "lt",
    "greater_equal": "ge", "less_equal": "le", "equal": "eq", "not_equal": "ne", "maximum": "maximum",
    "minimum": "minimum",
}  # fmt: skip


def _is_supported(dtype):
    try:
        return dtypes.from_numpy_dtype(dtype) is not None
    except (TypeError, ValueError):
        return False


def _dim(tensor, dim):
    n = len(tensor._shape) or 1
    if not -n <= dim < n:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
    return dim


def _fill(tensor, array):
    tensor.array, tensor._shape = array, array.shape
    tensor.node = tensor.vc = tensor._view = tensor.leaf = None
    return tensor


def wrap(array):
    """A tensor of this array's memory, without history."""
    out = new(Tensor)
    out.array, out._shape = array, array.shape
    out.node = out.vc = out._view = out.leaf = None
    return out


def legacy(cls, args, dtype):
    """``Tensor(2, 3)`` (a shape) against ``Tensor([2, 3])`` (values), and ``FloatTensor``, ``LongTensor`` likewise."""
    if not args:
        array = np.empty((0,), dtype)
    elif len(args) == 1 and isinstance(args[0], Tensor):
        array = args[0].array.astype(dtype, copy=False)
    elif len(args) == 1 and not hasattr(args[0], "__index__") and not isinstance(args[0], dtypes.Size):
        if isinstance(args[0], float | str | bytes):
            raise TypeError(f"new(): data must be a sequence (got {type(args[0]).__name__})")
        array = np.array(TENSORS["array_from"](args[0], dtype))
    else:
        shape = args[0] if isinstance(args[0], dtypes.Size) else args
        array = np.zeros(tuple([int(n) for n in shape]), dtype)
    return _fill(new(cls), array)


def _rebuild(cls, array, requires_grad, attributes):
    out = _fill(new(cls), array)
    if requires_grad:
        out.requires_grad_()
    out.__dict__.update(attributes)
    return out


def named_tuple(name, fields):
    """The type of an op's several outputs: a named tuple that prints as PyTorch's ``torch.return_types.max``."""
    base = collections.namedtuple(name, fields)

    def text(self):
        inner = ",\n".join(f"{field}={value!r}" for field, value in zip(self._fields, self, strict=True))
        return f"torch.return_types.{name}(\n{inner})"

    made = type(name, (base,), {"__slots__": (), "__repr__": text, "__module__": "minigrad.return_types"})
    return made
