from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.eval.metrics.context_precision import average_precision, context_precision, context_utilization
from rag.eval.questions import Question
from rag.eval.sample import Sample
from tests.scripted_judge import ScriptedJudge

metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is an oracle here")


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_is_average_precision(useful: list[bool]) -> None:
    if any(useful):
        theirs = metrics.average_precision_score(useful, range(len(useful), 0, -1))
        assert average_precision(useful) == pytest.approx(theirs)
    else:
        assert average_precision(useful) == 0


@given(st.lists(st.sampled_from([True, False, None]), max_size=6))
def test_with_missing_verdicts_it_is_no_higher_than_with_any(verdicts: list[bool | None]) -> None:
    missing = verdicts.count(None)
    low = average_precision([bool(each) for each in verdicts], missing)
    for filled in product([True, False], repeat=missing):
        rest = iter(filled)
        whole = [next(rest) if each is None else each for each in verdicts]
        assert low <= average_precision(whole) + 1e-12


SAMPLE = Sample(Question("q", "How long?", reference="Ten days"), "Ten.", ("a", "b", "c"))


def test_by_the_reference_and_by_the_response() -> None:
    judge = ScriptedJudge(helps={"a": 0, "b": 1, "c": 0.7})
    score = context_precision(SAMPLE, judge)
    assert score.value == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert [ground.text for ground in score.grounds] == ["[1] a", "[2] b", "[3] c"]
    assert context_utilization(SAMPLE, judge).value == score.value
    missing = context_precision(SAMPLE, ScriptedJudge(helps={"a": 1, "b": None, "c": 0}))
    assert (missing.value, missing.missed) == (0.5, ("unreadable",))


def test_where_it_does_not_bear() -> None:
    judge = ScriptedJudge()
    without = replace(SAMPLE, question=Question("q", "How long?"))
    assert context_precision(without, judge) is None
    assert (
        context_precision(replace(SAMPLE, question=replace(SAMPLE.question, answerable=False)), judge) is None
    )
    assert context_utilization(replace(SAMPLE, response="", abstained=True), judge) is None
    assert context_utilization(replace(SAMPLE, response=""), judge) is None
    nothing = replace(SAMPLE, retrieved_contexts=())
    assert context_precision(nothing, judge).value == context_utilization(nothing, judge).value == 0
    assert judge.asked == []
