"""An object as arrays and JSON: what `serialization.py` puts into a file and takes out of it.

    None, bool, int, str, finite floats    stand for themselves            lists    are JSON lists
    everything else                        is {kind: content}, e.g. {"dict": [[key, value], ...]}, {"tensor": 3}

    {"version": 1, "tree": ..., "tensors": [{"entry": "model.0.weight", ...}, ...]}

A description names no classes and no code, only the kinds below; reading one can make nothing else. Tensors that share
memory refer to one entry and say where in it they lie.
"""

from __future__ import annotations

import collections
import ctypes
import json
import math

import numpy as np

from minigrad import dtypes
from minigrad.tensor import Tensor, wrap

VERSION = 1
TOO_DEEP = 200  # nested containers; far below Python's limit of recursion
# What the container has, by the names that safetensors gives them.
ENTRY_DTYPES = {
    "BOOL": np.bool_, "U8": np.uint8, "I8": np.int8, "U16": np.uint16, "I16": np.int16, "U32": np.uint32,
    "I32": np.int32, "U64": np.uint64, "I64": np.int64, "F16": np.float16, "F32": np.float32, "F64": np.float64,
    "C64": np.complex64,
}  # fmt: skip
STORABLE = {np.dtype(kind) for kind in ENTRY_DTYPES.values()}
SEQUENCES = {"tuple": tuple, "set": set, "frozenset": frozenset, "Size": dtypes.Size}
MAPPINGS = {"dict": dict, "OrderedDict": collections.OrderedDict, "Counter": collections.Counter}
FACTORIES = {None: None, "dict": dict, "list": list, "set": set, "int": int, "float": float}  # of a defaultdict


# ---- describing ----------------------------------------------------------------------------------------------------


def encode(obj):
    """({name: ndarray}, JSON text): the arrays that `obj` needs, and the description that `decode` reads.

    Raises:
        TypeError: something in `obj` has no description; the message says where it stands.
        ValueError: a container contains itself, or too many stand in each other.
    """
    encoder = _Encoder()
    tree = encoder.tree(obj, ())
    entries, tensors = {}, [None] * len(encoder.arrays)
    for group in _sharing_memory([array for _, array, _ in encoder.arrays]):
        path = encoder.arrays[group[0]][0]
        name = _entry_name(path, entries)
        arrays = [encoder.arrays[i][1] for i in group]
        if all(_same(arrays[0], other) for other in arrays[1:]):
            entries[name], places = storable(arrays[0], path), [{}] * len(group)
        else:
            entries[name], places = _common_memory(arrays)
        for i, place in zip(group, places):
            tensors[i] = {"entry": name, **place, **encoder.arrays[i][2]}
    described = {"version": VERSION, "tree": tree, "tensors": tensors}
    return entries, json.dumps(described, separators=(",", ":"), allow_nan=False)


class _Encoder:
    """The JSON tree of an object; on the way the arrays are collected."""

    def __init__(self):
        self.arrays = []  # (path, ndarray, what else is said about it)
        self.number_of = {}  # id of a tensor or array -> its place in `arrays`
        self.alive = []  # what has such a number, so that no id is given twice
        self.inside = []  # ids of the containers around

    def tree(self, value, path):
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if isinstance(value, Tensor):
            return {"tensor": self.number(value, path)}
        if kind is np.ndarray:
            return {"ndarray": self.number(value, path)}
        if kind is bytes:
            return {"bytes": self.number(np.frombuffer(value, np.uint8), path)}
        if isinstance(value, np.generic) and value.dtype.kind in "biuf":
            return {"scalar": [value.dtype.name, self.tree(value.item(), path)]}
        if kind is complex:
            return {"complex": [self.tree(value.real, path), self.tree(value.imag, path)]}
        if kind is slice or kind is range:
            return {kind.__name__: [self.tree(part, path) for part in (value.start, value.stop, value.step)]}
        if isinstance(value, dtypes.dtype):
            return {"dtype": repr(value).removeprefix("torch.")}
        if isinstance(value, dtypes.device):
            return {"device": str(value)}
        return self.container(value, kind, path)

    def container(self, value, kind, path):
        if id(value) in self.inside:
            raise ValueError(f"save(): obj{_text(path)} contains itself, which cannot be written")
        if len(self.inside) == TOO_DEEP:
            raise ValueError(f"save(): more than {TOO_DEEP} containers stand in each other at obj{_text(path[:3])}...")
        self.inside.append(id(value))
        try:
            if kind is list:
                return self.parts(value, path)
            for name, known in SEQUENCES.items():
                if kind is known:
                    return {name: self.parts(value, path)}
            for name, known in MAPPINGS.items():
                if kind is known:
                    return {name: self.pairs(value, path)}
            if kind is collections.defaultdict:
                for name, known in FACTORIES.items():
                    if value.default_factory is known:
                        return {"defaultdict": [name, self.pairs(value, path)]}
        finally:
            self.inside.pop()
        raise TypeError(
            f"save(): obj{_text(path)} is of type {kind.__module__}.{kind.__qualname__}, which cannot be written "
            "without pickling; expected tensors, arrays, numbers, strings, dicts, lists, tuples and sets (of a module "
            "save its state_dict(); or save and load with weights_only=False)"
        )

    def parts(self, values, path):
        return [self.tree(value, (*path, i)) for i, value in enumerate(values)]

    def pairs(self, mapping, path):
        return [[self.tree(key, (*path, key)), self.tree(value, (*path, key))] for key, value in mapping.items()]

    def number(self, value, path):
        """The place in `arrays` of a tensor or ndarray; one object has one place."""
        if id(value) not in self.number_of:
            array, said = value, {}
            if isinstance(value, Tensor):
                array = value.array
                if value.requires_grad:
                    said["requires_grad"] = True
                if type(value) is not Tensor and isinstance(value, _parameter_class()):
                    said["parameter"] = True
            storable(array, path)
            self.number_of[id(value)] = len(self.arrays)
            self.alive.append(value)
            self.arrays.append((path, array, said))
        return self.number_of[id(value)]


def storable(array, path):
    """The array in C order and this machine's byte order; TypeError if the container has no such dtype."""
    native = array.dtype.newbyteorder("=")
    if native not in STORABLE:
        raise TypeError(
            f"save(): obj{_text(path)} is an array of dtype {array.dtype}, which cannot be written; expected bools or "
            "numbers of at most 64 bits (convert it, e.g. with .tolist())"
        )
    return np.asarray(array, dtype=native, order="C")


def _text(path):
    return "".join([f"[{key!r}]" for key in path])


def _entry_name(path, taken):
    """A name for other programs: what stands at ``["model"]["0.weight"]`` is ``model.0.weight``."""
    name = ".".join(map(str, path)).encode("utf-8", "replace").decode() or "tensor"
    candidates = (name if i == 1 else f"{name}#{i}" for i in range(1, len(taken) + 3))
    return next(each for each in candidates if each not in taken and each != "__metadata__")


def _sharing_memory(arrays):
    """The numbers of the arrays in groups that share memory, in order of appearance."""
    groups = [[i] for i, array in enumerate(arrays) if array.size == 0]
    spans = sorted((*np.lib.array_utils.byte_bounds(array), i) for i, array in enumerate(arrays) if array.size)
    reached = 0
    for low, high, i in spans:
        if low < reached:
            groups[-1].append(i)
        else:
            groups.append([i])
        reached = max(reached, high)
    return sorted(sorted(group) for group in groups)


def _same(a, b):
    """Whether two arrays are the same numbers of the same memory, in C order."""
    flat = a.flags.c_contiguous and b.flags.c_contiguous
    return flat and a.ctypes.data == b.ctypes.data and a.shape == b.shape and a.dtype == b.dtype


def _common_memory(arrays):
    """A copy of the stretch of memory that the arrays cover together, and where in it each of them lies."""
    bounds = [np.lib.array_utils.byte_bounds(array) for array in arrays]
    low, high = min([low for low, _ in bounds]), max([high for _, high in bounds])
    stretch = np.frombuffer((ctypes.c_char * (high - low)).from_address(low), np.uint8).copy()
    places = [
        {"dtype": a.dtype.name, "shape": a.shape, "strides": a.strides, "offset": a.ctypes.data - low} for a in arrays
    ]
    dtype = arrays[0].dtype
    if all(a.dtype == dtype for a in arrays) and stretch.size % dtype.itemsize == 0:
        stretch = stretch.view(dtype)  # other programs then see numbers rather than bytes
    return stretch, places


# ---- making it again -----------------------------------------------------------------------------------------------


def decode(entries, described):
    """The object that `encode` described. Any exception means that the description was damaged."""
    return _Decoder(entries, described["tensors"]).value(described["tree"])


class _Decoder:
    def __init__(self, entries, tensors):
        self.entries, self.tensors = entries, tensors
        self.made = {}  # (kind, number) -> object: what was one object is one again

    def value(self, node, depth=0):
        if depth > 2 * TOO_DEEP:
            raise ValueError("it is nested too deeply")
        if node is None or isinstance(node, bool | int | float | str):
            return node
        if isinstance(node, list):
            return [self.value(part, depth + 1) for part in node]
        ((kind, content),) = node.items()
        if kind in ("tensor", "ndarray", "bytes"):
            return self.memory(kind, content)
        if kind in SEQUENCES:
            return SEQUENCES[kind]([self.value(part, depth + 1) for part in content])
        if kind in MAPPINGS:
            return MAPPINGS[kind](self.mapping(content, depth))
        if kind == "defaultdict":
            factory, pairs = content
            return collections.defaultdict(FACTORIES[factory], self.mapping(pairs, depth))
        return self.simple(kind, content)

    def mapping(self, pairs, depth):
        return {self.value(key, depth + 1): self.value(value, depth + 1) for key, value in pairs}

    def simple(self, kind, content):
        if kind == "float":
            return float(content)
        if kind == "scalar":
            name, number = content
            return _dtype(name).type(self.value(number))
        if kind == "complex":
            return complex(*[self.value(part) for part in content])
        if kind in ("slice", "range"):
            return {"slice": slice, "range": range}[kind](*[self.value(part) for part in content])
        if kind == "dtype":
            return dtypes.PUBLIC[content]
        if kind == "device":
            return dtypes.device(content)
        raise ValueError(f"unknown kind {kind!r}")

    def memory(self, kind, number):
        if (kind, number) not in self.made:
            said = self.tensors[number]
            array = self.entries[said["entry"]]
            if "strides" in said:  # NumPy checks that these stay within the entry
                array = np.ndarray(said["shape"], _dtype(said["dtype"]), array.data, said["offset"], said["strides"])
            self.made[kind, number] = self.over(kind, array, said)
        return self.made[kind, number]

    def over(self, kind, array, said):
        """The object of this kind over the array's memory."""
        if kind == "bytes":
            return array.tobytes()
        if kind == "ndarray":
            return array
        dtypes.from_numpy_dtype(array.dtype)
        requires_grad = said.get("requires_grad", False)
        if said.get("parameter"):
            return _parameter_class()(wrap(array), requires_grad)
        return wrap(array).requires_grad_(requires_grad)


def _parameter_class():
    from minigrad.nn.parameter import Parameter  # here, because nothing else that is saved needs nn

    return Parameter


def _dtype(name):
    dtype = np.dtype(name)
    if dtype not in STORABLE:
        raise ValueError(f"unknown dtype {name}")
    return dtype
