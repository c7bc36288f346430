import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.eval.metrics.rouge import Rouge, best_rouge_l, rouge_l

scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(["rougeL"], use_stemmer=True)

WORDS = st.sampled_from(
    "the play plays playing holidays Holiday naïve 3d, x-ray ß ſ ΑΒ __ İ K run ran".split()
)
TEXTS = st.one_of(st.lists(WORDS, max_size=14).map(" ".join), st.text(max_size=20))


@settings(max_examples=600, deadline=None)
@given(TEXTS, TEXTS)
def test_equals_rouge_score(response: str, reference: str) -> None:
    theirs = scorer.score(reference, response)["rougeL"]
    ours = rouge_l(response, reference)
    assert (ours.precision, ours.recall) == (theirs.precision, theirs.recall)
    assert ours.f == pytest.approx(theirs.fmeasure, abs=1e-12)


def test_by_hand() -> None:
    assert rouge_l("the cat sat", "the cat on the mat") == Rouge(2 / 3, 2 / 5, 0.5)
    assert rouge_l("", "cat") == rouge_l("cat", "日本") == Rouge(0, 0, 0)


def test_the_best_reference_counts() -> None:
    assert best_rouge_l("a b", ["x", "a b", "a b c"]) == Rouge(1, 1, 1)
    assert best_rouge_l("a", []) == Rouge(0, 0, 0)
