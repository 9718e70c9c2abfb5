"""`save` and `load`: checkpoints in one file, written whole or not at all, and read without running anything.

The container is safetensors (a length, a JSON header, raw numbers), so every tensor of a saved state_dict can be read
by any program that knows that format, under its own name. All that is not tensors stands as JSON in the header's
metadata (`structure.py` says how). Objects that cannot be described so, whole modules among them, are pickled only
where ``weights_only=False`` says it, in `save` and in `load`.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import pickle
import secrets
import stat
from typing import Any

import numpy as np

from minigrad import dtypes
from minigrad.structure import ENTRY_DTYPES, VERSION, decode, encode, storable
from minigrad.tensor import Tensor, wrap

__all__ = ["add_safe_globals", "load", "load_safetensors", "safe_globals", "save", "save_safetensors"]

KEY = "minigrad"  # where in the metadata the description stands
LONGEST_HEADER = 100_000_000  # bytes; the safetensors library reads no longer one


def save(obj, f, *, weights_only=True) -> None:
    """Write `obj` to a file, which `load` reads. (PyTorch: torch.save)

    Args:
        obj: tensors, parameters, ndarrays, numbers, strings, bytes, None, dtypes and sizes, in any nesting of dicts
            (also `OrderedDict`, `defaultdict`, `Counter`), lists, tuples and sets. Tensors that share memory will
            share it after loading; `requires_grad` is kept; history, gradients and hooks are not.
        f (str | PathLike | file): where to. A path is replaced only once all is written, so that whenever the program
            is stopped the old file or the new one is there, whole. A file must be open for writing bytes.
        weights_only (bool): False pickles `obj` instead, e.g. a whole module. Pickles run code when they are read, so
            `load` wants the same word.

    Raises:
        TypeError: something in `obj` is of none of these types; the message says where it stands.
        ValueError: a container contains itself; or what is not tensors takes more than 100 MB.
        OSError: the file cannot be written.
    """
    if weights_only:
        entries, described = encode(obj)
        data = _serialized(entries, {"format": "pt", KEY: described})
    else:
        data = pickle.dumps(obj, protocol=4)
    _write(data, f)


def load(f, map_location=None, *, weights_only=True, mmap=None) -> Any:
    """Read what `save` wrote, or any safetensors file (as a dict of tensors). (PyTorch: torch.load)

    Args:
        f (str | PathLike | file): where from; a file must be open for reading bytes, and is read to its end.
        map_location: accepted for PyTorch's sake: a device that is not the CPU is an error, all else has no effect.
        weights_only (bool): False reads pickles too. They can run any code: only for files that you trust.
        mmap: no effect.

    Raises:
        RuntimeError: the file is damaged, cut short or of another kind; the message names it and says what is wrong.
        OSError: it cannot be read; FileNotFoundError: it is not there.
    """
    if map_location is not None and not callable(map_location) and not isinstance(map_location, dict):
        dtypes.device(map_location)
    data, name = _read(f)
    if _is_pickle(data):
        return _unpickle(data, name, weights_only)
    header = _header(data, name)
    entries = _entries(data, name)
    text = header.get("__metadata__", {}).get(KEY)
    if text is None:
        return _tensors(entries, name)
    try:
        described = json.loads(text)
        version = described["version"]
        if version == VERSION:
            return decode(entries, described)
    except Exception as error:  # a damaged description may go wrong anywhere
        raise _damaged(name, f"what it says about the saved object makes no sense ({_short(error)})") from error
    raise RuntimeError(f"load(): {name} has structure version {version}; expected {VERSION}: it needs a newer minigrad")


def save_safetensors(state_dict, f, metadata=None) -> None:
    """Write a flat dict of tensors as a plain safetensors file, for any program.

    Args:
        state_dict (dict[str, Tensor | ndarray]): what is written; tensors that share memory are written twice.
        f (str | PathLike | file): as in `save`, and written as safely.
        metadata (dict[str, str], optional): text that the file is to hold besides.

    Raises:
        TypeError: a key is no str, a value no tensor, or the metadata are not text.
    """
    entries = {}
    for key, value in state_dict.items():
        if not isinstance(key, str) or key == "__metadata__" or not isinstance(value, Tensor | np.ndarray):
            raise TypeError(
                f"save_safetensors(): argument 'state_dict': got {type(value).__name__} under {key!r}; expected "
                "tensors under strings other than '__metadata__' (save() writes other things, too)"
            )
        entries[key] = storable(value.array if isinstance(value, Tensor) else value, (key,))
    for key, value in (metadata or {}).items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"save_safetensors(): argument 'metadata': got {key!r}: {value!r}; expected strings only")
    _write(_serialized(entries, metadata), f)


def load_safetensors(f) -> dict[str, Tensor]:
    """Read a safetensors file: a dict of tensors. bfloat16 becomes float32, exactly.

    Args:
        f (str | PathLike | file): as in `load`.

    Raises:
        RuntimeError: the file is damaged, cut short or of another kind, or holds dtypes that minigrad has not.
    """
    data, name = _read(f)
    _header(data, name)
    return _tensors(_entries(data, name), name)


def add_safe_globals(safe_globals):
    """Does nothing: files that `load` reads by default name no classes. (PyTorch: torch.serialization)"""


class safe_globals(contextlib.nullcontext):
    """``with safe_globals([...]):`` changes nothing, like `add_safe_globals`. (PyTorch: torch.serialization)"""


# ---- the container -------------------------------------------------------------------------------------------------


def _serialized(entries, metadata):
    import safetensors.numpy  # here, because `import minigrad` should not wait for it

    if sum([len(text) for text in (metadata or {}).values()]) > LONGEST_HEADER - 1000 * (1 + len(entries)):
        raise ValueError("save(): what is not tensors takes more than 100 MB; make arrays of long lists of numbers")
    return safetensors.numpy.save(entries, metadata)


def _header(data, name):
    """The header of a safetensors file as a dict, once it is clear that the file is one and is all there."""
    if not data:
        raise RuntimeError(f"load(): {name} is empty, or has been read to its end before (then seek(0) first)")
    if data[:2] == b"PK":
        raise RuntimeError(
            f"load(): {name} is a zip archive, perhaps of PyTorch: there, write the state_dict with "
            "safetensors.torch.save_file, which load() reads"
        )
    end = 8 + int.from_bytes(data[:8], "little")
    if data[8:9] not in (b"{", b""):
        raise RuntimeError(f"load(): {name} is not a file of minigrad.save(), nor any safetensors file")
    if end > len(data):
        raise _damaged(name, f"it is cut short, or its beginning is wrong: {len(data)} bytes, the header ends at {end}")
    try:
        header = json.loads(data[8:end])
        ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
        end += max(ends, default=0)
        header.get("__metadata__", {}).get(KEY)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise _damaged(name, f"its header cannot be read ({_short(error)})") from error
    if end > len(data):
        raise _damaged(name, f"it is cut short: {len(data)} bytes of {end}")
    return header


def _entries(data, name):
    """{name: ndarray} by the safetensors library, which checks what the header claims; each owns its memory."""
    import safetensors

    try:
        found = safetensors.deserialize(data)
    except safetensors.SafetensorError as error:
        raise _damaged(name, str(error)) from error
    entries = {}
    for key, entry in found:
        kind, is_upper_half = entry["dtype"], entry["dtype"] == "BF16"
        if is_upper_half:
            kind = "U16"
        if kind not in ENTRY_DTYPES:
            raise RuntimeError(f"load(): {name} holds {key!r} of dtype {kind}, which minigrad does not have")
        little = np.dtype(ENTRY_DTYPES[kind]).newbyteorder("<")
        array = np.frombuffer(entry["data"], little).reshape(entry["shape"])
        array = array.astype(little.newbyteorder("="), copy=not array.flags.writeable)
        entries[key] = (array.astype(np.uint32) << np.uint32(16)).view(np.float32) if is_upper_half else array
    return entries


def _tensors(entries, name):
    return {key: _tensor(array, key, name) for key, array in entries.items()}


def _tensor(array, key, name):
    try:
        dtypes.from_numpy_dtype(array.dtype)
    except TypeError as error:
        raise RuntimeError(f"load(): {name} holds {key!r}: {error}") from error
    return wrap(array)


def _is_pickle(data):
    return data[:1] == b"\x80" and data[1:2] in (b"\2", b"\3", b"\4", b"\5") and data[8:9] != b"{"


def _unpickle(data, name, weights_only):
    if weights_only:
        raise RuntimeError(
            f"load(): {name} is a pickle, which can run any code when it is read. If you trust where it comes from: "
            "load(f, weights_only=False)"
        )
    try:
        return pickle.loads(data)
    except Exception as error:  # a damaged pickle may go wrong anywhere
        raise _damaged(name, f"the pickle cannot be read ({_short(error)})") from error


def _damaged(name, how):
    return RuntimeError(f"load(): {name} is damaged: {how}")


def _short(error):
    text = f"{type(error).__name__}: {error}"
    return text if len(text) < 200 else f"{text[:200]}..."


# ---- files ---------------------------------------------------------------------------------------------------------


def _read(f):
    """The bytes of a file, and how to name it in a message."""
    if hasattr(f, "read"):
        _check_binary("load", f, "rb")
        return bytes(f.read()), str(getattr(f, "name", f"the {type(f).__name__}"))
    path = _path("load", f)
    with open(path, "rb") as file:
        return file.read(), path


def _write(data, f):
    if hasattr(f, "write"):
        _check_binary("save", f, "wb")
        f.write(data)
        return
    path = os.path.realpath(_path("save", f))  # of a link, the file that it points to is replaced
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as file:  # a device or a pipe cannot be replaced; a folder raises here
            file.write(data)
    else:
        _replace(path, data)


def _replace(path, data):
    """Put `data` in the place of `path` in one step, once all of it has reached the disk."""
    folder, base = os.path.split(path)
    temporary = os.path.join(folder, f".{base[:100]}.{secrets.token_hex(4)}.part")
    try:
        try:
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if os.path.exists(path):
                os.chmod(temporary, stat.S_IMODE(os.stat(path).st_mode))
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        reason = "the folder does not exist" if error.errno == errno.ENOENT else error.strerror
        raise OSError(error.errno, f"save(): cannot write: {reason}", path) from error
    if hasattr(os, "O_DIRECTORY"):  # POSIX: the file's new name, too, should outlive a power cut
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _check_binary(op, f, mode):
    if isinstance(f, io.TextIOBase):
        raise TypeError(f"{op}(): argument 'f': got a file open for text; expected one for bytes (mode {mode!r})")


def _path(op, f):
    if isinstance(f, str | os.PathLike):
        return os.fsdecode(f)
    raise TypeError(f"{op}(): argument 'f': got {type(f).__name__}; expected a path, or a file open for bytes")
