"""Graded support: how much of an answer its passages say, and how much of an accepted answer it says.

`faithfulness` and `factual_correctness` count verdicts as yes or no. Where a judge grades them, as one
that rests on probabilities does, their mean tells good answers from bad ones better: see docs/judges.md.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from rag.eval.metrics.verdicts import ask_supported, best_of_references, grounds, judged, reasons
from rag.eval.sample import Sample, Score
from rag.protocols import Judge
from rag.types import Claim


def response_support(sample: Sample, judge: Judge) -> Score | None:
    """The mean verdict on the statements of the response, with the passages for evidence.

    As `faithfulness`, but verdicts are not rounded to yes and no. A missing one counts 0. None where nothing
    is said: a refusal, a failure, or a response without a statement. 0 where it was given no passage.

    Source: Laban et al. 2022, SummaC (the mean of graded verdicts on sentences).
    """
    if sample.abstained or not sample.response.strip():
        return None
    asked, given = sample.question.user_input, sample.retrieved_contexts
    statements = judge.statements(sample.response, question=asked)
    if not statements:
        return None
    return _mean(judge, statements, given, asked) if given else Score(0.0)


def reference_support(sample: Sample, judge: Judge) -> Score | None:
    """The mean verdict on the statements of an accepted answer, with the response for evidence.

    Of the first five accepted answers the one with the highest mean counts. What the response says beyond
    it is not looked at. A missing verdict counts 0. None without an accepted answer, or for a question that
    has none; 0 for a refusal or a failure.

    Source: recall of gold statements as in Ru et al. 2024, RAGChecker, with graded verdicts.
    """
    asked = sample.question.user_input

    def support(answer: str) -> Score:
        statements = judge.statements(answer, question=asked) or [answer]
        return _mean(judge, statements, (sample.response,), asked)

    return best_of_references(sample, support)


def _mean(judge: Judge, statements: Sequence[str], evidence: tuple[str, ...], asked: str) -> Score:
    verdicts = ask_supported(judge, [Claim(text, evidence, asked) for text in statements])
    value = statistics.mean(each.value or 0.0 for each in verdicts)
    return Score(value, grounds(statements, verdicts), reasons(verdicts))


SUPPORT = (
    judged("response_support", response_support, "mean verdict on the statements of the response"),
    judged(
        "reference_support",
        reference_support,
        "mean verdict on the statements of an accepted answer, by the response; the best of several",
    ),
)
