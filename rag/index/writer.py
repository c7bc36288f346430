"""How a commit is made.

The segment is written first, flushed and sealed; then one SQLite transaction
names it, brings its documents and retires what they replace. Until that
transaction ends nothing has changed, and after it all has. A segment folder
that no commit names is what a killed writer left, and is swept by the next.

Model: the segments of Apache Lucene; P. O'Neil et al., The log-structured
merge-tree (LSM-tree), Acta Informatica 33, 1996.
"""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import apsw
import numpy as np

from rag.errors import EncoderMismatch, IndexFailed, IndexLocked
from rag.index.database import found, last_commit, one, query, record_commit, transaction, write_meta
from rag.index.documents import (
    Fields,
    Held,
    Known,
    Passage,
    Prepared,
    insert_document,
    metadata_json,
    read_held,
    read_known,
    read_text,
    readers_json,
    release,
    remove_document,
    write_ledger,
)
from rag.index.files import HEAD, FileSeal, entries, remove_file, remove_folder, write_head
from rag.index.postings import count_terms, merge_postings
from rag.index.segment import Columns, GraphPlan, Segment, write_columns, write_vectors
from rag.index.view import open_segment, serving
from rag.types import Chunk, Fingerprint, Rows, Settings, Span, Vectors

ALIKE_SEGMENTS = 8
"""So many segments of about the same size are merged into one."""


class Writer:
    """The one who writes to a store, on behalf of one tenant. Each method is one commit, or none."""

    def __init__(self, connection: apsw.Connection, folder: Path, settings: Settings, tenant: str):
        self._connection = connection
        self._folder = folder
        self._settings = settings
        self._tenant = tenant

    def sweep(self) -> None:
        """Remove segment folders, and files in them, that no commit names: what a killed writer left."""
        for path in entries(self._folder):
            if path.name.startswith(f"{HEAD}."):
                remove_file(path)
        files: dict[str, set[str]] = {}
        for folder, rows, vectors in query(
            self._connection,
            "SELECT s.folder, s.seals, v.seals FROM segments s LEFT JOIN vectors v ON v.segment = s.id",
        ):
            named = files.setdefault(folder, set(json.loads(rows)))
            named.update(json.loads(vectors or "{}"))
        for path in entries(self._folder / "segments"):
            wanted = files.get(f"segments/{path.name}")
            if wanted is None:
                remove_folder(path)
                continue
            for file in entries(path):
                if file.name not in wanted:
                    remove_file(file)

    def known(self, source: str) -> Known | None:
        """What became of a source the last time, None where it was never seen."""
        return read_known(self._connection, self._tenant, source)

    def held(self, document_id: str) -> Held | None:
        """What the index holds of a document, None where it has none of that id."""
        return read_held(self._connection, self._tenant, document_id)

    def sources(self) -> list[tuple[str, str | None]]:
        """Every source of the ledger, in order, with the id of the document that it stands for."""
        wanted = "SELECT source, document_id FROM ledger WHERE tenant = ? ORDER BY source"
        return query(self._connection, wanted, (self._tenant,))

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
        (next_number,) = one(
            self._connection, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'next_number'"
        )
        numbers = range(next_number, next_number + len(documents))
        rows = sorted(
            (
                (chunk.id, number, at)
                for number, each in zip(numbers, documents, strict=True)
                for at, chunk in enumerate(each.chunks)
            ),
        )
        by_number = dict(zip(numbers, documents, strict=True))
        name = _new_folder()
        if rows:
            generation = self._serving(fingerprint)
            columns = self._write_columns(name, _columns(rows, by_number))
            vectors = np.stack([by_number[number].vectors[at] for _, number, at in rows])
            sealed = self._write_vectors(name, vectors)
        with self._commit("add") as commit:
            segment = 0
            if rows:
                segment = self._name(self._tenant, name, len(rows), columns)
                self._name_vectors(segment, generation, sealed)
            for number, each in by_number.items():
                remove_document(self._connection, self._tenant, each.document.id)
                insert_document(self._connection, self._tenant, number, segment, each)
            self._connection.executemany(
                "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (segment, row, number, *_place(by_number[number].chunks[at]), by_number[number].keys[at])
                    for row, (_, number, at) in enumerate(rows)
                ),
            )
            self._connection.executemany(
                "UPDATE documents SET metadata = ?, readers = ? WHERE tenant = ? AND id = ?",
                [
                    (metadata_json(fields.metadata), readers_json(fields.readers), self._tenant, document_id)
                    for document_id, fields in changed.items()
                ],
            )
            write_ledger(self._connection, self._tenant, known)
            write_meta(self._connection, "next_number", str(numbers.stop))
            if self._tenant or any(
                fields.readers for fields in (*(each.fields for each in documents), *changed.values())
            ):
                write_meta(self._connection, "rules", "1")
        return commit

    def delete(self, document_ids: Sequence[str]) -> int:
        """Commit the removal of documents and of their sources from the ledger."""
        with self._commit("delete") as commit:
            for document_id in document_ids:
                remove_document(self._connection, self._tenant, document_id)
                self._connection.execute(
                    "DELETE FROM ledger WHERE tenant = ? AND document_id = ?", (self._tenant, document_id)
                )
        return commit

    def forget_sources(self, sources: Sequence[str], moved: Sequence[Known] = ()) -> int:
        """Commit the removal of sources, and of the documents that no other source stands for.

        What became of `moved` sources is written down in the same commit, so that a document
        whose only source is removed may stay under another.
        """
        with self._commit("move" if moved else "delete") as commit:
            write_ledger(self._connection, self._tenant, moved)
            for source in sources:
                known = read_known(self._connection, self._tenant, source)
                self._connection.execute(
                    "DELETE FROM ledger WHERE tenant = ? AND source = ?", (self._tenant, source)
                )
                if known is not None and known.entry.document_id:
                    release(self._connection, self._tenant, known.entry.document_id)
        return commit

    def tidy(self) -> None:
        """Merge segments of one tenant and one size, a power of eight, into one where there are eight.

        So a row is merged as often as the index grew eightfold, and not with every few commits.
        """
        while True:
            alike = defaultdict(list)
            for number, tenant, rows in query(
                self._connection, "SELECT id, tenant, rows FROM segments ORDER BY rows, id"
            ):
                alike[tenant, (rows.bit_length() - 1) // 3].append(number)
            full = next((numbers for numbers in alike.values() if len(numbers) >= ALIKE_SEGMENTS), None)
            if full is None:
                return
            self._merge(full)

    def compact(self) -> int:
        """Make one segment of each tenant's, and leave nothing of what was deleted in any file.

        Raises:
            IndexLocked: a reader holds an old commit open, which keeps its text alive.
        """
        segments = defaultdict(list)
        for number, tenant in query(self._connection, "SELECT id, tenant FROM segments ORDER BY id"):
            segments[tenant].append(number)
        dead = {number for (number,) in query(self._connection, "SELECT DISTINCT segment FROM tombstones")}
        for numbers in segments.values():
            if len(numbers) > 1 or dead.intersection(numbers):
                self._merge(numbers)
        self._connection.execute("VACUUM")
        self._flush_log()
        if found(self._connection, "SELECT 1 FROM forgotten WHERE wiped IS NULL LIMIT 1"):
            with self._commit("compact") as commit:
                self._connection.execute("UPDATE forgotten SET wiped = ? WHERE wiped IS NULL", (commit,))
            self._flush_log()
        return last_commit(self._connection)

    def generation(self, fingerprint: Fingerprint) -> int:
        """The number under which vectors of that encoder are kept; it is a new one for a new encoder."""
        text = json.dumps(asdict(fingerprint), sort_keys=True)
        known = found(self._connection, "SELECT id FROM generations WHERE fingerprint = ?", (text,))
        if known is None:
            with transaction(self._connection, "IMMEDIATE"):
                known = one(
                    self._connection, "INSERT INTO generations (fingerprint) VALUES (?) RETURNING id", (text,)
                )
        return int(known[0])

    def lacking(self, generation: int) -> list[int]:
        """The segments of which some rows have no vector of that generation."""
        wanted = (
            "SELECT s.id FROM segments s LEFT JOIN vectors v ON v.segment = s.id AND v.generation = ? "
            "WHERE v.missing IS NULL OR v.missing > 0 ORDER BY s.id"
        )
        return [number for (number,) in query(self._connection, wanted, (generation,))]

    def vectors_so_far(self, segment: int, generation: int) -> Vectors | None:
        """The vectors of a generation, with NaN in the rows that lack theirs; None where all do."""
        wanted = "SELECT 1 FROM vectors WHERE segment = ? AND generation = ?"
        if not found(self._connection, wanted, (segment, generation)):
            return None
        return open_segment(self._connection, self._folder, segment, generation).vectors

    def unembedded(self, generation: int, most: int) -> list[Passage]:
        """Passages of one segment that have no vector of a generation, `most` of them at most."""
        lacking = self.lacking(generation)
        if not lacking:
            return []
        so_far = self.vectors_so_far(lacking[0], generation)
        rows = [
            row
            for (row,) in query(
                self._connection, "SELECT row FROM chunks WHERE segment = ? ORDER BY row", (lacking[0],)
            )
            if so_far is None or np.isnan(so_far[row, 0])
        ]
        return self._passages([(lacking[0], row) for row in rows[:most]])

    def sample(self, count: int) -> list[Passage]:
        """About `count` passages, spread over the index, always the same ones of the same index."""
        places = query(self._connection, "SELECT segment, row FROM chunks ORDER BY content LIMIT ?", (count,))
        return self._passages(places)

    def segments(self) -> list[int]:
        """The numbers of all segments."""
        return [number for (number,) in query(self._connection, "SELECT id FROM segments ORDER BY id")]

    def _passages(self, places: Sequence[tuple[int, int]]) -> list[Passage]:
        passages = []
        for segment, row in places:
            document_id, source, title, number, start, end, page, section, last_page = one(
                self._connection,
                "SELECT d.id, d.source, d.title, d.number, c.start, c.end, c.page, c.section, c.last_page "
                "FROM chunks c JOIN documents d ON d.number = c.document WHERE c.segment = ? AND c.row = ?",
                (segment, row),
            )
            text = read_text(self._connection, number, start, end)
            chunk = Chunk(document_id, Span(start, end), text, page, section, last_page)
            passages.append(Passage(segment, row, source, title, chunk))
        return passages

    def put_vectors(self, segment: int, generation: int, rows: Rows, vectors: Vectors) -> bool:
        """Commit vectors of a generation for rows of a segment; false where a merge took the segment away.

        Rows whose document was deleted need none; they get zeros.
        """
        named = found(self._connection, "SELECT folder, rows FROM segments WHERE id = ?", (segment,))
        if named is None:
            return False
        so_far = self.vectors_so_far(segment, generation)
        whole = np.full((named[1], vectors.shape[1]), np.nan, np.float32)
        if so_far is not None:
            whole[:] = so_far
        alive = query(self._connection, "SELECT row FROM chunks WHERE segment = ?", (segment,))
        dead = np.setdiff1d(np.arange(len(whole)), [row for (row,) in alive])
        whole[dead] = 0
        whole[rows] = vectors
        sealed = self._write_vectors(named[0], whole)
        with self._commit("embed"):
            self._name_vectors(segment, generation, sealed)
        return True

    def serve(self, generation: int) -> int:
        """Commit that searches use the vectors of a generation from now on; the others are kept."""
        with self._commit("serve") as commit:
            if self.lacking(generation):
                raise EncoderMismatch(
                    "some passages have no vector of that encoder; `rag reembed` gives them one"
                )
            write_meta(self._connection, "previous", str(serving(self._connection)))
            write_meta(self._connection, "serving", str(generation))
        return commit

    def roll_back(self) -> int:
        """Commit that searches use the vectors that they used before the last change."""
        before = found(self._connection, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'previous'")
        if before is None:
            raise EncoderMismatch("the index has had one encoder only; there is none to go back to")
        return self.serve(before[0])

    def drop_generations(self) -> int:
        """Commit that vectors which are not searched go."""
        with self._commit("drop") as commit:
            self._connection.execute(
                "DELETE FROM vectors WHERE generation <> ?", (serving(self._connection),)
            )
            self._connection.execute("DELETE FROM meta WHERE key = 'previous'")
        self.sweep()
        return commit

    def _serving(self, fingerprint: Fingerprint | None) -> int:
        """The generation that serves, seen to be of that encoder: another may have written meanwhile."""
        if fingerprint is None:
            raise EncoderMismatch("vectors came without the fingerprint of their encoder; give it")
        generation, now = self.generation(fingerprint), serving(self._connection)
        if not now:
            with transaction(self._connection, "IMMEDIATE"):
                write_meta(self._connection, "serving", str(generation))
        elif now != generation:
            (known,) = one(self._connection, "SELECT fingerprint FROM generations WHERE id = ?", (now,))
            raise EncoderMismatch(
                f"{self._folder} is searched with another encoder: {known}, not {fingerprint}; "
                "open the index again with that one, or change it with `rag reembed`"
            )
        return generation

    def _flush_log(self) -> None:
        """Bring SQLite's log into the database and empty it."""
        busy, _, _ = one(self._connection, "PRAGMA wal_checkpoint(TRUNCATE)")
        if busy:
            raise IndexLocked(
                f"a reader of {self._folder} holds an old commit open; "
                "close it and compact again, until then deleted text is still on disk"
            )

    @contextmanager
    def _commit(self, action: str) -> Iterator[int]:
        """A transaction that is a commit; it is acknowledged once the head says so too."""
        with transaction(self._connection, "IMMEDIATE"):
            number = record_commit(self._connection, action)
            yield number
        try:
            write_head(self._folder, number)
        except IndexFailed as error:
            raise IndexFailed(f"commit {number} was made and is seen, but {error}") from error
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _merge(self, numbers: Sequence[int]) -> None:
        """Commit one segment in the place of several of one tenant, without their dead rows.

        Every generation of vectors goes along; rows that lack one have NaN in it.
        """
        marks = ", ".join("?" * len(numbers))
        places = query(
            self._connection,
            "SELECT d.id || ':' || c.start || '-' || c.end AS chunk_id, c.segment, c.row "
            f"FROM chunks c JOIN documents d ON d.number = c.document WHERE c.segment IN ({marks}) "
            "ORDER BY chunk_id",
            numbers,
        )
        old = query(self._connection, f"SELECT folder, tenant FROM segments WHERE id IN ({marks})", numbers)
        now = serving(self._connection)
        merging = [open_segment(self._connection, self._folder, number, now) for number in numbers]
        name = _new_folder()
        if places:
            columns = self._write_columns(name, _merged_columns(merging, places))
            sealed = {
                generation: self._write_vectors(name, self._merged_vectors(numbers, generation, places))
                for generation in self._generations(numbers)
            }
        with self._commit("merge"):
            segment = self._name(old[0][1], name, len(places), columns) if places else 0
            for generation, part in sealed.items() if places else ():
                self._name_vectors(segment, generation, part)
            self._connection.executemany(
                "INSERT INTO chunks SELECT ?, ?, document, start, end, page, section, last_page, content "
                "FROM chunks WHERE segment = ? AND row = ?",
                (
                    (segment, row, old_segment, old_row)
                    for row, (_, old_segment, old_row) in enumerate(places)
                ),
            )
            for table, column in (("chunks", "segment"), ("segments", "id"), ("vectors", "segment")):
                self._connection.execute(f"DELETE FROM {table} WHERE {column} IN ({marks})", numbers)
            self._connection.execute(f"DELETE FROM tombstones WHERE segment IN ({marks})", numbers)
            self._connection.execute(
                f"UPDATE documents SET segment = ? WHERE segment IN ({marks})", (segment, *numbers)
            )
        for folder, _ in old:
            remove_folder(self._folder / folder)

    def _generations(self, numbers: Sequence[int]) -> list[int]:
        """The generations of which one of the segments has vectors."""
        marks = ", ".join("?" * len(numbers))
        wanted = f"SELECT DISTINCT generation FROM vectors WHERE segment IN ({marks}) ORDER BY generation"
        return [generation for (generation,) in query(self._connection, wanted, numbers)]

    def _merged_vectors(
        self, numbers: Sequence[int], generation: int, places: Sequence[tuple[str, int, int]]
    ) -> Vectors:
        """The vectors of a generation for rows of several segments, NaN where a row has none."""
        parts = {number: self.vectors_so_far(number, generation) for number in numbers}
        dimension = next(part.shape[1] for part in parts.values() if part is not None)
        vectors = np.full((len(places), dimension), np.nan, np.float32)
        segment_of = np.array([segment for _, segment, _ in places], np.int64)
        row_of = np.array([row for _, _, row in places], np.int64)
        for number, part in parts.items():
            if part is not None:
                here = np.flatnonzero(segment_of == number)
                vectors[here] = part[row_of[here]]
        return vectors

    def _write_columns(self, name: str, columns: Columns) -> Mapping[str, FileSeal]:
        """Write a segment that no commit names yet."""
        return write_columns(self._folder / name, columns)

    def _write_vectors(self, name: str, vectors: Vectors) -> tuple[int, Mapping[str, FileSeal]]:
        """Write the vectors of a segment, and how many rows lack theirs; a graph over them where all are."""
        missing = int(np.isnan(vectors[:, 0]).sum())
        settings = self._settings
        plan = GraphPlan(settings.graph_m, settings.ef_construction)
        wanted = not missing and (
            settings.kind == "hnsw" or (settings.kind == "auto" and len(vectors) >= settings.auto_graph_rows)
        )
        return missing, write_vectors(self._folder / name, vectors, plan if wanted else None)

    def _name(self, tenant: str, folder: str, rows: int, seals: Mapping[str, FileSeal]) -> int:
        """Name a written segment in the transaction under way, and return its number."""
        (number,) = one(
            self._connection,
            "INSERT INTO segments (tenant, folder, rows, seals) VALUES (?, ?, ?, ?) RETURNING id",
            (tenant, folder, rows, _seals_json(seals)),
        )
        return int(number)

    def _name_vectors(
        self, segment: int, generation: int, written: tuple[int, Mapping[str, FileSeal]]
    ) -> None:
        """Name written vectors in the transaction under way."""
        missing, seals = written
        self._connection.execute(
            "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?, NULL)",
            (segment, generation, missing, _seals_json(seals)),
        )


def _new_folder() -> str:
    return f"segments/{uuid.uuid4().hex}"


def _seals_json(seals: Mapping[str, FileSeal]) -> str:
    return json.dumps({name: (seal.size, seal.xxh3) for name, seal in seals.items()})


def _place(chunk: Chunk) -> tuple[int, int, int | None, str, int | None]:
    return chunk.start, chunk.end, chunk.page, chunk.section, chunk.last_page


def _columns(rows: Sequence[tuple[str, int, int]], documents: Mapping[int, Prepared]) -> Columns:
    """The columns of new rows, each given as chunk id, document number and place among its chunks."""
    postings, lengths, title_lengths = count_terms(documents[number].terms[at] for _, number, at in rows)
    numbers = np.array([number for _, number, _ in rows], np.int64)
    return Columns(numbers, lengths, title_lengths, postings)


def _merged_columns(segments: Sequence[Segment], places: Sequence[tuple[str, int, int]]) -> Columns:
    """The columns of rows of several segments, each given as chunk id, segment and row there."""
    segment_of = np.array([segment for _, segment, _ in places], np.int64)
    row_of = np.array([row for _, _, row in places], np.int64)
    documents = np.empty(len(places), np.int64)
    lengths, title_lengths = np.empty((2, len(places)), np.int32)
    parts = []
    for segment in segments:
        new = np.flatnonzero(segment_of == segment.id)
        old = row_of[new]
        documents[new] = segment.documents[old]
        lengths[new] = segment.lengths[old]
        title_lengths[new] = segment.title_lengths[old]
        new_row = np.full(len(segment), -1, np.int32)
        new_row[old] = new
        parts.append((segment.postings, new_row))
    return Columns(documents, lengths, title_lengths, merge_postings(parts))
