from dataclasses import replace

import pytest

from rag.eval.catalogue import metric_named
from rag.eval.questions import Question
from rag.eval.sample import Sample

QUESTION = Question(
    "q", "?", reference_contexts=("ten days", "in march"), reference_context_ids=("1", "2", "2", "5")
)
SAMPLE = Sample(QUESTION, "", ("zzzzzzzz", "ten dayz", "tenn"), ("2", "2", "7", "1"))


def value(name: str, sample: Sample) -> float | None:
    score = metric_named(name).measure(sample, None)
    return None if score is None else score.value


def test_by_ids_each_once() -> None:
    assert value("id_based_context_precision", SAMPLE) == pytest.approx(2 / 3)
    assert value("id_based_context_recall", SAMPLE) == pytest.approx(2 / 3)


def test_by_characters() -> None:
    # similarities to the nearest gold: 0, 7/8, 3/8
    assert value("non_llm_context_precision", SAMPLE) == 0.5
    assert value("non_llm_context_recall", SAMPLE) == 0.5


def test_half_counts_for_precision_and_not_for_recall() -> None:
    half = replace(
        SAMPLE, question=replace(QUESTION, reference_contexts=("abcd",)), retrieved_contexts=("abxy",)
    )
    assert value("non_llm_context_precision", half) == 1
    assert value("non_llm_context_recall", half) == 0


@pytest.mark.parametrize("kind", ["id_based", "non_llm"])
def test_edges(kind: str) -> None:
    for name in (f"{kind}_context_precision", f"{kind}_context_recall"):
        assert value(name, replace(SAMPLE, question=Question("q", "?"))) is None
        assert value(name, replace(SAMPLE, retrieved_contexts=(), retrieved_context_ids=())) == 0
