from dataclasses import replace

import pytest

from rag.eval.metrics.entities import CONTEXT_ENTITY_RECALL, context_entity_recall
from rag.eval.questions import Question
from rag.eval.sample import Sample
from tests.scripted_judge import ScriptedJudge

SAMPLE = Sample(Question("q", "Who?", reference="Ada, in London"), "", ("Ada wrote.", "Paris"))
NAMES = {"Ada, in London": ["Ada", "London", "1843", "Ada"], "Ada wrote.\nParis": ["Ada", "Paris"], "x": []}


def test_names_of_both_over_those_of_the_reference() -> None:
    score = context_entity_recall(SAMPLE, ScriptedJudge(names=NAMES))
    assert score.value == pytest.approx(1 / 3)
    assert [(each.text, each.judgement.value) for each in score.grounds] == [
        ("Ada", 1),
        ("London", 0),
        ("1843", 0),
    ]


def test_edges() -> None:
    judge = ScriptedJudge(names=NAMES)
    assert context_entity_recall(replace(SAMPLE, question=Question("q", "?", reference="x")), judge) is None
    assert context_entity_recall(replace(SAMPLE, question=Question("q", "?")), judge) is None
    assert context_entity_recall(replace(SAMPLE, retrieved_contexts=()), judge).value == 0
    failed = CONTEXT_ENTITY_RECALL.measure(SAMPLE, ScriptedJudge(broken=frozenset({"entities"})))
    assert (failed.value, failed.missed) == (0, ("entities: no reply",))
