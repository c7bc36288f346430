"""A search by an HNSW graph that walks over small codes and scores what it finds exactly.

A filter is not asked along the walk: the walk returns all the nodes that it kept, the allowed
among them are taken, and where too few are it goes further, until a scan of the allowed costs less.
So what comes out under a filter is as near as what comes out without, also where the allowed lie
far from the query.

Source: Y. A. Malkov and D. A. Yashunin, Efficient and robust approximate nearest
neighbor search using Hierarchical Navigable Small World graphs, TPAMI 42(4), 2020.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.index.codes import (
    Source,
    are_unit,
    as_bytes,
    fill,
    load_faiss,
    mapped_storage,
    prepare,
    read_index,
    rescored,
    scalar_quantizer,
    scale_of,
    scan,
    threads,
    write_index,
)
from rag.index.plan import Plan
from rag.index.ranking import EMPTY
from rag.index.vectors import Mask
from rag.types import Ranking, Vectors

SLACK = 3
"""How many times the nodes that should hold enough allowed ones are kept."""

STEPS = 0.7
"""How many vectors a walk compares for each node that it keeps and each neighbour a node has."""


def build_graph(path: Path, vectors: Vectors, plan: Plan, thread_count: int | None = None) -> None:
    """Lay a graph over `vectors` (n, dimension) and write it with its codes, but never with float32.

    It is laid by bytes whatever the codes, which is several times faster and finds the same
    neighbours but for a few. One thread gives the same file each time; several do not.
    """
    faiss = load_faiss()
    unit, dimension = are_unit(vectors), vectors.shape[1]
    kind, metric = scalar_quantizer("int8", unit)
    graph = faiss.IndexHNSWSQ(dimension, kind, plan.m, metric)
    graph.hnsw.efConstruction = plan.ef_construction
    storage = faiss.downcast_index(graph.storage)
    with threads(thread_count):
        prepare(storage, vectors)
        graph.is_trained = True
        fill(graph, vectors, scale_of(storage))
        write_graph_file(path, graph, vectors, plan)


def write_graph_file(path: Path, graph: Any, vectors: Vectors, plan: Plan) -> None:
    """Write a graph of `vectors` with the codes of `plan` in the place of those that it was laid by."""
    faiss = load_faiss()
    unit = graph.metric_type == faiss.METRIC_L2
    kind, metric = scalar_quantizer(plan.codes, unit)
    laid_by = faiss.downcast_index(graph.storage)
    skip = faiss.IO_FLAG_SKIP_STORAGE if plan.codes == "float32" else 0
    if not skip and not (isinstance(laid_by, faiss.IndexScalarQuantizer) and laid_by.sq.qtype == kind):
        codes = faiss.IndexScalarQuantizer(vectors.shape[1], kind, metric)
        prepare(codes, vectors)
        fill(codes, vectors, scale_of(codes))
        graph.storage = codes
        graph.own_fields = False
    write_index(graph, path, skip)


class Graph:
    """An open graph over the vectors of a segment, float32 (n, dimension), mapped from disk."""

    def __init__(self, source: Source, vectors: Vectors, plan: Plan):
        faiss = load_faiss()
        self._faiss = faiss
        self._vectors = np.asarray(vectors)
        self._m = plan.m
        self._last: tuple[int, Any] = (0, None)
        skip = faiss.IO_FLAG_SKIP_STORAGE if plan.codes == "float32" else 0
        self._graph = read_index(source, skip)
        if skip:
            self._storage = mapped_storage(self._vectors, self._graph.metric_type == faiss.METRIC_L2)
            self._graph.storage = self._storage
            self._graph.own_fields = False
        else:
            self._storage = faiss.downcast_index(self._graph.storage)
        self._scale = scale_of(self._storage)
        self.rows = int(self._graph.ntotal)
        self.resident_bytes = _bytes_of(self._graph.hnsw) + (0 if skip else self._storage.codes.size())

    def nearest(self, query: Vectors, k: int, allowed: Mask | None, effort: int) -> Ranking:
        """About the k allowed rows of highest inner product with `query`; their scores are exact.

        `effort` is HNSW's ef_search. All allowed rows come out where they are k or fewer.
        """
        rows = len(self._vectors)
        among = rows if allowed is None else int(np.count_nonzero(allowed))
        k = min(k, among)
        if k <= 0:
            return EMPTY
        query = np.ascontiguousarray(query, np.float32)
        wanted = min(k + k // 4 + 6, among)
        keep = max(effort, wanted if allowed is None else round(SLACK * wanted * rows / among))
        while self._m * STEPS * keep < among:
            found = self._walk(query, keep if allowed is not None else wanted, keep)
            if allowed is not None:
                found = found[allowed[found]][:wanted]  # they come out by distance
            if len(found) == wanted or (allowed is None and len(found) >= k):
                return rescored(self._vectors, query, found, k)
            keep = max(2 * keep, round(SLACK * wanted * keep / max(1, len(found))))
        return scan(self._vectors, query, k, allowed)

    def _walk(self, query: Vectors, count: int, keep: int) -> npt.NDArray[np.int64]:
        """The `count` nearest of the `keep` nodes that a walk keeps."""
        faiss = self._faiss
        near = query if self._scale is None else as_bytes(query, self._scale)
        distances, found = np.empty(count, np.float32), np.empty(count, np.int64)
        self._graph.search_c(
            1,
            faiss.swig_ptr(near),
            count,
            faiss.swig_ptr(distances),
            faiss.swig_ptr(found),
            self._parameters(keep),
        )
        return found if found[-1] >= 0 else found[found >= 0]

    def _parameters(self, keep: int) -> Any:
        """FAISS's parameters of a walk; the last are kept, for most walks keep as many nodes as the last."""
        last = self._last
        if last[0] != keep:
            self._last = last = (keep, self._faiss.SearchParametersHNSW(efSearch=keep))
        return last[1]


def _bytes_of(hnsw: Any) -> int:
    """The bytes that the links of a graph take."""
    return int(4 * hnsw.neighbors.size() + 8 * hnsw.offsets.size() + 4 * hnsw.levels.size())
