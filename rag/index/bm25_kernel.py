"""The search for the best rows by BM25 as compiled code, where numba is installed.

Rows are gone through in windows that fit a cache. In each, the lists that can lift a row to the
k-th best score so far are added up row by row; the rows they find are then looked up in the other
lists, as long as they can still reach it. Sums are in the order of the lists, as without numba.

Source: H. Turtle and J. Flood, Query evaluation: strategies and optimizations, IP&M 31(6), 1995
(MaxScore); the windows are those of Apache Lucene's MaxScoreBulkScorer.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

_WINDOW = 4096
"""Rows; their scores and norms are 32 KiB."""


class Kernel(Protocol):
    """Fills `best_rows` and `best_scores` (k,), in no order, and returns how many it found."""

    def __call__(
        self,
        rows: npt.NDArray[np.int32],
        counts: npt.NDArray[np.unsignedinteger[Any]],
        title_counts: npt.NDArray[np.unsignedinteger[Any]],
        norms: npt.NDArray[np.float32],
        begins: npt.NDArray[np.int64],
        ends: npt.NDArray[np.int64],
        weights: npt.NDArray[np.float32],
        remaining: npt.NDArray[np.float64],
        title_boost: np.float32,
        allowed: npt.NDArray[np.bool_],
        least: np.float32,
        best_rows: npt.NDArray[np.int32],
        best_scores: npt.NDArray[np.float32],
    ) -> int:
        """Search one part."""
        ...


@cache
def load_kernel() -> Kernel | None:
    """The compiled search, None where numba is not installed.

    The first call of all takes a few seconds, and the first of a process one, so it
    is for who searches often.
    """
    if find_spec("numba") is None:
        return None
    from numba import njit

    compile_ = njit(cache=True, nogil=True, error_model="numpy", boundscheck=False)
    return compile_(_search)


def _search(
    rows,
    counts,
    title_counts,
    norms,
    begins,
    ends,
    weights,
    remaining,
    title_boost,
    allowed,
    least,
    best_rows,
    best_scores,
):
    k = len(best_rows)
    lists = len(begins)
    total = len(norms)
    scores = np.zeros(_WINDOW, np.float32)
    touched = np.empty(_WINDOW + 1, np.int32)
    cursors = begins.copy()
    masked = len(allowed) > 0
    size = 0
    leading = lists
    while True:
        while leading > 0 and remaining[leading - 1] < least:
            leading -= 1
        first = total
        for at in range(leading):
            if cursors[at] < ends[at]:
                first = min(first, rows[cursors[at]])
        if first == total:
            return size
        base = first - first % _WINDOW
        stop = base + _WINDOW
        count = 0
        for at in range(leading):
            weight = weights[at]
            cursor = cursors[at]
            end = ends[at]
            while cursor < end:
                row = rows[cursor]
                if row >= stop:
                    break
                local = row - base
                frequency = np.float32(counts[cursor]) + title_boost * np.float32(title_counts[cursor])
                score = scores[local]
                touched[count] = local
                count += score == 0
                scores[local] = score + weight * frequency / (frequency + norms[row])
                cursor += 1
            cursors[at] = cursor
        for spot in range(count):
            local = touched[spot]
            row = base + local
            score = scores[local]
            scores[local] = 0
            if score <= 0 or (masked and not allowed[row]):
                continue
            for at in range(leading, lists):
                if score + remaining[at] < least:
                    score = np.float32(-1)
                    break
                # Gallop
                low = cursors[at]
                end = ends[at]
                step = 1
                if low < end and rows[low] < base:
                    while low + step < end and rows[low + step] < base:
                        low += step
                        step *= 2
                    high = min(low + step, end)
                    low += 1
                    while low < high:
                        middle = (low + high) // 2
                        if rows[middle] < base:
                            low = middle + 1
                        else:
                            high = middle
                    cursors[at] = low
                high = min(end, low + (row - base) + 1)
                while low < high:
                    middle = (low + high) // 2
                    if rows[middle] < row:
                        low = middle + 1
                    else:
                        high = middle
                if low < end and rows[low] == row:
                    frequency = np.float32(counts[low]) + title_boost * np.float32(title_counts[low])
                    score += weights[at] * frequency / (frequency + norms[row])
            if score < least or score <= 0:
                continue
            # heap
            if size < k:
                spot2 = size
                size += 1
                while spot2 > 0:
                    parent = (spot2 - 1) >> 1
                    if best_scores[parent] > score or (
                        best_scores[parent] == score and best_rows[parent] < row
                    ):
                        best_scores[spot2] = best_scores[parent]
                        best_rows[spot2] = best_rows[parent]
                        spot2 = parent
                    else:
                        break
                best_scores[spot2] = score
                best_rows[spot2] = row
            else:
                if score < best_scores[0] or (score == best_scores[0] and row > best_rows[0]):
                    continue
                spot2 = 0
                child = 1
                while child < k:
                    right = child + 1
                    if right < k and (
                        best_scores[right] < best_scores[child]
                        or (best_scores[right] == best_scores[child] and best_rows[right] > best_rows[child])
                    ):
                        child = right
                    if best_scores[child] < score or (best_scores[child] == score and best_rows[child] > row):
                        best_scores[spot2] = best_scores[child]
                        best_rows[spot2] = best_rows[child]
                        spot2 = child
                        child = 2 * spot2 + 1
                    else:
                        break
                best_scores[spot2] = score
                best_rows[spot2] = row
            if size == k:
                least = max(least, best_scores[0])
