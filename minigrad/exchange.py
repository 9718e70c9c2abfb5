"""Memory shared with others: buffers, and DLPack, the protocol by which array libraries hand each other arrays.

    minigrad.from_dlpack(numpy_array)      torch.from_dlpack(tensor)      np.from_dlpack(tensor)

No numbers are copied: a write on one side shows on the other.  NumPy has both ends of the protocol already; here stand
PyTorch's rules around it.
"""

from __future__ import annotations

import numpy as np

from minigrad import dtypes
from minigrad.autograd.node import node_of
from minigrad.creation import from_numpy, made
from minigrad.shapes import index_of
from minigrad.tensor import Tensor

__all__ = ["from_dlpack", "frombuffer"]


class Capsule:
    """A DLPack capsule made earlier, as the object that NumPy asks for one."""

    def __init__(self, capsule):
        self._capsule = capsule

    def __dlpack__(self, **named):
        """The capsule; it can be handed out once."""
        return self._capsule

    def __dlpack_device__(self):
        """The CPU."""
        return (1, 0)


def from_dlpack(ext_tensor, *, device=None, copy=None):
    """from_dlpack(ext_tensor, *, device=None, copy=None) -> Tensor

    A tensor that shares the memory of another library's array (or of a DLPack capsule). copy: True always copies, False
    never does. (PyTorch: torch.from_dlpack)
    """
    if device is not None:
        dtypes.device(device)
    if not hasattr(ext_tensor, "__dlpack__"):
        if type(ext_tensor).__name__ != "PyCapsule":
            raise RuntimeError(
                f"from_dlpack(): got {type(ext_tensor).__name__}; expected an object with __dlpack__ and "
                "__dlpack_device__, or a DLPack capsule"
            )
        ext_tensor = Capsule(ext_tensor)
    if isinstance(ext_tensor, np.ndarray):
        return from_numpy(ext_tensor.copy() if copy else ext_tensor)
    array = np.from_dlpack(ext_tensor)
    return from_numpy(array.copy() if copy else array)


def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None) -> object:
    """The memory as a DLPack capsule, for other array libraries' `from_dlpack`. Not of tensors that require grad."""
    if node_of(self) is not None:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    return self.array.__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)


def __dlpack_device__(self) -> tuple[int, int]:
    """(1, 0): the CPU, as DLPack numbers devices."""
    return (1, 0)


for _method in (__dlpack__, __dlpack_device__):
    setattr(Tensor, _method.__name__, _method)


def frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False):
    """frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False) -> Tensor

    A vector over the memory of a Python buffer (bytes, bytearray, array.array, ...): count elements (-1: all there are)
    from byte `offset` on. (PyTorch: torch.frombuffer)
    """
    kind = dtypes.as_numpy(dtype, "frombuffer")
    try:
        length = memoryview(buffer).nbytes
    except TypeError:
        raise ValueError("object does not implement Python buffer protocol.") from None
    count, offset, size = (
        index_of(count, "frombuffer", "count"),
        index_of(offset, "frombuffer", "offset"),
        kind.itemsize,
    )
    if not length or count == 0:
        raise ValueError(f"both buffer length ({length}) and count ({count}) must not be 0")
    if not 0 <= offset < length:
        raise ValueError(
            f"offset ({offset} bytes) must be non-negative and no greater than buffer length ({length} bytes) minus 1"
        )
    if count > 0 and offset + count * size > length:
        raise ValueError(
            f"requested buffer length ({count} * {size} bytes) after offset ({offset} bytes) must not be greater than "
            f"actual buffer length ({length} bytes)"
        )
    if count < 0 and (length - offset) % size:
        raise ValueError(
            f"buffer length ({length - offset} bytes) after offset ({offset} bytes) must be a multiple of element size "
            f"({size})"
        )
    return made(np.frombuffer(buffer, kind, count, offset), requires_grad)
