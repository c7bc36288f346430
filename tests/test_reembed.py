from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rag.errors import EncoderMismatch
from rag.index import plan, store
from rag.pipeline import Engine
from rag.types import Principal, Settings
from tests.fakes import HashingEncoder, document
from tests.harness import check_consistent

Open = Callable[..., Engine]

WORDS = "harbour ferry crew timetable anchor bridge deck tide storm pilot lantern rope".split()


def filled(engine: Engine, count: int = 12) -> None:
    for at in range(count):
        first, second = WORDS[at % 12], WORDS[(at * 5 + 1) % 12]
        engine.add(document(f"The {first} and the {second} of number {at}.", f"s{at}"))


def test_another_encoder_takes_over_and_the_first_comes_back_free(open_engine: Open) -> None:
    first, second = HashingEncoder(64), HashingEncoder(32)
    engine = open_engine(encoder=first)
    filled(engine)
    before = engine.search("ferry", mode="dense")
    found = engine.reembed(second)
    assert (found.chunks, found.chunks_embedded, second.embedded) == (12, 12, 12)
    assert found.recall_before == found.recall_after == 1.0
    assert 0 < found.overlap <= 1
    check_consistent(engine._store)
    assert engine.search("ferry", mode="dense")[0].source == before[0].source
    with pytest.raises(EncoderMismatch, match="rag reembed"):
        open_engine(encoder=first).search("ferry", mode="dense")
    embedded = first.embedded
    assert engine.reembed(first).chunks_embedded == 0
    assert first.embedded == embedded
    assert engine.search("ferry", mode="dense") == before


def test_rolling_back_needs_no_embedding(open_engine: Open) -> None:
    engine = open_engine(encoder=HashingEncoder(64))
    filled(engine)
    before = engine.search("storm", mode="hybrid")
    engine.reembed(HashingEncoder(32))
    engine.roll_back()
    assert open_engine(encoder=HashingEncoder(64)).search("storm", mode="hybrid") == before


def test_rolling_back_is_refused_where_passages_came_since(open_engine: Open) -> None:
    engine = open_engine(encoder=HashingEncoder(64))
    filled(engine)
    with pytest.raises(EncoderMismatch, match="one encoder only"):
        engine.roll_back()
    engine.reembed(HashingEncoder(32))
    engine.add(document("A late lantern.", "late"))
    with pytest.raises(EncoderMismatch, match="rag reembed"):
        engine.roll_back()
    back = HashingEncoder(64)
    assert engine.reembed(back).chunks_embedded == back.embedded == 1


def test_the_old_encoder_serves_while_the_new_one_embeds(open_engine: Open) -> None:
    engine, other = open_engine(encoder=HashingEncoder(64)), open_engine(encoder=HashingEncoder(64))
    filled(engine, 4)
    seen = []

    class Watched(HashingEncoder):
        def encode(self, texts: list[str], *, query: bool = False) -> np.ndarray:
            if not query and not seen:
                other.add(document("A rope that came meanwhile.", "meanwhile"))
                other.delete(next(each.id for each in other.documents() if each.source == "s0"))
                seen.extend(hit.source for hit in other.search("rope that came meanwhile", mode="dense", k=1))
            return super().encode(texts, query=query)

    engine.reembed(Watched(32))
    assert seen == ["meanwhile"]
    check_consistent(engine._store)
    assert {each.source for each in engine.documents()} == {"meanwhile", "s1", "s2", "s3"}
    assert engine.search("rope that came meanwhile", mode="dense", k=1)[0].source == "meanwhile"


def test_a_run_that_dies_goes_on_where_it_was(open_engine: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "EMBEDDED_AT_ONCE", 5)
    engine = open_engine(encoder=HashingEncoder(64))
    engine.add([document(f"Word {word} alone.", word) for word in WORDS])

    class Dying(HashingEncoder):
        def encode(self, texts: list[str], *, query: bool = False) -> np.ndarray:
            if self.embedded >= 10 and not query:
                raise OSError("gone")
            return super().encode(texts, query=query)

    with pytest.raises(OSError, match="gone"):
        engine.reembed(Dying(32))
    check_consistent(engine._store)
    assert engine.search("anchor", mode="dense", k=1)[0].source == "anchor"
    engine.compact()
    second = HashingEncoder(32)
    assert engine.reembed(second).chunks_embedded == second.embedded == 2


def test_generations_live_through_merges_and_compaction(
    open_engine: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "FEWEST_ROWS", 1)
    engine = open_engine(encoder=HashingEncoder(64), settings=Settings(kind="hnsw"))
    engine.add(document("A secret of a tenant.", "s"), tenant="acme")
    filled(engine)
    engine.reembed(HashingEncoder(32))
    engine.delete(next(each.id for each in engine.documents(principal=Principal(operator=True))))
    filled(engine, 20)
    engine.compact()
    check_consistent(engine._store)
    again = HashingEncoder(64)
    engine.reembed(again)
    assert again.embedded == 9  # the passages that came since
    check_consistent(engine._store)


def test_a_segment_of_which_nothing_lives_needs_no_vectors(open_engine: Open) -> None:
    engine = open_engine(encoder=HashingEncoder(64))
    engine.add(document("A ferry.", "a"))
    engine.add(document("A crew.", "b"))
    engine.delete(next(each.id for each in engine.documents() if each.source == "a"))
    assert engine.reembed(HashingEncoder(32)).chunks_embedded == 1
    check_consistent(engine._store)
    assert [hit.source for hit in engine.search("crew", mode="dense")] == ["b"]
