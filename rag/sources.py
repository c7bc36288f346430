"""What is handed in -> inputs: the files under a folder, their names in the ledger, and their stamps."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from rag.errors import InputError
from rag.ingestion.load import find_files
from rag.types import Document

Source: TypeAlias = str | os.PathLike[str] | Document

JUST_NOW_S = 2.0
HANDED_IN = "handed in"
"""The stamp of a source that is no file's, but that of a Document."""


def inputs(source: Source | Iterable[Source]) -> list[Path | Document]:
    """The files and documents that `source` names, files under a folder in sorted order.

    Raises:
        InputError: a path does not exist.
    """
    if isinstance(source, Document):
        return [source]
    if source == "" or isinstance(source, bytes) or not isinstance(source, str | os.PathLike | Iterable):
        raise InputError(f"{source!r} is nothing to add; name a file or a folder, or give a Document")
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if not path.exists():
            raise InputError(f"{path} does not exist; name a file or a folder")
        return list(find_files(path)) if path.is_dir() else [path]
    return [each for part in source for each in inputs(part)]


def source_of(path: Path, folders: dict[Path, Path]) -> str:
    """The path, whole. Bytes of a name that are not text become escapes, as no table holds them."""
    return str(whole(path, folders)).encode(errors="backslashreplace").decode()


def whole(path: Path, folders: dict[Path, Path]) -> Path:
    """The path from the root on, without links. What its folder is, is kept in `folders` for the next."""
    try:
        plain = os.name == "posix" and path.name not in ("", "..") and not path.is_symlink()
    except OSError:
        plain = False
    if not plain:
        return Path(os.path.realpath(path))
    if path.parent not in folders:
        folders[path.parent] = Path(os.path.realpath(path.parent))
    return folders[path.parent] / path.name


def stamp_of(path: Path) -> str:
    """What changes when a file is written, `""` where it was written so lately that it may change unseen."""
    status = path.stat()
    if max(status.st_mtime, status.st_ctime) > time.time() - JUST_NOW_S:
        return ""
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_ino}"
