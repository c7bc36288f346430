from dataclasses import replace

import pytest

from rag.eval.metrics.relevancy import ANSWER_RELEVANCY, answer_relevancy
from rag.eval.questions import Question
from rag.eval.sample import Sample, Score
from rag.types import AskedBack
from tests.scripted_judge import ScriptedJudge

SAMPLE = Sample(Question("q", "How long?"), "Ten days.")
BACK = (AskedBack("a?"), AskedBack("b?", True), AskedBack("c?"), AskedBack("d?"))
COSINES = {"a?": 0.9, "b?": 0.3, "c?": -0.3, "d?": 1.0}


def test_the_mean_cosine_of_three() -> None:
    score = answer_relevancy(SAMPLE, ScriptedJudge(back=BACK, cosines=COSINES))
    assert score.value == pytest.approx(0.3)
    assert [(ground.text, ground.judgement.reason) for ground in score.grounds] == [
        ("a?", "cosine"), ("b?", "noncommittal"), ("c?", "cosine")
    ]  # fmt: skip


def test_all_noncommittal_is_nothing() -> None:
    evasive = [replace(each, noncommittal=True) for each in BACK]
    assert answer_relevancy(SAMPLE, ScriptedJudge(back=evasive, cosines=COSINES)).value == 0


def test_one_question_is_enough_and_blank_ones_are_none() -> None:
    judge = ScriptedJudge(back=[AskedBack(" "), AskedBack("a?")], cosines=COSINES)
    assert answer_relevancy(SAMPLE, judge).value == 0.9
    assert answer_relevancy(SAMPLE, ScriptedJudge()).value == 0


def test_refusals_and_failures() -> None:
    judge = ScriptedJudge(back=BACK, cosines=COSINES)
    refused = replace(SAMPLE, response="", abstained=True)
    assert answer_relevancy(refused, judge).value == 0
    unanswerable = replace(SAMPLE.question, answerable=False)
    assert answer_relevancy(replace(refused, question=unanswerable), judge) is None
    assert answer_relevancy(replace(SAMPLE, response=""), judge).value == 0
    assert judge.asked == []


@pytest.mark.parametrize("task", ["questions", "similarities"])
def test_a_judge_that_fails_counts_against_the_answer(task: str) -> None:
    score = ANSWER_RELEVANCY.measure(SAMPLE, ScriptedJudge(back=BACK, broken=frozenset({task})))
    assert (score.value, score.missed) == (0, (f"{task}: no reply",))


def test_a_question_that_could_not_be_asked_back_counts_0_and_is_missed():
    lost = AskedBack("", missed="unreadable")
    score = answer_relevancy(SAMPLE, ScriptedJudge(back=(BACK[0], lost, lost), cosines=COSINES))
    assert score.value == pytest.approx(0.3)
    assert score.missed == ("unreadable", "unreadable")
    assert answer_relevancy(SAMPLE, ScriptedJudge(back=(lost,))) == Score(0.0, missed=("unreadable",))
