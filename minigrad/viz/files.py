"""Writing a picture to disk: whole or not at all, and one clear line where it can't be done."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from minigrad.serialization.files import write

__all__ = ["checked_path", "write_whole"]


def checked_path(path, endings, who: str) -> Path:
    """The path, if a file of one of these `endings` can be expected to be written there.

    Raises ValueError for another ending, FileNotFoundError or NotADirectoryError if the folder is missing or a file,
    IsADirectoryError if the path is a folder. `who` is the function named in the message.
    """
    path = Path(path)
    if path.suffix.lower().lstrip(".") not in endings:
        known = ", ".join(f".{ending}" for ending in endings)
        raise ValueError(f"{who}: can't tell the form of {str(path)!r} by its ending; expected one of {known}")
    folder = path.parent
    if not folder.exists():
        raise FileNotFoundError(f"{who}: the folder {str(folder)!r} does not exist; make it first")
    if not folder.is_dir():
        raise NotADirectoryError(f"{who}: {str(folder)!r} is a file, not a folder")
    if path.is_dir():
        raise IsADirectoryError(f"{who}: {str(path)!r} is a folder; expected the name of a file")
    return path


def write_whole(path: Path, data: bytes, who: str) -> None:
    """Write so that a crash leaves the old file or the new one, never half of one.

    Raises the OSError that came, with `who` and the path in one line.
    """
    try:
        write(path, [data])
    except OSError as error:
        raise type(error)(f"{who}: can't write {str(path)!r}: {os.strerror(error.errno or errno.EIO)}") from None
