"""Phrases: rows that hold some terms one behind the other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.index.postings import Postings
from rag.types import Rows

Sorted = npt.NDArray[np.signedinteger[Any]]
"""Distinct numbers, rising."""


def rows_with_phrase(postings: Postings, terms: Sequence[str | None]) -> Rows:
    """The rows in which `terms` stand at adjacent places of one field, rising.

    None stands for any one word, or one that was removed. A phrase of no term is in no row.
    """
    wanted = [(at, term) for at, term in enumerate(terms) if term is not None]
    if not wanted:
        return postings.rows[:0]
    places = postings.places([term for _, term in wanted])
    if min(places) < 0:
        return postings.rows[:0]
    lists: list[Sorted] = [postings.rows[postings.slice(place)] for place in dict.fromkeys(places)]
    rows = np.asarray(reduce(_common, sorted(lists, key=len)), np.int32)
    if len(wanted) == 1 or not len(rows):
        return rows
    offsets = [at - wanted[0][0] for at, _ in wanted]
    width = int(postings.positions.max()) + 1 + offsets[-1]
    spots = [
        _spots(postings, place, rows, width) - offset for place, offset in zip(places, offsets, strict=True)
    ]
    matches = reduce(_common, sorted(spots, key=len))
    return np.unique(rows[matches // (2 * width)])


def _common(shorter: Sorted, longer: Sorted) -> Sorted:
    """The values that both have."""
    at = np.searchsorted(longer, shorter)
    inside = at < len(longer)
    at, shorter = at[inside], shorter[inside]
    return np.asarray(shorter[longer[at] == shorter])


def _spots(postings: Postings, place: int, rows: Rows, width: int) -> Sorted:
    """Where the term stands in `rows`, all of which hold it, as rising numbers.

    The at-th of `rows` has those from `2 * at * width` on: for its body, then for its headings.
    """
    here = postings.slice(place)
    counts = postings.shapes[:, :2].astype(np.int64)[postings.shape_of[here]]
    body, sizes = counts[:, 0], counts.sum(axis=1)
    starts = postings.position_starts[place] + np.cumsum(sizes) - sizes
    at = np.searchsorted(postings.rows[here], rows)
    body, sizes, starts = body[at], sizes[at], starts[at]
    ends = np.cumsum(sizes)
    nth = np.arange(int(ends[-1])) - np.repeat(ends - sizes, sizes)
    positions = postings.positions[np.repeat(starts, sizes) + nth]
    in_headings = nth >= np.repeat(body, sizes)
    field = 2 * np.repeat(np.arange(len(rows)), sizes) + in_headings
    return np.asarray(field * width + positions)
