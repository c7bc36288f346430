from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from time import sleep

import numpy as np
import numpy.typing as npt
import pytest
from fakes import HashingEncoder
from harness import check_consistent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from rag.index.bm25 import Part, count_rows, impacts, scores_of, top_rows
from rag.index.bm25_kernel import kernel_when_loaded, load_kernel
from rag.index.postings import count_terms
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


KERNELS = [None, pytest.param("numba", marks=pytest.mark.skipif(not find_spec("numba"), reason="no numba"))]


def corpus(
    seed: int, rows: int, boost: float, k1: float
) -> tuple[Part, npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Random rows of few terms: their part, the counts by term, field and row, and the lengths."""
    rng = np.random.default_rng(seed)
    shares = np.array([0.002, 0.01, 0.05, 0.1, 0.3, 0.6])
    counts = rng.geometric(0.6, (6, 2, rows)) * (
        rng.random((6, 2, rows)) < shares[:, None, None] * [[[1], [0.3]]]
    )
    fields = [
        [
            [word for at, word in enumerate("abcdef") for _ in range(counts[at, field, row])]
            for field in (1, 0)
        ]
        for row in range(rows)
    ]
    postings, lengths, title_lengths = count_terms((headings, body) for headings, body in fields)
    weighted = lengths + boost * title_lengths
    return Part(postings, impacts(postings, weighted.mean(), k1, 0.4, boost), rows), counts, weighted


def brute_force(
    counts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.float64],
    boost: float,
    k1: float,
    weights: dict[str, float],
    kind: type[np.floating],
) -> npt.NDArray[np.floating]:
    """The score of every row in the arithmetic of `kind`, its terms summed by falling weight."""
    norms = k1 * (1 - 0.4 + 0.4 * lengths / max(lengths.mean(), 1e-9))
    scores = np.zeros(len(lengths), kind)
    for term, weight in sorted(weights.items(), key=lambda each: (-each[1], each[0])):
        if term in "abcdef":
            body, headings = counts["abcdef".index(term)]
            frequency = body + boost * headings
            scores += kind(weight) * (frequency / np.maximum(frequency + norms, 1e-30)).astype(kind)
    return scores


def best_by_sorting(scores: npt.NDArray[np.floating], k: int, allowed: npt.NDArray[np.bool_]) -> list[int]:
    rows = [row for row in range(len(scores)) if scores[row] > 0 and allowed[row]]
    return sorted(rows, key=lambda row: (-scores[row], row))[:k]


@pytest.mark.parametrize("kernel", KERNELS)
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    sizes=st.lists(st.integers(1, 9000), min_size=1, max_size=3),
    k=st.sampled_from([1, 3, 10, 100, 20_000]),
    weights=st.dictionaries(
        st.sampled_from([*"abcdef", "nowhere"]), st.sampled_from([0.3, 1.0, 1.1, 4.0, 9.5]), min_size=1
    ),
    share=st.sampled_from([0.0, 0.01, 0.5, 1.0]),
    boost=st.sampled_from([1.0, 2.5, 0.0]),
    k1=st.sampled_from([0.9, 0.0]),  # with 0 a score is the sum of the weights, and many are equal
)
def test_pruning_leaves_out_no_row_that_brute_force_finds(
    kernel: str | None,
    seed: int,
    sizes: list[int],
    k: int,
    weights: dict[str, float],
    share: float,
    boost: float,
    k1: float,
) -> None:
    compiled = load_kernel() if kernel else None
    parts, masks, wanted = [], [], []
    for number, rows in enumerate(sizes):
        part, counts, lengths = corpus(seed + number, rows, boost, k1)
        allowed = np.random.default_rng(seed).random(rows) < share
        exact = brute_force(counts, lengths, boost, k1, weights, np.float64)
        scores = brute_force(counts, lengths, boost, k1, weights, np.float32)
        np.testing.assert_allclose(scores, exact, rtol=1e-6)
        parts.append(part)
        masks.append(None if share == 1.0 else allowed)
        wanted += [
            (-scores[row], number, row) for row in best_by_sorting(scores, k, allowed | (share == 1.0))
        ]
        # Every score, found or not, is the same to the last bit.
        some = np.random.default_rng(seed).integers(0, rows, 50).astype(np.int32)
        assert scores_of(part, weights, some).tolist() == scores[some].tolist()
    found = [
        (-score, number, row)
        for number, ranking in enumerate(top_rows(parts, weights, k, masks, compiled))
        for row, score in zip(ranking.rows.tolist(), ranking.scores, strict=True)
    ]
    assert sorted(found)[:k] == sorted(wanted)[:k]
    least = sorted(wanted)[:k][-1][0] if len(wanted) >= k else 0
    # What ties with the last of all may still come before it by its chunk id.
    assert {each for each in wanted if each[0] == least < 0} <= set(found)


@pytest.mark.parametrize("kernel", KERNELS)
def test_no_row_of_no_score_comes_out(kernel: str | None) -> None:
    compiled = load_kernel() if kernel else None
    postings, *_ = count_terms([([], ["a"]), (["a"], ["b"]), ([], [])])
    part = Part(postings, impacts(postings, 2 / 3, 0.0, 0.0, 0.0), 3)
    (ranking,) = top_rows([part], {"a": 1.0}, 5, None, compiled)
    assert (ranking.rows.tolist(), ranking.scores.tolist()) == ([0], [1.0])
    for weights, k in (({}, 5), ({"zz": 1.0}, 5), ({"a": 1.0}, 0)):
        (ranking,) = top_rows([part], weights, k, None, compiled)
        assert ranking.rows.tolist() == ranking.scores.tolist() == []
    assert top_rows([], {"a": 1.0}, 5, None, compiled) == []


def test_rows_of_a_term_are_counted_among_the_living() -> None:
    postings, *_ = count_terms([([], ["a"]), (["a"], ["b"]), ([], ["b"]), ([], ["a", "a"])])
    part = Part(postings, impacts(postings, 1.0, 0.9, 0.4), 4)
    assert count_rows(part, ["a", "b", "c"]) == [3, 2, 0]
    assert count_rows(part, ["c", "b", "a"], np.array([False, True, True, False])) == [0, 2, 1]


def test_the_terms_of_nonsense_are_not_kept() -> None:
    postings, *_ = count_terms([([], ["a"])])
    part = Part(postings, impacts(postings, 1.0, 0.9, 0.4), 1)
    top_rows([part], {"a": 1.0} | {f"x{number}": 1.0 for number in range(100)}, 5)
    assert list(part.known) == ["a"]


@pytest.mark.skipif(not find_spec("numba"), reason="no numba")
def test_the_kernel_is_loaded_behind_the_first_call() -> None:
    kernel = None
    for _ in range(600):
        kernel = kernel or kernel_when_loaded()
        if kernel is None:
            sleep(0.1)
    assert kernel is load_kernel()
    assert kernel is not None


def test_there_is_no_kernel_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    assert load_kernel.__wrapped__() is None
