from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from ann_data import brute, clustered

from rag.index.ann import Scan, Searcher, build, read
from rag.index.picture import picture
from rag.index.plan import Plan
from rag.index.tune import (
    LEAST_EFFORT,
    MOST_EFFORT,
    Point,
    exact_rows,
    measure_recall,
    share_found,
    tune,
)
from rag.index.vectors import Mask, exact_nearest
from rag.types import Ranking, Vectors

VECTORS = clustered(2000, 24, 20, seed=5)[0]
QUERIES = clustered(60, 24, 20, seed=6)[0]


class Dull:
    """A searcher that knows the answer and forgets all but `effort / 100` of it."""

    resident_bytes = 0

    def __init__(self, best: int = MOST_EFFORT):
        self.asked: list[int] = []
        self._best = best

    def nearest(self, query: Vectors, k: int, allowed: Mask | None, effort: int) -> Ranking:
        self.asked.append(effort)
        whole = exact_nearest(VECTORS, query, k, allowed)
        kept = min(k, min(effort, self._best) * k // 100)
        return Ranking(whole.rows[:kept], whole.scores[:kept])


def test_share_found() -> None:
    truth = [np.array([1, 2, 3, 4], np.int32), np.array([5, 6], np.int32)]
    found = [np.array([4, 9, 2], np.int32), np.array([6, 5, 1], np.int32)]
    assert share_found(truth, found) == pytest.approx(4 / 6)
    assert share_found([], []) == 1


def test_exact_rows_are_brute_force() -> None:
    allowed = np.arange(2000) % 3 == 0
    got = [rows.tolist() for rows in exact_rows(VECTORS, QUERIES, 7, allowed)]
    assert got == [brute(VECTORS, query, 7, allowed) for query in QUERIES]


def test_recall_of_a_scan_is_one_and_of_a_dull_search_is_what_it_kept() -> None:
    assert measure_recall(Scan(VECTORS), VECTORS, QUERIES, 10, 1) == 1
    assert measure_recall(Dull(), VECTORS, QUERIES, 10, 30) == pytest.approx(0.3)


@pytest.mark.parametrize("recall", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_tune_finds_the_least_effort(recall: float) -> None:
    tuned = tune(Dull(), VECTORS, QUERIES[:3], k=100, recall=recall)
    assert tuned.reached
    assert max(LEAST_EFFORT, 100 * recall) <= tuned.effort <= max(LEAST_EFFORT, 100 * recall * 1.07 + 2)
    efforts = [point.effort for point in tuned.curve]
    assert efforts == sorted(set(efforts))
    assert all(point.queries_per_second > 0 for point in tuned.curve)


def test_tune_says_where_nothing_is_enough() -> None:
    tuned = tune(Dull(best=50), VECTORS, QUERIES[:3], k=100, recall=0.9)
    assert not tuned.reached
    assert tuned.effort == 64
    assert max(point.recall for point in tuned.curve) == pytest.approx(0.5)


@pytest.mark.parametrize(("queries", "recall"), [(QUERIES[:0], 0.9), (QUERIES, 1.1), (QUERIES, -0.1)])
def test_tune_needs_queries_and_a_recall(queries: Vectors, recall: float) -> None:
    with pytest.raises(ValueError, match="recall"):
        tune(Scan(VECTORS), VECTORS, queries, recall=recall)


def test_tune_a_graph(tmp_path: Path) -> None:
    plan = Plan("hnsw", "int8", m=8, ef_construction=40)
    build(tmp_path / "graph", VECTORS, plan)
    graph: Searcher = read(tmp_path / "graph", VECTORS, plan)
    tuned = tune(graph, VECTORS, QUERIES, recall=0.95)
    assert tuned.reached
    assert measure_recall(graph, VECTORS, QUERIES, 10, tuned.effort) >= 0.95


def test_the_picture_is_svg_and_shows_every_point() -> None:
    curves = {
        "a <graph>": [Point(8, 0.8, 9000.0), Point(16, 0.9, 5000.0)],
        "lists": [Point(8, 0.7, 900.0), Point(9, 1.0, 20.0)],
    }
    drawn = ElementTree.fromstring(picture(curves, "recall & speed"))
    name = "{http://www.w3.org/2000/svg}"
    circles = [(float(c.get("cx", "")), float(c.get("cy", ""))) for c in drawn.iter(f"{name}circle")]
    assert len(circles) == 4
    assert len(list(drawn.iter(f"{name}polyline"))) == 2
    words = {text.text for text in drawn.iter(f"{name}text")}
    assert {"a <graph>", "lists", "recall & speed", "10,000", "10"} <= words
    assert circles[0][0] < circles[1][0]  # more recall lies to the right
    assert circles[0][1] < circles[1][1]  # and more speed above
    assert all(0 <= x <= 640 and 0 <= y <= 400 for x, y in circles)


def test_the_picture_needs_a_point() -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        picture({"none": []}, "")
