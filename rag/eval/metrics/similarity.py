"""Semantic similarity: how near in meaning an answer is to its reference."""

from __future__ import annotations

from rag.eval.metrics.verdicts import ask_similarities, best_of_references, judged
from rag.eval.sample import Sample, Score
from rag.protocols import Judge


def semantic_similarity(sample: Sample, judge: Judge) -> Score | None:
    """The cosine of response and reference, which can be below 0.

    The best by any accepted answer counts. None without one, 0 for a refusal or a failure.

    Source: Risch et al. 2021, Semantic Answer Similarity, with the bi-encoder's cosine, as ragas 0.4.3.
    """
    return best_of_references(
        sample, lambda reference: Score(ask_similarities(judge, reference, [sample.response])[0])
    )


SEMANTIC_SIMILARITY = judged("semantic_similarity", semantic_similarity, "cosine of response and reference")
