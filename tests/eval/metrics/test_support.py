"""Graded support: the mean verdict on what a response, or an accepted answer, states."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag.eval.catalogue import METRICS
from rag.eval.questions import Question
from rag.eval.sample import Sample
from rag.types import Claim
from tests.scripted_judge import ScriptedJudge

METRIC = METRICS["reference_support"]
QUESTION = Question("1", "How long?", "Ten days. Unpaid", ("A fortnight",))
SAMPLE = Sample(QUESTION, "Leave is ten days.", ("A passage.",))
VERDICTS = {"Ten days": 0.9, "Unpaid": 0.2, "A fortnight": 0.3}


def test_it_is_the_mean_verdict_of_the_best_accepted_answer():
    judge = ScriptedJudge(lambda claim: VERDICTS[claim.text])
    score = METRIC.measure(SAMPLE, judge)
    assert score is not None and score.value == pytest.approx(0.55)
    assert [each.text for each in score.grounds] == ["Ten days", "Unpaid"]


def test_the_response_is_the_evidence_and_the_question_is_told():
    seen: list[Claim] = []

    def note(claim: Claim) -> float:
        seen.append(claim)
        return 1.0

    METRIC.measure(SAMPLE, ScriptedJudge(note))
    assert {(claim.evidence, claim.question) for claim in seen} == {(("Leave is ten days.",), "How long?")}


def test_a_missing_verdict_counts_nothing_and_is_told():
    judge = ScriptedJudge(lambda claim: None if claim.text == "Unpaid" else VERDICTS[claim.text])
    score = METRIC.measure(SAMPLE, judge)
    assert score is not None and score.value == pytest.approx(0.45)
    assert score.missed == ("unreadable",)


def test_without_an_accepted_answer_there_is_none_and_a_refusal_has_nothing():
    judge = ScriptedJudge(lambda claim: 1.0)
    assert METRIC.measure(Sample(Question("1", "How long?"), "Ten days."), judge) is None
    assert METRIC.measure(replace(SAMPLE, question=replace(QUESTION, answerable=False)), judge) is None
    for sample in (replace(SAMPLE, abstained=True), replace(SAMPLE, response=" ")):
        score = METRIC.measure(sample, judge)
        assert score is not None and score.value == 0
    assert judge.asked == []


def test_the_support_of_a_response_is_the_mean_verdict_on_its_statements_by_the_passages():
    verdicts = {"Ten days": 0.9, "Unpaid": 0.2}
    sample = replace(SAMPLE, response="Ten days. Unpaid.")
    score = METRICS["response_support"].measure(sample, ScriptedJudge(lambda each: verdicts[each.text]))
    assert score is not None and score.value == pytest.approx(0.55)
    seen: list[Claim] = []
    judge = ScriptedJudge(seen.append)  # type: ignore[arg-type]
    score = METRICS["response_support"].measure(sample, judge)
    assert {claim.evidence for claim in seen} == {("A passage.",)}
    assert score is not None and score.value == 0 and score.missed == ("unreadable",) * 2


def test_the_support_of_a_response_bears_on_what_is_said_alone():
    measure = METRICS["response_support"].measure
    judge = ScriptedJudge(lambda claim: 1.0)
    for sample in (
        replace(SAMPLE, abstained=True),
        replace(SAMPLE, response=" "),
        replace(SAMPLE, response="..."),
    ):
        assert measure(sample, judge) is None
    unread = measure(replace(SAMPLE, retrieved_contexts=()), judge)
    assert unread is not None and unread.value == 0
