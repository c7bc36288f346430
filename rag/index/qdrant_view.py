"""One consistent view of an index on a Qdrant server: it shows one commit, whatever follows it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from rag.errors import DocumentNotFound, IndexCorrupt, IndexFailed
from rag.index.analyzer import Analyzer
from rag.index.filters import split_text
from rag.index.qdrant_filter import Condition, all_of, compile_filter, match, match_phrase, none_of
from rag.index.qdrant_points import (
    HIT_KEYS,
    MANIFEST,
    Manifest,
    Record,
    chunk_id,
    chunk_of,
    read_texts,
)
from rag.index.qdrant_remote import PAGE, Found, Remote
from rag.index.qdrant_sparse import phrase, query_vector
from rag.index.query import conditions, parse_query
from rag.index.ranking import EMPTY, ranked
from rag.types import Document, Filter, Fingerprint, Hit, LegScores, Ranking, Rows, Scores, Settings, Vectors

MOST_TIED = 10_000
"""So many points at most are fetched to put those in order that tie with the k-th."""

_SPARE = 8


class View:
    """An `Index` over one commit, and over what `readable` is true of.

    A row is the number that this view gave a point when it first saw it. The idf of a term is counted
    over the chunks of which `corpus` is true, all in the collection where it is None.
    """

    def __init__(
        self,
        remote: Remote,
        names: tuple[str, str],
        manifest: Manifest,
        settings: Settings,
        analyze: Analyzer,
        tenant: str,
        readable: Condition,
        corpus: Condition | None,
    ):
        self._remote = remote
        self._chunks, self._documents = names
        self.manifest = manifest
        self._settings = settings
        self._analyze = analyze
        seen = manifest.seen()
        self._tenant = all_of([match("tenant", tenant), seen])
        self._visible = all_of([readable, seen])
        self._corpus = corpus
        self._row_of: dict[str, int] = {}
        self._points: list[Found] = []

    @property
    def commit(self) -> int:
        """The commit that this view shows."""
        return self.manifest.commit

    @property
    def fingerprint(self) -> Fingerprint | None:
        """That of the encoder whose vectors are searched, None where nothing was embedded yet."""
        return self.manifest.fingerprint

    def lexical(self, query: str, k: int, where: Filter | None = None) -> Ranking:
        """The k rows of highest BM25 score; rows that share no term with the query are absent.

        Raises:
            FilterError: `where` is not a filter, or asks what Qdrant's filters cannot say.
        """
        allowed, terms = self._allowed(where), query_vector(self._analyze(query))
        if k <= 0 or not terms["indices"] or not self.manifest.serving:
            return EMPTY
        return self._best(
            k,
            lambda limit: self._remote.search(
                self._chunks, terms, allowed, limit, HIT_KEYS, corpus=self._corpus
            ),
        )

    def dense(self, vector: Vectors, k: int, where: Filter | None = None) -> Ranking:
        """The k rows of highest inner product with `vector`, float32 (dimension,).

        The server walks its HNSW graph, or scans where a filter leaves few points; it scans
        always in an index of the kind `flat`.

        Raises:
            FilterError: `where` is not a filter, or asks what Qdrant's filters cannot say.
        """
        allowed, settings = self._allowed(where), self._settings
        if k <= 0 or not self.manifest.serving:
            return EMPTY
        return self._best(
            k,
            lambda limit: self._remote.search(
                self._chunks,
                vector,
                allowed,
                limit,
                HIT_KEYS,
                ef_search=max(settings.ef_search, limit),
                exact=settings.kind == "flat",
            ),
        )

    def fused(
        self,
        query: str,
        vector: Vectors,
        k: int,
        where: Filter | None = None,
        *,
        depth: int = 100,
        constant: int = 60,
    ) -> Ranking:
        """The k best of BM25 and the dense search, fused by reciprocal rank on the server, in one request.

        Source: G. V. Cormack, C. L. A. Clarke and S. Buettcher, Reciprocal Rank Fusion
        outperforms Condorcet and individual Rank Learning Methods, SIGIR 2009.
        """
        allowed, terms = self._allowed(where), query_vector(self._analyze(query))
        if k <= 0 or not self.manifest.serving:
            return EMPTY
        legs: list[tuple[Vectors | Mapping[str, object], Condition | None]] = [(vector, None)]
        if terms["indices"]:
            legs.append((terms, self._corpus))
        points = self._remote.fused(
            self._chunks, legs, allowed, k, depth, HIT_KEYS, max(self._settings.ef_search, depth), constant
        )
        return self._ranking(points, k)

    def lexical_scores(self, query: str, rows: Rows) -> Scores:
        """The BM25 score of each of `rows`, 0 where it shares no term with the query."""
        terms = query_vector(self._analyze(query))
        return (
            self._scores(terms, rows, self._corpus) if terms["indices"] else np.zeros(len(rows), np.float32)
        )

    def dense_scores(self, vector: Vectors, rows: Rows) -> Scores:
        """The inner product of `vector` with each of `rows`."""
        return self._scores(vector, rows, None)

    def chunk_ids(self, rows: Rows) -> list[str]:
        """The chunk id of each of `rows`."""
        return [chunk_id(self._points[row]) for row in rows.tolist()]

    def hits(self, ranking: Ranking) -> list[Hit]:
        """The chunks behind a ranking, ranked from 1 in its order.

        Raises:
            IndexFailed: their text was wiped since this view began.
        """
        points = [self._points[row] for row in ranking.rows.tolist()]
        texts = self._texts([(p.payload["text_id"], p.payload["start"], p.payload["end"]) for p in points])
        return [
            Hit(rank, score, chunk_of(p.payload, text), p.payload["source"], p.payload["title"], LegScores())
            for rank, (p, score, text) in enumerate(
                zip(points, ranking.scores.tolist(), texts, strict=True), start=1
            )
        ]

    def document(self, document_id: str) -> Document:
        """The document of that id, whole.

        Raises:
            DocumentNotFound: there is none.
        """
        record = self._record(document_id)
        (text,) = self._texts([(record.text_id, 0, record.characters)])
        return record.document(text)

    def place(self, document_id: str, offset: int) -> tuple[int | None, str]:
        """The page and the headings of the character at `offset` of a document.

        Raises:
            DocumentNotFound: there is no document of that id.
        """
        document = self._record(document_id).document("")
        return document.page_at(offset), document.section_at(offset)

    @property
    def documents_total(self) -> int:
        """How many documents there are."""
        return self._remote.count(self._documents, self._kind("document"))

    def documents(self) -> Iterator[Document]:
        """Every document in the order of its source, without its text and pages. All are fetched first."""
        found = self._remote.scroll(self._documents, self._kind("document"))
        records = [Record.of(each.payload) for each in found]
        for record in sorted(records, key=lambda record: (record.source, record.document_id)):
            yield record.document("", pages=False)

    def vectors_of(self, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
        """The vectors, float32 (dimension,), of those content keys whose text has been embedded before."""
        known: dict[bytes, Vectors] = {}
        if not self.manifest.serving:
            return known
        wanted = sorted({str(uuid.UUID(bytes=key)) for key in keys})
        for at in range(0, len(wanted), PAGE):
            # Another tenant's text is not looked for: that it was there would show.
            among = all_of([self._tenant, match("content", *wanted[at : at + PAGE])])
            for point in self._remote.scroll(self._chunks, among, keys=["content"], vectors=True):
                known[uuid.UUID(point.payload["content"]).bytes] = np.array(point.dense, np.float32)
        return known

    def _allowed(self, where: Filter | None) -> Condition:
        """What of the chunks one may read is inside `where`."""
        if where is None:
            return self._visible
        fields, searches = split_text(where)
        wanted = [conditions(parse_query(search), self._analyze) for search in searches]
        there = [match_phrase("words", phrase(part)) for each in wanted for part in each.required]
        absent = [match_phrase("words", phrase(part)) for each in wanted for part in each.excluded]
        return all_of([self._visible, compile_filter(fields), *there, none_of(absent)])

    def _kind(self, kind: str) -> Condition:
        return all_of([match("kind", kind), self._visible])

    def _record(self, document_id: str) -> Record:
        wanted = all_of([self._kind("document"), match("document_id", document_id)])
        point = next(self._remote.scroll(self._documents, wanted), None)
        if point is None:
            raise DocumentNotFound(
                f"no document {document_id!r} in the index; documents() lists those there are"
            )
        return Record.of(point.payload)

    def _best(self, k: int, search: Callable[[int], list[Found]]) -> Ranking:
        """The k best points, ties by chunk id: more are fetched while the k-th ties with the last."""
        limit = k + _SPARE
        while True:
            points = search(limit)
            tied = len(points) == limit and points[-1].score >= points[k - 1].score
            if not tied or limit >= MOST_TIED:
                return self._ranking(points, k)
            limit = min(4 * limit, MOST_TIED)

    def _ranking(self, points: Sequence[Found], k: int) -> Ranking:
        rows = np.array([self._row(point) for point in points], np.int32)
        scores = np.array([point.score for point in points], np.float32)
        return ranked(rows, scores, k, self.chunk_ids)

    def _row(self, point: Found) -> int:
        """The number of a point in this view."""
        row = self._row_of.setdefault(point.id, len(self._points))
        if row == len(self._points):
            self._points.append(point)
        return row

    def _scores(self, query: Vectors | Mapping[str, object], rows: Rows, corpus: Condition | None) -> Scores:
        """A score for each of `rows`, counted by the server; 0 for one that it does not find."""
        scores = np.zeros(len(rows), np.float32)
        place = {self._points[row].id: at for at, row in enumerate(rows.tolist())}
        if place:
            among = {"must": [{"has_id": list(place)}]}
            for point in self._remote.search(
                self._chunks, query, among, len(place), (), corpus=corpus, exact=True
            ):
                scores[place[point.id]] = point.score
        return scores

    def _texts(self, ranges: Sequence[tuple[str, int, int]]) -> list[str]:
        """The text of each range, given as a text's id, start and end."""
        texts = []
        for text in read_texts(self._remote, self._documents, ranges):
            if text is None:
                self._explain_missing()
            texts.append(text or "")
        return texts

    def _explain_missing(self) -> None:
        """Say why a text is not there: the view is older than what was wiped, or the server lost it."""
        now = self._remote.get(self._documents, [MANIFEST])
        latest = now[MANIFEST].payload["commit"] if now else -1
        if latest != self.commit:
            raise IndexFailed(
                f"a text of commit {self.commit} was wiped meanwhile, the index is at {latest}; search again"
            )
        raise IndexCorrupt(f"{self._remote.address} lacks a text of its last commit; add its document again")
