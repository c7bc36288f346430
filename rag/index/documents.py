"""Documents, their chunks and their ledger as rows of SQLite, and back."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from rag.errors import DocumentNotFound, IndexCorrupt, InputError
from rag.index.database import Condition, decoding, found, one, query
from rag.index.files import MENDING
from rag.types import Chunk, Document, LedgerEntry, Metadata, Page, Section, Span, Status, Vectors

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")

BLOCK = 8192
"""Characters a stored block of text has, so that a passage is read without its whole document."""


@dataclass(frozen=True, slots=True)
class Fields:
    """What of a document may change while its text stays: its metadata, and who may read it."""

    metadata: Metadata
    readers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document ready to be committed: its chunks, and of each its terms, content key and vector.

    Terms are those of the headings above a chunk and those of its text, None for each left out;

    `fields` are what may change while its text stays, and go before the document's own metadata;
    `digest` is that of the document; `keys` those of the chunks' embedded text;
    `vectors` is float32 (chunks, dimension).
    """

    document: Document
    fields: Fields
    digest: bytes
    chunks: tuple[Chunk, ...]
    terms: tuple[tuple[Sequence[str | None], Sequence[str | None]], ...]
    keys: tuple[bytes, ...]
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger says of a source, and of the document that it stands for."""

    entry: LedgerEntry
    stamp: str | None


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk where it stands in the index, with what of its document is indexed above it."""

    segment: int
    row: int
    source: str
    title: str
    chunk: Chunk


@dataclass(frozen=True, slots=True)
class Held:
    """What of a document in the index tells whether another is the same."""

    source: str
    digest: bytes
    fields: Fields
    chunks: int


def content_key(text: str) -> bytes:
    """16 bytes by which equal text is known again."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def digest(document: Document) -> bytes:
    """16 bytes over all of a document but its metadata and source.

    Raises:
        InputError: the text holds a lone surrogate, which no file can.
    """
    shape = [document.title, _pages(document), _sections(document), document.text]
    try:
        return content_key(json.dumps(shape, ensure_ascii=False))
    except UnicodeEncodeError as error:
        raise InputError(
            f"{document.source}: the text holds a lone surrogate; encode it with errors='replace'"
        ) from error


def _pages(document: Document) -> list[tuple[int, int, int]]:
    return [(page.number, page.span.start, page.span.end) for page in document.pages]


def _sections(document: Document) -> list[tuple[int, str, int, int]]:
    return [(part.level, part.title, part.span.start, part.span.end) for part in document.sections]


def insert_document(
    connection: apsw.Connection, tenant: str, number: int, segment: int, prepared: Prepared
) -> None:
    """Write a document and its text; its chunks come with their rows."""
    document = prepared.document
    connection.execute("DELETE FROM forgotten WHERE mark = ?", (forgotten_mark(tenant, document.id),))
    connection.execute(
        "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            tenant,
            document.id,
            document.source,
            document.title,
            prepared.digest,
            metadata_json(prepared.fields.metadata),
            readers_json(prepared.fields.readers),
            json.dumps(_pages(document)),
            json.dumps(_sections(document)),
            json.dumps(document.left_out),
            segment,
            len(prepared.chunks),
        ),
    )
    blocks = range(0, len(document.text), BLOCK)
    connection.executemany(
        "INSERT INTO texts VALUES (?, ?, ?)",
        (
            (number, at // BLOCK, zlib.compress(document.text[at : at + BLOCK].encode(), level=6))
            for at in blocks
        ),
    )


def remove_document(connection: apsw.Connection, tenant: str, document_id: str) -> None:
    """Hide a document: its rows go, and a tombstone marks what its segment still holds.

    That it is gone is noted under the commit that is under way.
    """
    row = found(
        connection, "SELECT number, segment FROM documents WHERE tenant = ? AND id = ?", (tenant, document_id)
    )
    if row is None:
        return
    number, segment = row
    connection.execute("INSERT INTO tombstones VALUES (?, ?)", (segment, number))
    connection.execute(
        "INSERT OR REPLACE INTO forgotten SELECT ?, max(id), NULL, datetime('now') FROM commits",
        (forgotten_mark(tenant, document_id),),
    )
    connection.execute("DELETE FROM chunks WHERE document = ?", (number,))
    connection.execute("DELETE FROM texts WHERE document = ?", (number,))
    connection.execute("DELETE FROM documents WHERE number = ?", (number,))


def forgotten_mark(tenant: str, document_id: str) -> bytes:
    """What is noted of a document that is gone: a digest of its id, since the id is of its bytes."""
    return hashlib.sha256(f"{tenant}\0{document_id}".encode()).digest()


def metadata_json(metadata: Metadata) -> str:
    """Metadata as canonical JSON.

    Raises:
        InputError: a value is neither text, number, true, false, null, nor a list of these.
    """
    for field, value in metadata.items():
        items = value if isinstance(value, list | tuple) else [value]
        if not isinstance(field, str):
            raise InputError(f"a metadata field's name is text, not {field!r}")
        if not all(item is None or isinstance(item, str | int | float) for item in items):
            raise InputError(
                f"metadata {field!r} is {type(value).__name__}; "
                "it may be text, a number, true, false, null, or a list of these"
            )
        if not all(is_storable(text) for text in (field, *items) if isinstance(text, str)):
            raise InputError(
                f"metadata {field!r} holds a NUL or a lone surrogate; encode it with errors='replace'"
            )
    try:
        return json.dumps(dict(metadata), sort_keys=True, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise InputError(f"metadata holds a number that is not finite ({error}); leave it out") from error


def readers_json(readers: Collection[str]) -> str:
    """The names of those who may read a document as canonical JSON, `""` where all may.

    Raises:
        InputError: a name is not text, or empty.
    """
    listed = isinstance(readers, Collection) and not isinstance(readers, str)
    if not listed or not all(isinstance(name, str) and name and is_storable(name) for name in readers):
        raise InputError(f"readers is a list of names, such as ['hr', 'ann'], not {readers!r}")
    return json.dumps(sorted(set(readers)), ensure_ascii=False) if readers else ""


def is_storable(text: str) -> bool:
    """Whether SQLite keeps `text` in JSON as it is: without a NUL, and without half of a surrogate pair."""
    return not _UNSTORABLE.search(text)


_FIELDS = "number, id, source, title, metadata, pages, sections, left_out"


def _read_row(connection: apsw.Connection, visible: Condition, document_id: str) -> tuple[Any, ...]:
    """The fields of a visible document.

    Raises:
        DocumentNotFound: there is none of that id.
        IndexCorrupt: there is one, and the table's own index does not find it.
    """
    wanted, values = f"WHERE ({visible.sql}) AND id = ?", (*visible.values, document_id)
    row = found(connection, f"SELECT {_FIELDS} FROM documents {wanted}", values)
    if row is not None:
        return row
    if found(connection, f"SELECT 1 FROM documents NOT INDEXED {wanted}", values):
        raise IndexCorrupt(f"index.db is damaged: its indexes do not fit its tables; {MENDING}")
    raise DocumentNotFound(f"no document {document_id!r} in the index; documents() lists those there are")


def read_document(connection: apsw.Connection, visible: Condition, document_id: str) -> Document:
    """The whole document.

    Raises:
        DocumentNotFound: there is none of that id among the visible ones.
    """
    with decoding():
        row = _read_row(connection, visible, document_id)
        return _document(row, read_text(connection, row[0]))


def read_place(
    connection: apsw.Connection, visible: Condition, document_id: str, offset: int
) -> tuple[int | None, str]:
    """The page and the headings of the character at `offset`; the text is not read.

    Raises:
        DocumentNotFound: there is no document of that id among the visible ones.
    """
    with decoding():
        document = _document(_read_row(connection, visible, document_id), "")
    return document.page_at(offset), document.section_at(offset)


def read_documents(connection: apsw.Connection, visible: Condition) -> Iterator[Document]:
    """Every visible document in the order of its source, without its text (`text` is empty, `pages` too)."""
    wanted = f"SELECT {_FIELDS} FROM documents WHERE {visible.sql} ORDER BY source, id"
    for row in query(connection, wanted, visible.values):
        with decoding():
            document = _document((*row[:5], "[]", "[]", row[7]), "")
        yield document


def _document(row: tuple[Any, ...], text: str) -> Document:
    _, document_id, source, title, metadata, pages, sections, left_out = row
    return Document(
        id=document_id,
        source=source,
        title=title,
        text=text,
        pages=tuple(Page(number, Span(start, end)) for number, start, end in json.loads(pages)),
        sections=tuple(
            Section(level, name, Span(start, end)) for level, name, start, end in json.loads(sections)
        ),
        metadata=json.loads(metadata),
        left_out=tuple(json.loads(left_out)),
    )


def read_text(connection: apsw.Connection, number: int, start: int = 0, end: int | None = None) -> str:
    """The characters of a document from `start` to `end`, by default all.

    Raises:
        IndexCorrupt: some of them are not there.
    """
    first = start // BLOCK
    last = 2**31 if end is None else max(first, (end - 1) // BLOCK)
    blocks = connection.execute(
        "SELECT text FROM texts WHERE document = ? AND block BETWEEN ? AND ? ORDER BY block",
        (number, first, last),
    )
    with decoding():
        text = "".join(zlib.decompress(block).decode() for (block,) in blocks)
    text = text[start - first * BLOCK : None if end is None else end - first * BLOCK]
    if end is not None and len(text) != end - start:
        raise IndexCorrupt(f"index.db is damaged: a text of document {number} is missing; {MENDING}")
    return text


def read_known(connection: apsw.Connection, tenant: str, source: str) -> Known | None:
    """What became of a source the last time, None where it was never seen."""
    row = found(
        connection,
        "SELECT status, reason, document_id, chunks, stamp FROM ledger WHERE tenant = ? AND source = ?",
        (tenant, source),
    )
    if row is None:
        return None
    status, reason, document_id, chunks, stamp = row
    with decoding():
        return Known(LedgerEntry(source, Status(status), reason, document_id, chunks), stamp)


def read_held(connection: apsw.Connection, tenant: str, document_id: str) -> Held | None:
    """What tells whether a document of that id would be the one in the index, None where none is."""
    row = found(
        connection,
        "SELECT source, digest, metadata, readers, chunks FROM documents WHERE tenant = ? AND id = ?",
        (tenant, document_id),
    )
    if row is None:
        return None
    source, mark, metadata, readers, chunks = row
    with decoding():
        return Held(source, mark, Fields(json.loads(metadata), tuple(json.loads(readers or "[]"))), chunks)


def write_ledger(connection: apsw.Connection, tenant: str, known: Sequence[Known]) -> None:
    """Write down what became of sources; a document that one stood for before goes when no other has it.

    None goes before all are written: two files may have changed places.
    """
    left: dict[str, None] = {}
    for entry, stamp in ((each.entry, each.stamp) for each in known):
        before = found(
            connection,
            "SELECT document_id FROM ledger WHERE tenant = ? AND source = ?",
            (tenant, entry.source),
        )
        connection.execute(
            "INSERT OR REPLACE INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?)",
            (tenant, entry.source, entry.status.value, entry.reason, entry.document_id, entry.chunks, stamp),
        )
        if before and before[0] and before[0] != entry.document_id:
            left[before[0]] = None
    for document_id in left:
        release(connection, tenant, document_id)


def release(connection: apsw.Connection, tenant: str, document_id: str) -> None:
    """Remove a document that no source stands for; else show it under one that does."""
    (source,) = one(
        connection,
        "SELECT min(source) FROM ledger WHERE tenant = ? AND document_id = ?",
        (tenant, document_id),
    )
    if source is None:
        remove_document(connection, tenant, document_id)
    else:
        connection.execute(
            "UPDATE documents SET source = ? WHERE tenant = ? AND id = ?", (source, tenant, document_id)
        )
