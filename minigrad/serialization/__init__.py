"""`save` and `load`: PyTorch's ``.pt`` files, written whole or not at all, and read without running anything.

    archive.py      the zip file: records, alignment, checksums
    names.py        PyTorch's names for what is here, and back
    pickler.py      an object as a pickle of PyTorch's
    unpickler.py    the machine that reads pickles with ``weights_only=True``
    rebuild.py      tensors from what a pickle says
    legacy.py       PyTorch's files before they were zip archives
    flat.py         safetensors files
    files.py        paths and files, and writing that may be stopped at any time

PyTorch: torch.serialization
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import struct
import sys
import warnings
from enum import Enum
from typing import Any

from minigrad import dtypes
from minigrad.serialization import legacy
from minigrad.serialization.archive import ALIGNMENT, Archive, is_archive, pack
from minigrad.serialization.files import is_path, name_of, opened, write
from minigrad.serialization.flat import load_safetensors, save_safetensors
from minigrad.serialization.names import find
from minigrad.serialization.pickler import pickled
from minigrad.serialization.rebuild import VALUES, MapError, Memories, Rebuilder
from minigrad.serialization.unpickler import Source, Unpickler, allowed_by_user, is_allowed_by_default, names_in
from minigrad.storage import UntypedStorage

__all__ = [
    "LoadEndianness", "add_safe_globals", "clear_safe_globals", "default_restore_location", "get_crc32_options",
    "get_default_load_endianness", "get_safe_globals", "get_unsafe_globals_in_checkpoint", "load", "load_safetensors",
    "location_tag", "safe_globals", "save", "save_safetensors", "set_crc32_options", "set_default_load_endianness",
]  # fmt: skip

DEFAULT_PROTOCOL = 2


def save(obj, f, pickle_module=pickle, pickle_protocol=DEFAULT_PROTOCOL, _use_new_zipfile_serialization=True) -> None:
    """Write `obj` to a file that `load` and `torch.load` read. (PyTorch: torch.save)

    Args:
        obj: whatever can be pickled. Tensors that share memory will share it after loading, and all of the memory under
            a view is written; `requires_grad` is kept, history, gradients and hooks of tensors are not. What minigrad
            has is written under PyTorch's names, so that a whole module (`save(model)`) can be loaded there.
        f (str | PathLike | file): where to. A path is replaced only once all is written, so that whenever the program
            is stopped the old file or the new one is there, whole. A file must be open for writing bytes.
        pickle_module: whose ``Pickler`` is used: `pickle`, or one built on it, such as dill.
        pickle_protocol (int): 2 to 5; PyTorch reads with ``weights_only=True`` what is written with 2.
        _use_new_zipfile_serialization (bool): False writes the format of old PyTorch (`legacy.py`).

    Raises:
        TypeError, AttributeError, pickle.PicklingError: something in `obj` cannot be pickled.
        RuntimeError: tensors of different dtypes share memory; the folder is not there.
        OSError: the file cannot be written.
    """
    if not is_path(f) and not hasattr(f, "write"):
        write(f, ())  # says what is wrong
    data, memories, itemsizes = pickled(obj, pickle_protocol, pickle_module, old=not _use_new_zipfile_serialization)
    if not _use_new_zipfile_serialization:
        write(f, legacy.pack(data, memories, itemsizes, pickle_protocol))
        return
    folder = os.path.splitext(os.path.basename(os.fsdecode(f)))[0] if is_path(f) else ""
    records = [("data.pkl", data), (".format_version", b"1"), (".storage_alignment", str(ALIGNMENT).encode())]
    records += [("byteorder", sys.byteorder.encode())]
    records += [(f"data/{key}", memory) for key, memory in memories.items()]
    records += [("version", b"3\n")]
    write(f, pack(folder or "archive", records, get_crc32_options()))


def load(
    f,
    map_location=None,
    pickle_module=None,
    *,
    weights_only=None,
    mmap=None,
    widen_bfloat16=False,
    **pickle_load_args,
) -> Any:
    """Read what `save` or `torch.save` wrote. (PyTorch: torch.load)

    Args:
        f (str | PathLike | file): where from. A file must be open for reading bytes and be able to `seek`. A path that
            ends in ".safetensors" is read by `load_safetensors`.
        map_location (str | device | dict | callable, optional): where tensors are put that were saved elsewhere: "cpu",
            or {"cuda:0": "cpu"}, or ``f(storage, location)`` that returns the storage. A file saved on another device
            needs it.
        pickle_module: whose ``Unpickler`` is used; only with ``weights_only=False``.
        weights_only (bool): the default, True, reads tensors, plain containers and what `add_safe_globals` names, and
            runs nothing else. False reads any pickle. Pickles can run any code: only for files that you trust.
        mmap (bool): maps a path into memory, so that numbers are read when they are used; writing to the tensors does
            not change the file. The numbers' checksums are not looked at.
        widen_bfloat16 (bool): bfloat16 numbers become float32, exactly. (Not in PyTorch.)
        pickle_load_args: for the Unpickler, e.g. ``encoding="latin1"``; only with ``weights_only=False``.

    Raises:
        pickle.UnpicklingError: the file names what is not allowed, or what it says makes no sense.
        RuntimeError: the file is damaged or cut short; or its tensors belong on another device.
        EOFError: the file has nothing (more) to read.
        NotImplementedError: it holds a tensor that minigrad has not (bfloat16, complex, sparse); the message says
            where.
        OSError: it cannot be read; FileNotFoundError: it is not there.
    """
    if weights_only is None:
        weights_only = pickle_module is None
    if weights_only and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    if weights_only and pickle_load_args:
        warnings.warn("pickle_load_args only works if `weights_only=False`.", stacklevel=2)
    restore = _restore(map_location)
    if is_path(f) and os.fsdecode(f).endswith(".safetensors"):
        return _load_flat(f, map_location, restore, widen_bfloat16)
    if mmap and not is_path(f):
        raise ValueError("f must be a file path in order to use the mmap argument")
    name = name_of(f)
    with opened(f) as file:
        reading = _Reading(name, None if weights_only else pickle_module or pickle, pickle_load_args)
        if is_archive(file):
            archive = Archive(file, name, get_crc32_options(), bool(mmap))
            made = reading.archive(archive, restore, widen_bfloat16)
            file.seek(0, io.SEEK_END)
            return made
        if mmap:
            raise RuntimeError(
                "mmap can only be used with files saved with `save(_use_new_zipfile_serialization=True)`: save it anew"
            )
        return reading.legacy(file, restore)


class _Reading:
    """One call of `load`. pickle_module: None reads weights only."""

    def __init__(self, name, pickle_module, options):
        self.name, self.pickle_module = name, pickle_module
        self.options = {"encoding": "utf-8", **options}
        self.allowed = allowed_by_user(_SAFE)
        classes = {id(each) for each in self.allowed.values()}
        self.rebuilder = Rebuilder((lambda cls: id(cls) in classes) if pickle_module is None else lambda cls: True)

    def archive(self, archive, restore, widen_bfloat16):
        if "data.pkl" not in archive or "constants.pkl" in archive:
            raise RuntimeError(
                f"load(): {self.name} is a zip archive, but none of save()"
                + (": it is a TorchScript program, which minigrad cannot run" if "constants.pkl" in archive else "")
            )

        def fetch(key, count, itemsize):
            record = f"data/{key}"
            if archive.size(record) // itemsize != count:
                raise archive.damaged(f"{count * itemsize} bytes are expected in the record {record!r}")
            return archive.load(record)[: count * itemsize]

        little = self.little(archive.read("byteorder") if "byteorder" in archive else None)
        memories = Memories(fetch, restore, little, widen_bfloat16)
        data = archive.read("data.pkl")
        return self.checked(lambda: self.object(io.BytesIO(data), len(data), memories))

    @staticmethod
    def little(mark):
        if mark not in (None, b"little", b"big"):
            raise ValueError(f"Unknown endianness type: {mark.decode('ascii', 'replace')}")
        if mark is None:
            default = get_default_load_endianness()
            mark = sys.byteorder.encode() if default is LoadEndianness.NATIVE else b"little"
            return mark == b"little" and default is not LoadEndianness.BIG
        return mark == b"little"

    def legacy(self, file, restore):
        start = file.tell()
        end = file.seek(0, io.SEEK_END)
        file.seek(start)
        if start >= end:
            raise EOFError(f"load(): {self.name} is empty, or has been read to its end before (then seek(0) first)")
        if file.read(1) != pickle.PROTO:
            raise pickle.UnpicklingError(f"load(): {self.name} is damaged, or no file of save()")
        file.seek(start)
        waiting = legacy.Waiting(end - start)
        memories = Memories(waiting, restore)

        def plain():
            return self.object(file, end - file.tell(), None)

        def whole():
            return self.object(file, end - file.tell(), memories)

        return self.checked(lambda: legacy.unpack(file, waiting, memories.itemsizes, plain, whole))

    def object(self, file, size, memories):
        """The next pickle's object."""
        if self.pickle_module is None:
            return Unpickler(Source(file, size), self.rebuilder.functions, self.allowed, memories).load()
        unpickler = _trusting(self.pickle_module, self.rebuilder.functions)(file, **self.options)
        if memories is not None:
            unpickler.persistent_load = memories
        return unpickler.load()

    def checked(self, read):
        """What `read` returns, its errors in one form, and nothing in it that minigrad has not."""
        try:
            made = read()
        except MapError as carrier:
            raise carrier.args[0] from None
        except pickle.UnpicklingError as error:
            if self.pickle_module is not None:
                raise
            raise pickle.UnpicklingError(_advice(self.name, str(error))) from None
        except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, EOFError, MemoryError,
                RecursionError, AssertionError, struct.error) as error:  # fmt: skip
            if self.pickle_module is not None:
                raise
            text = f"the pickle cannot be read ({type(error).__name__}: {str(error)[:200]})"
            raise pickle.UnpicklingError(_advice(self.name, text)) from error
        if self.rebuilder.absent:
            raise _absence(self.name, made, self.rebuilder.absent[0])
        return made


def _trusting(pickle_module, functions):
    """The Unpickler that runs whatever the file says, with PyTorch's names understood."""

    class Trusting(pickle_module.Unpickler):
        def find_class(self, module, name):
            full = f"{module}.{name}"
            if full in functions:
                return functions[full]
            if full in VALUES:
                return VALUES[full]
            if full == "torch.storage._load_from_bytes":
                return lambda data: load(io.BytesIO(data), weights_only=False)
            if module.partition(".")[0] == "torch":
                return find(module, name)
            return super().find_class(module, name)

    return Trusting


def _advice(name, text):
    advice = f"load(): Weights only load failed: {name}: {text}"
    if "was not an allowed global" in text:
        advice += (
            " Or load it with weights_only=False, which runs whatever the file says: do that only if you trust where "
            "it comes from."
        )
    return advice


def _absence(name, made, absent):
    """The error for something that minigrad has not, with its place in the object."""
    found = _path_to(absent, made, (), set())
    place = "" if found is None else "at obj" + "".join([f"[{key!r}]" for key in found])
    hint = "save it as float32 there"
    if "bfloat16" in absent.what:
        hint = "load(..., widen_bfloat16=True) makes it float32"
    elif "complex" in absent.what:
        hint = "save its real and imaginary parts, torch.view_as_real(t)"
    elif "sparse" in absent.what:
        hint = "save t.to_dense()"
    return NotImplementedError(f"load(): {name} holds {absent.what} {place}, which minigrad has not: {hint}")


def _path_to(wanted, value, path, seen):
    if value is wanted:
        return path
    if id(value) in seen or len(path) > 50:
        return None
    seen.add(id(value))
    pairs = enumerate(value) if isinstance(value, list | tuple) else getattr(value, "__dict__", {}).items()
    if isinstance(value, dict):
        pairs = value.items()
    for key, part in pairs:
        found = _path_to(wanted, part, (*path, key), seen)
        if found is not None:
            return found
    return None


# ---- where tensors go ----------------------------------------------------------------------------------------------


def location_tag(storage) -> str:
    """Where a storage is: always "cpu". (PyTorch: torch.serialization.location_tag)"""
    return "cpu"


def default_restore_location(storage, location) -> UntypedStorage:
    """The storage, if `location` is the CPU; else RuntimeError. (PyTorch: torch.serialization)"""
    kind = location.partition(":")[0]
    if location == "cpu":
        return storage
    if kind == "meta":
        raise NotImplementedError("load(): there are no meta tensors here; use map_location='cpu'")
    if kind in ("cuda", "mps", "xpu", "hpu", "npu", "xla"):
        raise RuntimeError(
            f"Attempting to deserialize object on a {kind.upper()} device ({location}), and minigrad runs on the CPU "
            "only: use load(..., map_location='cpu')"
        )
    raise RuntimeError(
        f"don't know how to restore data location of torch.storage.UntypedStorage (tagged with {location})"
    )


def _restore(map_location):
    """``f(storage, location)``, which gives the storage to use."""
    if map_location is None:
        return default_restore_location
    if isinstance(map_location, dict):
        return lambda storage, location: default_restore_location(storage, map_location.get(location, location))
    if isinstance(map_location, str | dtypes.device):
        return lambda storage, location: default_restore_location(storage, str(map_location))
    if not callable(map_location):
        raise TypeError(
            f"load(): argument 'map_location': got {type(map_location).__name__}; expected a device, a str, a dict or "
            "a function of a storage and its location"
        )

    def restore(storage, location):
        mapped = map_location(storage, location)
        return default_restore_location(storage, location) if mapped is None else mapped

    return restore


def _load_flat(f, map_location, restore, widen_bfloat16):
    if isinstance(map_location, dict) or callable(map_location):
        raise RuntimeError("load(): a safetensors file names no locations: give map_location as a str or a device")
    restore(None, "cpu")
    return load_safetensors(f, widen_bfloat16=widen_bfloat16)


# ---- what weights_only=True allows, and other settings -------------------------------------------------------------

_SAFE: list = []


def add_safe_globals(safe_globals) -> None:
    """Let ``load(weights_only=True)`` make and call these classes and functions. (PyTorch: torch.serialization)

    Args:
        safe_globals (list): classes, functions, or pairs of one of these and the full name by which files call it.
    """
    allowed_by_user(safe_globals)  # raises if they make no sense
    _SAFE.extend([each for each in safe_globals if each not in _SAFE])


def get_safe_globals() -> list:
    """What `add_safe_globals` was given. (PyTorch: torch.serialization.get_safe_globals)"""
    return list(_SAFE)


def clear_safe_globals() -> None:
    """Allow nothing more than by default. (PyTorch: torch.serialization.clear_safe_globals)"""
    _SAFE.clear()


class safe_globals(contextlib.ContextDecorator):
    """``with safe_globals([Net]):`` allows what it is given inside the block. (PyTorch: torch.serialization)"""

    def __init__(self, safe_globals):
        self.safe_globals = list(safe_globals)

    def __enter__(self):
        self.former = get_safe_globals()
        add_safe_globals(self.safe_globals)

    def __exit__(self, *exception):
        _SAFE[:] = self.former


def get_unsafe_globals_in_checkpoint(f) -> list[str]:
    """The names in a file that ``weights_only=True`` would refuse, found without running anything.
    (PyTorch: torch.serialization.get_unsafe_globals_in_checkpoint)"""
    with opened(f) as file:
        if not is_archive(file):
            raise ValueError("Expected input to be a checkpoint returned by save()")
        names = names_in(Archive(file, name_of(f)).read("data.pkl"))
    known = allowed_by_user(_SAFE)
    functions = Rebuilder().functions
    return sorted(name for name in names if name not in known and not is_allowed_by_default(name, functions))


class LoadEndianness(Enum):
    """The byte order of files that do not say theirs. (PyTorch: torch.serialization.LoadEndianness)"""

    NATIVE = 1
    LITTLE = 2
    BIG = 3


_settings: dict[str, Any] = {"crc32": True, "endianness": None}


def get_default_load_endianness() -> LoadEndianness | None:
    """The byte order of files that do not say theirs; None means little. (PyTorch: torch.serialization)"""
    return _settings["endianness"]


def set_default_load_endianness(endianness) -> None:
    """Set the byte order of files that do not say theirs. (PyTorch: torch.serialization)"""
    if endianness is not None and not isinstance(endianness, LoadEndianness):
        raise TypeError("Invalid argument type in function set_default_load_endianness")
    _settings["endianness"] = endianness


def get_crc32_options() -> bool:
    """Whether checksums are written by `save` and looked at by `load`. (PyTorch: torch.serialization)"""
    return _settings["crc32"]


def set_crc32_options(compute_crc32: bool) -> None:
    """Say whether `save` computes checksums and `load` looks at them. (PyTorch: torch.serialization, where load never
    looks)"""
    _settings["crc32"] = bool(compute_crc32)
