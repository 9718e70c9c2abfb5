"""Where arrays lie in memory: the storage under an array, and views of it by any strides.

Ground floor: arrays only.  What PyTorch calls a storage is the array at the end of the chain of `base`s: the memory
that was allocated in one piece (or handed in from outside).
"""

import numpy as np

__all__ = ["distances", "offset_in_storage", "storage_of", "strided_view", "strides_of"]


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
    return tuple([s // array.itemsize for s in array.strides])


def distances(shape, strides):
    """For each element of such an array how far, in elements, it lies from the first one."""
    far = np.zeros(shape, np.int64)
    for axis, (n, step) in enumerate(zip(shape, strides, strict=True)):
        far += (np.arange(n) * step).reshape([-1 if d == axis else 1 for d in range(len(shape))])
    return far
