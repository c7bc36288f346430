from pathlib import Path

import pytest

from rag.errors import InputError
from rag.eval.measures import mean_run
from rag.eval.runs import RUN_MEASURES, score_run

QRELS: dict[str, dict[str, int]] = {
    "q1": {"a": 2, "b": 0},
    "q2": {"a": 1, "c": -1},
    "q3": {"d": 1},
    "q4": {},
}
RUN = {
    "q1": {"b": 3.0, "a": 2.0},
    "q2": {f"d{n:02}": -float(n) for n in range(20)} | {"a": 1.0},
    "q9": {"a": 1},
}


def test_a_run_is_measured_over_every_judged_query() -> None:
    found = score_run(RUN, QRELS, queries={"q1": "one?"})
    assert {name: estimate.mean for name, estimate in found.summary.items()} == pytest.approx(
        mean_run(RUN, QRELS, RUN_MEASURES), abs=1e-12
    )
    assert [row.question.id for row in found.rows] == ["q1", "q2", "q3"]
    assert found.counts == {"questions": 3, "missing": 1}
    first, second, third = found.rows
    assert (first.question.user_input, second.question.user_input) == ("one?", "q2")
    assert [(hit.rank, hit.source, hit.score) for hit in first.hits] == [(1, "b", 3.0), (2, "a", 2.0)]
    assert len(second.hits) == 10
    assert third.hits == ()
    assert set(third.scores.values()) == {0.0}
    assert first.scores["RR@10"] == 0.5
    assert all(estimate.n == 3 for estimate in found.summary.values())


def test_what_has_no_query_in_common_is_refused() -> None:
    with pytest.raises(InputError, match="none of the judged queries"):
        score_run({"q7": {"a": 1.0}}, QRELS)
    with pytest.raises(InputError, match="no query is judged"):
        score_run(RUN, {"q4": {}})
    with pytest.raises(InputError, match="no measure 'MAP'"):
        score_run(RUN, QRELS, ["MAP"])


def test_a_run_is_kept_and_compared_with_one_kept(tmp_path: Path) -> None:
    qrels = {f"q{n}": {"a": 1} for n in range(12)}
    good, bad = ({query: {name: 1.0} for query in qrels} for name in "ab")
    score_run(good, qrels, ["RR@10"], out=tmp_path / "good")
    found = score_run(bad, qrels, ["RR@10"], baseline=tmp_path / "good").comparison
    assert found is not None
    assert [each.metric for each in found.worse] == ["RR@10"]
    assert found.notes == ()
    with pytest.raises(InputError, match="holds other things"):
        score_run(good, qrels, ["RR@10"], out=tmp_path)
