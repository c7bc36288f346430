"""Build a plan's structure over the vectors of a segment, and open it again.

The file can be rebuilt from the vectors; to lose it costs speed only. FAISS notices
hardly any damage, so whoever opens a file must have checked its bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from rag.errors import IndexCorrupt
from rag.index.codes import (
    Source,
    are_unit,
    as_bytes,
    fill,
    load_faiss,
    prepare,
    read_index,
    rescored,
    scalar_quantizer,
    scale_of,
    scan,
    threads,
    write_index,
)
from rag.index.files import MENDING
from rag.index.graph import Graph, build_graph
from rag.index.ivf import Lists, build_lists
from rag.index.plan import Plan
from rag.index.ranking import EMPTY
from rag.index.vectors import Mask, exact_nearest
from rag.types import Ranking, Settings, Vectors

SCAN_SHARE = 0.03
"""Below this share of allowed rows their vectors are read sooner than the codes of all are passed by."""


class Searcher(Protocol):
    """What finds the nearest of a segment's vectors.

    `resident_bytes` counts what it holds in memory; the exact vectors, mapped from disk, count nothing.
    """

    resident_bytes: int

    def nearest(self, query: Vectors, k: int, allowed: Mask | None, effort: int) -> Ranking:
        """The k allowed rows of highest inner product with `query`, exact scores, ties by row."""
        ...


class Scan:
    """An exact scan of all vectors, float32 (n, dimension)."""

    resident_bytes = 0

    def __init__(self, vectors: Vectors):
        self._vectors = np.asarray(vectors)

    def nearest(self, query: Vectors, k: int, allowed: Mask | None, effort: int) -> Ranking:
        """The k allowed rows of highest inner product; no effort makes it better."""
        return exact_nearest(self._vectors, query, k, allowed)


class CodeScan:
    """A scan of the codes of all vectors, whose best are scored exactly."""

    def __init__(self, source: Source, vectors: Vectors, plan: Plan):
        faiss = load_faiss()
        self._faiss = faiss
        self._vectors = np.asarray(vectors)
        self._codes = read_index(source)
        self._scale = scale_of(self._codes)
        self.rows = int(self._codes.ntotal)
        self.resident_bytes = int(self._codes.codes.size())

    def nearest(self, query: Vectors, k: int, allowed: Mask | None, effort: int) -> Ranking:
        """The k allowed rows of highest inner product among those of the nearest codes."""
        among = len(self._vectors) if allowed is None else int(np.count_nonzero(allowed))
        k = min(k, among)
        if k <= 0:
            return EMPTY
        wanted = 2 * k + 16
        if among <= max(wanted, SCAN_SHARE * len(self._vectors)):
            return scan(self._vectors, query, k, allowed)
        faiss = self._faiss
        near = query if self._scale is None else as_bytes(query, self._scale)
        parameters = None
        if allowed is not None:
            bits = np.packbits(allowed, bitorder="little")
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))
        _, found = self._codes.search(near[None, :], wanted, params=parameters)
        return rescored(self._vectors, query, found[0][found[0] >= 0], k)


def build(path: Path, vectors: Vectors, plan: Plan, thread_count: int | None = None) -> bool:
    """Write what `plan` needs over `vectors` (n, dimension) to `path`; False where it needs no file.

    On one thread the same vectors give the same bytes; on several a graph differs from run to run.
    """
    if plan.kind == "hnsw":
        build_graph(path, vectors, plan, thread_count)
    elif plan.kind == "ivf_pq":
        build_lists(path, vectors, plan, thread_count)
    elif plan.codes != "float32":
        _build_codes(path, vectors, plan, thread_count)
    return has_file(plan)


def has_file(plan: Plan) -> bool:
    """Whether a plan needs a file beside the vectors."""
    return plan.kind != "flat" or plan.codes != "float32"


def read(source: Source, vectors: Vectors, plan: Plan) -> Searcher:
    """Open what `build` wrote for the same vectors and plan. Its bytes must have been checked.

    Raises:
        IndexCorrupt: the file is not there, or does not fit the vectors.
    """
    if not has_file(plan):
        return Scan(vectors)
    name = source if isinstance(source, Path) else "what a segment's vectors are searched by"
    kinds: dict[str, type[Graph | Lists | CodeScan]] = {"hnsw": Graph, "ivf_pq": Lists, "flat": CodeScan}
    try:
        searcher = kinds[plan.kind](source, vectors, plan)
    except RuntimeError as error:  # FAISS throws no other
        raise IndexCorrupt(f"{name} cannot be read ({error}); {MENDING}") from error
    if searcher.rows != len(vectors):
        raise IndexCorrupt(f"{name} is of {searcher.rows} vectors, not of {len(vectors)}; {MENDING}")
    return searcher


def effort_of(plan: Plan, settings: Settings) -> int:
    """How much of a structure a search looks at: ef_search of a graph, nprobe of lists."""
    return settings.nprobe if plan.kind == "ivf_pq" else settings.ef_search


def _build_codes(path: Path, vectors: Vectors, plan: Plan, thread_count: int | None) -> None:
    faiss = load_faiss()
    index = faiss.IndexScalarQuantizer(vectors.shape[1], *scalar_quantizer(plan.codes, are_unit(vectors)))
    with threads(thread_count):
        prepare(index, vectors)
        fill(index, vectors, scale_of(index))
        write_index(index, path)
