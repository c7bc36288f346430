from dataclasses import replace

import pytest

from rag.eval.metrics.faithfulness import FAITHFULNESS, faithfulness
from rag.eval.questions import Question
from rag.eval.sample import Ground, Sample
from rag.types import Claim, Judgement
from tests.scripted_judge import ScriptedJudge

SAMPLE = Sample(Question("q", "How long?"), "Ten days. In March. Paid.", ("a", "b"))


def test_supported_over_all_statements() -> None:
    seen: list[Claim] = []

    def supports(claim: Claim) -> float | None:
        seen.append(claim)
        return {"Ten days": 0.5, "In March": 0.49, "Paid": None}[claim.text]

    judge = ScriptedJudge(supports=supports)
    score = faithfulness(SAMPLE, judge)
    assert score is not None
    assert score.value == pytest.approx(1 / 3)
    assert score.missed == ("unreadable",)
    assert score.grounds == (
        Ground("Ten days", Judgement(0.5)),
        Ground("In March", Judgement(0.49)),
        Ground("Paid", Judgement(None, "unreadable")),
    )
    assert seen[0] == Claim("Ten days", ("a", "b"), "How long?")
    assert judge.asked == ["statements", "supported"]  # all at once


def test_where_nothing_is_said_it_does_not_bear() -> None:
    judge = ScriptedJudge()
    assert faithfulness(replace(SAMPLE, response=""), judge) is None
    assert faithfulness(replace(SAMPLE, response="", abstained=True), judge) is None
    assert judge.asked == []
    assert faithfulness(replace(SAMPLE, response="..."), judge) is None


def test_without_passages_nothing_is_supported() -> None:
    judge = ScriptedJudge(supports=lambda claim: 1.0)
    assert faithfulness(replace(SAMPLE, retrieved_contexts=()), judge).value == 0
    assert judge.asked == ["statements"]


def test_a_judge_that_fails_counts_against_the_answer() -> None:
    score = FAITHFULNESS.measure(SAMPLE, ScriptedJudge(broken=frozenset({"statements"})))
    assert (score.value, score.missed) == (0, ("statements: no reply",))
    score = FAITHFULNESS.measure(SAMPLE, ScriptedJudge(broken=frozenset({"supported"})))
    assert (score.value, score.missed) == (0, ("supported: no reply",) * 3)
    assert [ground.text for ground in score.grounds] == ["Ten days", "In March", "Paid"]
