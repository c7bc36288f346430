"""Context precision: whether the passages that help to an answer stand first."""

from __future__ import annotations

from collections.abc import Sequence

from rag.eval.metrics.verdicts import ask_useful, grounds, holds, judged, passage_names, reasons, reference_of
from rag.eval.sample import Sample, Score
from rag.protocols import Judge


def average_precision(useful: Sequence[bool], missing: int = 0) -> float:
    """The mean, over the useful passages, of the precision at their ranks; 0 where none is useful.

    `missing` passages more count as useful and not found: whatever they are, the value is no higher than
    with their verdicts.
    """
    found = 0
    total = 0.0
    for rank, yes in enumerate(useful, 1):
        if yes:
            found += 1
            total += found / rank
    return total / (found + missing) if found else 0.0


def context_precision(sample: Sample, judge: Judge) -> Score | None:
    """The average precision of the passages, useful where they help to arrive at the reference.

    None without a reference, 0 without passages.

    Source: ragas 0.4.3 (context precision with reference).
    """
    reference = reference_of(sample.question)
    return None if reference is None else _precision(sample, judge, reference)


def context_utilization(sample: Sample, judge: Judge) -> Score | None:
    """The average precision of the passages, useful where they help to arrive at the response.

    None where nothing is said (a refusal, a failure), 0 without passages.

    Source: ragas 0.4.3 (context precision without reference).
    """
    if sample.abstained or not sample.response.strip():
        return None
    return _precision(sample, judge, sample.response)


def _precision(sample: Sample, judge: Judge, answer: str) -> Score:
    given = sample.retrieved_contexts
    verdicts = ask_useful(judge, sample.question.user_input, answer, given)
    missed = reasons(verdicts)
    value = average_precision([holds(each) for each in verdicts], len(missed))
    return Score(value, grounds(passage_names(given), verdicts), missed)


CONTEXT_PRECISION = judged(
    "context_precision", context_precision, "average precision of passages that help to the reference"
)
CONTEXT_UTILIZATION = judged(
    "context_utilization", context_utilization, "average precision of passages that help to the response"
)
