"""What is said of means that a missing judge or a foreign question set makes worthless."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from scripted_system import TEXT, Scripted

from rag.errors import JudgeFailed
from rag.eval.experiment import evaluate
from rag.eval.notes import gold_notes
from rag.eval.questions import Place, Question
from rag.eval.report import Row
from rag.types import Claim, Document, Judgement, Span


class Down:
    """A judge that cannot be reached, from the claim of that number on."""

    name = "down"

    def __init__(self, answers: int = 0) -> None:
        self.answers = answers

    def statements(self, text: str, *, question: str = "") -> list[str]:
        return [text]

    def supported(self, claims: list[Claim]) -> list[Judgement]:
        self.answers -= 1
        if self.answers < 0:
            raise JudgeFailed("cannot reach 127.0.0.1:9: refused")
        return [Judgement(1.0) for _ in claims]


ASKED = [
    Question(f"q{n}", f"how long {n}", "ten days", documents=(Place("leave.md"),), answerable=True)
    for n in range(5)
]


class Listed(Scripted):
    def documents(self) -> list[Document]:
        return [Document("d", "/x/leave.md", "Leave", ""), Document("e", "/x/b/pay.md", "Pay", "")]


@pytest.mark.filterwarnings("error")
def test_a_judge_that_is_down_is_said_once_with_its_reason(tmp_path: Path) -> None:
    found = evaluate(Scripted(), ASKED, metrics=["faithfulness", "token_f1"], judge=Down(), out=tmp_path)
    (problem,) = found.problems
    assert problem in found.notes
    assert "no verdict for faithfulness: cannot reach 127.0.0.1:9: refused" in problem
    assert problem in repr(found)
    assert json.loads((tmp_path / "summary.json").read_bytes())["problems"] == [problem]
    for name in ("report.html", "report.md"):
        assert "gave no verdict for faithfulness" in (tmp_path / name).read_text("utf-8")


@pytest.mark.parametrize(("answers", "said"), [(2, True), (3, False), (5, False)])
def test_most_verdicts_missing_is_a_note_and_no_problem(answers: int, said: bool) -> None:
    found = evaluate(Scripted(), ASKED, metrics=["faithfulness"], judge=Down(answers))
    assert found.problems == ()
    noted = [note for note in found.notes if "most verdicts are missing for faithfulness (3 of 5)" in note]
    assert bool(noted) is said


def test_gold_in_no_document_is_named() -> None:
    lost = replace(ASKED[0], documents=(Place("b/pay.md"), Place("a/pay.md"), Place("leave.md")))
    asked = [lost, *ASKED[1:], Question("u", "x", documents=(Place("zz"),), answerable=False)]
    found = evaluate(Listed(), asked, metrics=["Recall@5"])
    assert found.notes == (
        "the gold of 1 question (q0) is in no document of this index: a/pay.md. It counts as missed",
    )
    assert found.problems == ()
    assert evaluate(Listed(), ASKED, metrics=["Recall@5"]).notes == ()


def test_gold_of_another_index_is_a_problem() -> None:
    asked = [replace(each, documents=(Place(f"{each.id}.pdf"),)) for each in ASKED] + [Question("n", "x")]
    (problem,) = evaluate(Listed(), asked, metrics=["Recall@5"]).problems
    assert "none of the gold documents is in this index: q0.pdf" in problem
    assert "It has, for one, /x/leave.md" in problem


def test_gold_behind_the_end_of_its_document_is_named() -> None:
    def places(end: int) -> tuple[Place, ...]:
        return (Place("leave.md", span=Span(1, end)),)

    asked = [
        replace(ASKED[0], documents=places(len(TEXT) + 1)),
        replace(ASKED[1], documents=places(len(TEXT))),
    ]
    (note,) = evaluate(Listed(), asked, metrics=["Recall@5"]).notes
    assert "the gold of 1 question (q0) is behind the end of its document" in note


def test_sources_match_as_places_do() -> None:
    held = [Document("id1", "/home/me/pdfs/a.pdf", "", ""), Document("id2", "b.pdf", "", "")]
    for source in ("a.pdf", "pdfs/a.pdf", "dfs/a.pdf", "pdfs\\a.pdf", "A.pdf", "id2", "b.pdf", "", "x/b.pdf"):
        row = Row(Question("q", "x", documents=(Place(source),)), (), None, {})
        place_is_in = any(Place(source).is_in(each.source, each.id) for each in held)
        assert bool(gold_notes([row], lambda: held)) is not place_is_in, source


def test_counts_say_nothing_of_answers_where_none_was_asked_for() -> None:
    searched = evaluate(Scripted(), ASKED, metrics=["Recall@5"])
    assert searched.counted == "5 questions"
    asked = evaluate(Scripted(), [*ASKED, Question("u", "x", answerable=False)], metrics=["token_f1"])
    assert asked.counted.startswith("6 questions; 6 answered; 0 abstained; 1 unanswerable answered; ")
    assert asked.counts["wrong"] == sum(row.diagnosis is not None for row in asked.rows)
