"""Tensor: an array, and where it came from.

Comes after `registry.py` in the reading path, before `autograd/engine.py`.  A tensor is a few slots around a NumPy
array.  What stands here is its parts and its place in the graph.  What can be *done* with it comes from the op blocks,
whose functions `autograd/link.py` attaches as methods; how it behaves as a Python object and towards NumPy (`item()`,
`bool()`, `np.exp(t)`, copying) is in `protocol.py`, its base class.

    array   the numbers                 node   how they were computed (None: no gradient wanted)
    _shape  array.shape, at hand        leaf   the node of a tensor the user made; owns `.grad`
    vc      its version counter, lazy   _view  how it is derived from the tensor whose memory it shares
"""

from __future__ import annotations

import functools

from minigrad import dtypes
from minigrad.autograd.node import (
    LEAF,
    DeadEnd,
    Handle,
    Node,
    base_of,
    edge_of,
    extra_of,
    make_leaf,
    new_version,
    node_of,
)  # fmt: skip
from minigrad.memory import strides_of
from minigrad.protocol import PythonProtocol, legacy
from minigrad.registry import TENSORS
from minigrad.shapes import one_dim

__all__ = ["Tensor", "wrap"]

new, new_tuple, Size = object.__new__, tuple.__new__, dtypes.Size
CPU = dtypes.CPU


class Tensor(PythonProtocol):
    """An n-dimensional array that remembers how it was computed, under PyTorch's names (torch.Tensor).

    Make one with `minigrad.tensor(data)`, `zeros`, `randn`, ... As in PyTorch the class itself is the old constructor:
    ``Tensor(2, 3)`` is an uninitialised float32 tensor of that shape, ``Tensor([1, 2])`` one of these values.
    `array` has the numbers, `node` the operation that made it, `leaf` the place of a leaf's gradient, and `vc` how
    often the memory was written to.
    """

    __slots__ = ("__dict__", "__weakref__", "_shape", "_view", "array", "leaf", "node", "vc")
    is_cuda = is_sparse = is_quantized = is_meta = is_mps = is_xpu = is_nested = is_mkldnn = False
    is_ipu = is_maia = is_mtia = is_sparse_csr = is_vulkan = is_xla = False
    is_cpu = True

    def __new__(cls, *args, dtype=None, device=None):
        return legacy(cls, args, dtypes.as_numpy(dtype), of_dtype=dtype is not None)

    # ---- parts

    @property
    def shape(self) -> dtypes.Size:
        """The size of each dimension, as a `Size` (a tuple of ints)."""
        return new_tuple(Size, self._shape)

    def size(self, dim=None):
        """size() -> Size;  size(dim) -> int: the shape, or the size of dimension `dim`."""
        return self.shape if dim is None else self._shape[one_dim(dim, len(self._shape), "size")]

    @property
    def dtype(self) -> dtypes.dtype:
        """The element type, e.g. `minigrad.float32`."""
        return dtypes.from_numpy_dtype(self.array.dtype)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self._shape)

    def dim(self) -> int:
        """The number of dimensions."""
        return len(self._shape)

    ndimension = dim

    @property
    def device(self) -> dtypes.device:
        """Always ``device(type='cpu')``."""
        return CPU

    @property
    def layout(self) -> dtypes.layout:
        """Always ``torch.strided``."""
        return dtypes.strided

    @property
    def name(self) -> None:
        """None: tensors have no names."""

    def get_device(self) -> int:
        """-1, as PyTorch says for the CPU."""
        return -1

    def numel(self) -> int:
        """The number of elements."""
        return self.array.size

    nelement = numel

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.array.itemsize

    def element_size(self) -> int:
        """Bytes per element, as PyTorch's method."""
        return self.array.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.array.nbytes

    def stride(self, dim=None):
        """stride() -> tuple of ints;  stride(dim) -> int: how many elements to step for the next index of each
        dimension, or of `dim`."""
        strides = strides_of(self.array)
        return strides if dim is None else strides[one_dim(dim, len(self._shape), "stride")]

    def data_ptr(self) -> int:
        """The address of the first element."""
        return self.array.ctypes.data

    def is_floating_point(self) -> bool:
        """Whether the dtype is a float."""
        return self.array.dtype.kind == "f"

    def is_complex(self) -> bool:
        """False: there are no complex dtypes."""
        return False

    def is_signed(self) -> bool:
        """Whether the dtype has negative numbers."""
        return self.array.dtype.kind in "if"

    # ---- place in the graph

    @property
    def requires_grad(self) -> bool:
        """Whether gradients are wanted for this tensor. May be set on leaves."""
        return self.node is not None or (self._view is not None and base_of(self._view).node is not None)

    @requires_grad.setter
    def requires_grad(self, value):
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad=True) -> Tensor:
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
    def is_leaf(self) -> bool:
        """Whether the tensor was made by the user rather than by a recorded operation."""
        node = node_of(self)
        return node is None or node.op is LEAF

    @property
    def grad_fn(self) -> Node | None:
        """The node that computed this tensor, or None for leaves."""
        node = node_of(self)
        return None if node is None or node.op is LEAF else edge_of(node)[0]

    @property
    def output_nr(self) -> int:
        """Which of the outputs of `grad_fn` this is; 0 but for `split`, `unbind` and their kind."""
        node = node_of(self)
        return 0 if node is None else edge_of(node)[1]

    @property
    def grad(self) -> Tensor | None:
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
                    f"assigned grad has data of a different type: the tensor is {self.dtype!r}, the grad "
                    f"{value.dtype!r}"
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
    def data(self) -> Tensor:
        """The same memory without history; writes to it are not noticed by autograd (prefer `detach()`)."""
        return wrap(self.array)

    @data.setter
    def data(self, other):
        if not isinstance(other, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(other).__name__}")
        self.array, self._shape = other.array, other._shape
        if self.leaf is not None:
            self.leaf.shape = other._shape

    def detach(self) -> Tensor:
        """A tensor of the same memory that does not require grad. Writes through it are noticed by autograd."""
        out = wrap(self.array)
        out.vc = self.vc or new_version(self)
        return out

    def detach_(self) -> Tensor:
        """Forget how this tensor was computed: it becomes a leaf."""
        if self._view is not None:
            raise RuntimeError(
                "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP), "
                "make sure gradient_as_bucket_view is set to False."
            )
        kept = self.grad
        self.node = None
        if kept is not None:
            self.grad = kept
        return self

    def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None) -> None:
        """Compute the gradients of the leaves this tensor depends on, and add them to their `.grad`.

        gradient: the gradient of this tensor (same shape); not needed for one-element tensors. retain_graph: keep what
        was saved, to run backward again. create_graph: record the backward, for higher derivatives. inputs: only these
        leaves get gradients. (PyTorch: torch.Tensor.backward)
        """
        engine().backward([self], None if gradient is None else [gradient], retain_graph, create_graph, inputs)

    def retain_grad(self) -> None:
        """Keep this intermediate tensor's gradient in `.grad` when backward passes."""
        node = node_of(self)
        if node is None:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if node.op is not LEAF:
            extra_of(node).retain = True

    @property
    def retains_grad(self) -> bool:
        """Whether `retain_grad` was called on this non-leaf tensor."""
        node = node_of(self)
        return node is not None and node.op is not LEAF and node.extra is not None and node.extra.retain

    def register_hook(self, hook) -> Handle:
        """Call ``hook(grad)`` when the gradient of this tensor is computed; a tensor it returns replaces the gradient.
        Returns a handle with `remove()`."""
        node = node_of(self)
        if node is None:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        return Handle({} if isinstance(node, DeadEnd) else extra_of(node).hooks, hook)

    def register_post_accumulate_grad_hook(self, hook) -> Handle:
        """Call ``hook(tensor)`` after a gradient was added to this leaf's `.grad`."""
        node = node_of(self)
        if node is None:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if node.op is not LEAF:
            raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
        return Handle(extra_of(node).after, hook)

    @property
    def _version(self) -> int:
        """How often this memory was written to in place."""
        return 0 if self.vc is None else self.vc.count

    @property
    def _base(self) -> Tensor | None:
        """The tensor of which this one is a view, or None."""
        return None if self._view is None else base_of(self._view)

    def _is_view(self) -> bool:
        """Whether autograd knows this tensor as a view of another."""
        return self._view is not None


@functools.cache
def engine():
    """The module with `backward`, which is built on this class: loaded when first needed. (To import it in the method
    that needs it costs half a microsecond at each call.)"""
    from minigrad.autograd import derivatives

    return derivatives


def wrap(array) -> Tensor:
    """A tensor of this array's memory, without history."""
    out = new(Tensor)
    out.array, out._shape = array, array.shape
    out.node = out.vc = out._view = out.leaf = None
    return out


TENSORS["wrap"] = wrap
