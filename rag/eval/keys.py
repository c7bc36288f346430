"""Keys of what was found out: a digest of all that it depends on, so that nothing stale is taken for it."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from importlib import import_module
from pathlib import Path


def digest(*parts: object) -> str:
    """The SHA-256, in hexadecimal, of plain values and dataclasses; the order of a mapping does not count."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


@functools.cache
def code_digest() -> str:
    """The digest of this package's own files, by which a change of one is a change of what it finds."""
    return files_digest(Path(__file__).resolve().parents[1])


def files_digest(root: Path) -> str:
    """The digest of what a package has: its source and its data, such as a graph, and no bytecode."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return digest(*((str(file.relative_to(root)), file_digest(file)) for file in files))


def package_version() -> str:
    """The version of this package."""
    version: str = import_module(__name__.partition(".")[0]).__version__
    return version


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence | frozenset | set):
        return sorted(value) if isinstance(value, frozenset | set) else list(value)
    return str(value)
