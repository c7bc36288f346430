from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rag.errors import IndexCorrupt
from rag.index.vectors import exact_nearest, exact_scores, graph_nearest, read_graph, write_graph
from rag.types import Settings

DEFAULT = Settings()


def clustered(rows: int, dimension: int, clusters: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around `clusters` centres, and the number of each one's centre."""
    random = np.random.default_rng(seed)
    label = random.integers(clusters, size=rows)
    vectors = random.standard_normal((clusters, dimension))[label] + 0.6 * random.standard_normal(
        (rows, dimension)
    )
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), label


def brute(vectors: np.ndarray, query: np.ndarray, k: int, allowed: np.ndarray | None = None) -> list[int]:
    scores = vectors.astype(np.float64) @ query.astype(np.float64)
    rows = np.arange(len(vectors)) if allowed is None else np.flatnonzero(allowed)
    return rows[np.argsort(-scores[rows], kind="stable")][:k].tolist()


@pytest.mark.parametrize("share", [None, 0.0, 0.02, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("k", [0, 1, 7, 300, 1000])
def test_exact_is_brute_force(share: float | None, k: int) -> None:
    random = np.random.default_rng(3)
    vectors, _ = clustered(300, 32, 5, seed=1)
    allowed = None if share is None else random.random(300) < share
    for query in vectors[:10]:
        got = exact_nearest(vectors, query, k, allowed)
        assert got.rows.tolist() == brute(vectors, query, k, allowed)
        assert got.rows.dtype == np.int32
        assert got.scores.dtype == np.float32
        np.testing.assert_allclose(got.scores, vectors[got.rows].astype(np.float64) @ query, atol=1e-6)


@pytest.mark.parametrize("rows", [7, 33, 101, 1001])
def test_equal_vectors_tie_wherever_they_stand(rows: int) -> None:
    vectors, _ = clustered(rows, 384, 3, seed=rows)
    twins = sorted({0, rows // 3, rows // 2, rows - 2, rows - 1})
    vectors[twins] = vectors[0]
    for query in clustered(20, 384, 3, seed=5)[0]:
        scores = exact_scores(vectors, query, np.array(twins, np.int32))
        assert len(set(scores.tolist())) == 1
        for k in (2, 3, rows):
            got = exact_nearest(vectors, query, k, None)
            found = [row for row in got.rows.tolist() if row in twins]
            assert found == twins[: len(found)]
        alone = exact_nearest(vectors, query, rows, np.isin(np.arange(rows), twins))
        assert alone.scores.tolist() == scores.tolist()


def test_a_vector_that_is_no_number_hides_no_other() -> None:
    vectors, _ = clustered(50, 16, 3, seed=1)
    query = vectors[7].copy()
    vectors[3] = np.nan
    assert exact_nearest(vectors, query, 1, None).rows.tolist() == [7]
    assert 3 not in exact_nearest(vectors, query, 50, None).rows


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, np.ndarray, np.ndarray]:
    vectors, label = clustered(4000, 48, 40, seed=11)
    path = tmp_path_factory.mktemp("graph") / "graph.faiss"
    write_graph(path, vectors, DEFAULT.graph_m, DEFAULT.ef_construction)
    assert vectors[0].tobytes() not in path.read_bytes()
    return read_graph(path, vectors), vectors, label


def recall(
    graph: tuple[object, np.ndarray, np.ndarray], allowed: np.ndarray | None, queries: np.ndarray
) -> float:
    index, vectors, _ = graph
    found = 0
    for query in queries:
        got = graph_nearest(index, vectors, query, 10, allowed, DEFAULT.ef_search).rows.tolist()
        assert len(set(got)) == 10
        if allowed is not None:
            assert allowed[got].all()
        found += len(set(got) & set(brute(vectors, query, 10, allowed)))
    return found / (10 * len(queries))


def test_graph_recall(graph: tuple[object, np.ndarray, np.ndarray]) -> None:
    assert recall(graph, None, clustered(50, 48, 40, seed=12)[0]) >= 0.95


@pytest.mark.parametrize("share", [0.1, 0.3, 0.7])
def test_graph_recall_under_a_filter(graph: tuple[object, np.ndarray, np.ndarray], share: float) -> None:
    allowed = np.random.default_rng(1).random(4000) < share
    assert recall(graph, allowed, clustered(50, 48, 40, seed=12)[0]) >= 0.95


def test_graph_recall_where_the_filter_lies_far_from_the_query(
    graph: tuple[object, np.ndarray, np.ndarray],
) -> None:
    _, vectors, label = graph
    allowed = label < 6
    queries = vectors[label == 20][:20]
    assert recall(graph, allowed, queries) >= 0.95


def test_graph_gives_all_that_is_allowed_and_no_more(graph: tuple[object, np.ndarray, np.ndarray]) -> None:
    index, vectors, _ = graph
    allowed = np.zeros(4000, bool)
    assert graph_nearest(index, vectors, vectors[0], 5, allowed, 64).rows.tolist() == []
    allowed[[5, 3999, 17]] = True
    assert sorted(graph_nearest(index, vectors, vectors[0], 10, allowed, 64).rows.tolist()) == [5, 17, 3999]
    assert graph_nearest(index, vectors, vectors[0], 0, None, 64).rows.tolist() == []


def test_a_damaged_graph_says_so(tmp_path: Path) -> None:
    path = tmp_path / "graph.faiss"
    path.write_bytes(b"not a graph")
    with pytest.raises(IndexCorrupt, match=r"graph\.faiss"):
        read_graph(path, np.eye(4, dtype=np.float32))
