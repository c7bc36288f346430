"""Graphs beside hnswlib's, lists with few bytes a vector, and recall after half of the rows were exchanged.

    python tests/bench/real_vectors.py CACHE.npz     # once
    OMP_NUM_THREADS=1 python tests/bench/bench_ann.py CACHE.npz [--svg curves.svg] [--parts hnsw,ivf,churn]
    OMP_NUM_THREADS=1 python tests/bench/bench_ann.py CACHE.npz --parts hnsw --m 32 --ef-construction 200

One thread, one query after another. Each effort is asked of both graphs by turns, a hundred queries
at a time, so that what else the machine does befalls both. Times are CPU seconds of the process.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from time import process_time

import hnswlib
import numpy as np
from real_vectors import load

from rag.index.ann import build, read
from rag.index.picture import picture
from rag.index.plan import Plan, choose_plan
from rag.index.ranking import best_rows
from rag.index.tune import Point, exact_rows, share_found
from rag.types import Rows, Settings, Vectors

K = 10
TURN = 100
EFFORTS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 640, 1024, 1536)
PROBES = (32, 64, 128, 192, 256, 384)
CHURN_PARTS = 4

Search = Callable[[Vectors, int], Rows]


def by_turns(
    searches: dict[str, Search], queries: Vectors, truth: Sequence[Rows], efforts: Sequence[int]
) -> dict[str, list[Point]]:
    """The curve of each search, all asked by turns."""
    curves: dict[str, list[Point]] = {name: [] for name in searches}
    for effort in efforts:
        seconds = dict.fromkeys(searches, 0.0)
        found: dict[str, list[Rows]] = {name: [] for name in searches}
        for start in range(0, len(queries), TURN):
            for name, search in searches.items():
                before = process_time()
                found[name] += [search(query, effort) for query in queries[start : start + TURN]]
                seconds[name] += process_time() - before
        for name in searches:
            recall = share_found(truth, found[name])
            curves[name].append(Point(effort, recall, len(queries) / seconds[name]))
            speed = curves[name][-1].queries_per_second
            print(f"{name:24} effort {effort:4} recall {recall:.4f} {speed:8,.0f}/s", flush=True)
    return curves


def speed_at(curve: Sequence[Point], recall: float) -> float:
    """Queries a second at a recall, between the two efforts around it; 0 where none reaches it."""
    for low, high in pairwise(curve):
        if low.recall <= recall <= high.recall:
            share = (recall - low.recall) / max(high.recall - low.recall, 1e-9)
            return 1 / ((1 - share) / low.queries_per_second + share / high.queries_per_second)
    return 0.0


def peer_graph(vectors: Vectors, m: int, ef: int, path: Path) -> hnswlib.Index:
    """hnswlib's graph over `vectors`, built on one thread where `path` does not hold it yet."""
    index = hnswlib.Index("ip", vectors.shape[1])
    if path.exists():
        index.load_index(str(path), len(vectors))
    else:
        index.init_index(len(vectors), ef_construction=ef, M=m)
        index.add_items(vectors, num_threads=1)
        index.save_index(str(path))
    return index


def hnsw(
    vectors: Vectors, queries: Vectors, truth: Sequence[Rows], plans: Sequence[Plan], folder: Path
) -> dict[str, list[Point]]:
    """Search hnswlib's graph and ours, all of the same m and ef_construction, and say how long each took."""
    m, ef = plans[0].m, plans[0].ef_construction
    kept = (folder / f"hnswlib_{m}_{ef}").exists()
    before = process_time()
    peer = peer_graph(vectors, m, ef, folder / f"hnswlib_{m}_{ef}")
    seconds = {} if kept else {"hnswlib": process_time() - before}

    def peer_search(query: Vectors, effort: int) -> Rows:
        peer.set_ef(effort)
        return peer.knn_query(query, K, num_threads=1)[0][0]

    searches: dict[str, Search] = {"hnswlib": peer_search}
    for plan in plans:
        name = f"rag {plan.codes}"
        path = folder / f"{plan.codes}_{m}_{ef}"
        if not path.exists():
            before = process_time()
            build(path, vectors, plan, thread_count=1)
            seconds[name] = process_time() - before
        searcher = read(path, vectors, plan)
        searches[name] = lambda query, effort, of=searcher: of.nearest(query, K, None, effort).rows
        print(f"{name}: {searcher.resident_bytes / len(vectors):.0f} bytes a vector in memory")
    print(f"m {m}, ef_construction {ef}, {len(vectors):,} rows; CPU seconds to build what was not kept:")
    for name, took in seconds.items():
        ratio = seconds.get("hnswlib", 0) / took
        print(f"{name:24} {took:7.1f} s  {ratio:.2f} x hnswlib", flush=True)
    curves = by_turns(searches, queries, truth, EFFORTS)
    for recall in (0.95, 0.99):
        peer_speed = speed_at(curves["hnswlib"], recall)
        for name, curve in curves.items():
            speed = speed_at(curve, recall)
            ratio = speed / max(peer_speed, 1e-9)
            print(f"recall {recall}: {name:24} {speed:8,.0f}/s  {ratio:.2f} x hnswlib")
    return curves


def ivf(vectors: Vectors, queries: Vectors, truth: Sequence[Rows]) -> dict[str, list[Point]]:
    """Inverted lists as `auto` lays them."""
    plan = choose_plan(len(vectors), vectors.shape[1], Settings(kind="ivf_pq"))
    print(plan)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lists"
        before = process_time()
        build(path, vectors, plan, thread_count=1)
        print(f"built in {process_time() - before:.1f} CPU seconds")
        searcher = read(path, vectors, plan)
        each = searcher.resident_bytes / len(vectors)
        print(f"{each:.2f} bytes a vector in memory, {path.stat().st_size / len(vectors):.2f} on disk")
        search = {"rag ivf_pq": lambda query, effort: searcher.nearest(query, K, None, effort).rows}
        return by_turns(search, queries, truth, PROBES)


def churn(vectors: Vectors, queries: Vectors, kind: str) -> None:
    """Delete half of the rows and add as many: as masks and segments, then merged, and built anew."""
    random = np.random.default_rng(7)
    half = len(vectors) * 2 // 3 // 2 * 2 // 2
    first, added = vectors[: 2 * half], vectors[2 * half : 3 * half]
    kept = np.ones(2 * half, bool)
    kept[random.permutation(2 * half)[:half]] = False
    now = np.concatenate([first[kept], added])
    truth = exact_rows(now, queries, K)
    settings = Settings(kind=kind, graph_m=16, ef_construction=100)
    number = np.cumsum(kept) - 1
    with tempfile.TemporaryDirectory() as folder:

        def segment(rows: Vectors, name: str) -> Callable[..., object]:
            plan = choose_plan(len(rows), rows.shape[1], settings)
            build(Path(folder) / name, rows, plan)
            return read(Path(folder) / name, rows, plan).nearest

        size = 2 * half // CHURN_PARTS
        starts = range(0, 2 * half, size)
        parts = [segment(first[start : start + size], f"part{start}") for start in starts]
        late = segment(added, "added")
        whole = segment(np.ascontiguousarray(now), "merged")
        fresh = segment(np.ascontiguousarray(now[random.permutation(len(now))]), "fresh_in_another_order")
        order = np.random.default_rng(7)
        order.permutation(2 * half)
        back = order.permutation(len(now))

        def churned(query: Vectors, effort: int) -> Rows:
            found = []
            for start, part in zip(starts, parts, strict=True):
                got = part(query, K, kept[start : start + size], effort)
                found.append((number[got.rows + start], got.scores))
            got = late(query, K, None, effort)
            found.append((got.rows + half, got.scores))
            rows, scores = (np.concatenate(column) for column in zip(*found, strict=True))
            return rows[best_rows(scores, K)]

        searches: dict[str, Search] = {
            "tombstones and segments": churned,
            "merged": lambda query, effort: whole(query, K, None, effort).rows,
            "built anew": lambda query, effort: back[fresh(query, K, None, effort).rows],
        }
        efforts = (256,) if kind == "ivf_pq" else (32, 64, 128)
        curves = by_turns(searches, queries, truth, efforts)
    for at, effort in enumerate(efforts):
        anew = curves["built anew"][at].recall
        for name in ("tombstones and segments", "merged"):
            print(f"{kind} effort {effort}: {name} loses {anew - curves[name][at].recall:+.4f} of {anew:.4f}")


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cache", type=Path)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--m", type=int, default=16)
    parser.add_argument("--ef-construction", type=int, default=100)
    parser.add_argument("--codes", default="int8,float16,float32")
    parser.add_argument("--parts", default="hnsw,ivf,churn")
    parser.add_argument("--keep", type=Path, help="a folder that keeps the graphs that are built")
    parser.add_argument("--svg", type=Path)
    asked = parser.parse_args()
    vectors, queries = load(asked.cache)
    vectors, queries = vectors[: asked.rows], queries[: asked.queries]
    truth = exact_rows(vectors, queries, K)
    curves: dict[str, list[Point]] = {}
    parts = asked.parts.split(",")
    if "hnsw" in parts:
        plans = [
            Plan("hnsw", codes, m=asked.m, ef_construction=asked.ef_construction)
            for codes in asked.codes.split(",")
        ]
        with tempfile.TemporaryDirectory() as scratch:
            curves |= hnsw(vectors, queries, truth, plans, asked.keep or Path(scratch))
    if "ivf" in parts:
        curves |= ivf(vectors, queries, truth)
    if "churn" in parts:
        for kind in ("hnsw", "ivf_pq"):
            churn(vectors, queries, kind)
    if asked.svg:
        asked.svg.write_text(picture(curves, f"recall@{K} of {len(vectors):,} vectors, one thread"))


if __name__ == "__main__":
    main()
