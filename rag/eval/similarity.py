"""Semantic similarity: how near in meaning an answer is to its reference."""

from __future__ import annotations

from rag.eval.sample import Sample, Score
from rag.eval.verdicts import ask_similarities, judged, reference_of
from rag.protocols import Judge


def semantic_similarity(sample: Sample, judge: Judge) -> Score | None:
    """The cosine of response and reference, which can be below 0.

    None without a reference, 0 for a refusal or a failure.

    Source: Risch et al. 2021, Semantic Answer Similarity, with the bi-encoder's cosine, as ragas 0.4.3.
    """
    reference = reference_of(sample.question)
    if reference is None:
        return None
    if sample.abstained or not sample.response.strip():
        return Score(0.0)
    return Score(ask_similarities(judge, reference, [sample.response])[0])


SEMANTIC_SIMILARITY = judged("semantic_similarity", semantic_similarity, "cosine of response and reference")
