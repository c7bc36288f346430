"""Files and documents -> the index: what is new is read, cut, embedded and committed, batch by batch."""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np

from rag.errors import InputError, UnsupportedFormat
from rag.index.analyzer import Analyzer
from rag.index.documents import (
    Fields,
    Held,
    Known,
    Prepared,
    content_key,
    digest,
    is_storable,
    metadata_json,
    readers_json,
)
from rag.index.filters import COLUMNS
from rag.index.storage import StorageView, StorageWriter
from rag.ingestion.load import load_bytes, read_bytes
from rag.passages import cut, embedded_text, headings, vectors_of
from rag.protocols import Chunker, Encoder
from rag.sources import HANDED_IN, source_of, stamp_of
from rag.types import AddReport, Chunk, Document, LedgerEntry, Metadata, Status

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with a stage (`read` counts inputs, `embed` chunks), how many are done, and of how many."""

T = TypeVar("T")

BATCH_CHUNKS = 2048
EMBED_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Given:
    """What a run of `add` says of every document: fields, and who may read it (None: nothing is said).

    Raises:
        InputError: `metadata` is not metadata, or `readers` are not names.
    """

    metadata: Metadata
    readers: Collection[str] | None = None

    def __post_init__(self) -> None:
        metadata_json(self.metadata)
        if self.readers is not None:
            readers_json(self.readers)
        if clash := sorted(COLUMNS.keys() & self.metadata.keys()):
            raise InputError(f"{clash[0]!r} is a field of every document already; name yours otherwise")

    def over(self, fields: Fields) -> Fields:
        """The fields of a document once this is written over them; the very same where nothing changes."""
        readers = fields.readers if self.readers is None else tuple(sorted(set(self.readers)))
        return Fields({**fields.metadata, **self.metadata}, readers)


class Intake:
    """One run of `add`. It holds what is read and not yet committed."""

    def __init__(
        self,
        writer: StorageWriter,
        view: Callable[[], AbstractContextManager[StorageView]],
        encoder: Callable[[], Encoder],
        chunker: Callable[[], Chunker],
        shorten: Callable[[str], str],
        analyzer: Analyzer,
        progress: Progress,
        given: Given,
    ):
        self._writer = writer
        self._given = given
        self._view = view
        self._encoder = encoder
        self._chunker = chunker
        self._shorten = shorten
        self._analyzer = analyzer
        self._shortened: dict[str, str] = {}
        self._progress = progress
        self._entries: list[LedgerEntry] = []
        self._known: list[Known] = []
        self._changed: dict[str, Fields] = {}
        self._folders: dict[Path, Path] = {}
        self._id_of: dict[str, str] = {}
        self._mark_of: dict[str, bytes] = {}
        self._pending: dict[str, _Pending] = {}
        self._chunks = 0
        self._embedded = 0
        self._seconds: dict[str, float] = defaultdict(float)

    def run(self, items: Sequence[Path | Document]) -> AddReport:
        """Bring every input to its end: indexed, unchanged, skipped or failed."""
        started = time.perf_counter()
        for done, item in enumerate(items):
            self._progress("read", done, len(items))
            if isinstance(item, Document):
                self._take_document(item)
            else:
                self._take_file(item)
            if sum(len(each.chunks) for each in self._pending.values()) >= BATCH_CHUNKS:
                self._flush()
        self._progress("read", len(items), len(items))
        self._flush()
        self._writer.tidy()
        seconds = time.perf_counter() - started
        return AddReport(tuple(self._entries), self._chunks, self._embedded, seconds, dict(self._seconds))

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._seconds[stage] += time.perf_counter() - started

    def _tried(self, source: str, known: Known | None, stage: str, call: Callable[[], T]) -> T | None:
        """What `call` returns, or None once its error is reported: one bad file never stops a batch."""
        try:
            with self._timed(stage):
                return call()
        except UnsupportedFormat as error:
            self._pass_over(source, Status.SKIPPED, str(error), known, None)
        except (InputError, OSError) as error:
            self._pass_over(source, Status.FAILED, str(error), known, None)
        except Exception as error:
            self._pass_over(source, Status.FAILED, f"{type(error).__name__}: {error}", known, None)
        return None

    def _take_file(self, path: Path) -> None:
        source = source_of(path, self._folders)
        known = self._writer.known(source)
        stamp = self._tried(source, known, "read", lambda: stamp_of(path))
        if stamp is None or (stamp and known and known.stamp == stamp and self._settled(known)):
            return
        data = self._tried(source, known, "read", lambda: read_bytes(path))
        if data is None:
            return
        document_id = hashlib.sha256(data).hexdigest()
        pending = self._pending.get(document_id)
        if pending is not None and _same(self._given.over(pending.fields), pending.fields):
            self._same_as(pending, source, stamp)
            return
        if pending is not None:
            self._flush()
        held = self._writer.held(document_id)
        if held is not None:
            self._take_held(document_id, held, source, self._given.over(held.fields), stamp)
            return
        document = self._tried(source, known, "parse", lambda: load_bytes(data, source))
        if document is not None:
            # What was said of a file holds for its next version, whatever that says of itself:
            # access rules are metadata.
            kept = self._last_fields(known)
            fields = Fields({**document.metadata, **kept.metadata}, kept.readers)
            self._take(document, self._given.over(fields), stamp)

    def _last_fields(self, known: Known | None) -> Fields:
        """What was said of the last version of a source."""
        held = self._writer.held(known.entry.document_id) if known and known.entry.document_id else None
        return held.fields if held else Fields({})

    def _take_document(self, document: Document) -> None:
        """Take a Document that was handed in; what its source says twice in one run is no version of it."""
        reason = ""
        if not is_storable(document.source + document.id):
            reason = "its source or id holds a NUL or a lone surrogate; encode it with errors='replace'"
        elif self._id_of.setdefault(document.source, document.id) != document.id:
            reason = "another document of this run has the same source; give each its own"
        if reason:
            self._entries.append(LedgerEntry(document.source, Status.FAILED, reason))
        else:
            kept = self._last_fields(self._writer.known(document.source))
            before = self._writer.held(document.id)  # a new text under a known id is a new version as well
            readers = kept.readers or (before.fields.readers if before else ())
            self._take(document, self._given.over(Fields(document.metadata, readers)), HANDED_IN)

    def _same_as(self, pending: _Pending, source: str, stamp: str) -> None:
        """Report an input that is the same as one that is to be committed."""
        reason = f"same bytes as {pending.document.source}"
        entry = LedgerEntry(source, Status.INDEXED, reason, pending.document.id, len(pending.chunks))
        self._record(entry, self._writer.known(source), stamp)

    def _settled(self, known: Known) -> bool:
        """Report a file whose stamp is the one known, where nothing else asks for a change."""
        entry = known.entry
        if entry.status is Status.SKIPPED:
            self._entries.append(entry)
            return True
        held = self._writer.held(entry.document_id) if entry.document_id else None
        if held is None or entry.status is Status.FAILED:
            return False
        fields = self._given.over(held.fields)
        self._take_held(entry.document_id or "", held, entry.source, fields, known.stamp or "")
        return True

    def _take_held(self, document_id: str, held: Held, source: str, fields: Fields, stamp: str) -> None:
        """Take an input whose document is in the index already: nothing is read, cut or embedded."""
        known = self._writer.known(source)
        same = known is not None and known.entry.document_id == document_id
        changed = not _same(fields, held.fields)
        if changed and not same:
            reason = (
                f"{held.source} has the same bytes, and other metadata or readers; "
                "give both the same, or delete that document first"
            )
            self._pass_over(source, Status.FAILED, reason, known, None)
            return
        if changed:
            self._changed[document_id] = fields
        status = Status.UNCHANGED if same and not changed else Status.INDEXED
        reason = "metadata changed" if changed else "" if same else f"same bytes as {held.source}"
        self._record(LedgerEntry(source, status, reason, document_id, held.chunks), known, stamp)

    def _take(self, document: Document, fields: Fields, stamp: str) -> None:
        """Cut a document that was read, and keep it for the next commit, unless the index has it so."""
        known = self._writer.known(document.source)
        try:
            metadata_json(fields.metadata)
            mark = digest(document)
            if self._mark_of.setdefault(document.id, mark) != mark:
                raise InputError(
                    "another document of this run has the same id and other text; give each its own"
                )
            held = self._writer.held(document.id)
            if held is not None and held.digest == mark:
                said = self._given.over(
                    Fields({**held.fields.metadata, **fields.metadata}, held.fields.readers)
                )
                self._take_held(document.id, held, document.source, said, stamp)
                return
        except InputError as error:
            self._pass_over(document.source, Status.FAILED, str(error), known, None)
            return
        chunker = self._chunker()
        chunks = self._tried(document.source, known, "chunk", lambda: cut(document, chunker))
        if chunks is None:
            return
        if not chunks:
            reason = "; ".join(["it has no text", *document.left_out])
            self._pass_over(document.source, Status.SKIPPED, reason, known, stamp)
            return
        pending = self._pending.get(document.id)
        if pending is not None and pending.digest == mark and _same(pending.fields, fields):
            self._same_as(pending, document.source, stamp)
            return
        if pending is not None:
            self._flush()
            self._take(document, fields, stamp)
            return
        self._pending[document.id] = _Pending(document, fields, mark, chunks)
        reason = "; ".join(document.left_out)
        self._record(
            LedgerEntry(document.source, Status.INDEXED, reason, document.id, len(chunks)), known, stamp
        )

    def _pass_over(
        self, source: str, status: Status, reason: str, known: Known | None, stamp: str | None
    ) -> None:
        """Report an input that did not get in. What the index holds of it from before stays."""
        before = known.entry.document_id if known else None
        chunks = known.entry.chunks if known and before else 0
        if before:
            reason = f"{reason}; its last version stays in the index as it was"
        self._record(LedgerEntry(source, status, reason, before, chunks), known, stamp)

    def _record(self, entry: LedgerEntry, known: Known | None, stamp: str | None) -> None:
        self._entries.append(entry)
        self._chunks += entry.chunks if entry.document_id else 0
        settled = Status.INDEXED if entry.status is Status.UNCHANGED else entry.status
        kept = known is not None and known.entry.status is Status.INDEXED
        reason = known.entry.reason if known and kept and entry.status is Status.UNCHANGED else entry.reason
        wanted = Known(replace(entry, status=settled, reason=reason), stamp or None)
        if wanted != known:
            self._known.append(wanted)

    def _flush(self) -> None:
        """Embed and commit what is pending, together with its lines of the ledger."""
        if not self._pending and not self._known and not self._changed:
            return
        prepared = self._embed(list(self._pending.values()))
        fingerprint = self._encoder().fingerprint if prepared else None
        with self._timed("index"):
            self._writer.add(prepared, self._known, self._changed, fingerprint)
        self._pending.clear()
        self._known.clear()
        self._changed.clear()

    def _above(self, document: Document, chunk: Chunk) -> str:
        """As much of a chunk's headings as the encoder has room for."""
        above = headings(document.source, document.title, chunk)
        if above not in self._shortened:
            self._shortened[above] = self._shorten(above)
        return self._shortened[above]

    def _embed(self, pending: Sequence[_Pending]) -> list[Prepared]:
        """Give each chunk its vector; a text that the index has a vector of is not embedded again."""
        above = [[self._above(each.document, chunk) for chunk in each.chunks] for each in pending]
        texts = [
            [embedded_text(title, chunk) for title, chunk in zip(titles, each.chunks, strict=True)]
            for titles, each in zip(above, pending, strict=True)
        ]
        text_of = {content_key(text): text for part in texts for text in part}
        with self._timed("embed"):
            with self._view() as view:
                vector_of = view.vectors_of(list(text_of))
            new = [key for key in text_of if key not in vector_of]
            for at in range(0, len(new), EMBED_AT_ONCE):
                self._progress("embed", at, len(new))
                keys = new[at : at + EMBED_AT_ONCE]
                vectors = vectors_of(self._encoder(), [text_of[key] for key in keys])
                vector_of.update(zip(keys, vectors, strict=True))
            if new:
                self._progress("embed", len(new), len(new))
        self._embedded += len(new)
        prepared = []
        for each, titles, part in zip(pending, above, texts, strict=True):
            part_keys = tuple(content_key(text) for text in part)
            with self._timed("index"):
                terms = tuple(
                    (self._analyzer.positions(title), self._analyzer.positions(chunk.text))
                    for title, chunk in zip(titles, each.chunks, strict=True)
                )
            vectors = np.stack([vector_of[key] for key in part_keys])
            prepared.append(
                Prepared(each.document, each.fields, each.digest, each.chunks, terms, part_keys, vectors)
            )
        return prepared


@dataclass(frozen=True, slots=True)
class _Pending:
    document: Document
    fields: Fields
    digest: bytes
    chunks: tuple[Chunk, ...]


def _same(one: Fields, other: Fields) -> bool:
    return one.readers == other.readers and metadata_json(one.metadata) == metadata_json(other.metadata)
