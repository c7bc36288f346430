"""Context precision and recall by gold passages: their ids, or their characters. No judge."""

from __future__ import annotations

from collections.abc import Callable

from rag.eval.metric import Metric
from rag.eval.metrics.context_precision import average_precision
from rag.eval.metrics.strings import string_similarity
from rag.eval.metrics.verdicts import passage_names
from rag.eval.sample import Ground, Sample, Score
from rag.protocols import Judge
from rag.types import Judgement

THRESHOLD = 0.5


def id_based_context_precision(sample: Sample) -> Score | None:
    """Retrieved ids that are gold ones, over all retrieved, each once; None without gold, 0 without any.

    Source: ragas 0.4.3.
    """
    gold, found = set(sample.question.reference_context_ids), set(sample.retrieved_context_ids)
    if not gold:
        return None
    return Score(len(gold & found) / len(found) if found else 0.0)


def id_based_context_recall(sample: Sample) -> Score | None:
    """Gold ids that were retrieved, over all gold ones, each once; None without gold.

    Source: ragas 0.4.3.
    """
    gold, found = set(sample.question.reference_context_ids), set(sample.retrieved_context_ids)
    return Score(len(gold & found) / len(gold)) if gold else None


def non_llm_context_precision(sample: Sample) -> Score | None:
    """The average precision of passages, useful where .5 or more similar to a gold one.

    Similar is 1 - Levenshtein distance / the longer length. None without gold passages, 0 without any.

    Source: ragas 0.4.3.
    """
    gold = sample.question.reference_contexts
    if not gold:
        return None
    nearest = [max(string_similarity(text, each) for each in gold) for text in sample.retrieved_contexts]
    value = average_precision([each >= THRESHOLD for each in nearest])
    return Score(value, _grounds(sample.retrieved_contexts, nearest))


def non_llm_context_recall(sample: Sample) -> Score | None:
    """Gold passages to which a retrieved one is more than .5 similar, over all gold ones.

    Above .5 here, .5 or more in the precision: both as in ragas. None without gold passages.

    Source: ragas 0.4.3.
    """
    gold, given = sample.question.reference_contexts, sample.retrieved_contexts
    if not gold:
        return None
    nearest = [max((string_similarity(each, text) for each in given), default=0.0) for text in gold]
    value = sum(each > THRESHOLD for each in nearest) / len(gold)
    return Score(value, _grounds(gold, nearest))


def _grounds(texts: tuple[str, ...], similarities: list[float]) -> tuple[Ground, ...]:
    pairs = zip(passage_names(texts), similarities, strict=True)
    return tuple(Ground(name, Judgement(value, "similarity to the nearest")) for name, value in pairs)


def _metric(name: str, function: Callable[[Sample], Score | None], formula: str) -> Metric:
    def of_sample(sample: Sample, judge: Judge | None) -> Score | None:
        return function(sample)

    return Metric(name, of_sample, frozenset({"answer"}), formula)


GOLD_CONTEXTS = (
    _metric("id_based_context_precision", id_based_context_precision, "gold ids retrieved / ids retrieved"),
    _metric("id_based_context_recall", id_based_context_recall, "gold ids retrieved / gold ids"),
    _metric(
        "non_llm_context_precision",
        non_llm_context_precision,
        "average precision of passages .5 or more similar (Levenshtein) to a gold one",
    ),
    _metric(
        "non_llm_context_recall",
        non_llm_context_recall,
        "gold passages more than .5 similar (Levenshtein) to a retrieved one / gold passages",
    ),
)
