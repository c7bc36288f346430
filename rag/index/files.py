"""The file calls of the store, all in one place: write to disk and be sure of it, read and check.

What is written is flushed to the device before the function returns, folder
entries too, so a commit that names a file can rely on it after a power cut.
A file is mapped when it is opened and compared with its seal when it is first
used, so that opening a large index is quick and nothing unchecked is ever used.
"""

from __future__ import annotations

import io
import os
import shutil
import struct
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash

from rag.errors import IndexCorrupt, IndexFailed

Bytes = npt.NDArray[np.uint8]

HEAD = "head"
_HEAD = struct.Struct("<8sQ8s")
_MAGIC = b"spanhead"

MENDING = "`rag doctor --repair` restores what can be, a backup all of it"


@dataclass(frozen=True, slots=True)
class FileSeal:
    """What a file must be: its size in bytes and the XXH3-128 of all of them."""

    size: int
    xxh3: str


@contextmanager
def disk(path: Path) -> Iterator[None]:
    """Say in the package's own error which file the disk refused."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise IndexFailed(
            f"{path} cannot be read or written ({reason}); see that its disk has room, may be written, and "
            "that the process may open more files"
        ) from error


def write_array(path: Path, array: npt.NDArray[np.generic]) -> FileSeal:
    """Write `array` in NumPy's format, flush it to the device and return its seal."""
    array = np.ascontiguousarray(array)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    parts = [header.getbuffer(), memoryview(array.reshape(-1).view(np.uint8).data)]
    with disk(path), path.open("xb", buffering=0) as file:
        for part in parts:
            _write_all(file, part)
        os.fsync(file.fileno())
    digest = xxhash.xxh3_128()
    for part in parts:
        digest.update(part)
    return FileSeal(sum(map(len, parts)), digest.hexdigest())


def _write_all(file: io.FileIO, part: memoryview) -> None:
    while part:
        part = part[file.write(part) :]


MAPPED_FROM = 1 << 20
"""Smaller files are read when they are opened: a mapping keeps its file open, of which a process has few."""


class SealedFile:
    """A file of a segment, mapped or read: it stays as it is when a compaction removes its name.

    Raises:
        IndexCorrupt: it is missing, or of another size than was written.
    """

    def __init__(self, path: Path, seal: FileSeal):
        self.path = path
        self._seal = seal
        try:
            small = path.stat().st_size < MAPPED_FROM
            self._bytes: Bytes = np.fromfile(path, np.uint8) if small else np.memmap(path, np.uint8, "r")
        except FileNotFoundError as error:
            raise IndexCorrupt(f"{path} is missing; {MENDING}") from error
        except OSError as error:
            raise IndexFailed(f"{path} cannot be read ({error.strerror or error}); see its rights") from error
        if len(self._bytes) != seal.size:
            raise IndexCorrupt(
                f"{path} is damaged: it has {len(self._bytes)} bytes and {seal.size} were written; {MENDING}"
            )

    @cached_property
    def data(self) -> Bytes:
        """Its bytes, uint8 (n,), after all of them were compared with the seal.

        Raises:
            IndexCorrupt: one differs.
        """
        found = xxhash.xxh3_128_hexdigest(self._bytes.data)
        if found != self._seal.xxh3:
            raise IndexCorrupt(
                f"{self.path} is damaged: its bytes have the checksum {found[:12]}..., and "
                f"{self._seal.xxh3[:12]}... were written; {MENDING}"
            )
        return self._bytes

    @cached_property
    def array(self) -> npt.NDArray[np.generic]:
        """The array in it, checked; its pages are read from disk as they are used."""
        header = io.BytesIO(self.data[:4096].tobytes())
        np.lib.format.read_magic(header)
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(header)
        del fortran  # arrays are written in C order
        return np.asarray(self.data[header.tell() :].view(dtype).reshape(shape))


def seal(path: Path) -> FileSeal:
    """The size and checksum of a file as it is now."""
    digest, size = xxhash.xxh3_128(), 0
    with disk(path), path.open("rb", buffering=0) as file:
        while part := file.read(1 << 20):
            digest.update(part)
            size += len(part)
    return FileSeal(size, digest.hexdigest())


def make_folder(path: Path) -> None:
    """Make a folder and those above it, and flush the entries of those that are new."""
    path = path.absolute()
    new = [each for each in (path, *path.parents) if not each.exists()]
    with disk(path):
        path.mkdir(parents=True, exist_ok=True)
    for each in new:
        flush_folder(each.parent)


def flush_file(path: Path) -> None:
    """Flush a file that a library wrote."""
    with disk(path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def flush_folder(path: Path) -> None:
    """Flush a folder's entries, where the system can (Windows cannot, and need not)."""
    if os.name == "posix":
        flush_file(path)


def write_head(folder: Path, commit: int) -> None:
    """Note, outside the database, that `commit` was acknowledged. It is one write of 24 bytes in place.

    SQLite takes a damaged end of its log for the end of the log, so a commit there would vanish unseen.
    """
    path = folder / HEAD
    body = _HEAD.pack(_MAGIC, commit, b"\0" * 8)[:16]
    data = memoryview(body + xxhash.xxh3_64_digest(body))
    with disk(path):
        if path.exists():
            with path.open("r+b", buffering=0) as file:
                _write_all(file, data)
                os.fsync(file.fileno())
            return
        new = path.with_name(f"{HEAD}.{uuid.uuid4().hex}")
        with new.open("wb", buffering=0) as file:
            _write_all(file, data)
            os.fsync(file.fileno())
        new.replace(path)
        flush_folder(folder)


def read_head(folder: Path) -> int | None:
    """The last commit that was acknowledged, None where the note was not made yet.

    Raises:
        IndexCorrupt: the note is damaged.
    """
    path = folder / HEAD
    for _ in range(3):  # a writer may be at it
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise IndexFailed(f"{path} cannot be read ({error.strerror or error}); see its rights") from error
        if len(data) == _HEAD.size and data[:8] == _MAGIC and xxhash.xxh3_64_digest(data[:16]) == data[16:]:
            return int(_HEAD.unpack(data)[1])
    raise IndexCorrupt(f"{path} is damaged; {MENDING}")


def entries(path: Path) -> list[Path]:
    """What stands in a folder; nothing where there is none."""
    with disk(path):
        return sorted(path.iterdir()) if path.exists() else []


def remove_folder(path: Path) -> None:
    """Remove a folder that no commit names any more. A file still mapped stays readable to its reader."""
    shutil.rmtree(path, ignore_errors=True)


def remove_file(path: Path) -> None:
    """Remove a file that no commit names any more."""
    with disk(path):
        path.unlink(missing_ok=True)


def folder_bytes(path: Path) -> int:
    """The bytes of all files under a folder; files that vanish meanwhile count 0."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += (Path(folder) / name).stat().st_size
            except FileNotFoundError:
                continue
    return total
