"""The k nearest vectors: exact by one matrix product, or approximate over an HNSW graph.

Vectors are float32 (n, dimension) of unit length, so the inner product is the
cosine. The graph holds no vectors: it is laid over those of its segment, can be
rebuilt from them, and losing it loses speed only.

Source: Y. A. Malkov and D. A. Yashunin, Efficient and robust approximate nearest
neighbor search using Hierarchical Navigable Small World graphs, TPAMI 42(4), 2020.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.errors import IndexCorrupt
from rag.index.ranking import EMPTY, best_rows
from rag.types import Ranking, Rows, Scores, Vectors

ROUNDING = 1e-4
"""How far, as a share of the largest, a score from one matrix product may lie from the exact one."""

EXACT_SHARE = 0.1
"""Below this share of allowed rows a scan of them is faster than a graph that must pass by the others."""

COPY_SHARE = 0.25
"""Above this share of allowed rows it is faster to score all than to copy out the allowed."""

Mask = npt.NDArray[np.bool_]


def _faiss() -> Any:
    """FAISS, loaded when it is first needed. Its own types lag behind its functions."""
    return import_module("faiss")


def exact_scores(vectors: Vectors, query: Vectors, rows: Rows) -> Scores:
    """The inner product of `query` (dimension,) with the vector of each of `rows`.

    It hangs on the two vectors alone, so equal vectors tie. A matrix product rounds by place.
    """
    return np.asarray(np.vecdot(vectors[rows], query), dtype=np.float32)


def exact_nearest(vectors: Vectors, query: Vectors, k: int, allowed: Mask | None) -> Ranking:
    """The k rows of highest inner product among the allowed, ties by row."""
    if k <= 0 or not len(vectors) or (allowed is not None and not allowed.any()):
        return EMPTY
    if allowed is not None and np.count_nonzero(allowed) <= COPY_SHARE * len(allowed):
        places = np.flatnonzero(allowed)
        rough = vectors[places] @ query
    else:
        places = np.arange(len(vectors))
        rough = vectors @ query
        if allowed is not None:
            rough[~allowed] = -np.inf
    rows = places[near_best(rough, k)].astype(np.int32)
    scores = exact_scores(vectors, query, rows)
    best = best_rows(scores, k)
    return Ranking(rows[best], scores[best])


def near_best(rough: Scores, k: int) -> npt.NDArray[np.intp]:
    """The positions, rising, of all scores that may be among the k best once they are exact."""
    finite = np.isfinite(rough)
    if k >= np.count_nonzero(finite):
        return np.flatnonzero(finite)
    rough[~finite] = -np.inf
    least = np.partition(rough, len(rough) - k)[len(rough) - k]
    return np.flatnonzero(rough >= least - ROUNDING * np.abs(rough[finite]).max())


def write_graph(path: Path, vectors: Vectors, m: int, ef_construction: int) -> None:
    """Build the HNSW graph of `vectors`, with m neighbours a node, and write it without them."""
    faiss = _faiss()
    graph = faiss.IndexHNSWFlat(vectors.shape[1], m, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = ef_construction
    graph.add(np.ascontiguousarray(vectors))
    faiss.write_index(graph, str(path), faiss.IO_FLAG_SKIP_STORAGE)


def read_graph(path: Path, vectors: Vectors) -> Any:
    """The graph at `path`, laid over `vectors` again. The file must have been checked: FAISS does not."""
    faiss = _faiss()
    try:
        graph = faiss.read_index(str(path), faiss.IO_FLAG_SKIP_STORAGE)
    except RuntimeError as error:  # a compaction may have removed it since it was checked
        raise IndexCorrupt(f"{path} cannot be read ({error}); restore the index, or add again") from error
    storage = faiss.IndexFlatIP(vectors.shape[1])
    storage.add(np.ascontiguousarray(vectors))
    storage.this.disown()
    graph.storage = storage
    graph.own_fields = True
    return graph


def graph_nearest(
    graph: Any, vectors: Vectors, query: Vectors, k: int, allowed: Mask | None, ef_search: int
) -> Ranking:
    """About the k nearest allowed rows, by a walk of the graph that keeps `ef_search` candidates.

    The fewer rows are allowed, the more candidates are kept, so that k of them pass. Where
    still fewer come out than there are, they lie far from the query, and all are scanned.
    """
    faiss = _faiss()
    k = min(k, len(vectors) if allowed is None else int(np.count_nonzero(allowed)))
    if k <= 0:
        return EMPTY
    parameters = faiss.SearchParametersHNSW(efSearch=max(ef_search, k))
    if allowed is not None:
        share = float(np.count_nonzero(allowed)) / len(allowed)
        bits = np.packbits(allowed, bitorder="little")
        parameters = faiss.SearchParametersHNSW(
            sel=faiss.IDSelectorBitmap(bits), efSearch=int(max(ef_search, k) / max(share, EXACT_SHARE))
        )
    _, found = graph.search(query[None, :], k, params=parameters)
    rows = np.sort(found[0][found[0] >= 0]).astype(np.int32)
    if len(rows) < k:
        return exact_nearest(vectors, query, k, allowed)
    scores = exact_scores(vectors, query, rows)
    best = best_rows(scores, k)
    return Ranking(rows[best], scores[best])
