from dataclasses import replace

import pytest

from rag.eval.metrics.alce import alce_citation_precision, alce_citation_recall
from rag.eval.questions import Question
from rag.eval.sample import Sample
from rag.types import Answer, Citation, Claim, Sentence
from tests.scripted_judge import ScriptedJudge


def sample(*sentences: tuple[str, tuple[int, ...]]) -> Sample:
    citations = tuple(
        Citation(number, "d", "d.md", "D", None, "", number, number + 1, f"p{number}")
        for number in range(1, 5)
    )
    said = tuple(Sentence(text, numbers, True, 1.0) for text, numbers in sentences)
    answer = Answer("?", "…", said, citations, (), False, 1.0, "m")
    return Sample(Question("q", "?"), " ".join(text for text, _ in sentences), answer=answer)


def judge(*proven: tuple[str, str], missing: tuple[tuple[str, str], ...] = ()) -> ScriptedJudge:
    """`proven` are sentences with the passages, joined by +, that prove them."""

    def supports(claim: Claim) -> float | None:
        pair = (claim.text, "+".join(claim.evidence))
        return None if pair in missing else float(pair in proven)

    return ScriptedJudge(supports=supports)


def both(given: Sample, by: ScriptedJudge) -> tuple[float, float]:
    return alce_citation_recall(given, by).value, alce_citation_precision(given, by).value


def test_recall_is_of_sentences_by_all_they_cite() -> None:
    given = sample(("A", (1,)), ("B", (1, 2)), ("C", ()), ("D", (9,)), ("E", (3,)))
    recall, precision = both(given, judge(("A", "p1"), ("B", "p1+p2"), ("E", "p1")))
    assert recall == pytest.approx(2 / 5)
    assert precision == pytest.approx(3 / 5)  # 1 of A, both of B, which need each other


def test_a_citation_that_the_others_can_do_without_is_not_needed() -> None:
    # 2 proves B alone; 1 does not, and the rest stands without it
    assert both(sample(("B", (1, 2))), judge(("B", "p1+p2"), ("B", "p2"))) == (1, 0.5)
    # each proves it alone: neither is irrelevant
    assert both(sample(("B", (1, 2))), judge(("B", "p1+p2"), ("B", "p1"), ("B", "p2"))) == (1, 1)
    # three, of which the first two prove it together
    assert both(sample(("B", (1, 2, 3))), judge(("B", "p1+p2+p3"), ("B", "p1+p2"))) == (
        1,
        pytest.approx(2 / 3),
    )


def test_an_unproven_sentence_has_no_needed_citation() -> None:
    assert both(sample(("B", (1, 2))), judge(("B", "p1"))) == (0, 0)


def test_a_number_cited_twice_is_one_citation() -> None:
    assert both(sample(("A", (1, 1))), judge(("A", "p1"))) == (1, 1)


def test_missing_verdicts_count_against_the_citation() -> None:
    given = sample(("B", (1, 2)))
    whole = judge(("B", "p1"), missing=(("B", "p1+p2"),))
    assert both(given, whole) == (0, 0)
    rest = judge(("B", "p1+p2"), ("B", "p1"), missing=(("B", "p2"), ("B", "p1")))
    score = alce_citation_precision(given, rest)
    assert (score.value, len(score.missed)) == (0, 4)  # alone 1 and 2, and the rest without either


def test_edges() -> None:
    nothing = ScriptedJudge()
    assert both(sample(("A", ()), ("B", ())), nothing) == (0, 0)
    assert nothing.asked == []
    given = sample(("A", (1,)))
    for measure in (alce_citation_recall, alce_citation_precision):
        assert measure(replace(given, answer=None), nothing) is None
        assert measure(replace(given, abstained=True), nothing) is None
        assert measure(sample(), nothing) is None
