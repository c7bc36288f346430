"""The k nearest vectors, exactly: one matrix product finds the near, and each of these is scored by itself.

Vectors are float32 (n, dimension) of unit length, so the inner product is the cosine.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rag.index.ranking import EMPTY, best_rows
from rag.types import Ranking, Rows, Scores, Vectors

ROUNDING = 1e-4
"""How far, as a share of the largest, a score from one matrix product may lie from the exact one."""

COPY_SHARE = 0.25
"""Above this share of allowed rows it is faster to score all than to copy out the allowed."""

Mask = npt.NDArray[np.bool_]


def exact_scores(vectors: Vectors, query: Vectors, rows: Rows) -> Scores:
    """The inner product of `query` (dimension,) with the vector of each of `rows`.

    It hangs on the two vectors alone, so equal vectors tie. A matrix product rounds by place.
    """
    return np.asarray(np.vecdot(vectors[rows], query), dtype=np.float32)


def exact_nearest(vectors: Vectors, query: Vectors, k: int, allowed: Mask | None) -> Ranking:
    """The k rows of highest inner product among the allowed, ties by row."""
    if k <= 0 or not len(vectors) or (allowed is not None and not allowed.any()):
        return EMPTY
    if allowed is not None and np.count_nonzero(allowed) <= COPY_SHARE * len(allowed):
        places = np.flatnonzero(allowed)
        rough = vectors[places] @ query
    else:
        places = np.arange(len(vectors))
        rough = vectors @ query
        if allowed is not None:
            rough[~allowed] = -np.inf
    rows = places[near_best(rough, k)].astype(np.int32)
    scores = exact_scores(vectors, query, rows)
    best = best_rows(scores, k)
    return Ranking(rows[best], scores[best])


def near_best(rough: Scores, k: int) -> npt.NDArray[np.intp]:
    """The positions, rising, of all scores that may be among the k best once they are exact."""
    finite = np.isfinite(rough)
    if k >= np.count_nonzero(finite):
        return np.flatnonzero(finite)
    rough[~finite] = -np.inf
    least = np.partition(rough, len(rough) - k)[len(rough) - k]
    return np.flatnonzero(rough >= least - ROUNDING * np.abs(rough[finite]).max())
