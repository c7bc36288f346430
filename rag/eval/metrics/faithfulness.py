"""Faithfulness: how much of what an answer says follows from what it was given."""

from __future__ import annotations

from rag.eval.metrics.verdicts import ask_supported, grounds, holds, judged, reasons
from rag.eval.sample import Sample, Score
from rag.protocols import Judge
from rag.types import Claim


def faithfulness(sample: Sample, judge: Judge) -> Score | None:
    """Statements of the response that follow from its passages, over all statements of it.

    None where nothing is said: a refusal, a failure, or a response without a statement. 0 where it was
    given no passage. A statement without a verdict counts as one that does not follow.

    Source: Es et al. 2024, RAGAS: Automated Evaluation of Retrieval Augmented Generation.
    """
    if sample.abstained or not sample.response.strip():
        return None
    asked, given = sample.question.user_input, sample.retrieved_contexts
    statements = judge.statements(sample.response, question=asked)
    if not statements:
        return None
    if not given:
        return Score(0.0)
    verdicts = ask_supported(judge, [Claim(statement, given, asked) for statement in statements])
    value = sum(map(holds, verdicts)) / len(statements)
    return Score(value, grounds(statements, verdicts), reasons(verdicts))


FAITHFULNESS = judged("faithfulness", faithfulness, "supported statements / statements of the response")
