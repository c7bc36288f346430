"""How a commit is made on a Qdrant server: new points, marks on old ones, and the manifest last.

Who writes holds a lease, kept in the manifest, that ends by itself when its
holder is gone. The manifest is changed under the condition that the lease is
still one's own, so that of two who both believe to hold it only one commits.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Any, TypeVar

from rag.errors import EncoderMismatch, IndexLocked
from rag.index.documents import Fields, Held, Known, Passage, Prepared
from rag.index.qdrant_filter import Condition, all_of, in_range, match
from rag.index.qdrant_lease import Lease, read_manifest
from rag.index.qdrant_points import (
    CHUNK_INDEXES,
    FOREVER,
    NUMBER_INDEX,
    Manifest,
    Record,
    chunk_of,
    chunk_points,
    fingerprint_json,
    known_of,
    ledger_point,
    moved_chunk,
    read_texts,
    text_points,
)
from rag.index.qdrant_remote import PAGE, Point, Remote
from rag.index.qdrant_sparse import average_length, chunk_vector
from rag.index.storage import check_same_encoder
from rag.types import Fingerprint, LedgerEntry, Settings, Vectors

T = TypeVar("T")

KEEP_S = 600.0
"""So long after a commit its readers are left what it replaced, unless the index is compacted."""

_HISTORY = 64
_MOST_NUMBERS = 64
"""So many metadata fields get an index for ranges; those behind are compared without."""


class Writer:
    """The one who writes to an index, on behalf of one tenant. Each method is one commit, or none."""

    def __init__(self, remote: Remote, name: str, settings: Settings, tenant: str, lease: Lease):
        self._remote = remote
        self._name = name
        self._documents = f"{name}-documents"
        self._settings = settings
        self._tenant = tenant
        self._lease = lease
        self._manifest = read_manifest(remote, self._documents)
        self._changes: dict[str, Any] = {}
        self._known: dict[str, Known | None] = {}
        self._held: dict[str, Held | None] = {}

    def sweep(self) -> None:
        """Take back what a killed writer left: points that were never shown, and marks on others."""
        now = self._manifest
        left = set(range(now.commit + 1, now.reserved + 1)) - {*now.aborted}
        if not left:
            return
        for collection in self._collections():
            self._remote.delete(collection, all_of([in_range("since", gt=now.commit)]))
            marked = all_of([in_range("until", gt=now.commit, lt=FOREVER)])
            self._remote.set_payload(collection, marked, {"until": FOREVER})
        # It may be alive still, and write more under its number: that is never to be shown.
        self._manifest = self._store(aborted=[*now.aborted, *sorted(left)])

    @property
    def manifest(self) -> Manifest:
        """The manifest, which nobody else changes meanwhile."""
        return self._manifest

    def known(self, source: str) -> Known | None:
        """What became of a source the last time, None where it was never seen."""
        if source not in self._known:
            self._known[source] = next(self._ledger("source", [source]), None)
        return self._known[source]

    def held(self, document_id: str) -> Held | None:
        """What the index holds of a document, None where it has none of that id."""
        if document_id not in self._held:
            record = next(self._records([document_id]), None)
            self._held[document_id] = record.held if record else None
        return self._held[document_id]

    def sources(self) -> list[tuple[str, str | None]]:
        """Every source of the ledger, in order, with the id of the document that it stands for."""
        lines = self._remote.scroll(
            self._documents, all_of([self._alive("ledger")]), keys=["source", "document_id"]
        )
        return sorted((line.payload["source"], line.payload.get("document_id")) for line in lines)

    def add(
        self,
        documents: Sequence[Prepared],
        known: Sequence[Known],
        changed: Mapping[str, Fields],
        fingerprint: Fingerprint | None,
    ) -> int:
        """Commit documents with what became of their sources, and return the commit's number.

        A document of the same id, and one that no source stands for any more, goes in
        the same commit. `changed` is what documents of the index get in the place of
        theirs, by id; `fingerprint` is that of the vectors, None where there are none.
        """
        with self._commit() as commit:
            if documents:
                self._serve(fingerprint, documents)
            new = {each.document.id: each for each in documents}
            gone, renamed = self._left({each.entry.source: each.entry for each in known})
            for document_id in gone.keys() & new.keys():
                del new[document_id]
            for document_id in renamed.keys() & new.keys():
                document = replace(new[document_id].document, source=renamed[document_id])
                new[document_id] = replace(new[document_id], document=document)
            self._insert(list(new.values()), commit)
            self._rewrite(
                {i: f for i, f in changed.items() if i not in gone and i not in new}, renamed, commit
            )
            self._remote.put(self._documents, [ledger_point(self._tenant, each, commit) for each in known])
            self._end("document_id", [*new, *gone], commit)
            self._end("source", [each.entry.source for each in known], commit, ("ledger",))
            readers = [*(each.fields for each in documents), *changed.values()]
            if self._tenant or any(fields.readers for fields in readers):
                self._changes["rules"] = True
        return commit

    def delete(self, document_ids: Sequence[str]) -> int:
        """Commit the removal of documents and of their sources from the ledger."""
        with self._commit() as commit:
            self._end("document_id", document_ids, commit, ("document", "text", "chunk", "ledger"))
        return commit

    def forget_sources(self, sources: Sequence[str], moved: Sequence[Known] = ()) -> int:
        """Commit the removal of sources, and of the documents that no other source stands for.

        What became of `moved` sources is written down in the same commit, so that a document
        whose only source is removed may stay under another.
        """
        now: dict[str, LedgerEntry | None] = {each.entry.source: each.entry for each in moved}
        now.update(dict.fromkeys(sources))
        with self._commit() as commit:
            gone, renamed = self._left(now)
            self._rewrite({}, renamed, commit)
            lines = [ledger_point(self._tenant, each, commit) for each in moved if now[each.entry.source]]
            self._remote.put(self._documents, lines)
            self._end("document_id", gone, commit)
            self._end("source", now, commit, ("ledger",))
        return commit

    def tidy(self) -> None:
        """Delete what no reader of the last ten minutes can see; Qdrant merges its segments itself."""
        old = [number for number, at in self._manifest.history if at < time.time() - KEEP_S]
        if old:
            self._wipe(old[-1])

    def compact(self) -> int:
        """Delete all that is not seen any more, for those too who hold an old view.

        Qdrant then drops it from its files when its optimizer next passes by them.
        """
        self._wipe(self._manifest.commit)
        return self._manifest.commit

    # The change to another encoder

    def generation(self, fingerprint: Fingerprint) -> int:
        """The number under which vectors of that encoder are kept; it is a new one for a new encoder."""
        texts = list(self._manifest.generations)
        text = fingerprint_json(fingerprint)
        number = texts.index(text) + 1 if text in texts else len(texts) + 1
        name = f"{self._name}-{number}"
        indexes = {**CHUNK_INDEXES, **{f"numbers.{field}": NUMBER_INDEX for field in self._manifest.fields}}
        self._remote.make_collection(name, indexes, (fingerprint.dimension, self._settings))
        if text not in texts:
            self._manifest = self._store(generations=[*texts, text])
        if number == 1:
            self._remote.point_alias(self._name, name)
        return number

    def unembedded(self, generation: int, start: str | None) -> tuple[dict[str, Passage], str | None]:
        """Passages that have no vector of a generation, by point, and where to go on; None at the end."""
        page, after = self._remote.page(self._chunks, self._manifest.seen(), start)
        there = self._remote.get(f"{self._name}-{generation}", [point.id for point in page], payload=False)
        lacking = [point for point in page if point.id not in there]
        ranges = [(p.payload["text_id"], p.payload["start"], p.payload["end"]) for p in lacking]
        texts = read_texts(self._remote, self._documents, ranges)
        passages = {
            point.id: Passage(
                generation, at, point.payload["source"], point.payload["title"], chunk_of(point.payload, text)
            )
            for at, (point, text) in enumerate(zip(lacking, texts, strict=True))
            if text is not None
        }
        return passages, after

    def lacks(self, generation: int) -> bool:
        """Whether some passage has no vector of a generation."""
        if not self._manifest.serving:
            return False
        seen = self._manifest.seen()
        return self._remote.count(self._chunks, seen) > self._remote.count(f"{self._name}-{generation}", seen)

    def put_vectors(self, generation: int, vectors: Mapping[str, Vectors]) -> None:
        """Keep vectors of a generation, by point, beside those that are searched."""
        for ids in _pages(vectors):
            wanted = all_of([{"has_id": ids}, self._manifest.seen()])
            points = [
                Point(found.id, found.payload, vectors[found.id], found.sparse)
                for found in self._remote.scroll(self._chunks, wanted, vectors=True)
            ]
            self._remote.put(f"{self._name}-{generation}", points)

    def serve(self, generation: int) -> int:
        """Commit that searches use the vectors of a generation from now on; the others are kept.

        Raises:
            EncoderMismatch: some passages have none.
        """
        if self.lacks(generation):
            raise EncoderMismatch("some passages have no vector of that encoder yet; embed them first")
        with self._commit() as commit:
            self._changes["serving"] = generation
        self._remote.point_alias(self._name, f"{self._name}-{generation}")
        return commit

    # What a commit is made of

    @contextmanager
    def _commit(self) -> Iterator[int]:
        """A number of one's own, under which is written what becomes visible at the end, or never."""
        self.sweep()
        commit = self._manifest.reserved + 1
        self._manifest = self._store(reserved=commit)
        self._changes = {}
        self._known.clear()
        self._held.clear()
        yield commit
        history = [*self._manifest.history, (commit, time.time())][-_HISTORY:]
        self._manifest = self._store(commit=commit, history=history, **self._changes)

    def _store(self, **changes: Any) -> Manifest:
        """Change the manifest, if the lease is one's own.

        Raises:
            IndexLocked: it is another's by now.
        """
        self._remote.set_payload(self._documents, self._lease.mine(), changes)
        now = read_manifest(self._remote, self._documents)
        number = changes.get("commit", 0)
        shown = 0 < number <= now.commit and number not in now.aborted  # the lease ended just behind it
        if now.writer != self._lease.owner and not shown:
            raise IndexLocked(
                f"another took over the right to write to {self._remote.address}, because this one was not "
                "heard of for too long; nothing of the last batch became visible, add it again"
            )
        return now

    def _collections(self) -> list[str]:
        generations = range(1, len(self._manifest.generations) + 1)
        return [self._documents, *(f"{self._name}-{number}" for number in generations)]

    def _serve(self, fingerprint: Fingerprint | None, documents: Sequence[Prepared]) -> None:
        """See that vectors are of the encoder that is searched; make its collection where it is the first."""
        if fingerprint is None:
            raise EncoderMismatch("vectors came without the fingerprint of their encoder; give it")
        made_with = self._manifest.fingerprint
        if made_with is None:
            self._changes["serving"] = self.generation(fingerprint)
            chunks = [terms for each in documents for terms in each.terms]
            self._changes["average"] = average_length(chunks, self._settings)
        check_same_encoder(made_with, fingerprint)

    @property
    def _chunks(self) -> str:
        return f"{self._name}-{self._changes.get('serving', self._manifest.serving)}"

    def _alive(self, *kinds: str) -> Condition:
        """True of this tenant's points of these kinds that are not marked; chunks are of no kind."""
        parts = [match("tenant", self._tenant), self._manifest.seen()]
        return all_of([*parts, match("kind", *kinds)] if kinds else parts)

    def _ledger(self, key: str, values: Iterable[str]) -> Iterator[Known]:
        for part in _pages(values):
            wanted = all_of([self._alive("ledger"), match(key, *part)])
            for line in self._remote.scroll(self._documents, wanted):
                yield known_of(line.payload)

    def _records(self, document_ids: Iterable[str]) -> Iterator[Record]:
        for part in _pages(document_ids):
            wanted = all_of([self._alive("document"), match("document_id", *part)])
            for point in self._remote.scroll(self._documents, wanted):
                yield Record.of(point.payload)

    def _left(self, now: Mapping[str, LedgerEntry | None]) -> tuple[dict[str, None], dict[str, str]]:
        """Documents that their sources left: those that none stands for, and the new source of the others.

        `now` says of sources what they stand for in this commit.
        """
        held = {source: entry.document_id if entry else None for source, entry in now.items()}
        left = {
            line.entry.document_id
            for line in self._ledger("source", now)
            if line.entry.document_id not in (None, held[line.entry.source])
        }
        stay: dict[str, list[str]] = {document_id: [] for document_id in sorted(filter(None, left))}
        for line in self._ledger("document_id", list(stay)):
            if line.entry.source not in now:
                stay[line.entry.document_id or ""].append(line.entry.source)
        for source, document_id in held.items():
            if document_id in stay:
                stay[document_id].append(source)
        gone = {document_id: None for document_id, by in stay.items() if not by}
        return gone, {document_id: min(by) for document_id, by in stay.items() if by}

    def _insert(self, documents: Sequence[Prepared], commit: int) -> None:
        """Write documents, their text and their chunks."""
        average = self._changes.get("average", self._manifest.average)
        stored: list[Point] = []
        chunks: list[Point] = []
        for each in documents:
            record = Record.new(self._tenant, each, commit)
            self._index_numbers(record)
            stored += [record.point(commit), *text_points(record, each.document.text, commit)]
            sparse = [chunk_vector(terms, average, self._settings) for terms in each.terms]
            chunks += chunk_points(record, each, sparse, commit)
        self._remote.put(self._documents, stored)
        self._remote.put(self._chunks, chunks)

    def _rewrite(self, changed: Mapping[str, Fields], renamed: Mapping[str, str], commit: int) -> None:
        """Write documents and their chunks once more, with other fields; their text and vectors stay."""
        written = []
        for held in self._records({**changed, **renamed}):
            record = replace(
                held,
                fields=changed.get(held.document_id, held.fields),
                source=renamed.get(held.document_id, held.source),
            )
            if record == held:
                continue
            written.append(record.document_id)
            self._index_numbers(record)
            self._remote.put(self._documents, [record.point(commit)])
            wanted = all_of([self._alive(), match("document_id", record.document_id)])
            for name in self._collections()[1:]:
                for page in _pages(self._remote.scroll(name, wanted, vectors=True)):
                    self._remote.put(name, [moved_chunk(record, found, commit) for found in page])
        self._end("document_id", written, commit, ("document", "chunk"))

    def _index_numbers(self, record: Record) -> None:
        """Have ranges over the numbers of a document's fields answered by an index."""
        known = self._changes.get("fields", list(self._manifest.fields))
        for field in record.chunk_fields()["numbers"]:
            if field not in known and len(known) < _MOST_NUMBERS:
                self._remote.index(self._chunks, f"numbers.{field}", NUMBER_INDEX)
                known = self._changes["fields"] = [*known, field]

    def _end(
        self,
        key: str,
        values: Iterable[str],
        commit: int,
        kinds: Sequence[str] = ("document", "text", "chunk"),
    ) -> None:
        """Mark what was there before this commit, and has one of `values` under `key`."""
        for part in _pages(values):
            there = match(key, *part)
            stored = [kind for kind in kinds if kind != "chunk"]
            self._remote.set_payload(
                self._documents, all_of([self._alive(*stored), there]), {"until": commit}
            )
            for name in self._collections()[1:] if "chunk" in kinds else ():
                self._remote.set_payload(name, all_of([self._alive(), there]), {"until": commit})

    def _wipe(self, commit: int) -> None:
        """Delete what is not seen at `commit` and behind."""
        ended: list[Condition] = [in_range("until", lte=commit)]
        if self._manifest.aborted:
            ended.append({"must_not": [match("until", *self._manifest.aborted)]})
        for name in self._collections():
            self._remote.delete(name, all_of(ended))


def _pages(values: Iterable[T]) -> Iterator[list[T]]:
    """The distinct values, a page of them at a time."""
    kept = iter(dict.fromkeys(values)) if not isinstance(values, Iterator) else values
    while page := list(islice(kept, PAGE)):
        yield page
