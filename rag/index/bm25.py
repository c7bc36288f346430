"""The BM25 score over postings, and the best rows by it.

    score(q, d) = sum over terms t of q:  idf(t) * f / (f + k1 * (1 - b + b * |d| / average length))
    idf(t) = ln(1 + (N - n(t) + 0.5) / (n(t) + 0.5))

This is Lucene's form: always positive, and without the factor (k1 + 1), which
is the same for all and changes no order. Lengths are exact. A term in the
headings counts as `title_boost` terms of the body, in f and in |d|.

The fraction, a posting's impact, hangs on its shape alone (see `Postings`), so
one of each shape is worked out. A score is the float32 sum of the terms' parts
in one order, of falling weight and then by the term, whoever asks and however
rows are cut into segments. This is the order in which the best rows are
searched, too: rare terms find rows, and a row is not followed through the long
lists of the others once it cannot reach the k-th best.

Source: S. Robertson and H. Zaragoza, The Probabilistic Relevance Framework:
BM25 and Beyond, FnTIR 3(4), 2009; C. Kamphuis, A. P. de Vries, L. Boytsov and
J. Lin, Which BM25 Do You Mean?, ECIR 2020; S. Robertson, H. Zaragoza and
M. Taylor, Simple BM25 extension to multiple weighted fields, CIKM 2004 (the
headings); H. Turtle and J. Flood, Query evaluation: strategies and
optimizations, IP&M 31(6), 1995 (MaxScore).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.index.bm25_kernel import Kernel
from rag.index.postings import Postings
from rag.index.ranking import EMPTY, best_rows
from rag.types import Ranking, Rows, Scores

Mask = npt.NDArray[np.bool_]

_LOOKUP = 8
"""A row is looked up in a list of postings at the cost of so many of its postings, about."""

_HALF = np.uint64(32)
_NO_SPANS = np.empty((0, 2), np.int64)
_TINY = np.finfo(np.float32).tiny


@dataclass(frozen=True, slots=True)
class Part:
    """The postings of a segment of so many rows, and the impact of each of their shapes, of `impacts`.

    `known` remembers where the postings of terms that were asked for stand. It may be handed on
    (`dataclasses.replace`) while the postings are the same.
    """

    postings: Postings
    impacts: Scores
    rows: int
    known: dict[str, tuple[int, int]] = field(default_factory=dict, repr=False, compare=False)

    def lists(self, terms: Sequence[str]) -> list[tuple[int, int]]:
        """Where the postings of each term begin and end, `(0, 0)` where no row holds it."""
        known = self.known
        new = [term for term in terms if term not in known]
        if new:
            for term, place in zip(new, self.postings.places(new), strict=True):
                if place >= 0:  # only such, or whoever asks for nonsense would fill the memory
                    here = self.postings.slice(place)
                    known[term] = here.start, here.stop
        return [known.get(term, (0, 0)) for term in terms]


def idf(rows_total: int, rows_with_term: int) -> float:
    """The weight of a term that `rows_with_term` of `rows_total` rows hold."""
    return math.log1p((rows_total - rows_with_term + 0.5) / (rows_with_term + 0.5))


def impacts(postings: Postings, average: float, k1: float, b: float, title_boost: float = 1.0) -> Scores:
    """What a posting of each shape contributes for a weight of 1: float32 (s,), in 0..1.

    `average` is that of the rows' lengths, in which a term of the headings counts `title_boost` times.
    """
    count, title_count, length, title_length = postings.shapes.T.astype(np.float64)
    frequency = count + title_boost * title_count
    norm = k1 * (1 - b + b * (length + title_boost * title_length) / max(average, 1e-9))
    return np.asarray(frequency / np.maximum(frequency + norm, _TINY), np.float32)


def count_rows(part: Part, terms: Sequence[str], live: Mask | None = None) -> list[int]:
    """How many rows hold each of `terms`; of those that are true in `live`, bool (n,), where it is given."""
    rows = part.postings.rows
    return [
        end - begin if live is None else int(np.count_nonzero(live[rows[begin:end]]))
        for begin, end in part.lists(terms)
    ]


def top_rows(
    parts: Sequence[Part],
    weights: Mapping[str, float],
    k: int,
    allowed: Sequence[Mask | None] | None = None,
    kernel: Kernel | None = None,
) -> list[Ranking]:
    """For each part, those of its k best rows that may be among the k best of all parts.

    Rows are those of the part; only rows of a score above 0 come out. Ties go to the lower
    row, but a row that ties with the k-th best of another part is not left out. The result
    is the same with a `kernel` (see `rag.index.bm25_kernel`) and without.

    Args:
        parts: the segments.
        weights: the weight of each term of the query: its idf times its count there.
        k: so many rows are wanted.
        allowed: for each part which rows may come out, bool (n,), None for all of them.
        kernel: compiled code that does it faster.
    """
    found = [EMPTY] * len(parts)
    best = EMPTY.scores
    ordered = _in_order(weights)
    masks = allowed if allowed is not None else [None] * len(parts)
    for at in sorted(range(len(parts)), key=lambda at: -parts[at].rows) if k > 0 else ():
        wanted = min(k, parts[at].rows)
        least = best[-1] if len(best) == k else np.float32(0)
        if kernel is None:
            found[at] = _top(_lists(parts[at], ordered), wanted, masks[at], least)
        else:
            found[at] = _top_compiled(kernel, parts[at], ordered, wanted, masks[at], least)
        if len(parts) > 1:
            best = np.sort(np.concatenate([best, found[at].scores]))[::-1][:k]
    return found


def scores_of(part: Part, weights: Mapping[str, float], rows: Rows) -> Scores:
    """The score of each of `rows`, the same to the last bit as in `top_rows`; 0 where no term is in one."""
    scores = np.zeros(len(rows), np.float32)
    lists = _lists(part, _in_order(weights))
    for at in range(len(lists)):
        inside, here = _found(lists.rows(at), rows)
        scores[inside] += lists.addends(at, here)
    return scores


def _in_order(weights: Mapping[str, float]) -> list[tuple[str, float]]:
    """Terms and weights in the order in which they are summed."""
    return sorted(weights.items(), key=lambda each: (-each[1], each[0]))


@dataclass(frozen=True, slots=True)
class _Lists:
    """The postings of a query's terms in one part, in the order in which they are summed.

    The at-th list begins and ends at `spans[at]` of the postings; `remaining[at]` is more than
    what it and those behind it can add to a score, by the most that rounding can make of the sum,
    which is the last of `remaining`.
    """

    part: Part
    spans: Sequence[tuple[int, int]]
    weights: Scores
    remaining: Sequence[float]

    def __len__(self) -> int:
        return len(self.weights)

    def reaches(self, at: int, least: np.float32) -> bool:
        """Whether the at-th list and those behind it can bring a row to a score of `least`."""
        return at < len(self) and self.remaining[at] >= float(least)

    def missing(self, at: int, least: np.float32) -> np.float32:
        """What a row must have before the at-th list to come to `least` with it and those behind it."""
        return np.float32(float(least) - self.remaining[at])

    def rows(self, at: int) -> Rows:
        """The rows of the at-th list."""
        return self.part.postings.rows[slice(*self.spans[at])]

    def addends(self, at: int, here: npt.NDArray[np.int64] | slice) -> Scores:
        """What the at-th term adds to the scores of the rows that stand `here` in its list."""
        shapes = self.part.postings.shape_of[slice(*self.spans[at])][here]
        return np.asarray(self.part.impacts[shapes] * self.weights[at])


def _lists(part: Part, ordered: Sequence[tuple[str, float]]) -> _Lists:
    spans, weights = _held(part, ordered)
    # An impact is at most 1. A weight, a product and a sum a term, and 3 more, round by 2**-24 of the result.
    rounding = sum(weights) * (3 * len(weights) + 3) * 2.0**-23
    remaining = [rounding, *(rest + rounding for rest in accumulate(reversed(weights)))]
    return _Lists(part, spans, np.array(weights, np.float32), remaining[::-1])


def _held(part: Part, ordered: Sequence[tuple[str, float]]) -> tuple[list[tuple[int, int]], list[float]]:
    """Where the postings of the terms that some row holds begin and end, and the weights of these terms."""
    spans = part.lists([term for term, _ in ordered])
    weights = [weight for _, weight in ordered]
    if (0, 0) in spans:
        weights = [weight for weight, (_, end) in zip(weights, spans, strict=True) if end]
        spans = [span for span in spans if span[1]]
    return spans, weights


def _found(listed: Rows, rows: Rows) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which of `rows` are in a list, and where in it."""
    here = np.searchsorted(listed, rows)
    inside = np.flatnonzero(here < len(listed))
    inside = inside[listed[here[inside]] == rows[inside]]
    return inside, here[inside]


def _top(lists: _Lists, k: int, allowed: Mask | None, least: np.float32) -> Ranking:
    """The k best rows of one part that have a score of `least` or more."""
    if not lists.reaches(0, least):
        return EMPTY
    scores = np.zeros(lists.part.rows, np.float32)
    found: list[Rows] = []
    rows: Rows | None = None  # the only ones that may be among the best; None as long as any may
    for at in range(len(lists)):
        if rows is not None:
            rows = rows[scores[rows] >= lists.missing(at, least)]
        elif not lists.reaches(at, least):
            rows = _reaching(scores, found, lists.missing(at, least), allowed)
        listed = lists.rows(at)
        if rows is not None and _LOOKUP * len(rows) < len(listed):
            inside, here = _found(listed, rows)
            scores[rows[inside]] += lists.addends(at, here)
        else:
            scores[listed] += lists.addends(at, slice(None))
            found.append(listed)
        some = rows if rows is not None else listed if allowed is None else listed[allowed[listed]]
        if k <= len(some):
            least = max(least, np.partition(scores[some], len(some) - k)[len(some) - k])
    if rows is None:
        rows = _reaching(scores, found, least, allowed)
    best = rows[best_rows(scores[rows], k)]
    best = best[scores[best] >= max(least, _TINY)]
    return Ranking(best, scores[best])


def _reaching(scores: Scores, found: Sequence[Rows], least: np.float32, allowed: Mask | None) -> Rows:
    """The allowed rows of a score of `least` or more and above 0, rising; all are in a list of `found`."""
    least = max(least, _TINY)
    if sum(map(len, found)) * _LOOKUP < len(scores):
        rows = np.unique(np.concatenate([listed[scores[listed] >= least] for listed in found]))
    else:
        rows = np.flatnonzero(scores >= least).astype(np.int32)
    return rows if allowed is None else rows[allowed[rows]]


def _top_compiled(
    kernel: Kernel,
    part: Part,
    ordered: Sequence[tuple[str, float]],
    k: int,
    allowed: Mask | None,
    least: np.float32,
) -> Ranking:
    """The same as `_top` of the lists of these terms, by compiled code."""
    spans, weights = _held(part, ordered)
    keys = kernel(
        _fixed(part.postings.rows),
        _fixed(part.postings.shape_of),
        _fixed(part.impacts),
        part.rows,
        np.array(spans or _NO_SPANS, np.int64),
        np.array(weights, np.float64),
        _ALL if allowed is None else _fixed(allowed),
        least,
        k,
    )
    keys.sort()
    keys = keys[:k]
    scores = (~keys >> _HALF).astype(np.uint32).view(np.float32)
    return Ranking(keys.astype(np.uint32).view(np.int32), scores)


def _fixed(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same values read-only, so that code is compiled for one kind of array: arrays on disk are such."""
    fixed = np.asarray(array)
    if fixed.flags.writeable:
        fixed = fixed.view()
        fixed.flags.writeable = False
    return fixed


_ALL = _fixed(np.ones(0, bool))
