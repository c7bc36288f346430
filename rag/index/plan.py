"""How a segment's vectors are searched: which structure, over which codes, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from rag.types import Settings

FEWEST_ROWS = 1_000
"""Below this many rows a scan is faster than any structure, and a quantiser has too little to learn from."""

MOST_GRAPH_ROWS = 5_000_000
"""Above this many rows of one segment a graph takes hours to build, inverted lists minutes."""

CODE_BYTES = {"float32": 4, "float16": 2, "int8": 1}


@dataclass(frozen=True, slots=True)
class Plan:
    """How the vectors of one segment are searched.

    `kind` is `flat`, `hnsw` or `ivf_pq`. `codes` are what a scan or a walk compares: `float32` (the
    mapped vectors themselves), `float16` or `int8`; with `ivf_pq` they say nothing. `m` and
    `ef_construction` are HNSW's; `lists`, `pq_bytes` (two sub-quantisers of 4 bits each) and
    `pq_dimension` (what is kept of each vector) are IVF-PQ's, and the best `refine` candidates of it
    are scored exactly.
    """

    kind: str
    codes: str = "float32"
    m: int = 0
    ef_construction: int = 0
    lists: int = 0
    pq_bytes: int = 0
    pq_dimension: int = 0
    refine: int = 0
    reason: str = ""

    def bytes_needed(self, rows: int, dimension: int) -> int:
        """About how many bytes stay in memory; vectors that are mapped from disk count nothing."""
        if self.kind == "ivf_pq":
            block = 16 * self.pq_bytes  # lists are filled up to 32 codes, half of that on average
            tables = 4 * self.pq_dimension * (dimension + 16)
            return rows * (self.pq_bytes + 8) + self.lists * (self.pq_dimension + block) + tables
        held = 0 if self.codes == "float32" else CODE_BYTES[self.codes] * dimension
        if self.kind == "hnsw":
            held += 4 * 2 * self.m + 16
        return rows * held


def choose_plan(rows: int, dimension: int, settings: Settings, rows_total: int | None = None) -> Plan:
    """The plan for a segment of `rows` vectors of `dimension`, as `settings` ask or allow.

    `memory_mb` of the settings bounds what all segments hold in memory together, so a segment
    has the share of it that its rows are of `rows_total` (its own, where None).
    """
    if rows < FEWEST_ROWS and settings.kind != "flat":
        return Plan("flat", reason=f"{rows:,} rows are scanned at once: fewer than {FEWEST_ROWS:,}")
    if settings.kind == "flat":
        return Plan("flat", _codes(settings, "float32"), reason="the settings ask for flat")
    if settings.kind == "hnsw":
        return _graph(settings, _codes(settings, "int8"), "the settings ask for hnsw")
    if settings.kind == "ivf_pq":
        return _lists(rows, dimension, settings, "the settings ask for ivf_pq")
    return _auto(rows, dimension, settings, rows_total or rows)


def _auto(rows: int, dimension: int, settings: Settings, rows_total: int) -> Plan:
    if rows < settings.auto_graph_rows:
        fewer = f"fewer than auto_graph_rows, {settings.auto_graph_rows:,}"
        return Plan("flat", reason=f"{rows:,} rows are scanned exactly: {fewer}")
    lists = _lists(rows, dimension, settings, "")
    if rows > MOST_GRAPH_ROWS:
        return _because(lists, f"a graph of {rows:,} rows would take hours to build")
    graph = _graph(settings, _codes(settings, "int8"), "")
    if settings.memory_mb is None:
        return _because(
            graph, f"{rows:,} rows, and no bound on memory: a graph is the fastest at high recall"
        )
    budget = settings.memory_mb * 1e6 * rows / rows_total
    smaller = _graph(settings, "int8", "")
    for plan in (graph, smaller):
        needed = plan.bytes_needed(rows, dimension)
        if needed <= budget:
            return _because(
                plan, f"its graph over {plan.codes} takes {needed / 1e6:.0f} of {budget / 1e6:.0f} MB"
            )
    needed, least = smaller.bytes_needed(rows, dimension), lists.bytes_needed(rows, dimension)
    fits = "fits" if least <= budget else "is the smallest there is"
    return _because(
        lists,
        f"a graph would take {needed / 1e6:.0f} of {budget / 1e6:.0f} MB; "
        f"IVF-PQ takes {least / 1e6:.0f} and {fits}",
    )


def _codes(settings: Settings, usual: str) -> str:
    return usual if settings.codes == "auto" else settings.codes


def _graph(settings: Settings, codes: str, reason: str) -> Plan:
    return Plan("hnsw", codes, m=settings.graph_m, ef_construction=settings.ef_construction, reason=reason)


def _lists(rows: int, dimension: int, settings: Settings, reason: str) -> Plan:
    """About as many lists as the root of the rows, and a byte for every 19 dimensions.

    For 200,000 rows of 384 these are 512 lists and 20 bytes, and 280 principal axes are kept.
    """
    lists = settings.lists or 2 ** max(4, round(math.log2(1.2 * math.sqrt(max(1, rows)))))
    parts = 2 * min(settings.pq_bytes or max(2, round(dimension / 19.2)), dimension // 2)
    return Plan(
        "ivf_pq",
        lists=min(lists, max(1, rows // 39)),
        pq_bytes=parts // 2,
        pq_dimension=min(7, dimension // parts) * parts,
        refine=settings.refine,
        reason=reason,
    )


def _because(plan: Plan, reason: str) -> Plan:
    return replace(plan, reason=reason)
