"""The same searches and files, made on a GPU.

FAISS has no graph that is served from a GPU: one is laid there by CAGRA where FAISS was built with cuVS,
and copied into the HNSW that the CPU serves. Inverted lists have their centroids fitted there. What is
written is read by `rag.index.ann.read` on any machine.

Source: H. Ootomo et al., CAGRA: Highly Parallel Graph Construction and Approximate Nearest
Neighbor Search for GPUs, ICDE 2024.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import MissingExtra
from rag.index import ann
from rag.index.codes import are_unit, load_faiss, rescored
from rag.index.graph import write_graph_file
from rag.index.ivf import build_lists
from rag.index.plan import Plan
from rag.index.ranking import EMPTY
from rag.index.vectors import Mask
from rag.types import Ranking, Vectors

MARGIN = 16
"""How many more rows than wanted are taken from a GPU, whose products round in another order."""


def faiss_gpus() -> int:
    """How many GPUs this build of FAISS sees; a build for the CPU sees none."""
    return int(getattr(load_faiss(), "get_num_gpus", int)())


def has_cagra() -> bool:
    """Whether this build of FAISS can lay a graph on a GPU."""
    return faiss_gpus() > 0 and hasattr(load_faiss(), "GpuIndexCagra")


def build(path: Path, vectors: Vectors, plan: Plan) -> bool:
    """What `rag.index.ann.build` does, on a GPU where this build of FAISS can, else on the CPU."""
    if plan.kind == "ivf_pq" and faiss_gpus():
        build_lists(path, vectors, plan, gpu=True)
        return True
    if plan.kind == "hnsw" and has_cagra():
        write_graph_file(path, _cagra(vectors, plan), vectors, plan)
        return True
    return ann.build(path, vectors, plan)


def _cagra(vectors: Vectors, plan: Plan) -> Any:
    """A graph that CAGRA laid, as HNSW with all its levels."""
    faiss = load_faiss()
    settings = faiss.GpuIndexCagraConfig()
    settings.graph_degree = 2 * plan.m
    settings.intermediate_graph_degree = 4 * plan.m
    metric = faiss.METRIC_L2 if are_unit(vectors) else faiss.METRIC_INNER_PRODUCT
    dimension = vectors.shape[1]
    there = faiss.GpuIndexCagra(faiss.StandardGpuResources(), dimension, metric, settings)
    there.train(np.ascontiguousarray(vectors, np.float32))
    here = faiss.IndexHNSWCagra(dimension, plan.m, metric)
    here.base_level_only = False
    there.copyTo(here)
    return here


class FaissScan:
    """An exact scan by FAISS on one GPU, which holds all vectors, float32 (n, dimension).

    Raises:
        MissingExtra: this build of FAISS sees no GPU.
    """

    def __init__(self, vectors: Vectors, device: int = 0):
        if not faiss_gpus():
            raise MissingExtra("FAISS sees no GPU; install faiss-gpu in the place of faiss-cpu")
        faiss = load_faiss()
        self._vectors = np.asarray(vectors)
        self._resources = faiss.StandardGpuResources()
        flat = faiss.IndexFlatIP(vectors.shape[1])
        self._index = faiss.index_cpu_to_gpu(self._resources, device, flat)
        self._index.add(np.ascontiguousarray(vectors, np.float32))
        self.resident_bytes = int(self._vectors.nbytes)

    def nearest(self, query: Vectors, k: int, allowed: Mask | None, effort: int) -> Ranking:
        """The k allowed rows of highest inner product; under a filter the CPU scans the allowed."""
        if allowed is not None:
            return ann.Scan(self._vectors).nearest(query, k, allowed, effort)
        k = min(k, len(self._vectors))
        if k <= 0:
            return EMPTY
        _, rows = self._index.search(query[None, :], min(k + MARGIN, len(self._vectors)))
        return rescored(self._vectors, query, rows[0], k)


class TorchScan:
    """An exact scan as one matrix product in torch, on a GPU or the CPU, which holds all vectors.

    Raises:
        MissingExtra: torch is not installed.
    """

    def __init__(self, vectors: Vectors, device: str = "cuda"):
        try:
            self._torch: Any = import_module("torch")
        except ImportError as error:
            raise MissingExtra("a scan in torch needs torch: pip install 'spanrag[torch]'") from error
        self._vectors = np.asarray(vectors)
        self._device = device
        self._matrix = self._torch.from_numpy(np.array(vectors, np.float32)).to(device)
        self.resident_bytes = int(self._vectors.nbytes)

    def nearest(self, query: Vectors, k: int, allowed: Mask | None, effort: int) -> Ranking:
        """The k allowed rows of highest inner product with `query`, exact scores, ties by row."""
        return self.nearest_of_many(query[None, :], k, allowed)[0]

    def nearest_of_many(self, queries: Vectors, k: int, allowed: Mask | None = None) -> list[Ranking]:
        """The same for each of `queries` (m, dimension), all in one product."""
        torch = self._torch
        among = len(self._vectors) if allowed is None else int(np.count_nonzero(allowed))
        k = min(k, among)
        if k <= 0:
            return [EMPTY] * len(queries)
        with torch.inference_mode():
            scores = torch.from_numpy(np.array(queries, np.float32)).to(self._device) @ self._matrix.T
            if allowed is not None:
                scores[:, torch.from_numpy(~allowed).to(self._device)] = -torch.inf
            rows = torch.topk(scores, min(k + MARGIN, among), dim=1).indices.cpu().numpy()
        return [rescored(self._vectors, query, near, k) for query, near in zip(queries, rows, strict=True)]
