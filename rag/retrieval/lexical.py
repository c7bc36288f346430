"""Search by words."""

from __future__ import annotations

from dataclasses import replace

from rag.protocols import Index, Retriever
from rag.types import Filter, Hit, LegScores


def lexical(index: Index) -> Retriever:
    """A retriever that ranks by BM25. A query that shares no word with a chunk does not find it."""

    def retrieve(query: str, *, k: int = 10, where: Filter | None = None) -> list[Hit]:
        hits = index.hits(index.lexical(query, k, where))
        return [replace(hit, scores=LegScores(bm25=hit.score)) for hit in hits]

    return retrieve
