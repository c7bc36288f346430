from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.eval.metrics.noise import NOISE_SENSITIVITY, noise_sensitivity_irrelevant, noise_sensitivity_relevant
from rag.eval.questions import Question
from rag.eval.sample import Sample
from rag.types import Claim
from tests.scripted_judge import ScriptedJudge

SAMPLE = Sample(Question("q", "How long?", reference="R"), "A. B. C. D", ("good", "bad"))
# what follows from what: A is right, B wrong by the good passage, C by the bad one, D by none
FOLLOWS = {("R", "good"), ("A", "good"), ("A", "R"), ("B", "good"), ("B", "bad"), ("C", "bad")}


def judge_of(follows: set[tuple[str, str]], missing: set[tuple[str, str]] = frozenset()) -> ScriptedJudge:
    def supports(claim: Claim) -> float | None:
        pair = (claim.text, claim.evidence[0])
        return None if pair in missing else float(pair in follows)

    return ScriptedJudge(supports=supports)


def test_by_hand() -> None:
    judge = judge_of(FOLLOWS)
    relevant = noise_sensitivity_relevant(SAMPLE, judge)
    irrelevant = noise_sensitivity_irrelevant(SAMPLE, judge)
    assert (relevant.value, irrelevant.value) == (0.25, 0.25)  # B; C
    assert [each.judgement.value for each in relevant.grounds] == [0, 1, 0, 0, 1, 0]
    assert [each.judgement.value for each in irrelevant.grounds] == [0, 0, 1, 0, 1, 0]
    assert judge.asked.count("supported") == 2


PAIRS = [(text, by) for text in ("R", "A", "B") for by in ("one", "two")] + [("A", "R"), ("B", "R")]


@settings(max_examples=60, deadline=None)
@given(st.sets(st.sampled_from(PAIRS)), st.sets(st.sampled_from(PAIRS), max_size=4))
def test_a_missing_verdict_counts_as_the_worse_one(follows: set, missing: set) -> None:
    sample = Sample(Question("q", "?", reference="R"), "A. B", ("one", "two"))
    for measure in (noise_sensitivity_relevant, noise_sensitivity_irrelevant):
        score = measure(sample, judge_of(follows, missing))
        assert len(score.missed) == len(missing)
        filled = (
            {pair for pair, yes in zip(sorted(missing), choice, strict=True) if yes}
            for choice in product([True, False], repeat=len(missing))
        )
        worst = max(measure(sample, judge_of((follows - missing) | each)).value for each in filled)
        assert score.value == pytest.approx(worst)


def test_edges() -> None:
    judge = judge_of(FOLLOWS)
    for metric in NOISE_SENSITIVITY:
        assert not metric.higher_is_better
        assert metric.measure(replace(SAMPLE, retrieved_contexts=()), judge).value == 0
        assert metric.measure(replace(SAMPLE, response="", abstained=True), judge) is None
        assert metric.measure(replace(SAMPLE, response="..."), judge) is None
        assert metric.measure(replace(SAMPLE, question=Question("q", "?", reference="...")), judge) is None
        assert metric.measure(replace(SAMPLE, question=Question("q", "?")), judge) is None
        failed = metric.measure(SAMPLE, ScriptedJudge(broken=frozenset({"statements"})))
        assert (failed.value, failed.missed) == (1, ("statements: no reply",))
        dumb = metric.measure(SAMPLE, ScriptedJudge(broken=frozenset({"supported"})))
        assert (dumb.value, len(dumb.missed)) == (1, 14)
