"""Files as PyTorch wrote them before 2020, and writes with ``_use_new_zipfile_serialization=False``.

Five pickles one after the other (a magic number, a version, what machine wrote it, the object, the keys of its memory),
then for each key the number of elements and the elements. Such a file ends where it ends, so that several objects may
stand in one file, to be loaded one by one.
"""

from __future__ import annotations

import pickle
import struct
import sys

import numpy as np

from minigrad.serialization.archive import fill

__all__ = ["pack", "unpack"]

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001
COUNT = struct.Struct("<q")


def pack(data, memories, itemsizes, protocol):
    """The parts of a file. data: the object's pickle; memories: {key: bytes}; itemsizes: {key: of its elements}."""
    machine = {
        "protocol_version": VERSION,
        "little_endian": sys.byteorder == "little",
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }
    yield from [pickle.dumps(each, protocol) for each in (MAGIC, VERSION, machine)]
    yield data
    keys = sorted(memories)
    yield pickle.dumps(keys, protocol)
    for key in keys:
        yield COUNT.pack(len(memories[key]) // itemsizes[key])
        yield memories[key]


class Waiting:
    """Memory that the object refers to before it comes."""

    def __init__(self, left):
        self.left, self.arrays = left, {}

    def __call__(self, key, count, itemsize):
        size = count * itemsize
        self.left -= size
        if self.left < 0:
            raise pickle.UnpicklingError("it refers to more memory than the file has")
        self.arrays[key] = np.zeros(size, np.uint8)
        return self.arrays[key]


def unpack(file, waiting, itemsizes, read, read_object):
    """The object in a file. waiting: its memory; itemsizes: of the memory's elements, by key, once the object is read.
    read, read_object: functions that read the next pickle, plain or the object's."""
    if read() != MAGIC:
        raise pickle.UnpicklingError("Invalid magic number; corrupt file?")
    version = read()
    if version != VERSION:
        raise pickle.UnpicklingError(f"Invalid protocol version: {version}")
    machine = read()
    if machine.get("little_endian") is not (sys.byteorder == "little"):
        raise NotImplementedError("load(): an old file of a machine of another byte order: load and save it there")
    result = read_object()
    keys = read()
    if not isinstance(keys, list) or sorted(keys) != sorted(waiting.arrays):
        raise pickle.UnpicklingError("the list of its memory is wrong")
    for key in keys:
        head, array = file.read(COUNT.size), waiting.arrays[key]
        (count,) = COUNT.unpack(head)
        if count < 0 or count * itemsizes[key] != array.size or fill(file, memoryview(array)) != array.size:
            raise pickle.UnpicklingError(f"the memory {key!r} is cut short")
    return result
