"""Files: what may stand for one, and writing that leaves the old file or the new one, whole, whenever it is stopped."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import stat

__all__ = ["is_path", "name_of", "opened", "write"]


def is_path(f) -> bool:
    return isinstance(f, str | os.PathLike)


def name_of(f) -> str:
    """How messages call a file."""
    return os.fsdecode(f) if is_path(f) else str(getattr(f, "name", f"the {type(f).__name__}"))


def opened(f):
    """A context that gives a file open for reading bytes, at the place where to begin."""
    if is_path(f):
        return open(f, "rb")
    if isinstance(f, io.TextIOBase):
        raise TypeError("load(): argument 'f': got a file open for text; expected one for bytes (mode 'rb')")
    try:
        f.seek(f.tell())
    except (OSError, AttributeError) as error:
        kind = AttributeError if isinstance(error, AttributeError) else io.UnsupportedOperation
        raise kind(
            f"{error}. You can only load from a file that is seekable: pre-load the data into a buffer like io.BytesIO "
            "and load from it instead, or give a path."
        ) from error
    return contextlib.nullcontext(f)


def write(f, parts) -> None:
    """Write the parts (bytes or arrays of them) one after the other to a path or a file."""
    if isinstance(f, io.TextIOBase):
        raise TypeError("save(): argument 'f': got a file open for text; expected one for bytes (mode 'wb')")
    if not is_path(f):
        if not hasattr(f, "write"):
            raise AttributeError(
                f"save(): expected 'f' to be string, path, or a file-like object with a 'write' attribute, got "
                f"{type(f).__name__}"
            )
        f.writelines(parts) if hasattr(f, "writelines") else [f.write(part) for part in parts]
        if hasattr(f, "flush"):
            f.flush()
        return
    path = os.path.realpath(os.fsdecode(f))  # of a link, the file that it points to is replaced
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as file:  # a device or a pipe cannot be replaced; a folder raises here
            file.writelines(parts)
    else:
        _replace(path, parts)


def _replace(path, parts):
    """Put a new file in the place of `path` in one step, once all of it has reached the disk."""
    folder, base = os.path.split(path)
    if not os.path.isdir(folder):
        raise RuntimeError(f"save(): cannot write {path}: Parent directory {folder} does not exist.")
    temporary = os.path.join(folder, f".{base[:100]}.{secrets.token_hex(4)}.part")
    try:
        try:
            with open(temporary, "xb") as file:
                file.writelines(parts)
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
        raise OSError(error.errno or errno.EIO, f"save(): cannot write: {error.strerror}", path) from error
    if hasattr(os, "O_DIRECTORY"):  # POSIX: the file's new name, too, should outlive a power cut
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
