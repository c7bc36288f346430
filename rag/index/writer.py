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
import sqlite3
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from rag.errors import EncoderMismatch, IndexLocked
from rag.index.bm25 import count_terms, merge_postings
from rag.index.database import last_commit, read_meta, record_commit, transaction, write_meta
from rag.index.documents import (
    Held,
    Known,
    Prepared,
    insert_document,
    metadata_json,
    read_held,
    read_known,
    remove_document,
    write_ledger,
)
from rag.index.files import remove_folder
from rag.index.segment import Columns, GraphPlan, Segment, write_segment
from rag.index.view import read_segments
from rag.types import Chunk, Fingerprint, Metadata, Settings

ALIKE_SEGMENTS = 8
"""So many segments of about the same size are merged into one."""


class Writer:
    """The one who writes to a store. Each method is one commit, or none."""

    def __init__(self, connection: sqlite3.Connection, folder: Path, settings: Settings):
        self._connection = connection
        self._folder = folder
        self._settings = settings

    def sweep(self) -> None:
        """Remove segment folders that no commit names: what a killed writer left."""
        named = {name for (name,) in self._connection.execute("SELECT folder FROM segments")}
        segments = self._folder / "segments"
        for folder in segments.iterdir() if segments.exists() else ():
            if f"segments/{folder.name}" not in named:
                remove_folder(folder)

    def known(self, source: str) -> Known | None:
        """What became of a source the last time, None where it was never seen."""
        return read_known(self._connection, source)

    def held(self, document_id: str) -> Held | None:
        """What the index holds of a document, None where it has none of that id."""
        return read_held(self._connection, document_id)

    def add(
        self,
        documents: Sequence[Prepared],
        known: Sequence[Known],
        metadata: Mapping[str, Metadata],
        fingerprint: Fingerprint | None,
    ) -> int:
        """Commit documents with what became of their sources, and return the commit's number.

        A document of the same id, and one that no source stands for any more, goes in
        the same commit. `metadata` is what documents of the index get in the place of
        theirs, by id; `fingerprint` is that of the vectors, None where there are none.
        """
        (next_number,) = self._connection.execute(
            "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'next_number'"
        ).fetchone()
        numbers = range(next_number, next_number + len(documents))
        rows = sorted(
            (
                (chunk.id, number, at)
                for number, each in zip(numbers, documents, strict=True)
                for at, chunk in enumerate(each.chunks)
            ),
        )
        by_number = dict(zip(numbers, documents, strict=True))
        written = self._write(_columns(rows, by_number)) if rows else None
        with transaction(self._connection, "IMMEDIATE"):
            segment = self._name(written, len(rows)) if written else 0
            for number, each in by_number.items():
                remove_document(self._connection, each.document.id)
                insert_document(self._connection, number, segment, each)
            self._connection.executemany(
                "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (segment, row, number, *_place(by_number[number].chunks[at]), by_number[number].keys[at])
                    for row, (_, number, at) in enumerate(rows)
                ),
            )
            self._connection.executemany(
                "UPDATE documents SET metadata = ? WHERE id = ?",
                [(metadata_json(fields), document_id) for document_id, fields in metadata.items()],
            )
            write_ledger(self._connection, known)
            write_meta(self._connection, "next_number", str(numbers.stop))
            if fingerprint is not None:
                self._agree(fingerprint)
                write_meta(self._connection, "fingerprint", json.dumps(asdict(fingerprint)))
            return record_commit(self._connection, "add")

    def _agree(self, fingerprint: Fingerprint) -> None:
        """See once more that the encoder is the index's: it may have been empty when that was asked."""
        known = read_meta(self._connection, "fingerprint")
        if known is not None and json.loads(known) != asdict(fingerprint):
            raise EncoderMismatch(
                f"{self._folder} was meanwhile written to by another encoder: {known}, not {fingerprint}; "
                "open the index again with that one, or add to a new index"
            )

    def delete(self, document_ids: Sequence[str]) -> int:
        """Commit the removal of documents and of their sources from the ledger."""
        with transaction(self._connection, "IMMEDIATE"):
            for document_id in document_ids:
                remove_document(self._connection, document_id)
                self._connection.execute("DELETE FROM ledger WHERE document_id = ?", (document_id,))
            return record_commit(self._connection, "delete")

    def tidy(self) -> None:
        """Merge segments of one size, a power of eight, into one where there are eight of them.

        So a row is merged as often as the index grew eightfold, and not with every few commits.
        """
        while True:
            alike = defaultdict(list)
            for number, rows in self._connection.execute("SELECT id, rows FROM segments ORDER BY rows, id"):
                alike[(rows.bit_length() - 1) // 3].append(number)
            full = next((numbers for numbers in alike.values() if len(numbers) >= ALIKE_SEGMENTS), None)
            if full is None:
                return
            self._merge(full)

    def compact(self) -> int:
        """Make one segment of all, and leave nothing of what was deleted in any file.

        Raises:
            IndexLocked: a reader holds an old commit open, which keeps its text alive.
        """
        numbers = [number for (number,) in self._connection.execute("SELECT id FROM segments ORDER BY id")]
        dead = self._connection.execute("SELECT count(*) FROM tombstones").fetchone()[0]
        if len(numbers) > 1 or dead:
            self._merge(numbers)
        self._connection.execute("VACUUM")
        busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise IndexLocked(
                f"a reader of {self._folder} holds an old commit open; "
                "close it and compact again, until then deleted text is still on disk"
            )
        return last_commit(self._connection)

    def _merge(self, numbers: Sequence[int]) -> None:
        """Commit one segment in the place of several, without their dead rows, and remove their folders."""
        marks = ", ".join("?" * len(numbers))
        places = self._connection.execute(
            "SELECT d.id || ':' || c.start || '-' || c.end AS chunk_id, c.segment, c.row "
            f"FROM chunks c JOIN documents d ON d.number = c.document WHERE c.segment IN ({marks}) "
            "ORDER BY chunk_id",
            numbers,
        ).fetchall()
        folders = self._connection.execute(
            f"SELECT folder FROM segments WHERE id IN ({marks})", numbers
        ).fetchall()
        merging = read_segments(self._connection, self._folder, numbers)
        written = self._write(_merged_columns(merging, places)) if places else None
        with transaction(self._connection, "IMMEDIATE"):
            segment = self._name(written, len(places)) if written else 0
            self._connection.executemany(
                "INSERT INTO chunks SELECT ?, ?, document, start, end, page, section, last_page, content "
                "FROM chunks WHERE segment = ? AND row = ?",
                ((segment, row, old, old_row) for row, (_, old, old_row) in enumerate(places)),
            )
            self._connection.execute(f"DELETE FROM chunks WHERE segment IN ({marks})", numbers)
            self._connection.execute(f"DELETE FROM segments WHERE id IN ({marks})", numbers)
            self._connection.execute(f"DELETE FROM tombstones WHERE segment IN ({marks})", numbers)
            self._connection.execute(
                f"UPDATE documents SET segment = ? WHERE segment IN ({marks})", (segment, *numbers)
            )
            record_commit(self._connection, "merge")
        for (name,) in folders:
            remove_folder(self._folder / name)

    def _write(self, columns: Columns) -> tuple[str, str]:
        """Write a segment that no commit names yet: its folder's name, and its seals as JSON."""
        settings = self._settings
        plan = GraphPlan(settings.graph_m, settings.ef_construction)
        wanted = settings.kind == "hnsw" or (
            settings.kind == "auto" and len(columns) >= settings.auto_graph_rows
        )
        name = f"segments/{uuid.uuid4().hex}"
        seals = write_segment(self._folder / name, columns, plan if wanted else None)
        return name, json.dumps({file: (seal.size, seal.sha256) for file, seal in seals.items()})

    def _name(self, written: tuple[str, str], rows: int) -> int:
        """Name a written segment in the transaction under way, and return its number."""
        (number,) = self._connection.execute(
            "INSERT INTO segments (folder, rows, seals) VALUES (?, ?, ?) RETURNING id",
            (written[0], rows, written[1]),
        ).fetchone()
        return int(number)


def _place(chunk: Chunk) -> tuple[int, int, int | None, str, int | None]:
    return chunk.start, chunk.end, chunk.page, chunk.section, chunk.last_page


def _columns(rows: Sequence[tuple[str, int, int]], documents: Mapping[int, Prepared]) -> Columns:
    """The columns of new rows, each given as chunk id, document number and place among its chunks."""
    postings, lengths = count_terms(documents[number].terms[at] for _, number, at in rows)
    return Columns(
        documents=np.array([number for _, number, _ in rows], np.int64),
        lengths=lengths,
        vectors=np.stack([documents[number].vectors[at] for _, number, at in rows]),
        postings=postings,
    )


def _merged_columns(segments: Sequence[Segment], places: Sequence[tuple[str, int, int]]) -> Columns:
    """The columns of rows of several segments, each given as chunk id, segment and row there."""
    segment_of = np.array([segment for _, segment, _ in places], np.int64)
    row_of = np.array([row for _, _, row in places], np.int64)
    documents = np.empty(len(places), np.int64)
    lengths = np.empty(len(places), np.int32)
    vectors = np.empty((len(places), segments[0].rows.vectors.shape[1]), np.float32)
    parts = []
    for segment in segments:
        new = np.flatnonzero(segment_of == segment.id)
        old = row_of[new]
        documents[new] = segment.rows.documents[old]
        lengths[new] = segment.rows.lengths[old]
        vectors[new] = segment.rows.vectors[old]
        new_row = np.full(len(segment.rows), -1, np.int32)
        new_row[old] = new
        parts.append((segment.rows.postings, new_row))
    return Columns(documents, lengths, vectors, merge_postings(parts))
