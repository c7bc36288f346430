"""Search by meaning."""

from __future__ import annotations

from dataclasses import replace

from rag.protocols import Encoder, Index, Retriever
from rag.types import Filter, Hit, LegScores


def dense(index: Index, encoder: Encoder) -> Retriever:
    """A retriever that ranks by the cosine of the query's vector with each chunk's."""

    def retrieve(query: str, *, k: int = 10, where: Filter | None = None) -> list[Hit]:
        (vector,) = encoder.encode([query], query=True)
        hits = index.hits(index.dense(vector, k, where))
        return [replace(hit, scores=LegScores(dense=hit.score)) for hit in hits]

    return retrieve
