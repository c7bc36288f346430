"""How well an index is searched: recall against exact search, speed, memory, and its segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from rag.index.ranking import ranked
from rag.index.tune import Tuned, share_found, tune
from rag.index.vectors import exact_nearest
from rag.index.view import View
from rag.sentences import sentence_spans
from rag.types import Rows, Settings, Vectors

DEPTH = 10


@dataclass(frozen=True, slots=True)
class SegmentHealth:
    """One segment: its rows, how many of them live, how its vectors are searched and why, its memory."""

    segment: int
    rows: int
    rows_live: int
    kind: str
    codes: str
    reason: str
    resident_bytes: int


@dataclass(frozen=True, slots=True)
class Quality:
    """What dense search finds of the ten nearest passages, over so many queries, and its segments.

    `recall` is in 0..1; `queries_per_second` of one thread, encoding left out.
    """

    recall: float
    queries: int
    queries_per_second: float
    resident_bytes: int
    segments: tuple[SegmentHealth, ...]


def measure_view(view: View, queries: Vectors) -> Quality:
    """Search for `queries` (m, dimension) as the index does and exactly, and compare."""
    truth = [_exact(view, query) for query in queries]
    started = perf_counter()
    found = [view.dense(query, DEPTH).rows for query in queries]
    seconds = max(perf_counter() - started, 1e-9)
    segments = tuple(_health(view))
    return Quality(
        recall=share_found(truth, found),
        queries=len(queries),
        queries_per_second=len(queries) / seconds,
        resident_bytes=sum(segment.resident_bytes for segment in segments),
        segments=segments,
    )


def _exact(view: View, query: Vectors) -> Rows:
    snapshot = view.snapshot
    parts = [
        exact_nearest(segment.vectors, query, DEPTH, live)
        for segment, live in zip(snapshot.segments, snapshot.live, strict=True)
    ]
    if not parts:
        return np.empty(0, np.int32)
    rows = np.concatenate([part.rows + base for part, base in zip(parts, snapshot.bases, strict=True)])
    scores = np.concatenate([part.scores for part in parts])
    return ranked(rows.astype(np.int32), scores, DEPTH, view.chunk_ids).rows


def _health(view: View) -> list[SegmentHealth]:
    return [
        SegmentHealth(
            segment=segment.id,
            rows=len(segment),
            rows_live=len(segment) if live is None else int(np.count_nonzero(live)),
            kind=segment.plan.kind,
            codes=segment.plan.codes,
            reason=segment.plan.reason,
            resident_bytes=segment.searcher.resident_bytes,
        )
        for segment, live in zip(view.snapshot.segments, view.snapshot.live, strict=True)
    ]


def tune_view(view: View, queries: Vectors, recall: float) -> dict[str, Tuned]:
    """For each kind that is not exact, the least effort that finds `recall` in its largest segment."""
    largest = {
        segment.plan.kind: segment
        for segment in sorted(view.snapshot.segments, key=len)
        if segment.plan.kind != "flat"
    }
    return {
        kind: tune(segment.searcher, segment.vectors, queries, DEPTH, recall)
        for kind, segment in largest.items()
    }


def with_efforts(settings: Settings, tuned: dict[str, Tuned]) -> Settings:
    """The settings with the efforts that were found."""
    if "hnsw" in tuned:
        settings = replace(settings, ef_search=max(2, tuned["hnsw"].effort))
    if "ivf_pq" in tuned:
        settings = replace(settings, nprobe=tuned["ivf_pq"].effort)
    return settings


def first_sentences(texts: Sequence[str]) -> list[str]:
    """The first sentence of each text, which asks for it as a person might."""
    spans = [sentence_spans(text) for text in texts]
    return [
        text[each[0].start : each[0].end] if each else text for text, each in zip(texts, spans, strict=True)
    ]
