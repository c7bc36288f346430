from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.eval.catalogue import metric_named
from rag.eval.metrics.correctness import answer_correctness, f_beta
from rag.eval.questions import Question
from rag.eval.sample import Sample
from rag.types import Claim
from tests.scripted_judge import ScriptedJudge

metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is an oracle here")

SAMPLE = Sample(Question("q", "How long?", reference="A. X. Y"), "A. B. C", ())


def supports(claim: Claim) -> float | None:
    return {"A": 1.0, "C": None, "Y": None}.get(claim.text, 0.0)


JUDGE = ScriptedJudge(supports=supports, cosines={"A. B. C": 0.8, "...": 0.1, "A": 0.5})


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.sampled_from([0.5, 1.0, 2.0]))
def test_f_beta_is_scikit_learns(right: int, wrong: int, lacking: int, beta: float) -> None:
    truth = [1] * right + [0] * wrong + [1] * lacking
    said = [1] * right + [1] * wrong + [0] * lacking
    if truth:
        assert f_beta(right, wrong, lacking, beta) == pytest.approx(
            metrics.fbeta_score(truth, said, beta=beta, zero_division=0)
        )


def test_by_hand() -> None:
    # right: A; wrong: B, C; lacking: X, Y (which has no verdict)
    score = answer_correctness(SAMPLE, JUDGE)
    assert score.value == pytest.approx(0.75 * (2 / 6) + 0.25 * 0.8)
    assert score.missed == ("unreadable", "unreadable")
    assert [ground.judgement.reason for ground in score.grounds] == [
        "by the reference", "by the reference", "by the reference: unreadable",
        "by the response", "by the response", "by the response: unreadable", "cosine with the reference",
    ]  # fmt: skip
    values = {
        mode: metric_named(f"factual_correctness{mode}").measure(SAMPLE, JUDGE).value
        for mode in ("", "_precision", "_recall")
    }
    assert values == pytest.approx({"": 1 / 3, "_precision": 1 / 3, "_recall": 1 / 3})


def test_precision_does_not_ask_for_the_references_statements() -> None:
    judge = ScriptedJudge(supports=supports)
    metric_named("factual_correctness_precision").measure(SAMPLE, judge)
    assert judge.asked == ["statements", "supported"]


@pytest.mark.parametrize(
    ("response", "reference", "f"), [("...", "...", 1), ("...", "A", 0), ("A", "...", 1), ("...", "X", 0)]
)
def test_where_a_side_states_nothing(response: str, reference: str, f: float) -> None:
    sample = Sample(Question("q", "?", reference=reference), response)
    cosine = {"...": 0.1, "A": 0.5}[response]
    assert answer_correctness(sample, JUDGE).value == pytest.approx(0.75 * f + 0.25 * cosine)


NAMES = [
    "answer_correctness",
    "factual_correctness",
    "factual_correctness_precision",
    "factual_correctness_recall",
]


@pytest.mark.parametrize("name", [*NAMES, "semantic_similarity"])
def test_refusals_failures_and_no_reference(name: str) -> None:
    measure = metric_named(name).measure
    assert measure(replace(SAMPLE, response=""), JUDGE).value == 0
    assert measure(replace(SAMPLE, response="", abstained=True), JUDGE).value == 0
    assert measure(replace(SAMPLE, question=Question("q", "?")), JUDGE) is None
    unanswerable = Question("q", "?", reference="x", answerable=False)
    assert measure(replace(SAMPLE, question=unanswerable), JUDGE) is None
    broken = ScriptedJudge(broken=frozenset({"statements", "similarities"}))
    failed = measure(SAMPLE, broken)
    assert failed.value == 0
    assert len(failed.missed) == 1


def test_semantic_similarity_is_the_cosine() -> None:
    assert metric_named("semantic_similarity").measure(SAMPLE, JUDGE).value == 0.8


def test_the_best_of_five_accepted_answers_counts() -> None:
    judge = ScriptedJudge(supports=lambda claim: float((claim.text,) == claim.evidence), cosines={"A": 0.5})
    several = Question("q", "?", reference="X", references=("", "A", "Y"))
    score = answer_correctness(Sample(several, "A"), judge)
    assert score.value == pytest.approx(0.75 + 0.125)
    assert [ground.text for ground in score.grounds] == ["A", "A", "A"]
    assert metric_named("factual_correctness").measure(Sample(several, "A"), judge).value == 1
    late = Question("q", "?", references=("V", "W", "X", "Y", "Z", "A"))
    assert metric_named("factual_correctness").measure(Sample(late, "A"), judge).value == 0
