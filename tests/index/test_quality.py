from __future__ import annotations

from collections.abc import Callable

import pytest

from rag.errors import InputError
from rag.index import plan
from rag.pipeline import Engine
from rag.types import Settings
from tests.fakes import HashingEncoder, document

Open = Callable[..., Engine]


def filled(engine: Engine) -> Engine:
    engine.add([document(f"number {at} of {at % 7} and {at * at % 11}", f"s{at}") for at in range(300)])
    return engine


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf_pq"])
def test_what_is_measured(open_engine: Open, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(plan, "FEWEST_ROWS", 100)
    engine = filled(open_engine(encoder=HashingEncoder(32), settings=Settings(kind=kind)))
    engine.delete(engine.documents()[0].id)
    found = engine.measure()
    (segment,) = found.segments
    assert (segment.rows, segment.rows_live, segment.kind) == (300, 299, kind)
    assert "settings ask" in segment.reason
    assert 0.9 <= found.recall <= 1 and found.queries == 200
    assert (found.resident_bytes > 0) == (kind != "flat")


def test_the_effort_that_was_found_is_kept(open_engine: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "FEWEST_ROWS", 100)
    settings = Settings(kind="hnsw", ef_search=500)
    engine = filled(open_engine(encoder=HashingEncoder(32), settings=settings))
    other = open_engine(encoder=HashingEncoder(32))
    before = engine.search("number 7", mode="dense")
    tuned = engine.tune(0.9)
    assert tuned["hnsw"].reached
    assert engine.settings.ef_search == tuned["hnsw"].effort < 500
    assert other.search("number 7", mode="dense")[0] == before[0]
    assert other.settings == engine.settings
    assert engine.measure().recall >= 0.9


def test_an_exact_index_has_nothing_to_tune(open_engine: Open) -> None:
    engine = filled(open_engine())
    assert engine.tune() == {}
    assert engine.measure(["number 5"]).recall == 1
    with pytest.raises(InputError, match="recall is in"):
        engine.tune(2.0)


def test_an_empty_index_is_measured(open_engine: Open) -> None:
    engine = open_engine()
    assert engine.measure().queries == 0
    with pytest.raises(InputError, match="something must be asked"):
        engine.tune()
