"""What a pickle of PyTorch's calls to make tensors, and the memory that it refers to.

Numbers in a pickle are claims: each is checked against the memory that is there.
"""

from __future__ import annotations

import pickle
import sys
from typing import Any

import numpy as np

from minigrad import dtypes
from minigrad.nn.parameter import Buffer, Parameter
from minigrad.serialization.names import TYPES, StorageType
from minigrad.storage import UntypedStorage
from minigrad.tensor import Tensor, wrap

__all__ = ["Absent", "MapError", "Memories", "Rebuilder"]


class Absent:
    """In the place of something that minigrad has not; `load` says where it was and raises."""

    def __init__(self, what):
        self.what = what


class MapError(Exception):
    """Carries an error of `map_location` past those of the pickle."""


class Elements:
    """Loaded memory, as elements of a dtype (its name)."""

    def __init__(self, raw, dtype):
        self.raw, self.dtype = raw, dtype


class Memories:
    """What references in a pickle mean. fetch: ``fetch(key, count, itemsize)`` gives the bytes as an array.

    restore: ``restore(storage, location)`` gives the storage to use. little: the byte order of the file.
    """

    def __init__(self, fetch, restore, little=True, widen_bfloat16=False):
        self.fetch, self.restore, self.swapped = fetch, restore, little != (sys.byteorder == "little")
        self.widen = widen_bfloat16
        self.known, self.itemsizes = {}, {}

    def __call__(self, reference):
        if type(reference) is not tuple or len(reference) not in (5, 6) or _text(reference[0]) != "storage":
            raise pickle.UnpicklingError(f"persistent_load of something that is no storage: {str(reference)[:80]}")
        kind, key, location, count, *view = reference[1:]
        if kind is UntypedStorage:
            kind = UNTYPED
        location = _text(location)
        names = isinstance(key, str) and isinstance(location, str)
        if not names or not isinstance(kind, StorageType) or type(count) is not int or count < 0:
            raise pickle.UnpicklingError("a reference to memory makes no sense")
        if key not in self.known:
            self.known[key] = self.elements(kind, key, location, count)
        elements = self.known[key]
        if elements.dtype != (kind.dtype if not self.widens(kind) else "float32"):
            raise pickle.UnpicklingError(f"the storage {key!r} is said to be of two dtypes")
        if view and view[0] is not None:
            raise NotImplementedError("load(): the file has views of storages, as PyTorch wrote them before 2017")
        return UntypedStorage(elements.raw) if kind is UNTYPED else elements

    def widens(self, kind):
        return self.widen and kind.dtype == "bfloat16"

    def elements(self, kind, key, location, count):
        self.itemsizes[key] = kind.itemsize
        raw, dtype = self.fetch(key, count, kind.itemsize), kind.dtype
        if self.swapped and kind.itemsize > 1:
            raw = raw.view(f"u{min(kind.itemsize, 8)}").byteswap().view(np.uint8)
        if self.widens(kind):
            raw, dtype = widened(raw.view(np.uint16)).view(np.uint8), "float32"
        if raw.ctypes.data % kind.itemsize:  # of a mapped file that was not written by save()
            raw = raw.copy()
        try:
            storage = self.restore(UntypedStorage(raw), location)
        except Exception as error:
            raise MapError(error) from error
        if not isinstance(storage, UntypedStorage):
            raise MapError(
                TypeError(
                    f"load(): argument 'map_location' returned {type(storage).__name__}; expected the storage, or None"
                )
            )
        return Elements(storage._array, dtype)


def widened(halves):
    """bfloat16 (as uint16) as float32: the upper half of the bits."""
    return (halves.astype(np.uint32) << np.uint32(16)).view(np.float32)


class Rebuilder:
    """The functions that pickles call, under PyTorch's names. `absent` collects what minigrad has not.

    is_allowed: whether a class may be made; by default any.
    """

    def __init__(self, is_allowed=lambda cls: True):
        self.absent, self.is_allowed = [], is_allowed
        self.functions = {
            "torch._utils._rebuild_tensor": self.tensor,
            "torch._utils._rebuild_tensor_v2": self.tensor,
            "torch._utils._rebuild_tensor_v3": self.tensor_of_new_dtype,
            "torch._utils._rebuild_parameter": self.parameter,
            "torch._utils._rebuild_parameter_with_state": self.parameter,
            "torch._tensor._rebuild_from_type_v2": self.of_type,
            "torch._utils._rebuild_sparse_tensor": lambda layout, data: self.lacks(f"a sparse tensor ({layout})"),
            "torch._utils._rebuild_qtensor": lambda *parts: self.lacks("a quantized tensor"),
            "torch._utils._rebuild_nested_tensor": lambda *parts: self.lacks("a nested tensor"),
            "torch._utils._rebuild_meta_tensor_no_storage": lambda *parts: self.lacks("a meta tensor"),
            "torch.serialization._get_layout": layout,
        }

    def lacks(self, what):
        self.absent.append(Absent(what))
        return self.absent[-1]

    def tensor(self, elements, offset, size, stride, requires_grad=False, hooks=None, metadata=None):
        if not isinstance(elements, Elements) or not _are_sizes(offset, *size) or not _are_sizes(*stride):
            raise pickle.UnpicklingError("the parts of a tensor make no sense")
        if elements.dtype not in dtypes.PUBLIC or not hasattr(dtypes.PUBLIC[elements.dtype], "numpy"):
            return self.lacks(f"a {elements.dtype} tensor of shape {list(size)}")
        if metadata:
            return self.lacks(f"a lazily negated or conjugated tensor of shape {list(size)}")
        dtype = dtypes.PUBLIC[elements.dtype].numpy
        raw, step = elements.raw, dtype.itemsize
        try:  # NumPy looks whether all of it lies within the memory
            array = np.ndarray(size, dtype, raw, offset * step, [each * step for each in stride])
        except (ValueError, OverflowError, MemoryError) as error:
            raise pickle.UnpicklingError(
                f"a tensor of shape {list(size)}, stride {list(stride)} and offset {offset} does not lie in its memory "
                f"of {raw.nbytes} bytes ({error})"
            ) from error
        tensor = wrap(array)
        return tensor.requires_grad_() if requires_grad else tensor

    def tensor_of_new_dtype(self, storage, offset, size, stride, requires_grad, hooks, dtype, metadata=None):
        name = dtype.what if isinstance(dtype, Absent) else repr(dtype)
        return self.lacks(f"a {name.removeprefix('torch.')} tensor of shape {list(size)}")

    def parameter(self, data, requires_grad, hooks, state=None):
        if isinstance(data, Absent):
            return data
        return self.with_state(Parameter(data, bool(requires_grad)), state)

    def with_state(self, tensor, state):
        if isinstance(state, tuple) and not self.is_allowed(type(tensor)):
            raise pickle.UnpicklingError("a tensor with slots makes no sense")
        return tensor if state is None else with_state(tensor, state)

    def of_type(self, function, cls, arguments, state):
        if function not in self.functions.values() or not (isinstance(cls, type) and issubclass(cls, Tensor)):
            raise pickle.UnpicklingError("a tensor of a class of its own makes no sense")
        if not (cls in (Tensor, Parameter, Buffer) or self.is_allowed(cls)):
            raise pickle.UnpicklingError(f"the class {cls.__name__} is not allowed")
        made = function(*arguments)
        if isinstance(made, Absent):
            return made
        if cls is Tensor and isinstance(state, dict) and state.get("_is_buffer"):
            cls, state = Buffer, {name: value for name, value in state.items() if name != "_is_buffer"}
        if cls is not type(made):
            needed, plain = made.requires_grad, made
            made = object.__new__(cls)
            made.array, made._shape = plain.array, plain._shape
            made.node = made.vc = made._view = made.leaf = None
            made.requires_grad_(needed)
        return self.with_state(made, state)


def with_state(inst, state):
    """`inst` with what BUILD gives an instance: ``__setstate__``, or attributes (a dict, or dict and slots)."""
    if hasattr(type(inst), "__setstate__"):
        inst.__setstate__(state)
        return inst
    slots = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    if state:
        inst.__dict__.update(state)
    for name, value in (slots or {}).items():
        setattr(inst, name, value)
    return inst


def layout(name):
    for each in dtypes.LAYOUTS.values():
        if repr(each) == name:
            return each
    return name  # of a sparse tensor, which comes next


def _text(value):
    """Files of Python 2 have bytes."""
    return value.decode("ascii", "replace") if isinstance(value, bytes) else value


def _are_sizes(*numbers):
    return all([type(number) is int and number >= 0 for number in numbers])


UNTYPED = StorageType("uint8", 1)
VALUES: dict[str, Any] = {f"torch.{name}": kind for name, kind in TYPES.items()}
VALUES |= {f"torch.cuda.{name}": kind for name, kind in TYPES.items()}
VALUES |= {"torch.storage.UntypedStorage": UntypedStorage, "torch.UntypedStorage": UntypedStorage}
VALUES |= {f"torch.{name}": dtype for name, dtype in dtypes.PUBLIC.items()}
VALUES |= {
    f"torch.{name}": Absent(name)
    for name in """uint16 uint32 uint64 float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu
    per_tensor_affine per_tensor_symmetric per_channel_affine per_channel_symmetric""".split()
}
VALUES |= {"torch.Tensor": Tensor, "torch.nn.parameter.Parameter": Parameter}
