"""The best k of an array of scores, with every tie broken the same way each time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rag.types import Ranking, Rows, Scores

EMPTY = Ranking(np.empty(0, np.int32), np.empty(0, np.float32))


def best_rows(scores: Scores, k: int) -> Rows:
    """The positions of the k highest of `scores` (n,), best first, ties by position; `-inf` never."""
    if k <= 0:
        return EMPTY.rows
    if k < len(scores):
        least = np.partition(scores, len(scores) - k)[len(scores) - k]
        above = np.flatnonzero(scores > least)
        rows = np.concatenate([above, np.flatnonzero(scores == least)[: k - len(above)]])
    else:
        rows = np.arange(len(scores))
    rows = rows[scores[rows] > -np.inf]
    order = np.argsort(-scores[rows], kind="stable")
    return np.asarray(rows[order], np.int32)


def ranked(rows: Rows, scores: Scores, k: int, chunk_ids: Callable[[Rows], list[str]]) -> Ranking:
    """The k best of distinct `rows` by `scores`, ties by chunk id, which is asked for tied rows only."""
    order = np.argsort(-scores, kind="stable")
    rows, scores = rows[order], scores[order]
    tied = np.zeros(len(rows), bool)
    equal = scores[1:] == scores[:-1]
    tied[1:] |= equal
    tied[:-1] |= equal
    if k < len(rows):
        tied &= scores >= scores[k - 1] if k > 0 else False
    places = np.flatnonzero(tied)
    if len(places):
        ids = chunk_ids(rows[places])
        by_id = sorted(range(len(places)), key=lambda at: (-scores[places[at]], ids[at]))
        rows[places] = rows[places[by_id]]
    return Ranking(rows[:k].astype(np.int32), scores[:k].astype(np.float32))
