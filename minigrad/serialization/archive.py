"""The zip archive that a ``.pt`` file is: named records, not compressed, each beginning at a multiple of 64 bytes.

    x/data.pkl                         the object as a pickle that refers to records where it needs memory
    x/.format_version, .storage_alignment, byteorder, version, .data/serialization_id      a few bytes each
    x/data/0, x/data/1, ...            the memory under the tensors

This is the layout of PyTorch's writer to the byte, so that its reader may work out where a record lies without looking
it up. What is read is checked against the file's length and against each record's checksum (CRC-32).
"""

from __future__ import annotations

import hashlib
import mmap
import struct
import zipfile
import zlib

import numpy as np

__all__ = ["Archive", "fill", "is_archive", "pack"]

ALIGNMENT = 64
FULL = 0xFFFFFFFF  # "see the 64-bit field"
LARGE = FULL  # from here on a size or an offset needs it
LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
END64 = struct.Struct("<4sQ2H2I4Q")
END64_PLACE = struct.Struct("<4sIQI")
END = struct.Struct("<4s4H2IH")
DESCRIPTOR, UTF8 = 0x0008, 0x0800  # flags: sizes and checksum follow the data; names are UTF-8


# ---- writing -------------------------------------------------------------------------------------------------------


def pack(folder, records, checksums=True):
    """The parts of an archive, in order. records: (name, bytes-like) pairs; each stands under ``folder/name``."""
    place, directory, seen = 0, [], []
    for name, data in [*records, (".data/serialization_id", None)]:
        data = memoryview(_identity(seen) if data is None else data).cast("B")
        crc = zlib.crc32(data) if checksums else 0
        seen.append((name, crc))
        name = f"{folder}/{name}".encode()
        size, flags = len(data), UTF8 | (DESCRIPTOR if len(data) else 0)
        wide = _wide_fields(size, place)
        head = LOCAL.size + len(name) + len(wide)
        extra = wide + _padding(place + head)
        trailer = b""
        if size:
            trailer = struct.pack("<4sIQQ" if wide else "<4sIII", b"PK\7\b", crc, size, size)
        yield LOCAL.pack(b"PK\3\4", 0, flags, 0, 0, 0, 0, 0, 0, len(name), len(extra)) + name + extra
        yield data
        yield trailer
        short = size if size < LARGE else FULL
        directory.append(
            CENTRAL.pack(b"PK\1\2", 0, 0, flags, 0, 0, 0, crc, short, short, len(name), len(wide), 0, 0, 0, 0,
                         place if place < LARGE else FULL) + name + wide
        )  # fmt: skip
        place += LOCAL.size + len(name) + len(extra) + size + len(trailer)
    listing = b"".join(directory)
    yield listing
    end, count = place + len(listing), len(directory)
    yield END64.pack(b"PK\6\6", END64.size - 12, 0x031E, 45, 0, 0, count, count, len(listing), place)
    yield END64_PLACE.pack(b"PK\6\7", 0, end, 1)
    few = min(count, 0xFFFF)
    yield END.pack(b"PK\5\6", 0, 0, few, few, min(len(listing), FULL), min(place, FULL), 0)


def _wide_fields(size, place):
    """The extra field of a record that is large or far from the beginning."""
    fields = ([size, size] if size >= LARGE else []) + ([place] if place >= LARGE else [])
    return struct.pack(f"<2H{len(fields)}Q", 1, 8 * len(fields), *fields) if fields else b""


def _identity(records):
    """40 digits that tell one archive from another."""
    digest = hashlib.sha256(repr(records).encode()).digest()
    return "".join([f"{half:020}" for half in struct.unpack_from("<2Q", digest)]).encode()


def _padding(place):
    """The extra field that moves what follows it to the next multiple of `ALIGNMENT`."""
    missing = -(place + 4) % ALIGNMENT
    return struct.pack("<2sH", b"FB", missing) + b"Z" * missing


# ---- reading -------------------------------------------------------------------------------------------------------


def is_archive(file) -> bool:
    """Whether the file, from where it stands, begins as a zip archive does."""
    start = file.tell()
    begin = file.read(4)
    file.seek(start)
    return begin == b"PK\3\4"


class Archive:
    """The records of an archive in an open file. Every fault of the file is a RuntimeError that names it."""

    def __init__(self, file, name, checksums=True, mapped=False):
        self.file, self.name, self.checksums = file, name, checksums
        start = file.tell()
        try:
            archive = zipfile.ZipFile(file)
            infos = archive.infolist()
        except Exception as error:  # a damaged list of records may go wrong anywhere
            raise self.damaged(f"it is cut short or its list of records cannot be read ({error})") from error
        if not infos:
            raise self.damaged("there is nothing in it")
        if min([info.header_offset for info in infos]) != start:
            raise RuntimeError(
                f"load(): {name} holds several archives one after the other, or begins with something else: seek() to "
                "where the last archive begins, or put each saved object into a file of its own"
            )
        self.directory = archive.start_dir
        self.folder = infos[0].filename.partition("/")[0]
        self.infos = {info.filename: info for info in infos}
        if len(self.infos) != len(infos):
            raise self.damaged("two records have the same name")
        if sum([info.compress_size for info in infos]) > self.directory - start:
            raise self.damaged("its records claim more bytes than it has")
        self.map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) if mapped else None

    def __contains__(self, record):
        return f"{self.folder}/{record}" in self.infos

    def size(self, record):
        return self._info(record).file_size

    def read(self, record) -> bytes:
        return self.load(record).tobytes()

    def load(self, record) -> np.ndarray:
        """The record's bytes as an array that may be written to. Of a mapped file it is the file's memory, read when it
        is used; writing changes the memory alone, and checksums are not looked at."""
        info = self._info(record)
        start, size = self._start(info), info.file_size
        if self.map is not None:
            return np.frombuffer(self.map, np.uint8, size, start) if size else np.empty(0, np.uint8)
        data = np.empty(size, np.uint8)
        self.file.seek(start)
        view = data.data
        if size and fill(self.file, view) != size:
            raise self.damaged(f"it is cut short in the record {record!r}")
        if self.checksums and zlib.crc32(view) != info.CRC:
            raise self.damaged(
                f"the checksum of the record {record!r} is wrong (if the file was written without checksums, call "
                "serialization.set_crc32_options(False) first)"
            )
        return data

    def _info(self, record):
        info = self.infos.get(f"{self.folder}/{record}")
        if info is None:
            raise self.damaged(f"the record {record!r} is not in it")
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size or info.flag_bits & 1:
            raise RuntimeError(
                f"load(): {self.name}: the record {record!r} is compressed or encrypted, which save() never does: "
                "was the archive packed anew? (zip -0 stores without compressing)"
            )
        return info

    def _start(self, info):
        """Where the record's bytes begin."""
        self.file.seek(info.header_offset)
        head = self.file.read(LOCAL.size)
        if len(head) != LOCAL.size or head[:4] != b"PK\3\4":
            raise self.damaged(f"the record {info.filename!r} is not where it should be")
        start = info.header_offset + LOCAL.size + sum(LOCAL.unpack(head)[-2:])
        if start + info.file_size > self.directory:
            raise self.damaged(f"the record {info.filename!r} reaches beyond the end")
        return start

    def damaged(self, how):
        return RuntimeError(f"load(): {self.name} is damaged, or no file of save(): {how}")


def fill(file, view):
    """Read until the view is full or the file ends; the number of bytes that came."""
    if not hasattr(file, "readinto"):
        data = file.read(len(view))
        view[: len(data)] = data
        return len(data)
    done = 0
    while done < len(view):
        count = file.readinto(view[done:])
        if not count:
            break
        done += count
    return done
