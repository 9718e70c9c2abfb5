"""An object as a pickle that PyTorch, too, can read, and the memory that it refers to.

Tensors are written as calls of PyTorch's functions that make them (``torch._utils._rebuild_tensor_v2``), what is
minigrad's under PyTorch's names (`names.py`), and memory as a reference: ``("storage", type, key, "cpu", size)``.
"""

from __future__ import annotations

import copyreg
import io
import pickle
import types
from collections import OrderedDict
from typing import ClassVar

import numpy as np

from minigrad import dtypes
from minigrad.memory import storage_of, strided_view, strides_of
from minigrad.nn.parameter import Buffer, Parameter
from minigrad.protocol import PythonProtocol
from minigrad.random import Generator
from minigrad.serialization.names import STORAGES, Named, named, torch_name
from minigrad.storage import UntypedStorage
from minigrad.tensor import Tensor, wrap

__all__ = ["pickled"]

TENSOR = named("torch._utils", "_rebuild_tensor_v2")
PARAMETER = named("torch._utils", "_rebuild_parameter")
PARAMETER_WITH_STATE = named("torch._utils", "_rebuild_parameter_with_state")
FROM_TYPE = named("torch._tensor", "_rebuild_from_type_v2")
LAYOUT = named("torch.serialization", "_get_layout")
PLAIN = frozenset((type(None), bool, int, float, str, bytes, tuple, list, dict, set, Named))


class Memory:
    """All of the memory under a tensor, and the dtype by which PyTorch names it."""

    def __init__(self, array):
        low, high = np.lib.array_utils.byte_bounds(array)
        self.array, self.low, self.size = array, low, high - low if array.size else 0

    def bytes(self):
        start = self.low - self.array.ctypes.data if self.size else 0
        return strided_view(self.array, start, (self.size,), (1,), False, np.dtype(np.uint8))


class Element(Memory):
    """Memory as elements of a dtype."""

    def __init__(self, array, dtype):
        super().__init__(array)
        self.dtype = dtype


def pickled(obj, protocol, pickle_module=pickle, old=False):
    """(the pickle, {key: bytes of its memory as an array}, {key: size of an element}).

    old: with references as files have them that are no zip archives.
    """
    base = getattr(pickle_module, "_Pickler", pickle_module.Pickler)
    if not issubclass(base, pickle._Pickler):
        raise NotImplementedError(
            f"save(): the Pickler of {pickle_module.__name__} cannot be taught PyTorch's names; use pickle, or dill"
        )
    file = io.BytesIO()
    pickler = _pickler_of(base)(file, protocol=protocol)
    pickler.start(old)
    pickler.dump(obj)
    memories = {key: memory.bytes() for key, memory in pickler.memories.items()}
    return file.getvalue(), memories, pickler.itemsizes


def _pickler_of(base):
    """PyTorch's way of pickling on top of the pickler `base`, which must be one written in Python: only those can be
    told what name to write for a class."""
    base_functions = base.dispatch[types.FunctionType]

    class Pickler(base):
        dispatch: ClassVar = dict(base.dispatch)

        def start(self, old):
            self.old = old
            self.memories, self.itemsizes, self.keys, self.kinds = {}, {}, {}, {}

        def persistent_id(self, obj):
            if isinstance(obj, UntypedStorage):
                kind, memory, size = named("torch.storage", "UntypedStorage"), Memory(obj._array), obj.nbytes()
                dtype = dtypes.uint8
            elif isinstance(obj, Element):
                memory, dtype = obj, obj.dtype
                kind, size = named("torch", STORAGES[dtype._name]), obj.size // dtype.itemsize
            else:
                return None
            key = self.key_of(memory, dtype)
            return ("storage", kind, key, "cpu", size, None) if self.old else ("storage", kind, key, "cpu", size)

        def key_of(self, memory, dtype):
            place = memory.low, memory.size
            if memory.size and self.kinds.setdefault(place, dtype) is not dtype:
                raise RuntimeError(
                    "save(): Cannot save multiple tensors or storages that view the same data as different types "
                    f"(here {self.kinds[place]} and {dtype}): clone() one of them"
                )
            key = self.keys.setdefault(place, str(len(self.keys)))
            self.memories.setdefault(key, memory)  # keeps it alive, so that its address is not given away
            self.itemsizes[key] = dtype.itemsize
            return key

        def reducer_override(self, obj):
            if type(obj) in PLAIN:
                return NotImplemented
            if isinstance(obj, Tensor):
                return reduced_tensor(obj)
            if isinstance(obj, dtypes.Size):
                return named("torch", "Size"), (tuple(obj),)
            if isinstance(obj, dtypes.device):
                return named("torch", "device"), (obj.type,) if obj.index is None else (obj.type, obj.index)
            if isinstance(obj, dtypes.dtype | dtypes.memory_format):
                return obj._name
            if isinstance(obj, dtypes.layout):
                return LAYOUT, (repr(obj),)
            if isinstance(obj, Generator):
                return type(obj), (obj.device,), (obj.initial_seed(), None, obj.get_state())
            return NotImplemented

        def save_global(self, obj, name=None):
            known = torch_name(obj)
            if known is None:
                return super().save_global(obj, name)
            if "<" in known.name:
                raise pickle.PicklingError(
                    f"save(): {obj!r} is made inside a function, so it has no name to be found by"
                )
            if self.proto >= 4:
                self.save(known.module)
                self.save(known.name)
                self.write(pickle.STACK_GLOBAL)
            else:
                self.write(pickle.GLOBAL + f"{known.module}\n{known.name}\n".encode())
            self.memoize(obj)
            return None

        def save_function(self, obj):
            if torch_name(obj) is None:
                base_functions(self, obj)
            else:
                self.save_global(obj)

        dispatch[Named] = save_global
        dispatch[types.FunctionType] = save_function

    return Pickler


def reduced_tensor(tensor):
    """(function, arguments) that make the tensor again."""
    kind, state = type(tensor), _state_of(tensor)
    if kind.__reduce_ex__ is not PythonProtocol.__reduce_ex__:
        return NotImplemented  # it has its own way
    if isinstance(tensor, Parameter):
        arguments = wrap(tensor.array), tensor.requires_grad, OrderedDict()
        return (PARAMETER_WITH_STATE, (*arguments, state)) if state else (PARAMETER, arguments)
    arguments = _parts_of(tensor)
    if kind is Buffer:
        kind, state = Tensor, {**state, "_is_buffer": True}
    if kind is Tensor and not state:
        return TENSOR, arguments
    return FROM_TYPE, (TENSOR, kind, arguments, state)


def _parts_of(tensor):
    """What ``_rebuild_tensor_v2`` takes: memory, offset, size, stride, requires_grad, hooks (none)."""
    array, dtype = tensor.array, tensor.dtype
    memory = Element(storage_of(array), dtype)
    steps = (array.ctypes.data - memory.low, *array.strides)
    if any([step < 0 or step % dtype.itemsize for step in steps]):  # PyTorch has no such views
        array = array.copy()
        memory = Element(array, dtype)
    offset = (array.ctypes.data - memory.low) // dtype.itemsize if memory.size else 0
    return memory, offset, tuple(array.shape), strides_of(array), tensor.requires_grad, OrderedDict()


def _state_of(tensor):
    """Attributes that the user gave the tensor: a dict, or (dict, slots)."""
    names = set(copyreg._slotnames(type(tensor))) - set(Tensor.__slots__)
    slots = {name: getattr(tensor, name) for name in sorted(names) if hasattr(tensor, name)}
    return (dict(tensor.__dict__), slots) if slots else dict(tensor.__dict__)
