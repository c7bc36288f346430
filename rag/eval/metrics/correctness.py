"""Answer correctness and factual correctness: the statements of an answer against those of its reference."""

from __future__ import annotations

from dataclasses import dataclass

from rag.eval.metrics.verdicts import (
    ask_similarities,
    ask_supported,
    best_of_references,
    grounds,
    holds,
    judged,
    reasons,
)
from rag.eval.sample import Ground, Sample, Score
from rag.protocols import Judge
from rag.types import Claim, Judgement

FACTUALITY, SIMILARITY = 0.75, 0.25  # the weights of answer correctness


@dataclass(frozen=True, slots=True)
class _Matched:
    """Statements of the response that the reference has (right) or not (wrong), and what it lacks."""

    right: int
    wrong: int
    lacking: int
    grounds: tuple[Ground, ...]
    missed: tuple[str, ...]


def f_beta(right: float, wrong: float, lacking: float, beta: float = 1.0) -> float:
    """The weighted harmonic mean of right / (right + wrong) and right / (right + lacking), 0 without a right.

    Source: Van Rijsbergen 1979, Information Retrieval, chapter 7.
    """
    whole = (1 + beta**2) * right + beta**2 * lacking + wrong
    return (1 + beta**2) * right / whole if right else 0.0


def answer_correctness(sample: Sample, judge: Judge, beta: float = 1.0) -> Score | None:
    """.75 F-beta of the statements, plus .25 cosine of response and reference.

    A statement of the response is right where it follows from the reference, and one of the reference is
    lacking where it does not follow from the response; one without a verdict counts as wrong, or lacking.
    Where neither side states anything the F is 1. The best by any accepted answer counts. None without one;
    0 for a refusal or a failure.

    Source: ragas 0.4.3 (answer correctness).
    """
    return best_of_references(sample, lambda reference: _answer_correctness(sample, judge, reference, beta))


def _answer_correctness(sample: Sample, judge: Judge, reference: str, beta: float) -> Score:
    matched = _match(sample, judge, reference)
    nothing_said = not matched.grounds
    f = 1.0 if nothing_said else f_beta(matched.right, matched.wrong, matched.lacking, beta)
    [cosine] = ask_similarities(judge, reference, [sample.response])
    ground = (*matched.grounds, Ground(sample.response, Judgement(cosine, "cosine with the reference")))
    return Score(FACTUALITY * f + SIMILARITY * cosine, ground, matched.missed)


def factual_correctness(sample: Sample, judge: Judge, mode: str = "f1", beta: float = 1.0) -> Score | None:
    """How the statements of the response and of the reference cover each other.

    With those right and wrong of the response, and those of the reference that are lacking, as in
    `answer_correctness`: precision is right / (right + wrong), recall right / (right + lacking), which
    takes its numerator from the response, as ragas does, and `f1` their F-beta. 0 where a ratio has no
    statement, and for a refusal or a failure; None without an accepted answer, the best of which counts.
    Not rounded.

    Source: ragas 0.4.3 (factual correctness), which rounds to two digits.
    """
    return best_of_references(
        sample, lambda reference: _factual_correctness(sample, judge, reference, mode, beta)
    )


def _factual_correctness(sample: Sample, judge: Judge, reference: str, mode: str, beta: float) -> Score:
    matched = _match(sample, judge, reference, lacking=mode != "precision")
    others = {"precision": matched.wrong, "recall": matched.lacking}
    if mode == "f1":
        value = f_beta(matched.right, matched.wrong, matched.lacking, beta)
    else:
        value = matched.right / (matched.right + others[mode]) if matched.right else 0.0
    return Score(value, matched.grounds, matched.missed)


def _match(sample: Sample, judge: Judge, reference: str, *, lacking: bool = True) -> _Matched:
    asked = sample.question.user_input
    said = judge.statements(sample.response, question=asked)
    wanted = judge.statements(reference, question=asked) if lacking else []
    claims = [Claim(text, (reference,), asked) for text in said]
    claims += [Claim(text, (sample.response,), asked) for text in wanted]
    verdicts = ask_supported(judge, claims)
    of_said, of_wanted = verdicts[: len(said)], verdicts[len(said) :]
    right = sum(map(holds, of_said))
    return _Matched(
        right,
        len(said) - right,
        sum(not holds(each) for each in of_wanted),
        grounds(said, of_said, "by the reference") + grounds(wanted, of_wanted, "by the response"),
        reasons(verdicts),
    )


CORRECTNESS = (
    judged("answer_correctness", answer_correctness, ".75 F1 of statements + .25 cosine with the reference"),
    judged("factual_correctness", factual_correctness, "F1 of statements of response and reference"),
    judged(
        "factual_correctness_precision",
        lambda sample, judge: factual_correctness(sample, judge, "precision"),
        "statements of the response that the reference supports / statements of the response",
    ),
    judged(
        "factual_correctness_recall",
        lambda sample, judge: factual_correctness(sample, judge, "recall"),
        "supported statements of the response / (those + statements of the reference it lacks)",
    ),
)
