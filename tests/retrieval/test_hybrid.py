from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from fakes import HashingEncoder, document

from rag.pipeline import Engine
from rag.retrieval.dense import dense
from rag.retrieval.fusion import Fusion, Leg, convex, reciprocal_rank
from rag.retrieval.hybrid import hybrid
from rag.retrieval.lexical import lexical
from rag.types import Document, Hit, Settings

WORDS = "ferry harbour timetable crew leave notice period safety drill engine fuel ticket".split()
QUERY = "ferry crew timetable"


def corpus(count: int, seed: int = 0) -> list[Document]:
    random = np.random.default_rng(seed)
    texts = [" ".join(random.choice(WORDS, size=random.integers(2, 9))) for _ in range(count)]
    return [document(f"{text} {at}", f"s{at:03}", even=at % 2 == 0) for at, text in enumerate(texts)]


@pytest.fixture(params=["flat", "hnsw"])
def engine(request: pytest.FixtureRequest, open_engine: Callable[..., Engine]) -> Engine:
    engine = open_engine(settings=Settings(kind=request.param))
    documents = corpus(80)
    for at in range(0, 80, 30):
        engine.add(documents[at : at + 30])
    engine.delete([each.id for each in documents[::7]])
    return engine


def brute_force(
    engine: Engine, fuse: Fusion, depth: int, k: int, where: dict[str, object] | None
) -> list[tuple[str, float]]:
    """Fuse the two full rankings of everything that passes, by plain sorting."""
    with engine.view() as view:
        (vector,) = engine.encoder.encode([QUERY], query=True)
        every = view.hits(view.dense(vector, 1000))
        words = {hit.chunk.id: hit.score for hit in view.hits(view.lexical(QUERY, 1000))}
    even = {each.id: each.metadata["even"] for each in engine.documents()}
    passing = [hit for hit in every if where is None or even[hit.chunk.document_id] == where["even"]]
    meaning = {hit.chunk.id: hit.score for hit in passing}
    words = {name: score for name, score in words.items() if name in meaning}
    by_words = sorted(words, key=lambda name: (-words[name], name))[:depth]
    by_meaning = sorted(meaning, key=lambda name: (-meaning[name], name))[:depth]
    names = sorted({*by_words, *by_meaning})

    def leg(scores: dict[str, float], best: list[str]) -> Leg:
        ranks = [best.index(name) + 1 if name in best else 0 for name in names]
        return Leg(np.array([scores.get(name, 0) for name in names], np.float32), np.array(ranks, np.int32))

    fused = fuse(leg(words, by_words), leg(meaning, by_meaning)).tolist()
    return sorted(zip(names, fused, strict=True), key=lambda pair: (-pair[1], pair[0]))[:k]


@pytest.mark.parametrize(
    "fusion", [convex(0.3), convex(), reciprocal_rank()], ids=["convex.3", "convex", "rrf"]
)
@pytest.mark.parametrize("depth", [5, 100])
@pytest.mark.parametrize("where", [None, {"even": True}])
def test_is_a_fusion_of_the_two_rankings(
    engine: Engine, fusion: Fusion, depth: int, where: dict[str, object] | None
) -> None:
    expected = brute_force(engine, fusion, depth, 5, where)
    with engine.view() as view:
        hits = hybrid(view, engine.encoder, fusion=fusion, depth=depth)(QUERY, k=5, where=where)
    assert [(hit.chunk.id, pytest.approx(hit.score, abs=1e-6)) for hit in hits] == expected
    assert [hit.rank for hit in hits] == [1, 2, 3, 4, 5]


def test_a_hit_says_what_each_leg_thought_of_it(engine: Engine) -> None:
    with engine.view() as view:
        found = {hit.chunk.id: hit.score for hit in lexical(view)(QUERY, k=100)}
        near = {hit.chunk.id: hit.score for hit in dense(view, engine.encoder)(QUERY, k=100)}
        hits = hybrid(view, engine.encoder)(QUERY, k=100)
        assert [hit.scores.bm25 for hit in lexical(view)(QUERY)] == [
            hit.score for hit in lexical(view)(QUERY)
        ]
    for hit in hits:
        assert hit.scores.bm25 == found.get(hit.chunk.id, 0)
        assert hit.scores.dense == near[hit.chunk.id]
        assert hit.scores.rerank is None


@pytest.mark.parametrize("mode", ["lexical", "dense", "hybrid"])
def test_no_mode_shows_what_is_outside(engine: Engine, mode: str) -> None:
    even = {each.id for each in engine.documents() if each.metadata["even"]}

    def found(**options: object) -> list[Hit]:
        return engine.search(QUERY, mode=mode, **options)

    everything = found(k=1000)
    assert len({hit.chunk.id for hit in everything}) == len(everything) <= engine.stats().chunks
    if mode != "lexical":
        assert len(everything) == engine.stats().chunks
    inside = found(k=1000, where={"even": True})
    assert {hit.chunk.document_id for hit in inside} == even & {hit.chunk.document_id for hit in everything}
    assert found(k=1000, where={"even": "nobody"}) == []
    assert found(k=3) == found(k=3) == everything[:3]
    assert [hit.rank for hit in inside] == list(range(1, len(inside) + 1))
    order = [(-hit.score, hit.chunk.id) for hit in everything]
    assert order == sorted(order)


@pytest.mark.parametrize("mode", ["lexical", "dense", "hybrid"])
def test_an_empty_index_has_no_hits(open_engine: Callable[..., Engine], mode: str) -> None:
    assert open_engine().search(QUERY, mode=mode) == []
    assert open_engine().search(QUERY, mode=mode, where={"even": True}) == []


def test_unknown_words_leave_the_ranking_to_meaning(engine: Engine) -> None:
    hits = engine.search("qqq zzz", k=10)
    assert [hit.chunk.id for hit in hits] == [
        hit.chunk.id for hit in engine.search("qqq zzz", k=10, mode="dense")
    ]
    assert all(hit.scores.bm25 == 0 for hit in hits)


def test_the_encoder_is_told_that_it_reads_a_query(engine: Engine) -> None:
    asked: list[bool] = []

    class Told(HashingEncoder):
        def encode(self, texts: list[str], *, query: bool = False) -> np.ndarray:
            asked.append(query)
            return super().encode(texts, query=query)

    with engine.view() as view:
        hybrid(view, Told())(QUERY)
        dense(view, Told())(QUERY)
    assert asked == [True, True]
