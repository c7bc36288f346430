from __future__ import annotations

import errno
import io
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from ann_data import brute, clustered

from rag.errors import IndexCorrupt, IndexFailed
from rag.index.ann import Scan, Searcher, build, effort_of, has_file, read
from rag.index.codes import load_faiss, threads
from rag.index.plan import Plan
from rag.index.vectors import exact_nearest, exact_scores
from rag.types import Settings

ROWS, DIMENSION = 4000, 48
PLANS = {
    "graph over int8": Plan("hnsw", "int8", m=32, ef_construction=100),
    "graph over float16": Plan("hnsw", "float16", m=32, ef_construction=100),
    "graph over float32": Plan("hnsw", "float32", m=32, ef_construction=100),
    "lists": Plan("ivf_pq", lists=64, pq_bytes=8, pq_dimension=48, refine=120),
    "scan of int8": Plan("flat", "int8"),
    "scan of float16": Plan("flat", "float16"),
    "scan of float32": Plan("flat", "float32"),
}
EFFORT = {"hnsw": 128, "ivf_pq": 24, "flat": 1}

Built = tuple[Plan, Searcher, Path]


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return clustered(ROWS, DIMENSION, 40, seed=11)[0]


@pytest.fixture(scope="module", params=PLANS)
def built(
    request: pytest.FixtureRequest, vectors: np.ndarray, tmp_path_factory: pytest.TempPathFactory
) -> Built:
    plan = PLANS[request.param]
    folder = tmp_path_factory.mktemp("ann")
    path = folder / "ann.faiss"
    assert build(path, vectors, plan, thread_count=1) is has_file(plan) is path.exists()
    np.save(folder / "vectors.npy", vectors)
    return plan, read(path, np.load(folder / "vectors.npy", mmap_mode="r"), plan), path


def recall(
    built: Built, vectors: np.ndarray, queries: np.ndarray, k: int, allowed: np.ndarray | None
) -> float:
    plan, searcher, _ = built
    found = 0
    for query in queries:
        got = searcher.nearest(query, k, allowed, EFFORT[plan.kind]).rows.tolist()
        assert len(set(got)) == k
        assert allowed is None or allowed[got].all()
        found += len(set(got) & set(brute(vectors, query, k, allowed)))
    return found / (k * len(queries))


@pytest.mark.parametrize("share", [None, 0.01, 0.03, 0.1, 0.3, 0.7])
def test_recall(built: Built, vectors: np.ndarray, share: float | None) -> None:
    allowed = None if share is None else np.random.default_rng(1).random(ROWS) < share
    assert recall(built, vectors, clustered(50, DIMENSION, 40, seed=12)[0], 10, allowed) >= 0.97


def test_recall_of_a_hundred(built: Built, vectors: np.ndarray) -> None:
    assert recall(built, vectors, clustered(20, DIMENSION, 40, seed=12)[0], 100, None) >= 0.95


def test_recall_where_the_filter_lies_far_from_the_query(built: Built, vectors: np.ndarray) -> None:
    label = clustered(ROWS, DIMENSION, 40, seed=11)[1]
    assert recall(built, vectors, vectors[label == 20][:30], 10, (label < 10) | (label == 30)) >= 0.97


def test_scores_are_exact_and_ties_by_row(built: Built, vectors: np.ndarray) -> None:
    plan, searcher, _ = built
    for query in vectors[:20]:
        got = searcher.nearest(query, 10, None, EFFORT[plan.kind])
        assert (got.rows.dtype, got.scores.dtype) == (np.int32, np.float32)
        assert got.scores.tolist() == exact_scores(vectors, query, got.rows).tolist()
        pairs = list(zip((-got.scores).tolist(), got.rows.tolist(), strict=True))
        assert pairs == sorted(pairs)


def test_all_that_is_allowed_and_no_more(built: Built, vectors: np.ndarray) -> None:
    plan, searcher, _ = built
    effort = EFFORT[plan.kind]
    allowed = np.zeros(ROWS, bool)
    assert searcher.nearest(vectors[0], 5, allowed, effort).rows.tolist() == []
    allowed[[5, 3999, 17]] = True
    assert searcher.nearest(vectors[0], 10, allowed, effort).rows.tolist() == brute(
        vectors, vectors[0], 10, allowed
    )
    assert searcher.nearest(vectors[0], 0, None, effort).rows.tolist() == []
    assert len(searcher.nearest(vectors[0], ROWS + 5, None, effort).rows) == ROWS


def test_a_query_may_lie_anyhow_in_memory(built: Built, vectors: np.ndarray) -> None:
    plan, searcher, _ = built
    across = np.asfortranarray(vectors[:5].astype(np.float64))
    for query, other in zip(vectors, across, strict=False):
        wanted = searcher.nearest(query, 100, None, EFFORT[plan.kind])
        assert searcher.nearest(other, 100, None, EFFORT[plan.kind]).rows.tolist() == wanted.rows.tolist()


def test_threads_find_what_one_finds(built: Built, vectors: np.ndarray) -> None:
    plan, searcher, _ = built

    def search(query: np.ndarray) -> list[int]:
        return searcher.nearest(query, 10, None, EFFORT[plan.kind]).rows.tolist()

    alone = [search(query) for query in vectors[:64]]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(search, vectors[:64])) == alone


def test_what_stays_in_memory(built: Built, vectors: np.ndarray) -> None:
    plan, searcher, path = built
    assert searcher.resident_bytes == pytest.approx(plan.bytes_needed(ROWS, DIMENSION), rel=0.15, abs=1)
    if has_file(plan):
        assert vectors[0].tobytes() not in path.read_bytes()
        assert path.stat().st_size == pytest.approx(searcher.resident_bytes, rel=0.05)


def test_one_thread_writes_the_same_bytes(built: Built, vectors: np.ndarray, tmp_path: Path) -> None:
    plan, _, path = built
    if not has_file(plan):
        return
    build(tmp_path / "again.faiss", vectors, plan, thread_count=1)
    assert (tmp_path / "again.faiss").read_bytes() == path.read_bytes()


def test_equal_vectors_come_out_by_row(tmp_path: Path, vectors: np.ndarray) -> None:
    twins = vectors.copy()
    twins[[900, 40, 3000]] = twins[7]
    for plan in PLANS.values():
        build(tmp_path / "twins.faiss", twins, plan)
        got = read(tmp_path / "twins.faiss", twins, plan).nearest(twins[7], 4, None, EFFORT[plan.kind])
        assert got.rows.tolist() == [7, 40, 900, 3000]
        assert len(set(got.scores.tolist())) == 1


@pytest.mark.parametrize(
    "name", ["graph over int8", "graph over float16", "graph over float32", "scan of int8"]
)
def test_vectors_of_other_lengths(tmp_path: Path, vectors: np.ndarray, name: str) -> None:
    longer = vectors * np.random.default_rng(3).uniform(0.5, 2, ROWS).astype(np.float32)[:, None]
    build(tmp_path / "ann.faiss", longer, PLANS[name])
    searcher = read(tmp_path / "ann.faiss", longer, PLANS[name])
    assert recall((PLANS[name], searcher, tmp_path), longer, vectors[:30], 10, None) >= 0.95


def test_a_file_that_is_none_or_of_other_vectors(built: Built, tmp_path: Path, vectors: np.ndarray) -> None:
    plan, _, path = built
    if not has_file(plan):
        assert isinstance(read(tmp_path / "none", vectors, plan), Scan)
        return
    with pytest.raises(IndexCorrupt, match=r"none\.faiss"):
        read(tmp_path / "none.faiss", vectors, plan)
    (tmp_path / "bad.faiss").write_bytes(b"not of FAISS")
    with pytest.raises(IndexCorrupt, match=r"bad\.faiss"):
        read(tmp_path / "bad.faiss", vectors, plan)
    with pytest.raises(IndexCorrupt, match="4000 vectors"):
        read(path, vectors[:100], plan)


def test_a_scan_is_exact(vectors: np.ndarray) -> None:
    got = Scan(vectors).nearest(vectors[3], 9, None, 1)
    assert got.rows.tolist() == exact_nearest(vectors, vectors[3], 9, None).rows.tolist()
    assert Scan(vectors).resident_bytes == 0


def test_threads_are_put_back() -> None:
    faiss = load_faiss()
    before = faiss.omp_get_max_threads()
    with pytest.raises(ZeroDivisionError), threads(before + 1):
        assert faiss.omp_get_max_threads() == before + 1
        sys.exit(1 // 0)
    assert faiss.omp_get_max_threads() == before


def test_effort() -> None:
    settings = Settings(ef_search=70, nprobe=9)
    assert [effort_of(Plan(kind), settings) for kind in ("hnsw", "ivf_pq", "flat")] == [70, 9, 70]


def test_a_disk_that_is_full_while_a_structure_is_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.BytesIO):
        def write(self, part: bytes) -> int:
            if self.tell() > 1000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(part)

    vectors = np.random.default_rng(1).standard_normal((200, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    monkeypatch.setattr(Path, "open", lambda *_, **__: Full())
    with pytest.raises(IndexFailed, match="No space left"):
        build(tmp_path / "graph.faiss", vectors, Plan("hnsw", "int8", m=8, ef_construction=40))
