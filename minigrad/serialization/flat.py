"""safetensors files: a flat dict of tensors and nothing else, for any program; through the library of that name."""

from __future__ import annotations

import json

import numpy as np

from minigrad import dtypes
from minigrad.serialization.files import name_of, opened, write
from minigrad.serialization.rebuild import widened
from minigrad.tensor import Tensor, wrap

__all__ = ["load_safetensors", "save_safetensors"]

# The dtypes by the names that safetensors gives them.
DTYPES = {
    "BOOL": dtypes.bool_, "U8": dtypes.uint8, "I8": dtypes.int8, "I16": dtypes.int16, "I32": dtypes.int32,
    "I64": dtypes.int64, "F16": dtypes.float16, "F32": dtypes.float32, "F64": dtypes.float64,
}  # fmt: skip


def save_safetensors(state_dict, f, metadata=None) -> None:
    """Write a flat dict of tensors as a safetensors file, for any program.

    Args:
        state_dict (dict[str, Tensor | ndarray]): what is written; tensors that share memory are written twice.
        f (str | PathLike | file): as in `save`, and written as safely.
        metadata (dict[str, str], optional): text that the file is to hold besides.

    Raises:
        TypeError: a key is no str, a value no tensor, or the metadata are not text.
    """
    import safetensors.numpy  # here, because `import minigrad` should not wait for it

    entries = {}
    for key, value in state_dict.items():
        if not isinstance(key, str) or key == "__metadata__" or not isinstance(value, Tensor | np.ndarray):
            raise TypeError(
                f"save_safetensors(): argument 'state_dict': got {type(value).__name__} under {key!r}; expected "
                "tensors under strings other than '__metadata__' (save() writes other things, too)"
            )
        array = value.array if isinstance(value, Tensor) else value
        native = dtypes.from_numpy_dtype(array.dtype.newbyteorder("=")).numpy
        entries[key] = np.asarray(array, dtype=native, order="C")
    for key, value in (metadata or {}).items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"save_safetensors(): argument 'metadata': got {key!r}: {value!r}; expected strings only")
    write(f, [safetensors.numpy.save(entries, metadata)])


def load_safetensors(f, *, widen_bfloat16=False) -> dict[str, Tensor]:
    """Read a safetensors file: a dict of tensors.

    Args:
        f (str | PathLike | file): a path, or a file open for reading bytes, which is read to its end.
        widen_bfloat16 (bool): bfloat16 numbers become float32, exactly.

    Raises:
        RuntimeError: the file is damaged, cut short or of another kind.
        NotImplementedError: it holds a dtype that minigrad has not; the message names the tensor.
    """
    import safetensors

    name = name_of(f)
    with opened(f) as file:
        data = bytes(file.read())
    _check_length(data, name)
    try:
        found = safetensors.deserialize(data)
    except safetensors.SafetensorError as error:
        raise _damaged(name, str(error)) from error
    return {key: wrap(_array(entry, key, name, widen_bfloat16)) for key, entry in found}


def _array(entry, key, name, widen_bfloat16):
    kind, raw = entry["dtype"], entry["data"]
    if kind == "BF16" and widen_bfloat16:
        return widened(np.frombuffer(raw, "<u2")).reshape(entry["shape"])
    if kind not in DTYPES:
        hint = "; widen_bfloat16=True makes it float32" if kind == "BF16" else ""
        raise NotImplementedError(f"load_safetensors(): {name} holds {key!r} of dtype {kind}, which is not here{hint}")
    little = DTYPES[kind].numpy.newbyteorder("<")
    array = np.frombuffer(raw, little).reshape(entry["shape"])
    return array.astype(DTYPES[kind].numpy, copy=not array.flags.writeable)


def _check_length(data, name):
    """The library's words for a file that is cut short are not clear."""
    end = 8 + int.from_bytes(data[:8], "little")
    if data[8:9] not in (b"{", b"") or not data:
        raise RuntimeError(f"load_safetensors(): {name} is empty or no safetensors file")
    if end > len(data):
        raise _damaged(name, f"it is cut short, or its beginning is wrong: {len(data)} bytes, the header ends at {end}")
    try:
        header = json.loads(data[8:end])
        end += max([entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"], default=0)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise _damaged(name, f"its header cannot be read ({type(error).__name__}: {error})") from error
    if end > len(data):
        raise _damaged(name, f"it is cut short: {len(data)} bytes of {end}")


def _damaged(name, how):
    return RuntimeError(f"load_safetensors(): {name} is damaged: {how}")
