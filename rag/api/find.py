"""The document that a person means."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rag.errors import DocumentNotFound, InputError
from rag.types import Document

SHORTEST = 8


def find_document(name: str, documents: Sequence[Document]) -> Document:
    """The one document that has `name` as its id, as the start of it (8 characters or more), or as its file.

    Raises:
        DocumentNotFound: There is none.
        InputError: There are several.
    """
    file = str(Path(name).resolve())
    whole = [each for each in documents if each.id == name or each.source in (name, file)]
    found = whole or [each for each in documents if len(name) >= SHORTEST and each.id.startswith(name)]
    if not found:
        raise DocumentNotFound(f"no document {name!r} in the index; `rag list` shows those there are")
    if len(found) > 1:
        raise InputError(f"{name!r} fits {len(found)} documents; give more of the id (`rag list --json`)")
    return found[0]
