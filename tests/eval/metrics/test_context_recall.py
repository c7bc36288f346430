from dataclasses import replace

import pytest

from rag.eval.metrics.context_recall import context_recall
from rag.eval.questions import Question
from rag.eval.sample import Sample
from rag.types import Claim
from tests.scripted_judge import ScriptedJudge

SAMPLE = Sample(Question("q", "How long?", reference="Ten days. Paid. In March"), "", ("a", "b"))


def test_statements_of_the_reference_that_passages_hold() -> None:
    seen: list[Claim] = []
    judge = ScriptedJudge(
        supports=lambda claim: seen.append(claim) or {"Paid": 1.0, "In March": None}.get(claim.text, 0.0)
    )
    score = context_recall(SAMPLE, judge)
    assert score.value == pytest.approx(1 / 3)
    assert score.missed == ("unreadable",)
    assert seen[0] == Claim("Ten days", ("a", "b"), "How long?")


def test_edges() -> None:
    judge = ScriptedJudge()
    assert context_recall(replace(SAMPLE, retrieved_contexts=()), judge).value == 0
    assert context_recall(replace(SAMPLE, question=Question("q", "?")), judge) is None
    assert (
        context_recall(replace(SAMPLE, question=Question("q", "?", reference="x", answerable=False)), judge)
        is None
    )
    assert judge.asked == []
    assert context_recall(replace(SAMPLE, question=Question("q", "?", reference="...")), judge) is None
