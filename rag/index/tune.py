"""How much of the exact result a search finds, at what speed, and the least effort that finds enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from rag.index.ann import Searcher
from rag.index.ranking import best_rows
from rag.index.vectors import Mask, exact_scores, near_best
from rag.types import Rows, Vectors

LEAST_EFFORT = 8
MOST_EFFORT = 4096

BLOCK = 64
"""How many queries are compared with all vectors in one matrix product."""


@dataclass(frozen=True, slots=True)
class Point:
    """What a search does at one effort: recall in 0..1, and queries a second one after another."""

    effort: int
    recall: float
    queries_per_second: float


@dataclass(frozen=True, slots=True)
class Tuned:
    """The least effort measured whose recall reached what was asked, and all that was measured, rising.

    Where none reached it, `reached` is false and `effort` is the best there was.
    """

    effort: int
    reached: bool
    curve: tuple[Point, ...]


def exact_rows(vectors: Vectors, queries: Vectors, k: int, allowed: Mask | None = None) -> list[Rows]:
    """For each of `queries` (m, dimension) the k rows that a scan of `vectors` (n, dimension) finds."""
    found = []
    for start in range(0, len(queries), BLOCK):
        block = queries[start : start + BLOCK]
        rough = block @ vectors.T
        if allowed is not None:
            rough[:, ~allowed] = -np.inf
        for query, scores in zip(block, rough, strict=True):
            rows = near_best(scores, k).astype(np.int32)
            found.append(rows[best_rows(exact_scores(vectors, query, rows), k)])
    return found


def share_found(truth: Sequence[Rows], found: Sequence[Rows]) -> float:
    """The recall: the share of all rows of `truth` that are in `found` of the same query."""
    wanted = sum(len(rows) for rows in truth)
    hits = sum(len(np.intersect1d(a, b)) for a, b in zip(truth, found, strict=True))
    return hits / wanted if wanted else 1.0


def measure(
    searcher: Searcher,
    queries: Vectors,
    truth: Sequence[Rows],
    k: int,
    effort: int,
    allowed: Mask | None = None,
) -> Point:
    """The recall and speed of `searcher` over `queries` (m, dimension), asked one after another."""
    started = perf_counter()
    found = [searcher.nearest(query, k, allowed, effort).rows for query in queries]
    seconds = max(perf_counter() - started, 1e-9)
    return Point(effort, share_found(truth, found), len(queries) / seconds)


def measure_recall(
    searcher: Searcher, vectors: Vectors, queries: Vectors, k: int, effort: int, allowed: Mask | None = None
) -> float:
    """The share of the exact k nearest rows that `searcher` finds, over all `queries` (m, dimension)."""
    truth = exact_rows(vectors, queries, k, allowed)
    return measure(searcher, queries, truth, k, effort, allowed).recall


def tune(searcher: Searcher, vectors: Vectors, queries: Vectors, k: int = 10, recall: float = 0.98) -> Tuned:
    """Find the least effort whose recall over `queries` (m, dimension) is at least `recall`.

    Effort is doubled until that is reached, then halved between the last two. It holds for queries
    like these: some hundreds of real ones are needed, and vectors of the index itself are too easy.

    Raises:
        ValueError: there are no queries, or `recall` is not in 0..1.
    """
    if not len(queries) or not 0 <= recall <= 1:
        raise ValueError(f"tune needs queries and a recall in 0..1, not {len(queries)} and {recall}")
    truth = exact_rows(vectors, queries, k)
    points: dict[int, Point] = {}

    def reaches(effort: int) -> bool:
        points[effort] = measure(searcher, queries, truth, k, effort)
        return points[effort].recall >= recall

    effort = LEAST_EFFORT
    while not reaches(effort) and effort < MOST_EFFORT:
        effort *= 2
    low, high = effort // 2, effort
    while low in points and high - low > max(2, high // 16):
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    curve = tuple(points[at] for at in sorted(points))
    enough = [point for point in curve if point.recall >= recall]
    chosen = enough[0] if enough else max(curve, key=lambda point: (point.recall, -point.effort))
    return Tuned(chosen.effort, bool(enough), curve)
