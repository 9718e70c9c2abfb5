"""How a tensor's elements lie in memory: its storage, transposes as attributes, and shapes changed in place.

Comes after `conversion.py`.  The views themselves are op blocks (`ops/shape.py`, `ops/strided.py`); here are their
in-place forms, which give the tensor itself the new shape, and what PyTorch calls its storage.
"""

from __future__ import annotations

import numpy as np

from minigrad import dtypes
from minigrad.autograd import inplace
from minigrad.autograd.door import direct
from minigrad.autograd.node import bump
from minigrad.memory import offset_in_storage, storage_of, strided_view
from minigrad.protocol import legacy
from minigrad.registry import OPS, TENSORS
from minigrad.shapes import not_negative, shape_args
from minigrad.tensor import Tensor

__all__ = ["UntypedStorage", "detach", "detach_"]


class UntypedStorage:
    """The memory under a tensor, as bytes: what `Tensor.untyped_storage()` gives. Tensors that share memory have equal
    `data_ptr()`s. (PyTorch: torch.UntypedStorage)"""

    __slots__ = ("_array",)
    device = dtypes.CPU

    def __init__(self, array):
        self._array = array

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return np.lib.array_utils.byte_bounds(self._array)[0]

    def nbytes(self) -> int:
        """How many bytes there are."""
        return self._array.nbytes

    size = __len__ = nbytes

    def __getitem__(self, index):
        return self._bytes()[index].item() if not isinstance(index, slice) else UntypedStorage(self._bytes()[index])

    def __iter__(self):
        return iter(self.tolist())

    def _bytes(self):
        return strided_view(self._array, self.data_ptr() - self._array.ctypes.data, (self._array.nbytes,), (1,), False,
                            np.dtype(np.uint8))  # fmt: skip

    def tolist(self) -> list[int]:
        """The bytes as ints."""
        return self._bytes().tolist()

    def cpu(self) -> UntypedStorage:
        """Itself: all memory is the CPU's."""
        return self

    def __repr__(self):
        lines = "".join(f" {byte}\n" for byte in self.tolist())
        return f"{lines}[torch.storage.UntypedStorage(device=cpu) of size {self.nbytes()}]"


def detach(input) -> Tensor:
    """detach(input) -> Tensor: a tensor of the same memory that does not require grad. (PyTorch: torch.detach)"""
    return input.detach()


def detach_(input) -> Tensor:
    """detach_(input) -> Tensor: `Tensor.detach_`, which makes the tensor a leaf. (PyTorch: torch.detach_)"""
    return input.detach_()


def untyped_storage(self) -> UntypedStorage:
    """untyped_storage() -> UntypedStorage: the memory this tensor is a view of. (PyTorch: Tensor.untyped_storage)"""
    return UntypedStorage(storage_of(self.array))


def storage_offset(self) -> int:
    """storage_offset() -> int: how many elements of the storage lie before this tensor's first one.
    (PyTorch: Tensor.storage_offset)"""
    return offset_in_storage(self.array)


def is_set_to(self, tensor) -> bool:
    """is_set_to(tensor) -> bool: whether both are the same elements of the same memory. (PyTorch: Tensor.is_set_to)"""
    mine, other = self.array, tensor.array
    return mine.ctypes.data == other.ctypes.data and mine.shape == other.shape and mine.strides == other.strides


def dim_order(self) -> tuple[int, ...]:
    """dim_order() -> tuple of ints: the dimensions from the largest step in memory to the smallest.
    (PyTorch: Tensor.dim_order)"""
    return tuple(sorted(range(self.ndim), key=lambda d: -self.array.strides[d]))


def contiguous(self, memory_format=dtypes.contiguous_format):
    """contiguous() -> Tensor: itself if its elements lie in memory in order, else a copy that does.
    (PyTorch: Tensor.contiguous)"""
    if memory_format is dtypes.preserve_format:
        raise RuntimeError("preserve memory format is unsupported by the contiguous operator")
    dtypes.only_plain_format(memory_format, "contiguous")
    return self if self.array.flags.c_contiguous else TENSORS["contiguous_copy"](self)


def is_contiguous(self, memory_format=dtypes.contiguous_format) -> bool:
    """is_contiguous() -> bool: whether the elements lie in memory in order (C order).
    (PyTorch: Tensor.is_contiguous)"""
    if memory_format is dtypes.preserve_format:
        raise RuntimeError("preserve memory format is unsupported by the contiguous operator")
    dtypes.only_plain_format(memory_format, "is_contiguous")
    return self.array.flags.c_contiguous


def resize_(self, *sizes, memory_format=dtypes.contiguous_format):
    """resize_(*sizes) -> Tensor: another shape in place; the first elements of the storage are kept, new ones are
    whatever the memory held. Not for tensors that require grad. (PyTorch: Tensor.resize_)"""
    shape = not_negative(shape_args(sizes, "resize_"), "resize_")
    if self.requires_grad:
        raise RuntimeError("cannot resize variables that require grad: use reshape(), or a detach()ed tensor")
    whole, size = self.array, self.array.itemsize
    count, room = int(np.prod(shape)), storage_of(whole).nbytes // size - offset_in_storage(whole)
    if count > room:
        flat = np.empty(count, whole.dtype)
        flat[:room] = strided_view(whole, 0, (room,), (size,), False)
    else:
        flat = strided_view(whole, 0, (count,), (size,), whole.flags.writeable)
    self.array, self._shape = flat.reshape(shape), shape
    bump(self, "resize_")
    return self


def set_(self, source=None):
    """set_(source) -> Tensor: this tensor becomes one of the source's memory, shape and strides (none given: an empty
    one). (PyTorch: Tensor.set_)"""
    if source is not None and not isinstance(source, Tensor):
        raise NotImplementedError(f"set_(): the source must be a Tensor here, not {type(source).__name__}")
    array = np.empty(0, self.array.dtype) if source is None else source.array
    if array.dtype != self.array.dtype:
        raise RuntimeError(f"Could not set tensor of type {source.dtype} to a tensor of type {self.dtype}")
    if self.requires_grad:
        raise RuntimeError("set_(): the tensor requires grad: use a detach()ed one, or assign its .data")
    self.array, self._shape = array, array.shape
    bump(self, "set_")
    return self


def resize_as_(self, the_template, *, memory_format=None):
    """resize_as_(other) -> Tensor: ``self.resize_(other.shape)``. (PyTorch: Tensor.resize_as_)"""
    return resize_(self, the_template._shape)


def new(self, *args) -> Tensor:
    """new(*shape) or new(data) -> Tensor of this tensor's dtype: the old constructor. (PyTorch: Tensor.new)"""
    return legacy(Tensor, args, self.array.dtype)


def apply_(self, callable):
    """apply_(callable) -> Tensor: every element, a Python number, replaced by what the function gives for it; slow.
    (PyTorch: Tensor.apply_)"""
    if self.requires_grad:
        raise TypeError("Can't call apply_() on Variable that requires grad. Use var.detach().apply_() instead.")
    values = np.array([callable(value) for value in self.array.ravel().tolist()], self.array.dtype)
    inplace.store(self.array, values.reshape(self._shape))
    bump(self, "apply_")
    return self


def unfold(self, dimension, size, step) -> Tensor:
    """unfold(dimension, size, step) -> Tensor

    A view of all windows of `size` elements of a dimension, their starts `step` apart; the elements of a window become
    the last dimension. Where windows overlap it may not be written to. (PyTorch: torch.Tensor.unfold)
    """
    return TENSORS["windows"](self, dimension, size, step)


def swapaxes_(self, axis0, axis1):
    """In-place form of `swapaxes`: gives this tensor that shape and returns it."""
    return self.transpose_(axis0, axis1)


for _method in (
    untyped_storage, storage_offset, is_set_to, dim_order, contiguous, is_contiguous, resize_, set_, resize_as_, new,
    apply_, swapaxes_, unfold,
):  # fmt: skip
    setattr(Tensor, _method.__name__, _method)


# ---- transposes as attributes


def _attribute(name, doc, swap):
    setattr(Tensor, name, property(swap, doc=doc))


def _all_reversed(self) -> Tensor:
    return direct(OPS["permute"])(self, tuple(range(self.ndim))[::-1])


def _matrices_transposed(name):
    def swap(self) -> Tensor:
        if not self.ndim and name == "mH":
            return self
        if self.ndim < 2:
            raise RuntimeError(
                f"tensor.{name} is only supported on matrices or batches of matrices. Got {self.ndim}-D tensor."
            )
        return TENSORS["transpose"](self, -1, -2)

    return swap


def _matrix_transposed(self) -> Tensor:
    if self.ndim not in (0, 2):
        raise RuntimeError(f"tensor.H is only supported on matrices (2-D tensors). Got {self.ndim}-D tensor.")
    return TENSORS["transpose"](self, 0, 1) if self.ndim else TENSORS["t"](self)


_attribute("T", "The transpose: a view with the dimensions in reverse order. (PyTorch: Tensor.T)", _all_reversed)
_attribute("H", "The transpose of a matrix, as there are no complex numbers. (PyTorch: Tensor.H)", _matrix_transposed)
_attribute("mT", "The transpose of (each of a batch of) matrices, as a view. (PyTorch: Tensor.mT)",
           _matrices_transposed("mT"))  # fmt: skip
_attribute("mH", "As `mT`, as there are no complex numbers. (PyTorch: Tensor.mH)", _matrices_transposed("mH"))
