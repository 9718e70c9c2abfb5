"""Files from the network: fetched once, checked, and in their place whole or not at all.

Comes before `mnist.py` and `cifar.py`. What has been fetched of a file stands beside it under ``NAME.part`` until it is
complete and its checksum is right; an interrupted download goes on from there.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import shutil
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path, PurePosixPath

__all__ = ["check_integrity", "download", "extract_tar"]

ATTEMPTS = 3  # at each address
PAUSE = 0.5  # seconds before the second attempt, twice that before the third
_CHUNK = 1 << 18


def check_integrity(path, md5=None) -> bool:
    """Whether the file is there and, where `md5` (32 hexadecimal digits) is given, has that checksum."""
    return os.path.isfile(path) and (md5 is None or _md5(path) == md5)


def download(urls, path, md5=None, *, timeout=30.0, progress=True) -> Path:
    """Fetch a file from the first of several addresses that has it, unless it is there already.

    Args:
        urls (str | list[str]): addresses of the same file, http or https.
        path (str | Path): where to put it; folders are made.
        md5 (str, optional): its checksum. Without one a download that was broken off begins anew.
        timeout (float): seconds without a byte after which a connection is given up.
        progress (bool): show a bar, where stderr is a terminal.

    Returns:
        Path: `path`.

    Raises:
        RuntimeError: no address gave the file. The message has what each one said.
    """
    path = Path(path)
    if check_integrity(path, md5):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    tried = []
    for url in [urls] if isinstance(urls, str) else urls:
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(f"download(): expected an address of http or https, but got {url!r}")
        try:
            _fetch(url, path, md5, timeout, progress)
        except (OSError, http.client.HTTPException, _WrongContentError) as error:
            tried.append(f"  {url}: {_reason(error)}")
        else:
            return path
    raise RuntimeError(
        f"could not download {path.name}:\n" + "\n".join(tried) + "\n"
        f"If this machine has no network, fetch the file elsewhere and put it at {path}"
    )


class _WrongContentError(Exception):
    """What came is not the file that was expected."""


def _fetch(url, path, md5, timeout, progress):
    """The file from one address, in as many attempts as it is given."""
    part = path.with_name(path.name + ".part")
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        if md5 is None:
            part.unlink(missing_ok=True)
        try:
            resumed = _receive(url, part, timeout, progress)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code < 500 or attempt == ATTEMPTS - 1:
                raise
            continue
        except (OSError, http.client.HTTPException):
            if attempt == ATTEMPTS - 1:
                raise
            continue
        if md5 is None or _md5(part) == md5:
            os.replace(part, path)
            return
        found = _md5(part)
        part.unlink()
        if not resumed:  # what was there before may have been of another file; otherwise the server has the wrong one
            raise _WrongContentError(f"the file there has the MD5 checksum {found}, expected {md5}")
    raise _WrongContentError("the file came in pieces that do not belong together")


def _receive(url, part, timeout, progress):
    """Append to `part` what is missing of it; whether anything had been there."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "minigrad", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # there is nothing after what we have
            error.close()
            return True
        raise
    with response:
        goes_on = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        length = response.headers.get("Content-Length")
        begin = have if goes_on else 0
        total = begin + int(length) if length else None
        with open(part, "ab" if goes_on else "wb") as file, _bar(url, begin, total, progress) as advance:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                advance(len(chunk))
    size = part.stat().st_size
    if total is not None and size < total:
        raise ConnectionError(f"the connection ended after {size:,} of {total:,} bytes")
    return goes_on


@contextlib.contextmanager
def _bar(url, begin, total, progress):
    """A function to be told how many bytes have come."""
    if not progress or not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(url.rpartition("/")[2], total=total, completed=begin)
        yield lambda count: bar.advance(task, count)


def extract_tar(archive, folder) -> None:
    """Unpack the plain files of a tar archive (compressed or not) into a folder; each appears there whole.

    Raises:
        ValueError: the archive is damaged, or has a member that would land outside of the folder, or is a link or a
            device. Members before it have been unpacked.
    """
    folder = Path(folder)
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                if name.is_absolute() or ".." in name.parts or "\\" in member.name or ":" in member.name:
                    raise ValueError(f"{archive}: the member {member.name!r} would be unpacked outside of {folder}")
                if member.isdir():
                    continue
                if not member.isfile():
                    raise ValueError(f"{archive}: the member {member.name!r} is neither a file nor a folder")
                _place(tar.extractfile(member), folder.joinpath(*name.parts))
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk, not the archive
        raise ValueError(f"{archive} is damaged: {error}. Delete it; download=True fetches it anew") from error


def _place(source, path):
    """Copy a stream to a file that is there only when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with source, open(descriptor, "wb") as file:
            shutil.copyfileobj(source, file)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _md5(path):
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _reason(error):
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"no connection ({error.reason})"
    return f"{error}" or type(error).__name__
