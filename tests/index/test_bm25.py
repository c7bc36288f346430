from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from fakes import HashingEncoder
from harness import check_consistent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from rag.index.bm25 import count_terms, merge_postings
from rag.pipeline import Engine
from rag.types import Chunk, Document, Settings, Span

WORDS = ["alpha", "bravo", "charli", "delta", "echo", "foxtrot", "golf", "hotel", "zulu"]


class LuceneBM25(BM25Okapi):
    """rank-bm25's Okapi with Lucene's idf, which is never negative."""

    def _calc_idf(self, nd: dict[str, int]) -> None:
        self.idf = {word: np.log(1 + (self.corpus_size - n + 0.5) / (n + 0.5)) for word, n in nd.items()}


def whole(document: Document) -> list[Chunk]:
    return [Chunk(document.id, Span(0, len(document.text)), document.text)]


def expected_scores(texts: Sequence[str], query: str, k1: float, b: float) -> list[float]:
    oracle = LuceneBM25([text.split() for text in texts], k1=k1, b=b)
    return (oracle.get_scores(query.split()) / (k1 + 1)).tolist()


def engine_at(path: Path, **options: object) -> Engine:
    return Engine(path, encoder=HashingEncoder(4), chunker=whole, **options)


def added(engine: Engine, texts: dict[str, str]) -> None:
    # The title is searched too: an empty one leaves the text alone.
    report = engine.add([Document(name, name, "", text) for name, text in texts.items()])
    assert not report.failed


def assert_scores(engine: Engine, texts: dict[str, str], query: str) -> None:
    wanted = dict(
        zip(
            texts,
            expected_scores(list(texts.values()), query, engine.settings.k1, engine.settings.b),
            strict=True,
        )
    )
    hits = engine.search(query, k=len(texts) + 5, mode="lexical")
    assert {hit.chunk.document_id for hit in hits} == {name for name, score in wanted.items() if score > 0}
    for hit in hits:
        assert hit.score == pytest.approx(wanted[hit.chunk.document_id], rel=1e-5)
    # Scores equal but for rounding may come either way; all else comes in the oracle's order.
    ranked = [wanted[hit.chunk.document_id] for hit in hits]
    assert ranked == pytest.approx(sorted(ranked, reverse=True), rel=1e-5)
    by_score_and_id = sorted(hits, key=lambda hit: (-hit.score, hit.chunk.id))
    assert hits == by_score_and_id


TEXT = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    batches=st.lists(st.lists(TEXT, min_size=1, max_size=6), min_size=1, max_size=4),
    gone=st.sets(st.integers(0, 23), max_size=8),
    again=st.dictionaries(st.integers(0, 23), TEXT, max_size=4),
    query=TEXT,
    k1=st.sampled_from([0.9, 1.2, 2.0]),
    b=st.sampled_from([0.0, 0.4, 0.75, 1.0]),
)
def test_equals_rank_bm25_over_segments_deletes_updates_and_compaction(
    tmp_path_factory: pytest.TempPathFactory,
    batches: list[list[str]],
    gone: set[int],
    again: dict[int, str],
    query: str,
    k1: float,
    b: float,
) -> None:
    texts: dict[str, str] = {}
    path = tmp_path_factory.mktemp("bm25")
    with engine_at(path / "index", settings=Settings(k1=k1, b=b)) as engine:
        for number, batch in enumerate(batches):
            part = {f"d{6 * number + at:02}": text for at, text in enumerate(batch)}
            added(engine, part)
            texts |= part
        assert_scores(engine, texts, query)
        changed = {f"d{at:02}": text for at, text in again.items() if f"d{at:02}" in texts}
        added(engine, changed)
        texts |= changed
        removed = [f"d{at:02}" for at in sorted(gone) if f"d{at:02}" in texts]
        engine.delete(removed)
        texts = {name: text for name, text in texts.items() if name not in removed}
        check_consistent(engine._store)
        if texts:
            assert_scores(engine, texts, query)
        engine.compact()
        check_consistent(engine._store)
        if texts:
            assert_scores(engine, texts, query)
        assert len(engine.search(query, mode="lexical", k=50)) <= len(texts)


def test_scores_of_single_rows_are_those_of_the_search(open_engine: Callable[..., Engine]) -> None:
    engine = open_engine(chunker=whole)
    for number, text in enumerate(["alpha bravo", "alpha alpha charli", "delta", "bravo delta alpha"]):
        added(engine, {f"d{number}": text})
    with engine.view() as view:
        found = view.lexical("alpha delta", 10)
        assert view.lexical_scores("alpha delta", found.rows).tolist() == found.scores.tolist()
        rows = np.arange(4, dtype=np.int32)
        assert np.count_nonzero(view.lexical_scores("charli", rows)) == 1
        assert view.lexical_scores("nothing", rows).tolist() == [0, 0, 0, 0]
        assert view.lexical("the of \ud800", 5).rows.tolist() == []


def test_chunks_without_a_term_are_no_trouble(open_engine: Callable[..., Engine]) -> None:
    engine = open_engine(chunker=whole)
    added(engine, {"d0": "the of and", "d1": "!!! ..."})
    assert engine.search("the", mode="lexical") == []
    assert engine.search("alpha", mode="lexical") == []
    added(engine, {"d2": "alpha"})
    engine.delete("d2")
    engine.compact()
    check_consistent(engine._store)
    assert engine.search("alpha", mode="lexical") == []
    assert len(engine.search("alpha", mode="dense")) == 2


ROWS = st.lists(st.lists(st.sampled_from(["a", "b", "é", "日", "ab"]), max_size=5), max_size=6)


@given(st.lists(ROWS, max_size=3), st.randoms(use_true_random=False))
def test_merged_postings_are_those_of_all_rows_at_once(parts: list[list[list[str]]], random: object) -> None:
    flat = [terms for part in parts for terms in part]
    new = [at if random.random() < 0.7 else -1 for at in range(len(flat))]
    kept = [at for at in new if at >= 0]
    place = {at: number for number, at in enumerate(kept)}
    starts = np.cumsum([0, *map(len, parts)])
    merged = merge_postings(
        [
            (
                count_terms(part)[0],
                np.array([place.get(new[start + at], -1) for at in range(len(part))], np.int32),
            )
            for start, part in zip(starts, parts, strict=False)
        ]
    )
    expected, _ = count_terms([flat[at] for at in kept])
    for name in ("terms", "term_starts", "starts", "rows", "counts"):
        assert getattr(merged, name).tolist() == getattr(expected, name).tolist()
    for term in ["a", "b", "é", "日", "ab", "", "zz"]:
        rows, counts = expected.find(term)
        holding = [(row, flat[at].count(term)) for row, at in enumerate(kept) if term in flat[at]]
        assert list(zip(rows.tolist(), counts.tolist(), strict=True)) == holding


def test_counts_above_16_bits() -> None:
    postings, lengths = count_terms([["a"] * 70_000, ["a", "b"]])
    assert lengths.tolist() == [70_000, 2]
    assert postings.find("a")[1].tolist() == [70_000, 1]
