"""Reference support: how much of an accepted answer the response says."""

from __future__ import annotations

import statistics

from rag.eval.sample import Sample, Score
from rag.eval.verdicts import ask_supported, grounds, judged, reasons
from rag.protocols import Judge
from rag.types import Claim


def reference_support(sample: Sample, judge: Judge) -> Score | None:
    """The mean verdict on the statements of an accepted answer, with the response for evidence.

    Verdicts are not rounded to yes and no. Of several accepted answers that with the highest mean counts.
    What the response says beyond it is not looked at. A missing verdict counts 0. None without an accepted
    answer, or for a question that has none; 0 for a refusal or a failure.

    Source: recall of gold statements as in Ru et al. 2024, RAGChecker, with graded verdicts.
    """
    question = sample.question
    accepted = [answer for answer in question.answers if answer.strip()]
    if question.answerable is False or not accepted:
        return None
    if sample.abstained or not sample.response.strip():
        return Score(0.0)
    asked, evidence = question.user_input, (sample.response,)
    found = []
    for answer in accepted:
        statements = judge.statements(answer, question=asked) or [answer]
        verdicts = ask_supported(judge, [Claim(text, evidence, asked) for text in statements])
        value = statistics.mean(each.value or 0.0 for each in verdicts)
        found.append(Score(value, grounds(statements, verdicts, "by the response"), reasons(verdicts)))
    return max(found, key=lambda score: score.value)


REFERENCE_SUPPORT = judged(
    "reference_support",
    reference_support,
    "mean verdict on the statements of an accepted answer, by the response; the best of several",
)
