from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from ann_data import brute, clustered

from rag.errors import MissingExtra
from rag.index.ann import read
from rag.index.codes import load_faiss
from rag.index.gpu import FaissScan, TorchScan, build, faiss_gpus, has_cagra
from rag.index.plan import Plan
from rag.index.tune import measure_recall
from rag.index.vectors import exact_nearest

VECTORS = clustered(3000, 48, 30, seed=3)[0]
QUERIES = clustered(40, 48, 30, seed=4)[0]

needs_gpu = pytest.mark.skipif(faiss_gpus() == 0, reason="this build of FAISS sees no GPU")
needs_cagra = pytest.mark.skipif(not has_cagra(), reason="this build of FAISS has no CAGRA, or sees no GPU")
needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")


def devices() -> list[str]:
    if find_spec("torch") is None:
        return ["cpu"]
    import torch

    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


@needs_torch
@pytest.mark.parametrize("device", devices())
@pytest.mark.parametrize("share", [None, 0.0, 0.002, 0.3, 1.0])
@pytest.mark.parametrize("k", [0, 1, 10, 5000])
def test_a_scan_in_torch_is_exact(device: str, share: float | None, k: int) -> None:
    allowed = None if share is None else np.random.default_rng(1).random(3000) < share
    scan = TorchScan(VECTORS, device)
    many = scan.nearest_of_many(QUERIES[:10], k, allowed)
    assert [set(got.rows.tolist()) for got in many] == [
        set(brute(VECTORS, query, k, allowed)) for query in QUERIES[:10]
    ]
    for query, of_many in zip(QUERIES, many, strict=False):
        wanted = exact_nearest(VECTORS, query, k, allowed)
        for got in (scan.nearest(query, k, allowed, 1), of_many):
            assert got.rows.tolist() == wanted.rows.tolist()
            assert got.scores.tolist() == wanted.scores.tolist()


@pytest.mark.parametrize(
    "plan",
    [
        Plan("hnsw", "int8", m=16, ef_construction=60),
        Plan("ivf_pq", lists=32, pq_bytes=8, pq_dimension=48, refine=120),
        Plan("flat", "int8"),
    ],
)
def test_what_is_built_here_is_read_anywhere(plan: Plan, tmp_path: Path) -> None:
    assert build(tmp_path / "ann", VECTORS, plan)
    assert measure_recall(read(tmp_path / "ann", VECTORS, plan), VECTORS, QUERIES, 10, 128) >= 0.95


def test_no_gpu_is_said() -> None:
    if faiss_gpus():
        assert has_cagra() is hasattr(load_faiss(), "GpuIndexCagra")
        return
    assert not has_cagra()
    with pytest.raises(MissingExtra, match="faiss-gpu"):
        FaissScan(VECTORS)


@needs_gpu
def test_a_scan_by_faiss_is_exact() -> None:
    scan = FaissScan(VECTORS)
    for query in QUERIES:
        assert scan.nearest(query, 10, None, 1).rows.tolist() == brute(VECTORS, query, 10)


@needs_cagra
@pytest.mark.parametrize("codes", ["float32", "float16", "int8"])
def test_a_graph_of_cagra_is_served_by_the_cpu(codes: str, tmp_path: Path) -> None:
    plan = Plan("hnsw", codes, m=16, ef_construction=60)
    build(tmp_path / "graph", VECTORS, plan)
    assert measure_recall(read(tmp_path / "graph", VECTORS, plan), VECTORS, QUERIES, 10, 128) >= 0.95
