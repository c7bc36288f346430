"""The inverted file of a segment: which rows hold which term, how often, and where.

A row has two fields, its body and its headings. Its terms are counted in each
apart, so that a search may weigh the headings; their positions are kept, so
that a phrase can be found, but not across the two fields.
"""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rag.types import Rows

Counts = npt.NDArray[np.unsignedinteger[Any]]
Integers = npt.NDArray[np.int64]

_HEAD_BYTES = 8
_BATCH = 2**21
"""The positions of so many postings are moved at a time in a merge, for the memory's sake."""
_MOST_FLAGS = 2**24
"""Numbers up to this are told apart by a flag for each, in the place of sorting them."""


@dataclass(frozen=True, slots=True)
class Postings:
    """Which rows hold which term, how often in each field, and at which places.

    Terms are in the order of their UTF-8 bytes; the i-th is `terms[term_starts[i]:term_starts[i + 1]]`,
    and its first eight bytes are the big-endian number `heads[i]`. Its postings stand in `rows`
    int32 and `shape_of` (unsigned) from `starts[i]` to `starts[i + 1]`, rows rising. All that a score
    asks of a posting is its shape, of which there are few: `shapes` int32 (s, 4) are, sorted, the term's
    count in the body and in the headings, and the length of the row's body and headings in terms.
    The term's places stand in `positions` (unsigned) from `position_starts[i]` on: for each of its
    postings in turn as many as its two counts say, those in the body first, rising; in each field
    they count from 0, and removed words count too.
    """

    terms: npt.NDArray[np.uint8]
    term_starts: Integers
    heads: npt.NDArray[np.uint64]
    starts: Integers
    rows: Rows
    shape_of: Counts
    shapes: npt.NDArray[np.int32]
    position_starts: Integers
    positions: Counts

    def __len__(self) -> int:
        return len(self.starts) - 1

    def term(self, at: int) -> bytes:
        """The at-th term, in UTF-8."""
        return self.terms[self.term_starts[at] : self.term_starts[at + 1]].tobytes()

    def places(self, terms: Sequence[str]) -> list[int]:
        """The place of each term in the order of terms, -1 where no row holds it."""
        # A query may hold what no document can: a lone surrogate, which is then not found.
        wanted = [term.encode(errors="surrogatepass") for term in terms]
        heads = np.frombuffer(
            b"".join(each[:_HEAD_BYTES].ljust(_HEAD_BYTES, b"\0") for each in wanted), ">u8"
        )
        known = np.asarray(self.heads)
        heads = heads.astype(np.uint64)
        lows, highs = known.searchsorted(heads).tolist(), known.searchsorted(heads, "right").tolist()
        return [self._place(*each) for each in zip(wanted, lows, highs, strict=True)]

    def _place(self, wanted: bytes, low: int, high: int) -> int:
        """The place of a term that, if anywhere, is in `low:high`."""
        end = high
        while low < high:
            middle = (low + high) // 2
            if self.term(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low if low < end and self.term(low) == wanted else -1

    def rows_with(self, term: str) -> Rows:
        """The rows that hold `term` in either field, rising; none where no row does."""
        (place,) = self.places([term])
        return self.rows[self.slice(place)] if place >= 0 else self.rows[:0]

    @property
    def counts(self) -> npt.NDArray[np.int32]:
        """How often each posting's term stands in the body of its row."""
        return np.asarray(self.shapes[self.shape_of, 0])

    @property
    def title_counts(self) -> npt.NDArray[np.int32]:
        """How often each posting's term stands in the headings of its row."""
        return np.asarray(self.shapes[self.shape_of, 1])

    def slice(self, place: int) -> slice:
        """Where the postings of the term at `place` stand."""
        return slice(int(self.starts[place]), int(self.starts[place + 1]))


def count_terms(
    rows: Iterable[tuple[Sequence[str | None], Sequence[str | None]]],
) -> tuple[Postings, npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """The postings of rows, each given as the terms of its headings and of its body, in order.

    None stands for a word that was removed: it takes a position, and is no part of the length.

    Returns:
        The postings, and for each row the number of terms of its body and of its headings, int32 (n,).
    """
    number_of: defaultdict[str | None, int] = defaultdict(count().__next__)
    removed = number_of[None]
    numbers, sizes = array("i"), array("i")
    for headings, body in rows:
        for field in (body, headings):
            numbers.extend(map(number_of.__getitem__, field))
            sizes.append(len(field))
    size_of = np.frombuffer(sizes, np.int32) if sizes else np.empty(0, np.int32)
    number = np.frombuffer(numbers, np.int32) if numbers else np.empty(0, np.int32)
    field_of = np.repeat(np.arange(len(size_of), dtype=np.int64), size_of)
    position = np.arange(len(number)) - (np.cumsum(size_of) - size_of)[field_of]
    real = number != removed
    number, field_of, position = number[real], field_of[real], position[real]
    lengths = np.bincount(field_of, minlength=len(size_of)).astype(np.int32)

    del number_of[None]
    vocabulary = [term.encode() for term in number_of if term is not None]
    by_bytes = sorted(range(len(vocabulary)), key=vocabulary.__getitem__)
    place = np.empty(len(vocabulary) + 1, np.int64)
    place[np.array(by_bytes, np.int64) + 1] = np.arange(len(by_bytes))
    term_of = place[number]
    order = np.argsort(term_of, kind="stable")  # the tokens are in order of row and field already
    term_of, field_of, position = term_of[order], field_of[order], position[order]

    row_of, in_headings = field_of >> 1, field_of & 1
    first = np.flatnonzero(_changes(term_of) | _changes(row_of))
    together = np.diff(first, append=len(order))
    title_counts = np.add.reduceat(in_headings, first) if len(first) else first
    row_of = row_of[first]
    counted = _distinct([together - title_counts, title_counts])
    sized = _distinct([lengths[0::2], lengths[1::2]])
    both = _distinct([counted.of, sized.of[row_of]])
    postings = _postings(
        [vocabulary[at] for at in by_bytes],
        np.bincount(term_of[first], minlength=len(vocabulary)),
        row_of.astype(np.int32),
        both.of,
        np.hstack([counted.values[both.values[:, 0]], sized.values[both.values[:, 1]]]),
        position,
    )
    return postings, lengths[0::2], lengths[1::2]


def merge_postings(parts: Sequence[tuple[Postings, npt.NDArray[np.int32]]]) -> Postings:
    """One Postings of several. Beside each stands the new number of each of its rows, -1 to drop it.

    It takes a few seconds for a million rows if every part's rows stay in their order.
    """
    spellings = [list(_spellings(postings)) for postings, _ in parts]
    vocabulary = sorted(set().union(*spellings))
    number_of = dict(zip(vocabulary, range(len(vocabulary)), strict=True))
    keys, starts = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    shapes_of, shapes = [np.empty(0, np.int64)], [np.empty((0, 4), np.int32)]
    places: list[Counts] = [np.empty(0, np.uint8)]
    moved, met, width = 0, 0, 1 + max((int(new_row.max(initial=0)) for _, new_row in parts), default=0)
    for (postings, new_row), known in zip(parts, spellings, strict=True):
        numbers = np.fromiter(map(number_of.__getitem__, known), np.int64, len(known))
        rows = new_row[postings.rows]
        kept = np.flatnonzero(rows >= 0)
        sizes = postings.shapes[:, :2].sum(axis=1, dtype=np.int64)[postings.shape_of]
        keys.append(np.repeat(numbers, np.diff(postings.starts))[kept] * width + rows[kept])
        starts.append((np.cumsum(sizes) - sizes)[kept] + moved)
        shapes_of.append(postings.shape_of[kept] + np.int64(met))
        shapes.append(postings.shapes)
        places.append(np.asarray(postings.positions))
        moved += len(postings.positions)
        met += len(postings.shapes)
    key = np.concatenate(keys)
    order = np.argsort(key, kind="stable")  # of risen runs, which a stable sort merges
    term_of, row_of = np.divmod(key[order], width)
    distinct, same = np.unique(np.concatenate(shapes), axis=0, return_inverse=True)
    shape_of = same[np.concatenate(shapes_of)[order]]
    sizes = distinct[:, :2].sum(axis=1, dtype=np.int64)[shape_of]
    positions = _gathered(np.concatenate(places), np.concatenate(starts)[order], sizes)
    used = _distinct([shape_of])
    holding = np.bincount(term_of, minlength=len(vocabulary))
    occurring = np.flatnonzero(holding)
    return _postings(
        [vocabulary[at] for at in occurring],
        holding[occurring],
        row_of.astype(np.int32),
        used.of,
        distinct[used.values[:, 0]],
        positions,
    )


def _postings(
    vocabulary: Sequence[bytes],
    holding: Integers,
    rows: Rows,
    shape_of: Integers,
    shapes: npt.NDArray[np.int32],
    positions: npt.NDArray[Any],
) -> Postings:
    """Postings in order of terms and rows, of which the i-th term of `vocabulary` has `holding[i]`."""
    starts = np.concatenate([[0], np.cumsum(holding)]).astype(np.int64)
    sizes = shapes[:, :2].sum(axis=1, dtype=np.int64)[shape_of]
    heads = b"".join(term[:_HEAD_BYTES].ljust(_HEAD_BYTES, b"\0") for term in vocabulary)
    return Postings(
        terms=np.frombuffer(b"".join(vocabulary), np.uint8),
        term_starts=np.cumsum([0, *map(len, vocabulary)], dtype=np.int64),
        heads=np.frombuffer(heads, ">u8").astype(np.uint64),
        starts=starts,
        rows=rows,
        # Never narrower, so that code is compiled for two kinds of postings and not for more.
        shape_of=shape_of.astype(max(_narrowest(shape_of), np.dtype(np.uint16))),
        shapes=shapes.astype(np.int32, copy=False),
        position_starts=np.concatenate([[0], np.cumsum(sizes)])[starts],
        positions=positions.astype(_narrowest(positions), copy=False),
    )


class _Distinct(NamedTuple):
    """The distinct tuples of numbers, sorted, and for each of all tuples which of these it is."""

    values: npt.NDArray[np.int64]
    of: Integers


def _distinct(columns: Sequence[npt.NDArray[Any]]) -> _Distinct:
    """Tell apart tuples of numbers of 0 or more, given by column, of which two are at most."""
    widths = [int(column.max(initial=0)) + 1 for column in columns]
    key = columns[0].astype(np.int64)
    for column, width in zip(columns[1:], widths[1:], strict=True):
        key = key * width + column
    if math.prod(widths) <= _MOST_FLAGS:
        used = np.zeros(math.prod(widths), bool)
        used[key] = True
        found, of = np.flatnonzero(used), (np.cumsum(used) - 1)[key]
    else:
        found, of = np.unique(key, return_inverse=True)
    return _Distinct(np.stack(np.unravel_index(found, widths), axis=1), of)


def _narrowest(values: npt.NDArray[Any]) -> np.dtype[Any]:
    """The smallest unsigned kind that holds all of `values`."""
    return np.min_scalar_type(int(values.max(initial=0)))


def _changes(values: Integers) -> npt.NDArray[np.bool_]:
    """Where a value differs from the one before; the first always does."""
    changed = np.ones(len(values), bool)
    changed[1:] = values[1:] != values[:-1]
    return changed


def _spellings(postings: Postings) -> Iterator[bytes]:
    """Its terms, in order."""
    text = postings.terms.tobytes()
    return (text[start:end] for start, end in pairwise(postings.term_starts.tolist()))


def _gathered(values: Counts, starts: Integers, sizes: Integers) -> Counts:
    """The stretches of `values` that begin at `starts` and have `sizes`, one behind the other."""
    ends = np.cumsum(sizes, dtype=np.int64)
    gathered = np.empty(int(ends[-1]) if len(ends) else 0, values.dtype)
    for low in range(0, len(starts), _BATCH):
        here = slice(low, low + _BATCH)
        first = int(ends[low]) - int(sizes[low])
        last = int(ends[here][-1])
        shift = starts[here] - (ends[here] - sizes[here])
        gathered[first:last] = values[np.repeat(shift, sizes[here]) + np.arange(first, last)]
    return gathered
