"""The file calls of the store, all in one place: write to disk and be sure of it, read and check.

What is written is flushed to the device before the function returns, folder
entries too, so a commit that names a file can rely on it after a power cut.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rag.errors import IndexCorrupt


@dataclass(frozen=True, slots=True)
class FileSeal:
    """What a file must be: its size in bytes and the SHA-256 of all of them."""

    size: int
    sha256: str


def write_array(path: Path, array: npt.NDArray[np.generic]) -> None:
    """Write `array` in NumPy's format and flush it to the device."""
    with path.open("xb") as file:
        np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def read_array(path: Path) -> npt.NDArray[np.generic]:
    """Map an array that was sealed and checked; its pages are read as they are used."""
    try:
        array: npt.NDArray[np.generic] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise IndexCorrupt(f"{path} cannot be read ({error}); restore the index, or add again") from error
    return array


def flush_file(path: Path) -> None:
    """Flush a file that a library wrote."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_folder(path: Path) -> None:
    """Flush a folder's entries, where the system can (Windows cannot, and need not)."""
    if os.name == "posix":
        flush_file(path)


def seal(path: Path) -> FileSeal:
    """The size and digest of a file as it is now."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileSeal(file.tell(), digest)


def check(path: Path, wanted: FileSeal) -> None:
    """Compare a file with its seal.

    Raises:
        IndexCorrupt: it is missing, or one byte of it differs.
    """
    try:
        found = seal(path)
    except OSError as error:
        raise IndexCorrupt(f"{path} is missing or unreadable ({error}); restore the index") from error
    if found != wanted:
        raise IndexCorrupt(
            f"{path} is damaged: it has {found.size} bytes of SHA-256 {found.sha256[:12]}..., and "
            f"{wanted.size} of {wanted.sha256[:12]}... were written; restore the index, or add again"
        )


def remove_folder(path: Path) -> None:
    """Remove a folder that no commit names any more. A file still mapped stays readable to its reader."""
    shutil.rmtree(path, ignore_errors=True)


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
