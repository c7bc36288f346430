"""The vectors of several encoders side by side, each a generation, of which one is searched."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from rag.errors import EncoderMismatch
from rag.index.database import found, one, query, transaction, write_meta
from rag.index.desk import Desk
from rag.index.documents import Passage, read_text
from rag.index.segments import SegmentWriter
from rag.index.view import serving
from rag.types import Chunk, Fingerprint, Rows, Span, Vectors


class Generations:
    """The one who writes vectors of another encoder beside those that are searched."""

    def __init__(self, desk: Desk, segments: SegmentWriter):
        self._desk = desk
        self._segments = segments

    def of(self, fingerprint: Fingerprint) -> int:
        """The number under which vectors of that encoder are kept; it is a new one for a new encoder."""
        text = json.dumps(asdict(fingerprint), sort_keys=True)
        known = found(self._desk.connection, "SELECT id FROM generations WHERE fingerprint = ?", (text,))
        if known is None:
            with transaction(self._desk.connection, "IMMEDIATE"):
                known = one(
                    self._desk.connection,
                    "INSERT INTO generations (fingerprint) VALUES (?) RETURNING id",
                    (text,),
                )
        return int(known[0])

    def to_write(self, fingerprint: Fingerprint | None) -> int:
        """The generation that serves, seen to be of that encoder: another may have written meanwhile."""
        if fingerprint is None:
            raise EncoderMismatch("vectors came without the fingerprint of their encoder; give it")
        generation, now = self.of(fingerprint), serving(self._desk.connection)
        if not now:
            with transaction(self._desk.connection, "IMMEDIATE"):
                write_meta(self._desk.connection, "serving", str(generation))
        elif now != generation:
            (known,) = one(self._desk.connection, "SELECT fingerprint FROM generations WHERE id = ?", (now,))
            raise EncoderMismatch(
                f"{self._desk.folder} is searched with another encoder: {known}, not {fingerprint}; "
                "open the index again with that one, or change it with `rag reembed`"
            )
        return generation

    def searched(self) -> int:
        """The generation that is searched, 0 where nothing was embedded yet."""
        return serving(self._desk.connection)

    def lacking(self, generation: int) -> list[int]:
        """The segments of which some rows have no vector of that generation."""
        wanted = (
            "SELECT s.id FROM segments s LEFT JOIN vectors v ON v.segment = s.id AND v.generation = ? "
            "WHERE v.missing IS NULL OR v.missing > 0 ORDER BY s.id"
        )
        return [number for (number,) in query(self._desk.connection, wanted, (generation,))]

    def unembedded(self, generation: int, most: int) -> list[Passage]:
        """Passages of one segment that have no vector of a generation, `most` of them at most.

        A segment of which nothing lives needs none, and is given zeros.
        """
        for segment in self.lacking(generation):
            so_far = self._segments.vectors(segment, generation)
            living = "SELECT row FROM chunks WHERE segment = ? ORDER BY row"
            rows = [
                row
                for (row,) in query(self._desk.connection, living, (segment,))
                if so_far is None or np.isnan(so_far[row, 0])
            ]
            if rows:
                return self.passages([(segment, row) for row in rows[:most]])
            dimension = self._segments.dimension(generation)
            self.put(segment, generation, np.empty(0, np.int32), np.empty((0, dimension), np.float32))
        return []

    def sample(self, count: int) -> list[Passage]:
        """About `count` passages, spread over the index, always the same ones of the same index."""
        places = query(
            self._desk.connection, "SELECT segment, row FROM chunks ORDER BY content LIMIT ?", (count,)
        )
        return self.passages(places)

    def put(self, segment: int, generation: int, rows: Rows, vectors: Vectors) -> bool:
        """Commit vectors of a generation for rows of a segment; false where a merge took the segment away.

        Rows whose document was deleted need none; they get zeros.
        """
        named = found(self._desk.connection, "SELECT folder, rows FROM segments WHERE id = ?", (segment,))
        if named is None:
            return False
        so_far = self._segments.vectors(segment, generation)
        whole = np.full((named[1], vectors.shape[1]), np.nan, np.float32)
        if so_far is not None:
            whole[:] = so_far
        alive = query(self._desk.connection, "SELECT row FROM chunks WHERE segment = ?", (segment,))
        dead = np.setdiff1d(np.arange(len(whole)), [row for (row,) in alive])
        whole[dead] = 0
        whole[rows] = vectors
        sealed = self._segments.write_vectors(named[0], whole)
        with self._desk.commit("embed"):
            self._segments.name_vectors(segment, generation, sealed)
        return True

    def serve(self, generation: int) -> int:
        """Commit that searches use the vectors of a generation from now on; the others are kept."""
        with self._desk.commit("serve") as commit:
            if self.lacking(generation):
                raise EncoderMismatch(
                    "some passages have no vector of that encoder; `rag reembed` gives them one"
                )
            write_meta(self._desk.connection, "previous", str(serving(self._desk.connection)))
            write_meta(self._desk.connection, "serving", str(generation))
        return commit

    def roll_back(self) -> int:
        """Commit that searches use the vectors that they used before the last change."""
        before = found(
            self._desk.connection, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'previous'"
        )
        if before is None:
            raise EncoderMismatch("the index has had one encoder only; there is none to go back to")
        return self.serve(before[0])

    def passages(self, places: Sequence[tuple[int, int]]) -> list[Passage]:
        """The passages at places, each a segment and a row."""
        passages = []
        for segment, row in places:
            document_id, source, title, number, start, end, page, section, last_page = one(
                self._desk.connection,
                "SELECT d.id, d.source, d.title, d.number, c.start, c.end, c.page, c.section, c.last_page "
                "FROM chunks c JOIN documents d ON d.number = c.document WHERE c.segment = ? AND c.row = ?",
                (segment, row),
            )
            text = read_text(self._desk.connection, number, start, end)
            chunk = Chunk(document_id, Span(start, end), text, page, section, last_page)
            passages.append(Passage(segment, row, source, title, chunk))
        return passages
