"""Proof that a deleted document is in no file of an index any more."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import apsw

from rag.index.database import NAME, found, query
from rag.index.documents import forgotten_mark
from rag.index.files import HEAD

SHINGLE_WORDS = 8
_OWN = (NAME, f"{NAME}-wal", f"{NAME}-shm", HEAD, "write.lock")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What a search for a deleted document found.

    `deleted` and `wiped` are the commits that hid it and that wiped it from the files, None where there
    was none; `left` says what of it is still there, nothing where it is gone; `files` were read.
    """

    document_id: str
    deleted: int | None
    wiped: int | None
    left: tuple[str, ...]
    files: int

    @property
    def gone(self) -> bool:
        """Whether it was deleted and wiped, and nothing of it was found."""
        return self.wiped is not None and not self.left


def find_forgotten(
    connection: apsw.Connection, folder: Path, tenant: str, document_id: str, text: str | None
) -> Forgotten:
    """Look for a document in every table and file of an index, by its id and, where given, its `text`."""
    mark = forgotten_mark(tenant, document_id)
    receipt = found(connection, "SELECT deleted, wiped FROM forgotten WHERE mark = ?", (mark,))
    deleted, wiped = receipt or (None, None)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    left = [
        *_rows_left(connection, tenant, document_id),
        *_files_left(connection, folder, files, document_id),
    ]
    if receipt is None and not left:
        left.append("there is no note that it was ever deleted here")
    elif wiped is None and deleted is not None:
        left.append(f"commit {deleted} deleted it, and its bytes are not wiped yet: run `rag compact`")
    if text is not None:
        left += _text_left(connection, text)
        left += _raw_left(files, [line for line in text.splitlines() if len(line.split()) >= SHINGLE_WORDS])
    return Forgotten(document_id, deleted, wiped, tuple(left), len(files))


def _rows_left(connection: apsw.Connection, tenant: str, document_id: str) -> Iterator[str]:
    for table, column in (("documents", "id"), ("ledger", "document_id")):
        wanted = f"SELECT count(*) FROM {table} NOT INDEXED WHERE tenant = ? AND {column} = ?"
        ((count,),) = query(connection, wanted, (tenant, document_id))
        if count:
            yield f"the table {table} has {count} rows of it"


def _files_left(
    connection: apsw.Connection, folder: Path, files: list[Path], document_id: str
) -> Iterator[str]:
    named = set()
    for name, rows, vectors in query(
        connection, "SELECT s.folder, s.seals, v.seals FROM segments s JOIN vectors v ON v.segment = s.id"
    ):
        named |= {folder / name / file for file in json.loads(rows) | json.loads(vectors)}
    for path in files:
        if path not in named and not (path.parent == folder and path.name in _OWN):
            yield f"{path} belongs to no commit: the next write sweeps it away"
    yield from _raw_left(files, [document_id])


def _raw_left(files: list[Path], needles: list[str]) -> Iterator[str]:
    """Where one of some texts stands in the bytes of a file, in UTF-8 or UTF-16."""
    forms = [needle.encode(encoding) for needle in needles for encoding in ("utf-8", "utf-16-le")]
    for path in files:
        data = path.read_bytes()
        if any(form in data for form in forms):
            yield f"{path} holds bytes of it"


def shingles(text: str) -> set[tuple[str, ...]]:
    """All runs of eight words of a text."""
    words = text.split()
    return {tuple(words[at : at + SHINGLE_WORDS]) for at in range(len(words) - SHINGLE_WORDS + 1)}


def _text_left(connection: apsw.Connection, text: str) -> Iterator[str]:
    wanted, blocks = shingles(text), dict[int, list[str]]()
    for document, block in connection.execute("SELECT document, text FROM texts ORDER BY document, block"):
        blocks.setdefault(document, []).append(zlib.decompress(block).decode())
        if len(blocks) > 1:  # the one before is whole
            yield from _common(connection, wanted, blocks)
    yield from _common(connection, wanted, blocks, last=True)


def _common(
    connection: apsw.Connection,
    wanted: set[tuple[str, ...]],
    blocks: dict[int, list[str]],
    *,
    last: bool = False,
) -> Iterator[str]:
    """Take the documents that are whole out of `blocks`, and say which share eight words in a row."""
    for number in list(blocks)[: None if last else -1]:
        shared = len(wanted & shingles("".join(blocks.pop(number))))
        if shared:
            ((source,),) = query(connection, "SELECT source FROM documents WHERE number = ?", (number,))
            yield f"{source} holds {shared} of its {len(wanted)} runs of {SHINGLE_WORDS} words as well"
