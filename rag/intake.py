"""Files and documents -> the index: what is new is read, cut, embedded and committed, batch by batch."""

from __future__ import annotations

import hashlib
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from rag.errors import InputError, UnsupportedFormat
from rag.index.analyzer import english
from rag.index.documents import Held, Known, Prepared, content_key, digest, metadata_json
from rag.index.view import View
from rag.index.writer import Writer
from rag.ingestion.load import find_files, load_bytes
from rag.protocols import Chunker, Encoder
from rag.types import AddReport, Chunk, Document, LedgerEntry, Metadata, Status

Source: TypeAlias = str | os.PathLike[str] | Document
Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with a stage (`read` counts inputs, `embed` chunks), how many are done, and of how many."""

BATCH_CHUNKS = 2048
EMBED_AT_ONCE = 256
JUST_NOW_S = 2.0


def inputs(source: Source | Iterable[Source]) -> list[Path | Document]:
    """The files and documents that `source` names, files under a folder in sorted order.

    Raises:
        InputError: a path does not exist.
    """
    if isinstance(source, Document):
        return [source]
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if not path.exists():
            raise InputError(f"{path} does not exist; name a file or a folder")
        return list(find_files(path)) if path.is_dir() else [path]
    return [each for part in source for each in inputs(part)]


def indexed_text(document: Document, chunk: Chunk) -> str:
    """What a chunk is found by: its title and headings above its own text."""
    section = "" if chunk.section == document.title else chunk.section.removeprefix(f"{document.title} > ")
    return "\n".join(part for part in (document.title, section, chunk.text) if part)


class Intake:
    """One run of `add`. It holds what is read and not yet committed."""

    def __init__(
        self,
        writer: Writer,
        view: Callable[[], AbstractContextManager[View]],
        encoder: Callable[[], Encoder],
        chunker: Callable[[], Chunker],
        progress: Progress,
    ):
        self._writer = writer
        self._view = view
        self._encoder = encoder
        self._chunker = chunker
        self._progress = progress
        self._entries: list[LedgerEntry] = []
        self._known: list[Known] = []
        self._pending: dict[str, _Pending] = {}
        self._chunks = 0
        self._embedded = 0
        self._seconds: dict[str, float] = defaultdict(float)

    def run(self, items: Sequence[Path | Document], metadata: Metadata) -> AddReport:
        """Bring every input to its end: indexed, unchanged, skipped or failed."""
        started = time.perf_counter()
        for done, item in enumerate(items):
            self._progress("read", done, len(items))
            if isinstance(item, Document):
                self._take(replace(item, metadata={**item.metadata, **metadata}), None)
            else:
                self._take_file(item, metadata)
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

    def _take_file(self, path: Path, metadata: Metadata) -> None:
        source = str(path.resolve())
        known = self._writer.known(source)
        try:
            stamp = _stamp(path)
            if known and known.stamp is not None and known.stamp == stamp and self._settled(known, metadata):
                return
            with self._timed("read"):
                data = path.read_bytes()
            held = self._writer.held(hashlib.sha256(data).hexdigest())
            if held is None:
                with self._timed("parse"):
                    document = load_bytes(data, source)
                self._take(replace(document, metadata={**document.metadata, **metadata}), stamp)
            else:
                self._take_held(hashlib.sha256(data).hexdigest(), held, source, metadata, stamp)
        except UnsupportedFormat as error:
            self._pass_over(source, Status.SKIPPED, str(error), known, _stamp(path))
        except (InputError, OSError) as error:
            self._pass_over(source, Status.FAILED, str(error), known, None)
        except Exception as error:  # one bad file never stops a batch, whatever its loader does
            self._pass_over(source, Status.FAILED, f"{type(error).__name__}: {error}", known, None)

    def _settled(self, known: Known, metadata: Metadata) -> bool:
        """Report a file whose stamp is the one known, where nothing else asks for a change."""
        entry = known.entry
        if entry.status is Status.SKIPPED:
            self._entries.append(entry)
            return True
        held = self._writer.held(entry.document_id) if entry.document_id else None
        if held is None or entry.status is Status.FAILED:
            return False
        self._take_held(entry.document_id or "", held, entry.source, metadata, known.stamp)
        return True

    def _take_held(
        self, document_id: str, held: Held, source: str, metadata: Metadata, stamp: str | None
    ) -> None:
        """Take an input whose document is in the index already: nothing is read, cut or embedded."""
        known = self._writer.known(source)
        same = known is not None and known.entry.document_id == document_id
        changed = {field: value for field, value in metadata.items() if held.metadata.get(field) != value}
        if changed and not same:
            reason = (
                f"{held.source} has the same bytes, and other metadata; "
                "give both the same, or delete that document first"
            )
            self._pass_over(source, Status.FAILED, reason, known, None)
            return
        if changed:
            self._writer.set_metadata(document_id, {**held.metadata, **metadata})
        status = Status.UNCHANGED if same and not changed else Status.INDEXED
        reason = "metadata changed" if changed else "" if same else f"same bytes as {held.source}"
        self._record(LedgerEntry(source, status, reason, document_id, held.chunks), known, stamp)

    def _take(self, document: Document, stamp: str | None) -> None:
        """Cut a document that was read, and keep it for the next commit, unless the index has it so."""
        known = self._writer.known(document.source)
        try:
            metadata_json(document.metadata)
            mark = digest(document)
            held = self._writer.held(document.id)
            if held is not None and held.digest == mark:
                self._take_held(document.id, held, document.source, document.metadata, stamp)
                return
            with self._timed("chunk"):
                chunks = tuple(self._chunker()(document))
        except InputError as error:
            self._pass_over(document.source, Status.FAILED, str(error), known, None)
            return
        if not chunks:
            reason = "; ".join(["it has no text", *document.left_out])
            self._pass_over(document.source, Status.SKIPPED, reason, known, stamp)
            return
        pending = self._pending.get(document.id)
        if pending is not None and (pending.digest, pending.document.metadata) == (mark, document.metadata):
            reason = f"same bytes as {pending.document.source}"
            self._record(
                LedgerEntry(document.source, Status.INDEXED, reason, document.id, len(chunks)), known, stamp
            )
            return
        if pending is not None:
            self._flush()
            self._take(document, stamp)
            return
        self._pending[document.id] = _Pending(document, mark, chunks)
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
        self._record(LedgerEntry(source, status, reason, before, chunks), known, stamp)

    def _record(self, entry: LedgerEntry, known: Known | None, stamp: str | None) -> None:
        self._entries.append(entry)
        self._chunks += entry.chunks if entry.document_id else 0
        settled = Status.INDEXED if entry.status is Status.UNCHANGED else entry.status
        reason = known.entry.reason if known and entry.status is Status.UNCHANGED else entry.reason
        wanted = Known(replace(entry, status=settled, reason=reason), stamp)
        if wanted != known:
            self._known.append(wanted)

    def _flush(self) -> None:
        """Embed and commit what is pending, together with its lines of the ledger."""
        if not self._pending and not self._known:
            return
        prepared = self._embed(list(self._pending.values()))
        fingerprint = self._encoder().fingerprint if prepared else None
        with self._timed("index"):
            self._writer.add(prepared, self._known, fingerprint)
        self._pending.clear()
        self._known.clear()

    def _embed(self, pending: Sequence[_Pending]) -> list[Prepared]:
        """Give each chunk its vector; a text that the index has a vector of is not embedded again."""
        texts = [[indexed_text(each.document, chunk) for chunk in each.chunks] for each in pending]
        text_of = {content_key(text): text for part in texts for text in part}
        with self._timed("embed"):
            with self._view() as view:
                vector_of = view.vectors_of(list(text_of))
            new = [key for key in text_of if key not in vector_of]
            for at in range(0, len(new), EMBED_AT_ONCE):
                self._progress("embed", at, len(new))
                keys = new[at : at + EMBED_AT_ONCE]
                vectors = self._encoder().encode([text_of[key] for key in keys])
                vector_of.update(zip(keys, vectors, strict=True))
            if new:
                self._progress("embed", len(new), len(new))
        self._embedded += len(new)
        prepared = []
        for each, part in zip(pending, texts, strict=True):
            part_keys = tuple(content_key(text) for text in part)
            with self._timed("index"):
                terms = tuple(english(text) for text in part)
            vectors = np.stack([vector_of[key] for key in part_keys])
            prepared.append(Prepared(each.document, each.digest, each.chunks, terms, part_keys, vectors))
        return prepared


@dataclass(frozen=True, slots=True)
class _Pending:
    document: Document
    digest: bytes
    chunks: tuple[Chunk, ...]


def _stamp(path: Path) -> str | None:
    """What changes when a file is written, None where it was written so lately that it may change unseen."""
    status = path.stat()
    if max(status.st_mtime, status.st_ctime) > time.time() - JUST_NOW_S:
        return None
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_ino}"
