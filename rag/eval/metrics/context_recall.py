"""Context recall: how much of the reference the passages hold."""

from __future__ import annotations

from rag.eval.metrics.verdicts import ask_supported, grounds, holds, judged, reasons, reference_of
from rag.eval.sample import Sample, Score
from rag.protocols import Judge
from rag.types import Claim


def context_recall(sample: Sample, judge: Judge) -> Score | None:
    """Statements of the reference that follow from the passages, over all statements of it.

    None without a reference, or with one that states nothing; 0 without passages. A statement without a
    verdict counts as one that does not follow.

    Source: ragas 0.4.3 (LLM context recall).
    """
    reference = reference_of(sample.question)
    if reference is None:
        return None
    asked, given = sample.question.user_input, sample.retrieved_contexts
    if not given:
        return Score(0.0)
    statements = judge.statements(reference, question=asked)
    if not statements:
        return None
    verdicts = ask_supported(judge, [Claim(statement, given, asked) for statement in statements])
    value = sum(map(holds, verdicts)) / len(statements)
    return Score(value, grounds(statements, verdicts), reasons(verdicts))


CONTEXT_RECALL = judged(
    "context_recall", context_recall, "statements of the reference that passages support / all of them"
)
