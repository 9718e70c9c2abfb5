"""Where arrays lie in memory: the storage under an array, and views of it by any strides.

Ground floor: arrays only.  What PyTorch calls a storage is the array at the end of the chain of `base`s: the memory
that was allocated in one piece (or handed in from outside).
"""

import numpy as np

__all__ = [
    "broadcast", "check_overlap", "distances", "offset_in_storage", "overlapping", "storage_of", "strided_view",
    "strides_of",
]  # fmt: skip


class _Window:
    """What `np.asarray` makes a view of; `base` keeps the memory alive."""

    def __init__(self, interface, base):
        self.__array_interface__ = interface
        self.base = base


def strided_view(array, offset, shape, strides, writeable, dtype=None):
    """A view that starts `offset` bytes after the array's first element, with any shape and strides (in bytes).

    The caller answers for its staying within memory that is there.
    """
    interface = {
        "data": (array.ctypes.data + offset, not writeable),
        "shape": tuple(shape),
        "strides": tuple(strides),
        "typestr": (dtype or array.dtype).str,
        "version": 3,
    }
    return np.asarray(_Window(interface, array))


def broadcast(array, shape):
    """A read-only view in which dimensions of size 1 are repeated to make `shape`, which must fit: `np.broadcast_to`,
    which takes twice as long."""
    if not array.size or not array.flags.c_contiguous:
        return np.broadcast_to(array, shape)
    steps = [0 if n == 1 else step for n, step in zip(array.shape, array.strides, strict=True)]
    out = np.ndarray(shape, array.dtype, array, 0, (*(0,) * (len(shape) - array.ndim), *steps))
    out.flags.writeable = False
    return out


def storage_of(array):
    """The array that owns the memory under this one (or the outermost one over memory that no array owns)."""
    while isinstance(array.base, np.ndarray | _Window):
        array = array.base.base if isinstance(array.base, _Window) else array.base
    return array


def offset_in_storage(array):
    """How many elements lie between the beginning of the storage and the array's first element."""
    low, _ = np.lib.array_utils.byte_bounds(storage_of(array))
    return (array.ctypes.data - low) // array.itemsize


def strides_of(array):
    """The strides counted in elements, as PyTorch does."""
    size, shape = array.itemsize, array.shape
    strides = [s // size for s in array.strides]
    for d in range(len(shape) - 1, -1, -1):  # NumPy says 0 for the dimension that None makes, and where is nothing
        if (shape[d] == 1 and not strides[d]) or 0 in shape:
            strides[d] = 1 if d == len(shape) - 1 else strides[d + 1] * max(shape[d + 1], 1)
    return tuple(strides)


def check_overlap(target, values, op):
    """Refuse, as PyTorch does, to write to memory that partly overlaps what is being read. (Strided parts that are not
    dense are not looked into, by PyTorch's rule.)"""
    start, other = target.ctypes.data, values.ctypes.data
    if start == other and strides_of(target) == strides_of(values):
        return
    if _is_dense(target) and _is_dense(values) and start < other + values.nbytes and other < start + target.nbytes:
        raise overlapping(op)


def overlapping(op):
    """The error of a write to memory that is being read."""
    return RuntimeError(
        f"{op}(): unsupported operation: some elements of the input tensor and the written-to tensor refer to a single "
        "memory location. Please clone() the tensor before performing the operation."
    )


def _is_dense(array):
    reach = sum((n - 1) * abs(s) for n, s in zip(array.shape, array.strides))
    return array.size > 0 and reach + array.itemsize == array.nbytes


def distances(shape, strides):
    """For each element of such an array how far, in elements, it lies from the first one."""
    far = np.zeros(shape, np.int64)
    for axis, (n, step) in enumerate(zip(shape, strides, strict=True)):
        far += (np.arange(n) * step).reshape([-1 if d == axis else 1 for d in range(len(shape))])
    return far
