"""Recall and speed under filters, beside hnswlib's filter callback and FAISS's own selector.

    python tests/bench/real_vectors.py CACHE.npz     # once
    OMP_NUM_THREADS=1 python tests/bench/bench_filters.py CACHE.npz [--keep FOLDER]

One thread, one query after another, the same queries by turns; times are CPU seconds of the process.
Two kinds of filter let pass a share of the rows: any of them, or those nearest to one row, as a filter by
topic does; then most queries lie far from all that they may find. The peers are asked at two efforts,
for neither widens its search by itself. The peers' graphs and one of ours have m 16 and
ef_construction 100.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
from bench_ann import peer_graph
from real_vectors import load

from rag.index.ann import Searcher, build, effort_of, read
from rag.index.plan import Plan, choose_plan
from rag.index.tune import exact_rows, share_found
from rag.index.vectors import Mask
from rag.types import Rows, Settings, Vectors

K = 10
SHARES = (0.001, 0.01, 0.1, 1.0)
PEER_EFFORTS = (128, 1024)
SETTINGS = Settings(kind="hnsw", graph_m=16, ef_construction=100)

Search = Callable[[Vectors, Mask], npt.NDArray[Any]]


def masks(vectors: Vectors, share: float) -> dict[str, Mask]:
    """Which rows each kind of filter lets pass."""
    random = np.random.default_rng(3)
    count = round(share * len(vectors))
    anywhere = np.zeros(len(vectors), bool)
    anywhere[random.permutation(len(vectors))[:count]] = True
    near = vectors @ vectors[random.integers(len(vectors))]
    topic = np.zeros(len(vectors), bool)
    topic[np.argsort(-near)[:count]] = True
    return {"any rows": anywhere, "one topic": topic} if share < 1 else {"all rows": anywhere}


def our_search(vectors: Vectors, folder: Path, plan: Plan) -> Searcher:
    """The searcher of a plan, built where the folder does not hold it."""
    path = folder / ("lists" if plan.kind == "ivf_pq" else f"{plan.codes}_{plan.m}_{plan.ef_construction}")
    if not path.exists():
        build(path, vectors, plan)
    return read(path, vectors, plan)


def our_searches(vectors: Vectors, folder: Path) -> dict[str, Search]:
    """The graphs, like the peers' and by default settings, and the lists, as they are planned."""
    searches: dict[str, Search] = {}
    for settings in (SETTINGS, Settings(kind="hnsw"), Settings(kind="ivf_pq")):
        plan = choose_plan(len(vectors), vectors.shape[1], settings)
        searcher = our_search(vectors, folder, plan)
        name = f"rag m {plan.m} effort" if plan.m else "rag lists"
        for effort in (effort_of(plan, settings), *((384,) if settings is SETTINGS else ())):
            searches[f"{name} {effort}"] = lambda query, allowed, of=searcher, at=effort: (
                of.nearest(query, K, None if allowed.all() else allowed, at).rows
            )
    return searches


def faiss_searches(vectors: Vectors, folder: Path) -> dict[str, Search]:
    """FAISS's graph over float32 with its selector of a bitmap."""
    plan = Plan("hnsw", "float32", m=SETTINGS.graph_m, ef_construction=SETTINGS.ef_construction)
    graph = our_search(vectors, folder, plan)._graph  # type: ignore[attr-defined]

    def search(query: Vectors, allowed: Mask, effort: int) -> npt.NDArray[Any]:
        chosen = faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
        parameters = faiss.SearchParametersHNSW(sel=chosen, efSearch=effort)
        found = graph.search(query[None, :], K, params=parameters)[1][0]
        return found[found >= 0]

    return {f"faiss {at}": lambda query, allowed, at=at: search(query, allowed, at) for at in PEER_EFFORTS}


def hnswlib_searches(vectors: Vectors, folder: Path) -> dict[str, Search]:
    """hnswlib's graph with its filter, which calls back for every node."""
    m, ef = SETTINGS.graph_m, SETTINGS.ef_construction
    index = peer_graph(vectors, m, ef, folder / f"hnswlib_{m}_{ef}")

    lists: dict[int, list[bool]] = {}

    def search(query: Vectors, allowed: Mask, effort: int) -> npt.NDArray[Any]:
        index.set_ef(effort)
        if id(allowed) not in lists:  # a list answers the callback sooner than an array, and is made once
            lists[id(allowed)] = allowed.tolist()
        chosen = None if allowed.all() else lists[id(allowed)].__getitem__
        try:
            return index.knn_query(query, K, num_threads=1, filter=chosen)[0][0]
        except RuntimeError:  # it found fewer than K, and gives none
            return np.empty(0, np.int64)

    return {f"hnswlib {at}": lambda query, allowed, at=at: search(query, allowed, at) for at in PEER_EFFORTS}


def main() -> None:
    """Print a line for each filter and search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--peer-queries", type=int, default=40, help="the peers are asked the first of them")
    parser.add_argument("--keep", type=Path, help="a folder that keeps what is built")
    asked = parser.parse_args()
    vectors, queries = load(asked.cache)
    queries = queries[: asked.queries]
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.keep or Path(scratch)
        searches = our_searches(vectors, folder)
        if asked.peer_queries:
            searches |= faiss_searches(vectors, folder) | hnswlib_searches(vectors, folder)
        every: list[Mask] = []  # so that none has the number of another
        for share in SHARES:
            for kind, allowed in masks(vectors, share).items():
                every.append(allowed)
                truth = exact_rows(vectors, queries, K, allowed)
                seconds = dict.fromkeys(searches, 0.0)
                found: dict[str, list[Rows]] = {name: [] for name in searches}
                for at, query in enumerate(queries):
                    for name, search in searches.items():
                        if at >= asked.peer_queries and not name.startswith("rag"):
                            continue
                        before = process_time()
                        found[name].append(search(query, allowed))
                        seconds[name] += process_time() - before
                for name in searches:
                    done = len(found[name])
                    if not done:
                        continue
                    recall, speed = share_found(truth[:done], found[name]), done / seconds[name]
                    print(f"{share:6.1%} {kind:10} {name:20} recall {recall:.4f} {speed:8,.0f}/s", flush=True)


if __name__ == "__main__":
    main()
