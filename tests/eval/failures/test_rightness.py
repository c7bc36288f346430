"""What is right is said once: by the words, by the judge, and only without a reference by what is cited."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scripted_judge import ScriptedJudge

from rag.eval.failures.diagnosis import FailureMode, diagnosed
from rag.eval.failures.rightness import Rightness, cites, rightness
from rag.eval.failures.trace import GoldPlace, TracedPlace, places_of
from rag.eval.questions import Place, Question
from rag.eval.sample import Sample
from rag.eval.trial import sample_of
from rag.types import Answer, Chunk, Citation, Hit, Sentence, Span

TEXT = "Parents have leave of 26 weeks with full pay. The form lies in the office on the second floor."
FORM = TEXT[46:]
QUESTION = Question(
    "q",
    "How many weeks of leave?",
    "26 weeks",
    documents=(Place("leave.md", span=Span(0, len(TEXT))),),
    answerable=True,
)


def answered(said: str, question: Question = QUESTION, *, start: int = 46, end: int = len(TEXT)) -> Sample:
    """An answer that says so and cites some of the text."""
    hit = Hit(1, 1.0, Chunk("d", Span(0, len(TEXT)), TEXT), source="leave.md", title="")
    citation = Citation(1, "d", "leave.md", "", None, "", start, end, TEXT[start:end])
    sentence = Sentence(said, (1,), supported=True, support=1.0)
    answer = Answer(question.user_input, f"{said} [1]", (sentence,), (citation,), (hit,), False, 0.9, "m")
    return sample_of(question, (hit,), answer, None)


def told(sample: Sample, judge: ScriptedJudge | None = None) -> Rightness:
    return rightness(sample, [TracedPlace(gold) for gold in places_of(sample.question)], judge)


def test_what_says_something_else_of_the_gold_is_wrong_where_the_answer_is_known():
    found = diagnosed(answered(FORM))
    assert found.right is False and found.diagnosis.mode is FailureMode.IGNORED
    assert diagnosed(answered("They have 26 weeks.")).right is True


def test_without_an_accepted_answer_what_is_cited_tells():
    question = replace(QUESTION, reference=None)
    assert told(answered(FORM, question)).right is True
    elsewhere = replace(question, documents=(Place("boats.md"),))
    assert told(answered(FORM, elsewhere)).right is False
    assert told(answered(FORM, replace(question, documents=()))).right is None


def test_a_judge_is_asked_where_the_words_do_not_tell():
    sample = answered("Half a year.")
    assert told(sample).right is False
    assert told(sample, ScriptedJudge(supports=lambda claim: 0.5)).right is True
    assert told(sample, ScriptedJudge(supports=lambda claim: 0.4)).right is False
    assert told(sample, ScriptedJudge(supports=lambda claim: None)) == Rightness(None, "unreadable")
    judge = ScriptedJudge()
    assert told(answered("They have 26 weeks."), judge).right is True and judge.asked == []


def test_an_answer_to_what_has_none_is_wrong_and_a_refusal_neither():
    unanswerable = replace(QUESTION, answerable=False)
    assert told(answered(FORM, unanswerable)).right is False
    assert told(replace(answered(FORM), abstained=True)).right is None


@pytest.mark.parametrize(
    ("start", "end", "cited"),
    [(0, 45, True), (20, 60, True), (44, 94, False), (46, 94, False), (10, 12, True)],
)
def test_a_character_in_common_is_no_citation_of_a_place(start: int, end: int, cited: bool):
    gold = GoldPlace(Place("leave.md", span=Span(0, 45)))
    citation = Citation(1, "d", "leave.md", "", None, "", start, end, TEXT[start:end])
    assert cites(citation, TracedPlace(gold)) is cited
    assert cites(citation, TracedPlace(gold, "d", "leave.md", Span(0, 45), TEXT[:45])) is cited
    assert cites(citation, TracedPlace(GoldPlace(chunk_id="d:0-45"))) is cited
