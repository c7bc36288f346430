"""Which questions are not independent of each other, since they are asked of the same documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rag.eval.questions import Question


def document_clusters(questions: Sequence[Question]) -> list[int]:
    """Number the clusters of questions that share a gold document, a number a question, from 0 in order.

    A question of several documents goes with that of them which most questions share, of equals the
    first by name: joined by every shared document, a few questions that compare two would make one
    cluster of nearly all, which tells nothing of their spread. Gold documents are those of `documents`,
    by their source as it is written; without any, those that the `reference_context_ids` are of
    (`<document>:<start>-<end>`, or the id itself). A question without either is a cluster of its own.
    """
    golds = [_gold_documents(question) for question in questions]
    shared = Counter(document for gold in golds for document in gold)
    homes = [min(gold, key=lambda each: (-shared[each], each), default=at) for at, gold in enumerate(golds)]
    numbers: dict[str | int, int] = {}
    return [numbers.setdefault(home, len(numbers)) for home in homes]


def _gold_documents(question: Question) -> set[str]:
    if question.documents:
        return {place.source for place in question.documents}
    return {identity.rpartition(":")[0] or identity for identity in question.reference_context_ids}
