"""One consistent view of an index: it shows one commit, however many follow while it is held."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import numpy.typing as npt

from rag.errors import FilterError
from rag.index.ann import effort_of
from rag.index.bm25 import scores_of, top_rows
from rag.index.database import Condition, decoding, found, last_commit, one, query
from rag.index.documents import read_document, read_documents, read_place, read_text
from rag.index.files import FileSeal
from rag.index.filters import compile_filter, split_text
from rag.index.lexicon import Lexicon
from rag.index.plan import Plan
from rag.index.ranking import EMPTY, ranked
from rag.index.segment import Segment
from rag.index.vectors import Mask, exact_scores
from rag.types import (
    Chunk,
    Document,
    Filter,
    Fingerprint,
    Hit,
    LegScores,
    Ranking,
    Rows,
    Scores,
    Settings,
    Span,
    Vectors,
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What of one tenant at one commit is held in memory: the open segments, and which of their rows live.

    A row's number in a view is its number in its segment plus the segment's base.
    `live` is None for a segment of which nothing was deleted. `generation` is that
    of the vectors, 0 where there are none yet.
    """

    tenant: str
    commit: int
    generation: int
    segments: tuple[Segment, ...]
    bases: tuple[int, ...]
    live: tuple[Mask | None, ...]
    lexicon: Lexicon
    rows: int
    rows_live: int
    guarded: bool
    """Whether a document of the tenant names its readers."""


def open_segment(connection: apsw.Connection, folder: Path, number: int, generation: int) -> Segment:
    """Open a segment of the commit that `connection` sees, with its vectors of that generation.

    Raises:
        IndexCorrupt: a file of it is missing.
    """
    name, rows = one(connection, "SELECT folder, seals FROM segments WHERE id = ?", (number,))
    wanted = "SELECT seals, plan FROM vectors WHERE segment = ? AND generation = ?"
    vectors, plan = one(connection, wanted, (number, generation))
    with decoding():
        return Segment(
            number, folder / name, read_seals(rows) | read_seals(vectors), Plan(**json.loads(plan))
        )


def read_seals(text: str) -> dict[str, FileSeal]:
    """The seals of files by their names."""
    return {name: FileSeal(*parts) for name, parts in json.loads(text).items()}


def read_snapshot(
    connection: apsw.Connection,
    folder: Path,
    settings: Settings,
    tenant: str,
    before: Snapshot | None,
    hidden: bool = False,
) -> Snapshot:
    """Open the tenant's segments of the commit that `connection` sees; those that `before` has open are kept.

    Where all is `hidden` it is a snapshot without segments.
    """
    commit, generation = last_commit(connection), serving(connection)
    if before is not None and before.commit == commit and not hidden:
        return before
    open_now = {segment.id: segment for segment in before.segments} if before else {}
    if before is not None and before.generation != generation:
        open_now = {}
    segments, live = [], []
    numbers = query(connection, "SELECT id FROM segments WHERE tenant = ? ORDER BY id", (tenant,))
    for (number,) in [] if hidden else numbers:
        segment = open_now.get(number) or open_segment(connection, folder, number, generation)
        dead = query(connection, "SELECT document FROM tombstones WHERE segment = ?", (number,))
        segments.append(segment)
        live.append(~np.isin(segment.documents, [document for (document,) in dead]) if dead else None)
    sizes = [len(segment) for segment in segments]
    rows_live = sum(
        size if mask is None else int(np.count_nonzero(mask)) for size, mask in zip(sizes, live, strict=True)
    )
    guarded = "SELECT 1 FROM documents WHERE tenant = ? AND readers <> '' LIMIT 1"
    return Snapshot(
        tenant=tenant,
        commit=commit,
        generation=generation,
        segments=tuple(segments),
        bases=tuple(int(base) for base in np.cumsum([0, *sizes])[:-1]),
        live=tuple(live),
        lexicon=Lexicon(segments, live, settings),
        rows=sum(sizes),
        rows_live=rows_live,
        guarded=found(connection, guarded, (tenant,)) is not None,
    )


def serving(connection: apsw.Connection) -> int:
    """The generation of vectors that is searched, 0 where nothing was embedded yet."""
    row = found(connection, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'serving'")
    return row[0] if row else 0


def read_fingerprint(connection: apsw.Connection) -> Fingerprint | None:
    """The fingerprint of the generation that is searched, None where there is none yet."""
    row = found(connection, "SELECT fingerprint FROM generations WHERE id = ?", (serving(connection),))
    return Fingerprint(**json.loads(row[0])) if row else None


NOBODY = Condition("0")
"""What one may read who has not said who they are, in an index that has rules."""


class View:
    """An `Index` over one snapshot. It is good for as long as its transaction is open.

    It shows the documents for which `visible` is true, and nothing of the others.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        snapshot: Snapshot,
        settings: Settings,
        visible: Condition,
    ):
        self._connection = connection
        self._visible = visible
        self.snapshot = snapshot
        self._settings = settings

    @property
    def commit(self) -> int:
        """The commit that this view shows."""
        return self.snapshot.commit

    @property
    def fingerprint(self) -> Fingerprint | None:
        """That of the encoder whose vectors are searched, None where nothing was embedded yet."""
        return read_fingerprint(self._connection)

    def lexical(self, query: str, k: int, where: Filter | None = None) -> Ranking:
        """The k rows of highest BM25 score; rows that share no term with the query are absent.

        Scores are those of one index over all live rows, whatever segments they lie in.

        Raises:
            FilterError: `where` is not a filter.
        """
        lexicon, allowed = self.snapshot.lexicon, self._allowed(where)
        return self._merged(top_rows(lexicon.parts, lexicon.weights(query), k, allowed, lexicon.kernel), k)

    def dense(self, vector: Vectors, k: int, where: Filter | None = None) -> Ranking:
        """The k rows of highest inner product with `vector`, float32 (dimension,).

        A segment with a graph is searched by it, unless a filter leaves so few
        rows that a scan of them is faster; the others are scanned exactly.

        Raises:
            FilterError: `where` is not a filter.
        """
        return self._merged(
            [
                segment.searcher.nearest(vector, k, allowed, effort_of(segment.plan, self._settings))
                for segment, allowed in zip(self.snapshot.segments, self._allowed(where), strict=True)
            ],
            k,
        )

    def lexical_scores(self, query: str, rows: Rows) -> Scores:
        """The BM25 score of each of `rows`, 0 where it shares no term with the query."""
        lexicon = self.snapshot.lexicon
        weights = lexicon.weights(query)
        return self._gather(rows, lambda at, local: scores_of(lexicon.parts[at], weights, local))

    def dense_scores(self, vector: Vectors, rows: Rows) -> Scores:
        """The inner product of `vector` with each of `rows`."""
        segments = self.snapshot.segments
        return self._gather(rows, lambda at, local: exact_scores(segments[at].vectors, vector, local))

    def chunk_ids(self, rows: Rows) -> list[str]:
        """The chunk id of each of `rows`."""
        return [
            f"{document}:{start}-{end}"
            for document, start, end in self._chunk_rows("d.id, c.start, c.end", rows)
        ]

    def hits(self, ranking: Ranking) -> list[Hit]:
        """The chunks behind a ranking, ranked from 1 in its order."""
        columns = "d.number, d.id, d.source, d.title, c.start, c.end, c.page, c.section, c.last_page"
        hits = []
        for rank, (row, score) in enumerate(
            zip(self._chunk_rows(columns, ranking.rows), ranking.scores.tolist(), strict=True), start=1
        ):
            number, document_id, source, title, start, end, page, section, last_page = row
            with decoding():
                text = read_text(self._connection, number, start, end)
                chunk = Chunk(document_id, Span(start, end), text, page, section, last_page)
            hits.append(Hit(rank, score, chunk, source, title, LegScores()))
        return hits

    def document(self, document_id: str) -> Document:
        """The document of that id, whole.

        Raises:
            DocumentNotFound: there is none.
        """
        return read_document(self._connection, self._visible, document_id)

    def place(self, document_id: str, offset: int) -> tuple[int | None, str]:
        """The page and the headings of the character at `offset` of a document.

        Raises:
            DocumentNotFound: there is no document of that id.
        """
        return read_place(self._connection, self._visible, document_id, offset)

    def sample(self, count: int) -> list[str]:
        """The texts of `count` passages, spread over what is seen, always the same ones of one commit."""
        wanted = (
            "SELECT d.number, c.start, c.end FROM chunks c JOIN documents d ON d.number = c.document "
            f"WHERE {self._visible.sql} ORDER BY c.content LIMIT ?"
        )
        places = query(self._connection, wanted, (*self._visible.values, count))
        return [read_text(self._connection, *place) for place in places]

    @property
    def documents_total(self) -> int:
        """How many documents there are."""
        counted = f"SELECT count(*) FROM documents WHERE {self._visible.sql}"
        return int(one(self._connection, counted, self._visible.values)[0])

    def documents(self) -> Iterator[Document]:
        """Every document in the order of its source, without its text and pages."""
        return read_documents(self._connection, self._visible)

    def vectors_of(self, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
        """The vectors, float32 (dimension,), of those content keys whose text has been embedded before."""
        segments = {segment.id: segment for segment in self.snapshot.segments}
        known = {}
        for key in set(keys):
            # Another tenant's text is not looked for: that it was there would show.
            places = query(self._connection, "SELECT segment, row FROM chunks WHERE content = ?", (key,))
            place = next((place for place in places if place[0] in segments), None)
            if place is not None:
                known[key] = np.array(segments[place[0]].vectors[place[1]])
        return known

    def _allowed(self, where: Filter | None) -> list[Mask | None]:
        """For each segment, which rows are live, visible and inside `where`; None where all are."""
        fields, searches = split_text(where) if where is not None else ({}, ())
        masks: list[Mask | None] = list(self.snapshot.live)
        if fields or self.snapshot.guarded:
            inside = self._filtered_numbers(fields) if fields else self._numbers(self._visible)
            masks = _both(masks, [np.isin(segment.documents, inside) for segment in self.snapshot.segments])
        for search in searches:
            masks = _both(masks, self.snapshot.lexicon.rows_meeting(search))
        return masks

    def _filtered_numbers(self, where: Filter) -> npt.NDArray[np.int64]:
        inside = compile_filter(where)
        both = Condition(f"({self._visible.sql}) AND ({inside.sql})", (*self._visible.values, *inside.values))
        try:
            return self._numbers(both)
        except (apsw.SQLError, apsw.TooBigError, apsw.RangeError, OverflowError, UnicodeEncodeError) as error:
            raise FilterError(f"this filter is more than SQLite takes ({error}); make it smaller") from error

    def _numbers(self, condition: Condition) -> npt.NDArray[np.int64]:
        """The numbers of the documents of which it is true."""
        wanted = f"SELECT number FROM documents WHERE {condition.sql}"
        rows = query(self._connection, wanted, condition.values)
        return np.array([number for (number,) in rows], np.int64)

    def _merged(self, parts: Sequence[Ranking], k: int) -> Ranking:
        """The k best of what each segment found."""
        if not parts:
            return EMPTY
        rows = [part.rows + base for part, base in zip(parts, self.snapshot.bases, strict=True)]
        scores = np.concatenate([part.scores for part in parts])
        return ranked(np.concatenate(rows).astype(np.int32), scores, k, self.chunk_ids)

    def _gather(self, rows: Rows, of_segment: Callable[[int, Rows], Scores]) -> Scores:
        """A value for each of `rows`, asked of its segment by the row's number there."""
        values = np.zeros(len(rows), np.float32)
        segment_of = np.searchsorted(self.snapshot.bases, rows, side="right") - 1
        for at in np.unique(segment_of):
            here = segment_of == at
            values[here] = of_segment(int(at), rows[here] - self.snapshot.bases[at])
        return values

    def _chunk_rows(self, columns: str, rows: Rows) -> Iterator[tuple[Any, ...]]:
        """`columns` of the chunk `c` and its document `d` for each of `rows`."""
        bases = self.snapshot.bases
        for row in rows.tolist():
            at = int(np.searchsorted(bases, row, side="right")) - 1
            place = (self.snapshot.segments[at].id, row - bases[at])
            yield one(
                self._connection,
                f"SELECT {columns} FROM chunks c JOIN documents d ON d.number = c.document "
                "WHERE c.segment = ? AND c.row = ?",
                place,
            )


def _both(masks: Sequence[Mask | None], more: Sequence[Mask] | None) -> list[Mask | None]:
    """The rows of each segment that are in both; None stands for all rows."""
    if more is None:
        return list(masks)
    return [other if mask is None else mask & other for mask, other in zip(masks, more, strict=True)]
