"""What the index keeps as Qdrant points, and how a commit shows them all at once.

Qdrant has no transaction over several points. So every point says from which
commit on it is seen (`since`), and from which on no more (`until`), and one point,
the manifest, names the last commit. A reader takes that number and asks for
what is seen at it; a writer writes new points, marks old ones, and changes the
manifest last. Until then nothing has changed for anyone, and after it all has.
What a killed writer left was written under a number that was never shown, and
never will be: the next writer takes it back.

Chunks lie in `<name>-<generation>`, with their vectors, and one alias, `<name>`,
names the collection that is searched. Documents, their text in blocks, the
ledger and the manifest lie in `<name>-documents`, which has no vectors.

Model: P. A. Bernstein and N. Goodman, Multiversion concurrency control - theory
and algorithms, ACM TODS 8(4), 1983.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rag.index.documents import BLOCK, Fields, Held, Known, Prepared, metadata_json
from rag.index.qdrant_filter import (
    EVERYONE,
    Condition,
    all_of,
    any_of,
    facts,
    in_range,
    match,
    none_of,
    numbers,
)
from rag.index.qdrant_remote import Found, Point, Remote
from rag.index.qdrant_sparse import Sparse, words
from rag.types import Chunk, Document, Fingerprint, LedgerEntry, Page, Section, Settings, Span, Status

FORMAT = 1
FOREVER = 2**53 - 1
"""The `until` of what is not marked: the largest whole number that Qdrant's ranges hold exactly."""

_NAMES = uuid.UUID("6d0b1c2e-5d0f-5c1a-9a53-1f6a2f5b7c10")
MANIFEST = str(uuid.uuid5(_NAMES, "manifest"))

CHUNK_INDEXES: Mapping[str, Mapping[str, Any]] = {
    "tenant": {"type": "keyword", "is_tenant": True},
    "readers": {"type": "keyword", "enable_hnsw": False},
    "facts": {"type": "keyword", "enable_hnsw": False},
    "document_id": {"type": "keyword", "on_disk": True, "enable_hnsw": False},
    "content": {"type": "uuid", "on_disk": True, "enable_hnsw": False},
    "words": {
        "type": "text",
        "tokenizer": "whitespace",
        "lowercase": False,
        "phrase_matching": True,
        "on_disk": True,
        "enable_hnsw": False,
    },
    "since": {"type": "integer", "lookup": True, "range": True, "enable_hnsw": False},
    "until": {"type": "integer", "lookup": True, "range": True, "enable_hnsw": False},
}
DOCUMENT_INDEXES: Mapping[str, Mapping[str, Any]] = {
    "kind": {"type": "keyword"},
    "tenant": {"type": "keyword", "is_tenant": True},
    "readers": {"type": "keyword"},
    "document_id": {"type": "keyword"},
    "source": {"type": "keyword"},
    "since": {"type": "integer", "lookup": True, "range": True},
    "until": {"type": "integer", "lookup": True, "range": True},
    "writer": {"type": "keyword"},
    "expires": {"type": "float"},
}
NUMBER_INDEX: Mapping[str, Any] = {"type": "float", "enable_hnsw": False}
HIT_KEYS = (
    "document_id",
    "text_id",
    "source",
    "title",
    "start",
    "end",
    "page",
    "last_page",
    "section",
)
"""What of a chunk's payload makes a hit of it, but for its text."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The one point that says what there is.

    `commit` is the last; `reserved` is the highest number that a writer took, `aborted` are those
    that were never shown, and whose points may still be about. `generations` are the fingerprints
    of encoders in JSON, the first being number 1; `serving` is the number of the one whose vectors
    are searched, 0 while there are none. `average` is the length of a chunk that BM25 takes for the
    average. `rules` says that some document has a tenant or readers.
    `history` names, of late commits, when they were made (seconds since 1970). `writer` is who may
    write until `expires`. `seal_key` is the secret, in hexadecimal, by which answers are sealed.
    """

    settings: str
    commit: int = 0
    reserved: int = 0
    aborted: tuple[int, ...] = ()
    generations: tuple[str, ...] = ()
    serving: int = 0
    average: float = 0.0
    rules: bool = False
    fields: tuple[str, ...] = ()
    history: tuple[tuple[int, float], ...] = ()
    writer: str = ""
    expires: float = 0.0
    seal_key: str = ""
    kind: str = "manifest"
    format: int = FORMAT

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Manifest:
        """Read it out of its point."""
        known = {name: payload[name] for name in cls.__dataclass_fields__ if name in payload}
        lists = ("aborted", "generations", "fields")
        known |= {name: tuple(known[name]) for name in lists if name in known}
        known["history"] = tuple((number, at) for number, at in known.get("history", ()))
        return cls(**known)

    def payload(self) -> dict[str, Any]:
        """What its point holds."""
        return asdict(self)

    @property
    def fingerprint(self) -> Fingerprint | None:
        """That of the encoder whose vectors are searched."""
        return Fingerprint(**json.loads(self.generations[self.serving - 1])) if self.serving else None

    def seen(self) -> Condition:
        """True of what is seen at the last commit."""
        ends: list[Condition] = [in_range("until", gt=self.commit)]
        begins: list[Condition] = [in_range("since", lte=self.commit)]
        if not self.aborted:
            return all_of([*begins, *ends])
        stays = any_of([*ends, match("until", *self.aborted)])
        return all_of([*begins, stays, none_of([match("since", *self.aborted)])])


def fingerprint_json(fingerprint: Fingerprint) -> str:
    """A fingerprint as canonical JSON."""
    return json.dumps(asdict(fingerprint), sort_keys=True)


def settings_json(settings: Settings) -> str:
    """Settings as canonical JSON."""
    return json.dumps(asdict(settings), sort_keys=True)


def point_id(*parts: str | int) -> str:
    """The id of the point that these name."""
    return str(uuid.uuid5(_NAMES, json.dumps(parts)))


def block_id(text_id: str, block: int) -> str:
    """The id of a block of a text."""
    return str(uuid.uuid5(uuid.UUID(text_id), str(block)))


@dataclass(frozen=True, slots=True)
class Record:
    """A document as it is kept, without its text: what its point's payload says."""

    tenant: str
    document_id: str
    source: str
    title: str
    digest: str
    fields: Fields
    text_id: str
    characters: int
    chunks: int
    pages: Sequence[Sequence[int]] = field(repr=False, default=())
    sections: Sequence[Sequence[Any]] = field(repr=False, default=())
    left_out: Sequence[str] = ()

    @classmethod
    def new(cls, tenant: str, prepared: Prepared, commit: int) -> Record:
        """The record of a document that comes with a commit."""
        document = prepared.document
        return cls(
            tenant=tenant,
            document_id=document.id,
            source=document.source,
            title=document.title,
            digest=prepared.digest.hex(),
            fields=prepared.fields,
            text_id=point_id(tenant, "text", document.id, commit),
            characters=len(document.text),
            chunks=len(prepared.chunks),
            pages=[(page.number, page.span.start, page.span.end) for page in document.pages],
            sections=[(s.level, s.title, s.span.start, s.span.end) for s in document.sections],
            left_out=document.left_out,
        )

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Record:
        """Read it out of its point."""
        own = {name: payload[name] for name in cls.__dataclass_fields__ if name in payload}
        readers = tuple(name for name in payload["readers"] if name != EVERYONE)
        return cls(**own, fields=Fields(json.loads(payload["metadata"]), readers))

    def payload(self) -> dict[str, Any]:
        """What its point holds, but for its commits."""
        names = [name for name in self.__dataclass_fields__ if name != "fields"]
        return {name: getattr(self, name) for name in names} | {
            "kind": "document",
            "metadata": metadata_json(self.fields.metadata),
            "readers": list(self.fields.readers or (EVERYONE,)),
        }

    def point(self, commit: int) -> Point:
        """Its point, from a commit on."""
        name = point_id(self.tenant, "document", self.document_id, commit)
        return Point(name, {**self.payload(), "since": commit, "until": FOREVER})

    @property
    def held(self) -> Held:
        """What tells whether another is the same."""
        return Held(self.source, bytes.fromhex(self.digest), self.fields, self.chunks)

    def document(self, text: str, *, pages: bool = True) -> Document:
        """The document, with that text, and its pages where they are wanted."""
        return Document(
            id=self.document_id,
            source=self.source,
            title=self.title,
            text=text,
            pages=tuple(Page(number, Span(start, end)) for number, start, end in self.pages) if pages else (),
            sections=tuple(
                Section(level, name, Span(start, end)) for level, name, start, end in self.sections
            ),
            metadata=self.fields.metadata,
            left_out=tuple(self.left_out),
        )

    def chunk_fields(self) -> dict[str, Any]:
        """What every one of its chunks says of it."""
        columns = {"document_id": self.document_id, "source": self.source, "title": self.title}
        return {
            **columns,
            "tenant": self.tenant,
            "readers": list(self.fields.readers or (EVERYONE,)),
            "text_id": self.text_id,
            "facts": facts(self.fields.metadata, columns),
            "numbers": numbers(self.fields.metadata),
        }


def chunk_points(
    record: Record, prepared: Prepared, vectors: Sequence[Sparse], commit: int
) -> Iterator[Point]:
    """The points of a document's chunks, from a commit on; `vectors` are their sparse ones."""
    shared = record.chunk_fields()
    for chunk, key, terms, dense, sparse in zip(
        prepared.chunks, prepared.keys, prepared.terms, prepared.vectors, vectors, strict=True
    ):
        own = {
            "start": chunk.start,
            "end": chunk.end,
            "page": chunk.page,
            "last_page": chunk.last_page,
            "section": chunk.section,
            "content": str(uuid.UUID(bytes=key)),
            "words": words(terms),
            "since": commit,
            "until": FOREVER,
        }
        yield Point(point_id(record.tenant, chunk.id, commit), {**shared, **own}, dense, sparse)


def moved_chunk(record: Record, found: Found, commit: int) -> Point:
    """A chunk that was found with its vectors, under the fields of its document from a commit on."""
    payload = {**found.payload, **record.chunk_fields(), "since": commit, "until": FOREVER}
    return Point(point_id(record.tenant, chunk_id(found), commit), payload, found.dense, found.sparse)


def text_points(record: Record, text: str, commit: int) -> Iterator[Point]:
    """The blocks of a document's text, from a commit on."""
    for at in range(0, len(text), BLOCK):
        payload = {
            "kind": "text",
            "tenant": record.tenant,
            "document_id": record.document_id,
            "text_id": record.text_id,
            "text": text[at : at + BLOCK],
            "since": commit,
            "until": FOREVER,
        }
        yield Point(block_id(record.text_id, at // BLOCK), payload)


def ledger_point(tenant: str, known: Known, commit: int) -> Point:
    """The line of the ledger on a source, from a commit on."""
    payload = asdict(known.entry) | {
        "kind": "ledger",
        "tenant": tenant,
        "status": known.entry.status.value,
        "stamp": known.stamp,
        "since": commit,
        "until": FOREVER,
    }
    return Point(point_id(tenant, "ledger", known.entry.source, commit), payload)


def known_of(payload: Mapping[str, Any]) -> Known:
    """Read a line of the ledger out of its point."""
    entry = LedgerEntry(
        payload["source"],
        Status(payload["status"]),
        payload["reason"],
        payload.get("document_id"),
        payload["chunks"],
    )
    return Known(entry, payload.get("stamp"))


def chunk_of(payload: Mapping[str, Any], text: str) -> Chunk:
    """Read a chunk out of its point, with its text."""
    return Chunk(
        payload["document_id"],
        Span(payload["start"], payload["end"]),
        text,
        payload.get("page"),
        payload.get("section", ""),
        payload.get("last_page"),
    )


def chunk_id(found: Found) -> str:
    """The chunk id of a point."""
    payload = found.payload
    return f"{payload['document_id']}:{payload['start']}-{payload['end']}"


def read_texts(remote: Remote, documents: str, ranges: Sequence[tuple[str, int, int]]) -> list[str | None]:
    """The text of each range, given as a text's id, start and end; None where some of it is not there.

    The blocks that hold them are fetched a page at a time.
    """
    blocks_of = [range(start // BLOCK, max(start, end - 1) // BLOCK + 1) for _, start, end in ranges]
    names = [
        [block_id(text_id, block) for block in blocks]
        for (text_id, _, _), blocks in zip(ranges, blocks_of, strict=True)
    ]
    found = remote.get(documents, list(dict.fromkeys(name for part in names for name in part)))
    texts: list[str | None] = []
    for (_, start, end), blocks, part in zip(ranges, blocks_of, names, strict=True):
        text = "".join(found[name].payload["text"] for name in part if name in found)
        text = text[start - blocks.start * BLOCK : end - blocks.start * BLOCK]
        texts.append(text if len(text) == end - start else None)
    return texts
