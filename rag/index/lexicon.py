"""BM25 over the segments of one snapshot: what of it is counted once and serves every query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from rag.index.analyzer import analyzer
from rag.index.bm25 import Part, count_rows, idf, impacts
from rag.index.bm25_kernel import Kernel, kernel_when_loaded
from rag.index.positions import rows_with_phrase
from rag.index.query import conditions, parse_query
from rag.index.segment import Segment
from rag.index.vectors import Mask
from rag.types import Settings

QUERIES_BEFORE_COMPILED = 50
"""Loading compiled code takes a second: it is for who searches often."""


class Lexicon:
    """The postings of a snapshot with the statistics over all of its live rows."""

    def __init__(self, segments: Sequence[Segment], live: Sequence[Mask | None], settings: Settings):
        self._segments = tuple(segments)
        self._live = tuple(live)
        self._settings = settings
        self._analyze = analyzer(settings.language)
        self._holding: dict[str, int] = {}
        self._queries = 0

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The postings of each segment with the norms of its rows."""
        boost = self._settings.title_boost
        lengths = [segment.lengths + boost * segment.title_lengths for segment in self._segments]
        total = sum(float(_living(each, mask).sum()) for each, mask in zip(lengths, self._live, strict=True))
        average = total / max(1, self._rows)
        k1, b = self._settings.k1, self._settings.b
        return tuple(
            Part(segment.postings, impacts(segment.postings, average, k1, b, boost), len(segment))
            for segment in self._segments
        )

    @cached_property
    def _rows(self) -> int:
        """How many rows live."""
        counted = (
            len(segment) if mask is None else int(np.count_nonzero(mask))
            for segment, mask in zip(self._segments, self._live, strict=True)
        )
        return sum(counted)

    def weights(self, query: str) -> dict[str, float]:
        """The weight of each term of a query: its idf times its count there."""
        self._queries += 1
        terms = Counter(self._analyze(query))
        new = [term for term in terms if term not in self._holding]
        if new:
            counts = [count_rows(part, new, mask) for part, mask in zip(self.parts, self._live, strict=True)]
            totals = map(sum, zip(*counts, strict=True)) if counts else ()
            self._holding.update((term, total) for term, total in zip(new, totals, strict=False) if total)
        return {term: count * idf(self._rows, self._holding.get(term, 0)) for term, count in terms.items()}

    def rows_meeting(self, query: str) -> list[Mask] | None:
        """For each segment, which rows meet the conditions of a typed query; None where it has none."""
        wanted = conditions(parse_query(query), self._analyze)
        if not wanted:
            return None
        masks = []
        for segment in self._segments:
            mask = np.full(len(segment), True)
            for phrase in wanted.required:
                holding = np.zeros(len(segment), bool)
                holding[rows_with_phrase(segment.postings, phrase)] = True
                mask &= holding
            for phrase in wanted.excluded:
                mask[rows_with_phrase(segment.postings, phrase)] = False
            masks.append(mask)
        return masks

    @property
    def kernel(self) -> Kernel | None:
        """Compiled code that searches faster, None until it pays or where it is not installed."""
        return kernel_when_loaded() if self._queries > QUERIES_BEFORE_COMPILED else None


def _living(lengths: npt.NDArray[np.float64], mask: Mask | None) -> npt.NDArray[np.float64]:
    return lengths if mask is None else lengths[mask]
