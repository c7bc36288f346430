"""Context entity recall: how many of the reference's names the passages have."""

from __future__ import annotations

from rag.eval.metrics.verdicts import judged, reference_of
from rag.eval.sample import Ground, Sample, Score
from rag.protocols import Judge
from rag.types import Judgement


def context_entity_recall(sample: Sample, judge: Judge) -> Score | None:
    """Entities of the reference that are entities of the passages too, over all of the reference, once each.

    None without a reference or where it names nothing, 0 without passages.

    Source: ragas 0.4.3 (context entity recall).
    """
    reference = reference_of(sample.question)
    if reference is None:
        return None
    wanted = list(dict.fromkeys(judge.entities(reference)))
    if not wanted:
        return None
    given = sample.retrieved_contexts
    found = set(judge.entities("\n".join(given))) if given else set()
    ground = tuple(Ground(name, Judgement(float(name in found))) for name in wanted)
    return Score(sum(name in found for name in wanted) / len(wanted), ground)


CONTEXT_ENTITY_RECALL = judged(
    "context_entity_recall",
    context_entity_recall,
    "entities of reference and passages / entities of the reference",
)
