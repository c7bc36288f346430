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

from rag.index.ranking import EMPTY, best_rows
from rag.types import Ranking, Rows, Scores, Vectors

EXACT_SHARE = 0.1
"""Below this share of allowed rows a scan of them is faster than a graph that must pass by the others."""

Mask = npt.NDArray[np.bool_]


def _faiss() -> Any:
    """FAISS, loaded when it is first needed. Its own types lag behind its functions."""
    return import_module("faiss")


def exact_scores(vectors: Vectors, query: Vectors, rows: Rows) -> Scores:
    """The inner product of `query` (dimension,) with the vector of each of `rows`."""
    return np.asarray(vectors[rows] @ query, dtype=np.float32)


def exact_nearest(vectors: Vectors, query: Vectors, k: int, allowed: Mask | None) -> Ranking:
    """The k rows of highest inner product among the allowed, ties by row."""
    if allowed is None:
        scores = np.asarray(vectors @ query, dtype=np.float32)
        best = best_rows(scores, k)
        return Ranking(best, scores[best])
    rows = np.flatnonzero(allowed).astype(np.int32)
    if not len(rows):
        return EMPTY
    scores = exact_scores(vectors, query, rows)
    best = best_rows(scores, k)
    return Ranking(rows[best], scores[best])


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
    graph = faiss.read_index(str(path), faiss.IO_FLAG_SKIP_STORAGE)
    storage = faiss.IndexFlatIP(vectors.shape[1])
    storage.add(np.ascontiguousarray(vectors))
    storage.this.disown()
    graph.storage = storage
    graph.own_fields = True
    return graph


def graph_nearest(graph: Any, query: Vectors, k: int, allowed: Mask | None, ef_search: int) -> Ranking:
    """About the k nearest allowed rows, by a walk of the graph that keeps `ef_search` candidates.

    The fewer rows are allowed, the more candidates are kept, so that k of them pass.
    """
    faiss = _faiss()
    parameters = faiss.SearchParametersHNSW(efSearch=max(ef_search, k))
    if allowed is not None:
        share = float(np.count_nonzero(allowed)) / len(allowed)
        bits = np.packbits(allowed, bitorder="little")
        parameters = faiss.SearchParametersHNSW(
            sel=faiss.IDSelectorBitmap(bits), efSearch=int(max(ef_search, k) / max(share, EXACT_SHARE))
        )
    scores, rows = graph.search(query[None, :], k, params=parameters)
    found = rows[0] >= 0
    return Ranking(rows[0][found].astype(np.int32), scores[0][found].astype(np.float32))
