from __future__ import annotations

import pytest

from rag.index.plan import FEWEST_ROWS, MOST_GRAPH_ROWS, Plan, choose_plan
from rag.types import Settings

MANY = 200_000


@pytest.mark.parametrize(
    ("rows", "settings", "kind", "codes", "reason"),
    [
        (FEWEST_ROWS - 1, Settings(kind="hnsw"), "flat", "float32", "fewer than 1,000"),
        (FEWEST_ROWS, Settings(kind="hnsw"), "hnsw", "int8", "ask for hnsw"),
        (MANY, Settings(kind="hnsw", codes="float32"), "hnsw", "float32", "ask for hnsw"),
        (MANY, Settings(kind="flat"), "flat", "float32", "ask for flat"),
        (MANY, Settings(kind="flat", codes="int8"), "flat", "int8", "ask for flat"),
        (MANY, Settings(kind="ivf_pq"), "ivf_pq", "float32", "ask for ivf_pq"),
        (49_999, Settings(), "flat", "float32", "fewer than auto_graph_rows, 50,000"),
        (50_000, Settings(), "hnsw", "int8", "no bound on memory"),
        (MANY, Settings(memory_mb=200), "hnsw", "int8", "131 of 200 MB"),
        (MANY, Settings(memory_mb=200, codes="float16"), "hnsw", "int8", "over int8"),
        (MANY, Settings(memory_mb=300, codes="float16"), "hnsw", "float16", "over float16"),
        (MANY, Settings(memory_mb=50), "ivf_pq", "float32", "131 of 50 MB; IVF-PQ takes 6 and fits"),
        (MANY, Settings(memory_mb=2), "ivf_pq", "float32", "the smallest there is"),
        (MOST_GRAPH_ROWS + 1, Settings(), "ivf_pq", "float32", "hours"),
    ],
)
def test_the_plan_and_why(rows: int, settings: Settings, kind: str, codes: str, reason: str) -> None:
    plan = choose_plan(rows, 384, settings)
    assert (plan.kind, plan.codes) == (kind, codes)
    assert reason in plan.reason


def test_a_segment_has_its_share_of_the_memory() -> None:
    settings = Settings(memory_mb=200)
    assert choose_plan(MANY, 384, settings, rows_total=MANY).kind == "hnsw"
    assert choose_plan(MANY, 384, settings, rows_total=4 * MANY).kind == "ivf_pq"


def test_lists_take_32_bytes_a_vector_or_less() -> None:
    plan = choose_plan(MANY, 384, Settings(kind="ivf_pq"))
    assert (plan.lists, plan.pq_bytes, plan.pq_dimension) == (512, 20, 280)
    assert plan.bytes_needed(MANY, 384) / MANY <= 32


@pytest.mark.parametrize("dimension", [2, 3, 16, 17, 100, 384, 768, 1024, 1536])
@pytest.mark.parametrize("rows", [FEWEST_ROWS, MANY, 10_000_000])
def test_lists_fit_every_dimension(dimension: int, rows: int) -> None:
    plan = choose_plan(rows, dimension, Settings(kind="ivf_pq"))
    assert 1 <= plan.pq_dimension <= dimension
    assert plan.pq_dimension % (2 * plan.pq_bytes) == 0
    assert 1 <= plan.lists <= rows // 39


def test_the_settings_name_lists_and_bytes() -> None:
    plan = choose_plan(MANY, 384, Settings(kind="ivf_pq", lists=100, pq_bytes=32, refine=50))
    assert (plan.lists, plan.pq_bytes, plan.pq_dimension, plan.refine) == (100, 32, 384, 50)


def test_a_scan_holds_nothing_but_codes() -> None:
    assert Plan("flat").bytes_needed(MANY, 384) == 0
    assert Plan("flat", "int8").bytes_needed(10, 384) == 3840


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "ivf"}, {"codes": "int4"}, {"memory_mb": 0}, {"nprobe": 0}, {"lists": -1}, {"refine": 0}],
)
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)  # type: ignore[arg-type]
