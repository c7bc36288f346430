"""Files to documents: which loader reads which suffix, and what may be read at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePath
from stat import S_ISREG

from rag.errors import DocumentTooLarge, UnreadableDocument, UnsupportedFormat
from rag.ingestion.docx import load_docx
from rag.ingestion.html import load_html
from rag.ingestion.markdown import load_markdown
from rag.ingestion.pdf import load_pdf
from rag.ingestion.text import load_text
from rag.protocols import Loader
from rag.types import Document

LOADERS: dict[str, Loader] = {
    ".pdf": load_pdf,
    ".docx": load_docx,
    ".html": load_html,
    ".htm": load_html,
    ".xhtml": load_html,
    ".md": load_markdown,
    ".markdown": load_markdown,
    ".txt": load_text,
    ".text": load_text,
}
"""The loader of each suffix, in lower case."""

MAX_BYTES = 200 * 1024 * 1024


def load(source: Path | str, *, max_bytes: int = MAX_BYTES) -> Document:
    """Read one file as a Document.

    Raises:
        UnsupportedFormat: no loader reads files of this suffix.
        DocumentTooLarge: it is over `max_bytes`, or over the limits of its format.
        UnreadableDocument: it is missing, empty, damaged, or not what its suffix says.
        EncryptedDocument: it needs a password.
    """
    return load_bytes(read_bytes(Path(source), max_bytes=max_bytes), str(source))


def read_bytes(path: Path, *, max_bytes: int = MAX_BYTES) -> bytes:
    """Read a file that some loader reads: a regular one of a known suffix and of no more than `max_bytes`.

    Raises:
        UnsupportedFormat: no loader reads files of this suffix.
        DocumentTooLarge: it is over `max_bytes`.
        UnreadableDocument: it is missing, no regular file, or may not be opened.
    """
    name = str(path).encode(errors="backslashreplace").decode()  # an error is text, whatever the name holds
    if path.is_dir():
        reason = "a link to a folder" if path.is_symlink() else "a folder that cannot be listed"
        raise UnreadableDocument(f"{name} is {reason}: nothing in it was read; add it by its own name")
    _loader(name)
    try:
        status = path.stat()
        regular = S_ISREG(status.st_mode)  # reading another kind may never end
        data = path.read_bytes() if regular and status.st_size <= max_bytes else b""
    except (OSError, ValueError) as error:
        raise UnreadableDocument(f"{name} cannot be opened: {error}") from error
    if not regular:
        raise UnreadableDocument(f"{name} is not a regular file: give files, or find_files() of a folder")
    if status.st_size > max_bytes:
        raise DocumentTooLarge(
            f"{name} has {status.st_size:,} bytes, over the limit of {max_bytes:,}: "
            "split it, or raise max_bytes"
        )
    return data


def load_bytes(data: bytes, source: str) -> Document:
    """Read the bytes of a file as a Document; the suffix of `source` says how.

    Raises:
        UnsupportedFormat: no loader reads files of this suffix.
        DocumentTooLarge: it unpacks to more than its format allows.
        UnreadableDocument: it is empty, damaged, or not what its suffix says.
        EncryptedDocument: it needs a password.
    """
    loader = _loader(source)
    if not data:
        raise UnreadableDocument(f"{source} is empty: there is nothing to index")
    return loader(data, source)


def _loader(source: str) -> Loader:
    suffix = PurePath(source).suffix.lower()
    loader = LOADERS.get(suffix)
    if loader is None:
        known = ", ".join(LOADERS)
        raise UnsupportedFormat(
            f"{source}: no loader reads {suffix or 'files without a suffix'}; convert it to one of {known}"
        )
    return loader


def find_files(path: Path | str) -> Iterator[Path]:
    """Walk a folder (or yield the one file that `path` is), sorted by name, files of any suffix.

    Files and folders whose names start with a dot are passed over. A named path is yielded whatever
    it is called. A folder that cannot be listed is yielded itself, as no file of it is, and so is a
    link to a folder outside: links are not followed, as they may lead in circles.
    """
    path = Path(path)
    if not path.is_dir():
        yield path
        return
    root, unlisted = path.resolve(), list[Path]()
    for folder, names, files in os.walk(path, onerror=lambda error: unlisted.append(Path(error.filename))):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(folder, name)
        for link in (Path(folder, name) for name in names):
            if link.is_symlink() and not link.resolve().is_relative_to(root):
                yield link
    yield from unlisted
