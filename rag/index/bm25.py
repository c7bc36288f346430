"""Postings and the BM25 score over them.

    score(q, d) = sum over terms t of q:  idf(t) * f / (f + k1 * (1 - b + b * |d| / average length))
    idf(t) = ln(1 + (N - n(t) + 0.5) / (n(t) + 0.5))

This is Lucene's form: always positive, and without the factor (k1 + 1), which
is the same for all and changes no order. Lengths are exact.

Source: S. Robertson and H. Zaragoza, The Probabilistic Relevance Framework:
BM25 and Beyond, FnTIR 3(4), 2009; C. Kamphuis, A. P. de Vries, L. Boytsov and
J. Lin, Which BM25 Do You Mean?, ECIR 2020.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rag.types import Rows, Scores


@dataclass(frozen=True, slots=True)
class Postings:
    """Which rows hold which term, and how often.

    The postings of the i-th term (in the order of their UTF-8 bytes) stand in
    `rows` int32 and `counts` (unsigned) from `starts[i]` to `starts[i + 1]`, rows
    rising. The term itself is `terms[term_starts[i]:term_starts[i + 1]]`.
    """

    terms: npt.NDArray[np.uint8]
    term_starts: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int32]
    counts: npt.NDArray[np.unsignedinteger]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def term(self, at: int) -> bytes:
        """The at-th term, in UTF-8."""
        return self.terms[self.term_starts[at] : self.term_starts[at + 1]].tobytes()

    def find(self, term: str) -> tuple[Rows, npt.NDArray[np.unsignedinteger]]:
        """The rows that hold `term` and its count in each; both empty where none does."""
        wanted = term.encode(errors="surrogatepass")  # a query may hold what no document can
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self.term(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        if low == len(self) or self.term(low) != wanted:
            return self.rows[:0], self.counts[:0]
        here = slice(int(self.starts[low]), int(self.starts[low + 1]))
        return self.rows[here], self.counts[here]


def count_terms(rows_of_terms: Iterable[Sequence[str]]) -> tuple[Postings, npt.NDArray[np.int32]]:
    """The postings of rows given as their terms in order, and the length of each row in terms."""
    number_of: dict[str, int] = {}
    numbers: list[int] = []
    lengths: list[int] = []
    for terms in rows_of_terms:
        numbers.extend(number_of.setdefault(term, len(number_of)) for term in terms)
        lengths.append(len(terms))
    length_array = np.array(lengths, np.int32)
    rows = np.repeat(np.arange(len(lengths), dtype=np.int64), length_array)
    pairs, counts = np.unique(np.array(numbers, np.int64) * max(1, len(lengths)) + rows, return_counts=True)
    term_of, row_of = np.divmod(pairs, max(1, len(lengths)))
    vocabulary = [term.encode() for term in number_of]
    return _in_order(vocabulary, term_of, row_of.astype(np.int32), counts), length_array


def merge_postings(parts: Sequence[tuple[Postings, npt.NDArray[np.int32]]]) -> Postings:
    """One Postings of several. Beside each stands the new number of each of its rows, -1 to drop it."""
    number_of: dict[bytes, int] = {}
    term_parts, row_parts, count_parts = [], [], []
    for postings, new_row in parts:
        numbers = np.array(
            [number_of.setdefault(postings.term(at), len(number_of)) for at in range(len(postings))], np.int64
        )
        rows = new_row[postings.rows]
        kept = rows >= 0
        term_parts.append(np.repeat(numbers, np.diff(postings.starts))[kept])
        row_parts.append(rows[kept])
        count_parts.append(np.asarray(postings.counts)[kept].astype(np.int64))
    if not parts:
        return count_terms([])[0]
    return _in_order(
        list(number_of), np.concatenate(term_parts), np.concatenate(row_parts), np.concatenate(count_parts)
    )


def _in_order(
    vocabulary: list[bytes],
    term_of: npt.NDArray[np.int64],
    row_of: npt.NDArray[np.int32],
    counts: npt.NDArray[np.int64],
) -> Postings:
    """Postings sorted by term and row, of terms that occur; `term_of` are places in `vocabulary`."""
    occurring = np.flatnonzero(np.bincount(term_of, minlength=len(vocabulary)))
    by_bytes = sorted(occurring.tolist(), key=vocabulary.__getitem__)
    place = np.zeros(len(vocabulary), np.int64)
    place[by_bytes] = np.arange(len(by_bytes))
    term_of = place[term_of]
    order = np.lexsort((row_of, term_of))
    terms = [vocabulary[at] for at in by_bytes]
    narrow = np.uint16 if not len(counts) or counts.max() < 2**16 else np.uint32
    return Postings(
        terms=np.frombuffer(b"".join(terms), np.uint8),
        term_starts=np.cumsum([0, *map(len, terms)], dtype=np.int64),
        starts=np.cumsum([0, *np.bincount(term_of, minlength=len(terms)).tolist()], dtype=np.int64),
        rows=row_of[order].astype(np.int32),
        counts=counts[order].astype(narrow),
    )


def idf(rows_total: int, rows_with_term: int) -> float:
    """The weight of a term that `rows_with_term` of `rows_total` rows hold."""
    return float(np.log1p((rows_total - rows_with_term + 0.5) / (rows_with_term + 0.5)))


def length_norms(lengths: npt.NDArray[np.int32], average: float, k1: float, b: float) -> Scores:
    """The part of the score's denominator that hangs on a row alone: float32 (n,)."""
    return (k1 * (1 - b + b * lengths / max(average, 1e-9))).astype(np.float32)


def add_scores(
    scores: Scores, rows: Rows, counts: npt.NDArray[np.unsignedinteger], norms: Scores, weight: float
) -> None:
    """Add one term's part to `scores` (n,), in place. `weight` is its idf times its count in the query."""
    frequency = counts.astype(np.float32)
    scores[rows] += np.float32(weight) * frequency / (frequency + norms[rows])
