"""One consistent view of an index: it shows one commit, however many follow while it is held."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import FilterError
from rag.index.bm25 import add_scores, idf, length_norms
from rag.index.database import last_commit
from rag.index.documents import read_document, read_documents, read_place, read_text
from rag.index.files import FileSeal
from rag.index.filters import compile_filter
from rag.index.ranking import EMPTY, best_rows, ranked
from rag.index.segment import Segment, open_segment
from rag.index.vectors import EXACT_SHARE, Mask, exact_nearest, exact_scores, graph_nearest
from rag.types import Chunk, Document, Filter, Hit, LegScores, Ranking, Rows, Scores, Settings, Span, Vectors


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What of one commit is held in memory: the open segments, and which of their rows live.

    A row's number in a view is its number in its segment plus the segment's base.
    `live` is None for a segment of which nothing was deleted.
    """

    commit: int
    segments: tuple[Segment, ...]
    bases: tuple[int, ...]
    live: tuple[Mask | None, ...]
    norms: tuple[Scores, ...]
    rows: int
    rows_live: int


def read_segments(connection: sqlite3.Connection, folder: Path, numbers: Sequence[int]) -> list[Segment]:
    """Open segments of the commit that `connection` sees, after every byte of them was checked.

    Raises:
        IndexCorrupt: a file of one is missing or damaged.
    """
    segments = []
    for number in numbers:
        name, seals = connection.execute(
            "SELECT folder, seals FROM segments WHERE id = ?", (number,)
        ).fetchone()
        wanted = {file: FileSeal(*parts) for file, parts in json.loads(seals).items()}
        segments.append(open_segment(folder / name, number, wanted))
    return segments


def read_snapshot(
    connection: sqlite3.Connection, folder: Path, settings: Settings, before: Snapshot | None
) -> Snapshot:
    """Open the segments of the commit that `connection` sees; those that `before` has open are kept."""
    commit = last_commit(connection)
    if before is not None and before.commit == commit:
        return before
    open_now = {segment.id: segment for segment in before.segments} if before else {}
    segments, live = [], []
    for (number,) in connection.execute("SELECT id FROM segments ORDER BY id").fetchall():
        segment = open_now.get(number) or read_segments(connection, folder, [number])[0]
        dead = connection.execute("SELECT document FROM tombstones WHERE segment = ?", (number,)).fetchall()
        segments.append(segment)
        live.append(~np.isin(segment.rows.documents, [document for (document,) in dead]) if dead else None)
    sizes = [len(segment.rows) for segment in segments]
    lengths = [
        segment.rows.lengths if mask is None else segment.rows.lengths[mask]
        for segment, mask in zip(segments, live, strict=True)
    ]
    rows_live = sum(map(len, lengths))
    average = sum(int(each.sum(dtype=np.int64)) for each in lengths) / max(1, rows_live)
    return Snapshot(
        commit=commit,
        segments=tuple(segments),
        bases=tuple(int(base) for base in np.cumsum([0, *sizes])[:-1]),
        live=tuple(live),
        norms=tuple(
            length_norms(segment.rows.lengths, average, settings.k1, settings.b) for segment in segments
        ),
        rows=sum(sizes),
        rows_live=rows_live,
    )


class View:
    """An `Index` over one snapshot. It is good for as long as its transaction is open."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        snapshot: Snapshot,
        settings: Settings,
        analyze: Callable[[str], list[str]],
    ):
        self._connection = connection
        self.snapshot = snapshot
        self._settings = settings
        self._analyze = analyze
        self._last_bm25: tuple[str, list[Scores]] | None = None

    @property
    def commit(self) -> int:
        """The commit that this view shows."""
        return self.snapshot.commit

    def lexical(self, query: str, k: int, where: Filter | None = None) -> Ranking:
        """The k rows of highest BM25 score; rows that share no term with the query are absent.

        Scores are those of one index over all live rows, whatever segments they lie in.

        Raises:
            FilterError: `where` is not a filter.
        """
        allowed = self._allowed(where)
        return self._merged(
            [
                self._best_lexical(scores, k, mask)
                for scores, mask in zip(self._bm25_of(query), allowed, strict=True)
            ],
            k,
        )

    @staticmethod
    def _best_lexical(scores: Scores, k: int, allowed: Mask | None) -> Ranking:
        hidden = scores <= 0 if allowed is None else (scores <= 0) | ~allowed
        scores = np.where(hidden, np.float32(-np.inf), scores)
        best = best_rows(scores, k)
        return Ranking(best, scores[best])

    def dense(self, vector: Vectors, k: int, where: Filter | None = None) -> Ranking:
        """The k rows of highest inner product with `vector`, float32 (dimension,).

        A segment with a graph is searched by it, unless a filter leaves so few
        rows that a scan of them is faster; the others are scanned exactly.

        Raises:
            FilterError: `where` is not a filter.
        """
        parts = []
        for segment, allowed in zip(self.snapshot.segments, self._allowed(where), strict=True):
            few = allowed is not None and np.count_nonzero(allowed) < EXACT_SHARE * len(allowed)
            vectors, ef_search = segment.rows.vectors, self._settings.ef_search
            if segment.graph is None or few:
                parts.append(exact_nearest(vectors, vector, k, allowed))
            else:
                parts.append(graph_nearest(segment.graph, vectors, vector, k, allowed, ef_search))
        return self._merged(parts, k)

    def lexical_scores(self, query: str, rows: Rows) -> Scores:
        """The BM25 score of each of `rows`, 0 where it shares no term with the query."""
        scores = self._bm25_of(query)
        return self._gather(rows, lambda at, local: scores[at][local])

    def dense_scores(self, vector: Vectors, rows: Rows) -> Scores:
        """The inner product of `vector` with each of `rows`."""
        segments = self.snapshot.segments
        return self._gather(rows, lambda at, local: exact_scores(segments[at].rows.vectors, vector, local))

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
            text = read_text(self._connection, number, start, end)
            chunk = Chunk(document_id, Span(start, end), text, page, section, last_page)
            hits.append(Hit(rank, score, chunk, source, title, LegScores()))
        return hits

    def document(self, document_id: str) -> Document:
        """The document of that id, whole.

        Raises:
            DocumentNotFound: there is none.
        """
        return read_document(self._connection, document_id)

    def place(self, document_id: str, offset: int) -> tuple[int | None, str]:
        """The page and the headings of the character at `offset` of a document.

        Raises:
            DocumentNotFound: there is no document of that id.
        """
        return read_place(self._connection, document_id, offset)

    @property
    def documents_total(self) -> int:
        """How many documents there are."""
        (total,) = self._connection.execute("SELECT count(*) FROM documents").fetchone()
        return int(total)

    def documents(self) -> Iterator[Document]:
        """Every document in the order of its source, without its text and pages."""
        return read_documents(self._connection)

    def vectors_of(self, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
        """The vectors, float32 (dimension,), of those content keys whose text has been embedded before."""
        segments = {segment.id: segment for segment in self.snapshot.segments}
        found = {}
        for key in set(keys):
            place = self._connection.execute(
                "SELECT segment, row FROM chunks WHERE content = ? LIMIT 1", (key,)
            ).fetchone()
            if place is not None:
                found[key] = np.array(segments[place[0]].rows.vectors[place[1]])
        return found

    def _bm25_of(self, query: str) -> list[Scores]:
        """The score of every row by segment, kept for the next who asks of the same query."""
        if self._last_bm25 is None or self._last_bm25[0] != query:
            self._last_bm25 = query, list(self._bm25(query))
        return self._last_bm25[1]

    def _bm25(self, query: str) -> Iterator[Scores]:
        """The score of every row, segment by segment; rows without a query term have 0."""
        terms = Counter(self._analyze(query))
        postings = [
            {term: segment.rows.postings.find(term) for term in terms} for segment in self.snapshot.segments
        ]
        weights = {}
        for term, count in terms.items():
            holding = 0
            for found, live in zip(postings, self.snapshot.live, strict=True):
                rows, _ = found[term]
                holding += len(rows) if live is None else int(np.count_nonzero(live[rows]))
            weights[term] = count * idf(self.snapshot.rows_live, holding)
        for found, norms in zip(postings, self.snapshot.norms, strict=True):
            scores = np.zeros(len(norms), np.float32)
            for term, (rows, counts) in found.items():
                add_scores(scores, rows, counts, norms, weights[term])
            yield scores

    def _allowed(self, where: Filter | None) -> list[Mask | None]:
        """For each segment, which rows are live and inside `where`; None where all are."""
        live = self.snapshot.live
        if where is None:
            return list(live)
        condition = compile_filter(where)
        try:
            numbers = self._connection.execute(
                f"SELECT number FROM documents WHERE {condition.sql}", condition.values
            ).fetchall()
        except (sqlite3.OperationalError, sqlite3.DataError, OverflowError, UnicodeEncodeError) as error:
            raise FilterError(f"this filter is more than SQLite takes ({error}); make it smaller") from error
        inside = np.array([number for (number,) in numbers], np.int64)
        masks = [np.isin(segment.rows.documents, inside) for segment in self.snapshot.segments]
        return [mask if alive is None else mask & alive for mask, alive in zip(masks, live, strict=True)]

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
            yield self._connection.execute(
                f"SELECT {columns} FROM chunks c JOIN documents d ON d.number = c.document "
                "WHERE c.segment = ? AND c.row = ?",
                place,
            ).fetchone()
