"""Search by words and by meaning at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rag.index.ranking import ranked
from rag.protocols import Encoder, Index, Retriever
from rag.retrieval.fusion import Fusion, Leg, convex
from rag.types import Filter, Hit, LegScores, Ranking, Rows

DEPTH = 100


def hybrid(index: Index, encoder: Encoder, *, fusion: Fusion | None = None, depth: int = DEPTH) -> Retriever:
    """A retriever that fuses the `depth` best of BM25 with the `depth` best by cosine.

    A candidate that only one of the two returned is scored by the other as well,
    so `fusion` (by default a convex combination) sees both scores of each.
    """
    fuse = fusion or convex()

    def retrieve(query: str, *, k: int = 10, where: Filter | None = None) -> list[Hit]:
        (vector,) = encoder.encode([query], query=True)
        by_words = index.lexical(query, max(depth, k), where)
        by_meaning = index.dense(vector, max(depth, k), where)
        rows = np.union1d(by_words.rows, by_meaning.rows).astype(np.int32)
        words = Leg(index.lexical_scores(query, rows), _ranks(by_words, rows))
        meaning = Leg(index.dense_scores(vector, rows), _ranks(by_meaning, rows))
        best = ranked(rows, fuse(words, meaning), k, index.chunk_ids)
        at = np.searchsorted(rows, best.rows)
        return [
            replace(hit, scores=LegScores(bm25=bm25, dense=cosine))
            for hit, bm25, cosine in zip(
                index.hits(best), words.scores[at].tolist(), meaning.scores[at].tolist(), strict=True
            )
        ]

    return retrieve


def _ranks(ranking: Ranking, rows: Rows) -> Rows:
    """The rank, from 1, in `ranking` of each of the sorted `rows`; 0 where it is absent."""
    ranks = np.zeros(len(rows), np.int32)
    ranks[np.searchsorted(rows, ranking.rows)] = np.arange(1, len(ranking.rows) + 1)
    return ranks
