"""Segments written, merged and swept.

A segment folder is written, flushed and sealed before a commit names it. One that
no commit names is what a killed writer left, and is swept by the next.

Model: the segments of Apache Lucene; P. O'Neil et al., The log-structured
merge-tree (LSM-tree), Acta Informatica 33, 1996.
"""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from rag.errors import IndexCorrupt, IndexLocked
from rag.index.database import found, last_commit, one, query
from rag.index.desk import Desk
from rag.index.files import HEAD, FileSeal, SealedFile, entries, remove_file, remove_folder
from rag.index.plan import Plan, choose_plan
from rag.index.postings import count_terms, merge_postings
from rag.index.segment import VECTORS, Columns, Segment, write_columns, write_vectors
from rag.index.view import open_segment, read_seals, serving
from rag.types import Fingerprint, Vectors

ALIKE_SEGMENTS = 8
"""So many segments of about the same size are merged into one."""

Terms = tuple[Sequence[str | None], Sequence[str | None]]
"""The terms of the headings above a row and those of its text, None for each left out."""


@dataclass(frozen=True, slots=True)
class WrittenVectors:
    """Vectors that no commit names yet: how many rows lack theirs, and the seals and plan of the files."""

    missing: int
    seals: Mapping[str, FileSeal]
    plan: Plan


class SegmentWriter:
    """The one who writes segments."""

    def __init__(self, desk: Desk):
        self._desk = desk

    def sweep(self) -> None:
        """Remove segment folders, and files in them, that no commit names: what a killed writer left."""
        for path in entries(self._desk.folder):
            if path.name.startswith(f"{HEAD}."):
                remove_file(path)
        files: dict[str, set[str]] = {}
        for folder, rows, vectors in query(
            self._desk.connection,
            "SELECT s.folder, s.seals, v.seals FROM segments s LEFT JOIN vectors v ON v.segment = s.id",
        ):
            named = files.setdefault(folder, set(json.loads(rows)))
            named.update(json.loads(vectors or "{}"))
        for path in entries(self._desk.folder / "segments"):
            wanted = files.get(f"segments/{path.name}")
            if wanted is None:
                remove_folder(path)
                continue
            for file in entries(path):
                if file.name not in wanted:
                    remove_file(file)

    def tidy(self) -> None:
        """Merge segments of one tenant and one size, a power of eight, into one where there are eight.

        So a row is merged as often as the index grew eightfold, and not with every few commits.
        """
        while True:
            alike = defaultdict(list)
            for number, tenant, rows in query(
                self._desk.connection, "SELECT id, tenant, rows FROM segments ORDER BY rows, id"
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
        for number, tenant in query(self._desk.connection, "SELECT id, tenant FROM segments ORDER BY id"):
            segments[tenant].append(number)
        dead = {
            number for (number,) in query(self._desk.connection, "SELECT DISTINCT segment FROM tombstones")
        }
        for numbers in segments.values():
            if len(numbers) > 1 or dead.intersection(numbers):
                self._merge(numbers)
        self._desk.connection.execute("VACUUM")
        self._flush_log()
        if found(self._desk.connection, "SELECT 1 FROM forgotten WHERE wiped IS NULL LIMIT 1"):
            with self._desk.commit("compact") as commit:
                self._desk.connection.execute("UPDATE forgotten SET wiped = ? WHERE wiped IS NULL", (commit,))
            self._flush_log()
        return last_commit(self._desk.connection)

    def numbers(self) -> list[int]:
        """The numbers of all segments."""
        return [number for (number,) in query(self._desk.connection, "SELECT id FROM segments ORDER BY id")]

    def vectors(self, segment: int, generation: int) -> Vectors | None:
        """The vectors of a generation, with NaN in the rows that lack theirs; None where all do.

        Raises:
            IndexCorrupt: their file is missing or damaged.
        """
        (folder,) = one(self._desk.connection, "SELECT folder FROM segments WHERE id = ?", (segment,))
        wanted = "SELECT seals FROM vectors WHERE segment = ? AND generation = ?"
        row = found(self._desk.connection, wanted, (segment, generation))
        if row is None:
            return None
        seals = read_seals(row[0])
        (name,) = (name for name in seals if name.startswith(VECTORS))
        return np.asarray(SealedFile(self._desk.folder / folder / name, seals[name]).array, np.float32)

    def dimension(self, generation: int) -> int:
        """How many components the vectors of a generation have."""
        wanted = "SELECT fingerprint FROM generations WHERE id = ?"
        (text,) = one(self._desk.connection, wanted, (generation,))
        return Fingerprint(**json.loads(text)).dimension

    def _flush_log(self) -> None:
        """Bring SQLite's log into the database and empty it."""
        busy, _, _ = one(self._desk.connection, "PRAGMA wal_checkpoint(TRUNCATE)")
        if busy:
            raise IndexLocked(
                f"a reader of {self._desk.folder} holds an old commit open; "
                "close it and compact again, until then deleted text is still on disk"
            )

    def _merge(self, numbers: Sequence[int]) -> None:
        """Commit one segment in the place of several of one tenant, without their dead rows.

        Every generation of vectors goes along; rows that lack one have NaN in it.
        """
        places = self._places(numbers)
        now = serving(self._desk.connection)
        merging = [open_segment(self._desk.connection, self._desk.folder, number, now) for number in numbers]
        vectors = {
            generation: self._merged_vectors(numbers, generation, places)
            for generation in self._generations(numbers)
        }
        self._replace("merge", numbers, places, _merged_columns(merging, places) if places else None, vectors)

    def rebuild(self, segment: int, terms: Sequence[Terms]) -> None:
        """Commit a segment anew from the terms of its living rows, in order, and from vectors that are whole.

        Rows of a generation whose file is damaged have NaN in it.
        """
        places = self._places([segment])
        owner_of = dict(
            query(self._desk.connection, "SELECT row, document FROM chunks WHERE segment = ?", (segment,))
        )
        postings, lengths, title_lengths = count_terms(terms)
        numbers = np.array([owner_of[row] for _, _, row in places], np.int64)
        vectors = {}
        for generation in self._generations([segment]):
            try:
                vectors[generation] = self._merged_vectors([segment], generation, places)
            except IndexCorrupt:
                vectors[generation] = np.full((len(places), self.dimension(generation)), np.nan, np.float32)
        columns = Columns(numbers, lengths, title_lengths, postings) if places else None
        self._replace("repair", [segment], places, columns, vectors)

    def _places(self, numbers: Sequence[int]) -> list[tuple[str, int, int]]:
        """The chunk id, segment and row of each living row of some segments, in the order of chunk ids."""
        marks = ", ".join("?" * len(numbers))
        return query(
            self._desk.connection,
            "SELECT d.id || ':' || c.start || '-' || c.end AS chunk_id, c.segment, c.row "
            f"FROM chunks c JOIN documents d ON d.number = c.document WHERE c.segment IN ({marks}) "
            "ORDER BY chunk_id",
            numbers,
        )

    def _replace(
        self,
        action: str,
        numbers: Sequence[int],
        places: Sequence[tuple[str, int, int]],
        columns: Columns | None,
        vectors: Mapping[int, Vectors],
    ) -> None:
        """Commit one segment of `columns` and `vectors`, or none, in the place of several."""
        connection, marks = self._desk.connection, ", ".join("?" * len(numbers))
        old = query(connection, f"SELECT folder, tenant FROM segments WHERE id IN ({marks})", numbers)
        name = new_folder()
        if columns is not None:
            seals = self.write_columns(name, columns)
            written = {generation: self.write_vectors(name, each) for generation, each in vectors.items()}
        with self._desk.commit(action):
            segment = 0
            if columns is not None:
                segment = self.name(old[0][1], name, len(places), seals)
                for generation, part in written.items():
                    self.name_vectors(segment, generation, part)
            connection.executemany(
                "INSERT INTO chunks SELECT ?, ?, document, start, end, page, section, last_page, content "
                "FROM chunks WHERE segment = ? AND row = ?",
                (
                    (segment, row, old_segment, old_row)
                    for row, (_, old_segment, old_row) in enumerate(places)
                ),
            )
            for table, column in (
                ("chunks", "segment"),
                ("segments", "id"),
                ("vectors", "segment"),
                ("tombstones", "segment"),
            ):
                connection.execute(f"DELETE FROM {table} WHERE {column} IN ({marks})", numbers)
            connection.execute(
                f"UPDATE documents SET segment = ? WHERE segment IN ({marks})", (segment, *numbers)
            )
        for folder, _ in old:
            remove_folder(self._desk.folder / folder)

    def _generations(self, numbers: Sequence[int]) -> list[int]:
        """The generations of which one of the segments has vectors."""
        marks = ", ".join("?" * len(numbers))
        wanted = f"SELECT DISTINCT generation FROM vectors WHERE segment IN ({marks}) ORDER BY generation"
        return [generation for (generation,) in query(self._desk.connection, wanted, numbers)]

    def _merged_vectors(
        self, numbers: Sequence[int], generation: int, places: Sequence[tuple[str, int, int]]
    ) -> Vectors:
        """The vectors of a generation for rows of several segments, NaN where a row has none."""
        parts = {number: self.vectors(number, generation) for number in numbers}
        dimension = next(part.shape[1] for part in parts.values() if part is not None)
        vectors = np.full((len(places), dimension), np.nan, np.float32)
        segment_of = np.array([segment for _, segment, _ in places], np.int64)
        row_of = np.array([row for _, _, row in places], np.int64)
        for number, part in parts.items():
            if part is not None:
                here = np.flatnonzero(segment_of == number)
                vectors[here] = part[row_of[here]]
        return vectors

    def write_columns(self, name: str, columns: Columns) -> Mapping[str, FileSeal]:
        """Write a segment that no commit names yet."""
        return write_columns(self._desk.folder / name, columns)

    def write_vectors(self, name: str, vectors: Vectors) -> WrittenVectors:
        """Write the vectors of a segment that no commit names yet, and what they are searched by."""
        missing = int(np.isnan(vectors[:, 0]).sum())
        rows, dimension = vectors.shape
        (total,) = one(self._desk.connection, "SELECT total(rows) FROM segments")
        plan = (
            Plan("flat", reason="some rows have no vector yet")
            if missing
            else choose_plan(rows, dimension, self._desk.settings, max(rows, int(total)))
        )
        return WrittenVectors(missing, write_vectors(self._desk.folder / name, vectors, plan), plan)

    def name(self, tenant: str, folder: str, rows: int, seals: Mapping[str, FileSeal]) -> int:
        """Name a written segment in the transaction under way, and return its number."""
        (number,) = one(
            self._desk.connection,
            "INSERT INTO segments (tenant, folder, rows, seals) VALUES (?, ?, ?, ?) RETURNING id",
            (tenant, folder, rows, _seals_json(seals)),
        )
        return int(number)

    def name_vectors(self, segment: int, generation: int, written: WrittenVectors) -> None:
        """Name written vectors in the transaction under way."""
        self._desk.connection.execute(
            "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?, ?)",
            (
                segment,
                generation,
                written.missing,
                _seals_json(written.seals),
                json.dumps(asdict(written.plan)),
            ),
        )


def new_folder() -> str:
    """The name, within the store's folder, of a segment to be written."""
    return f"segments/{uuid.uuid4().hex}"


def _seals_json(seals: Mapping[str, FileSeal]) -> str:
    return json.dumps({name: (seal.size, seal.xxh3) for name, seal in seals.items()})


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
