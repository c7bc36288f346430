"""The search for the best rows by BM25 as compiled code, where numba is installed.

Rows are gone through in windows that fit a cache. In each, the lists that can lift a row to the
k-th best score so far are added up row by row, and the rows that they find are then followed into
the other lists for as long as they can still reach it. Where that would be most of the rows, it is
faster to add up all lists and to look through the window. Sums are in the order of the lists, as
without numba.

Source: H. Turtle and J. Flood, Query evaluation: strategies and optimizations, IP&M 31(6), 1995
(MaxScore); the windows are those of Apache Lucene's MaxScoreBulkScorer.
"""

from __future__ import annotations

from functools import cache
from threading import Thread
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from rag.types import Rows, Scores

_WINDOW = 4096
"""Rows. Their scores and the list of those found are 32 KiB."""

_LOOKUP = 32
"""A row is looked up in the postings of a window at the cost of so many of them, about."""

_FOLLOWED = 10
"""A row is followed through the lists at the cost of so many postings that are only added up, about."""

_SCANNED = 64
"""Scores that are looked at together, for one that is high enough."""

_TINY = np.finfo(np.float32).tiny
_ONES = np.uint32(0xFFFFFFFF)
_HALF = np.uint64(32)

# Numbers without a sign index an array without the question whether they count from its end.
_at = np.uint64


class Kernel(Protocol):
    """Finds rows of one part, the k best that have a score of `least` or more among them."""

    def __call__(
        self,
        rows: Rows,
        shape_of: npt.NDArray[np.unsignedinteger[Any]],
        impacts: Scores,
        total: int,
        spans: npt.NDArray[np.int64],
        weights: npt.NDArray[np.float64],
        allowed: npt.NDArray[np.bool_],
        least: np.float32,
        k: int,
    ) -> npt.NDArray[np.uint64]:
        """Return a number for each row found: the inverted bits of its score above those of the row.

        `spans` (m, 2) are where the list of each term begins and ends; their weights fall. The numbers
        are in no order; the lowest k, sorted, are the best rows. `allowed` of no length allows all.
        """
        ...


@cache
def load_kernel() -> Kernel | None:
    """The compiled search, None where numba cannot be had.

    It takes a second to load, and ten or so where it was never compiled before.
    """
    try:
        from numba import njit
    except ImportError:  # it is not there, or does not go with this NumPy
        return None
    options = {"nogil": True, "error_model": "numpy", "boundscheck": False}
    try:
        kernel = cast("Kernel", njit(cache=True, **options)(_search))
    except RuntimeError:  # there is no folder to keep it in
        kernel = cast("Kernel", njit(**options)(_search))
    _compile(kernel)
    return kernel


def kernel_when_loaded() -> Kernel | None:
    """The compiled search, None until it is loaded, which goes on behind the first call."""
    thread = _loading()
    return None if thread.is_alive() else load_kernel()


@cache
def _loading() -> Thread:
    thread = Thread(target=load_kernel, name="bm25-kernel", daemon=True)
    thread.start()
    return thread


def _compile(kernel: Kernel) -> None:
    """Search nothing, with arrays of the kinds that nearly all postings have."""
    rows, shapes, impacts = np.empty(0, np.int32), np.empty(0, np.uint16), np.empty(0, np.float32)
    allowed = np.empty(0, np.bool_)
    for array in (rows, shapes, impacts, allowed):
        array.flags.writeable = False
    spans, weights = np.empty((0, 2), np.int64), np.empty(0, np.float64)
    kernel(rows, shapes, impacts, 1, spans, weights, allowed, np.float32(0), 1)


def _search(
    rows: Any,
    shape_of: Any,
    impacts: Any,
    total: Any,
    spans: Any,
    exact_weights: Any,
    allowed: Any,
    least: Any,
    k: Any,
) -> Any:
    def seek(low: Any, end: Any, row: Any) -> Any:
        """The first of `low:end` that is `row` or above it, near `low`."""
        high, step = low, 1
        while high < end and rows[_at(high)] < row:
            low = high + 1
            high += step
            step *= 2
        high = min(high, end)
        while low < high:
            middle = (low + high) >> 1
            if rows[_at(middle)] < row:
                low = middle + 1
            else:
                high = middle
        return low

    lists, masked = len(exact_weights), len(allowed) > 0
    begins, ends = spans[:, 0].copy(), spans[:, 1].copy()
    weights = exact_weights.astype(np.float32)
    # What the lists from each on can add, and by how much all may be rounded (see `_lists` of bm25.py).
    remaining = np.empty(lists + 1, np.float64)
    remaining[lists] = exact_weights.sum() * (3 * lists + 3) * 2.0**-23
    for at in range(lists - 1, -1, -1):
        remaining[at] = remaining[at + 1] + exact_weights[at]
    scores = np.zeros(_WINDOW, np.float32)
    bits = scores.view(np.uint32)
    found = np.empty(_WINDOW + 1, np.uint32)  # in the window: they alone have a score
    full = 2 * k
    best = np.empty(full + _WINDOW + 1, np.uint64)
    size: Any = 0
    last = np.empty(1, np.uint32)
    cursors = begins
    in_window = (ends - begins) * _WINDOW // total
    missing = remaining.copy()
    leading = lists
    window = _WINDOW // 8  # of few rows at first, whose best soon tell which others are worth a look
    while True:
        # The lists from `leading` on together do not reach the k-th best.
        while leading > 0 and remaining[leading - 1] < least:
            leading -= 1
        first = total
        for at in range(leading):
            if cursors[at] < ends[at]:
                first = min(first, rows[_at(cursors[at])])
        if first == total:
            return best[:size]
        start, stop = first, first + window
        # Nor do, in this window, those from `adding` on: some have no row here.
        adding, reach = leading, remaining[leading]
        for at in range(leading - 1, -1, -1):
            if cursors[at] < ends[at] and rows[_at(cursors[at])] < stop:
                reach += remaining[at] - remaining[at + 1]
            missing[at] = reach
            if reach < least and adding == at + 1:
                adding = at

        shown = max(least, _TINY)
        filled = _at(size)
        few, many = 0, 0
        for at in range(lists):
            many += in_window[at]
            few += in_window[at] if at < adding else 0
        if few * _FOLLOWED > many + _WINDOW // 16:
            # So many rows are found that it is faster to add up all lists, and not to follow any row.
            for at in range(lists):
                weight, end = weights[at], _at(ends[at])
                cursor = _at(seek(cursors[at], ends[at], start))
                while cursor < end:
                    row = rows[cursor]
                    if row >= stop:
                        break
                    scores[np.uint32(row - start)] += weight * impacts[shape_of[cursor]]
                    cursor += _at(1)
                cursors[at] = cursor
            for first in range(0, window, _SCANNED):
                some = np.uint32(0)
                for each in range(_SCANNED):
                    some |= np.uint32(scores[first + each] >= shown)
                if some:
                    for each in range(first, first + _SCANNED):
                        local = np.uint32(each)
                        if scores[local] >= shown and (not masked or allowed[start + local]):
                            best[filled] = (_at(_ONES - bits[local]) << _HALF) | _at(start + local)
                            filled += _at(1)
            scores[:] = 0
        else:
            count = _at(0)
            for at in range(adding):
                weight, cursor, end = weights[at], _at(cursors[at]), _at(ends[at])
                while cursor < end:
                    row = rows[cursor]
                    if row >= stop:
                        break
                    local = np.uint32(row - start)
                    score = scores[local]
                    found[count] = local
                    count += _at(score == 0)
                    scores[local] = score + weight * impacts[shape_of[cursor]]
                    cursor += _at(1)
                cursors[at] = cursor
            if masked:
                kept = _at(0)
                for each in range(count):
                    local = found[_at(each)]
                    keep = allowed[start + local]
                    found[kept] = local
                    kept += _at(keep)
                    scores[local] *= np.float32(keep)
                count = kept

            for at in range(adding, lists):
                needed = np.float32(least - missing[at])
                kept = _at(0)
                for each in range(count):
                    local = found[_at(each)]
                    score = scores[local]
                    keep = score >= needed
                    found[kept] = local
                    kept += _at(keep)
                    scores[local] = score * np.float32(keep)
                count = kept
                if count == _at(0):
                    break
                weight = weights[at]
                low = seek(cursors[at], ends[at], start)
                if np.int64(count) * _LOOKUP < in_window[at]:
                    high = seek(low, ends[at], stop)
                    for each in range(count):
                        local = found[_at(each)]
                        here = seek(low, high, start + local)
                        if here < high and rows[_at(here)] == start + local:
                            scores[local] += weight * impacts[shape_of[_at(here)]]
                    cursors[at] = high
                else:
                    cursor, end = _at(low), _at(ends[at])
                    while cursor < end:
                        row = rows[cursor]
                        if row >= stop:
                            break
                        local = np.uint32(row - start)
                        score = scores[local]
                        if score != 0:
                            scores[local] = score + weight * impacts[shape_of[cursor]]
                        cursor += _at(1)
                    cursors[at] = cursor
            for at in range(adding, leading):
                cursors[at] = seek(cursors[at], ends[at], stop)

            for each in range(count):
                local = found[_at(each)]
                best[filled] = (_at(_ONES - bits[local]) << _HALF) | _at(start + local)
                filled += _at(scores[local] >= shown)
                scores[local] = 0
        size = np.int64(filled)
        window = min(2 * window, _WINDOW)
        if size >= full and size > k:
            best[:k] = np.partition(best[:size], k - 1)[:k]
            size = k
            last[0] = _ONES - np.uint32(best[k - 1] >> _HALF)
            least = max(least, last.view(np.float32)[0])
