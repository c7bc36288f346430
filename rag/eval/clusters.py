"""Which questions are not independent of each other, since they are asked of the same documents."""

from __future__ import annotations

from collections.abc import Sequence

from rag.eval.questions import Question


def document_clusters(questions: Sequence[Question]) -> list[int]:
    """Number the clusters of questions that share a gold document, a number a question, from 0 in order.

    Two questions are in one cluster where a chain of shared documents joins them. Gold documents are
    those of `documents`, by their source as it is written; without any, those that the
    `reference_context_ids` are of (`<document>:<start>-<end>`, or the id itself). A question without
    either is a cluster of its own.
    """
    parents: list[int] = list(range(len(questions)))

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = number = parents[parents[number]]
        return number

    first: dict[str, int] = {}
    for number, question in enumerate(questions):
        for document in _gold_documents(question):
            # the earlier question stays the root, so that clusters are numbered in order
            a, b = sorted((root(first.setdefault(document, number)), root(number)))
            parents[b] = a
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(number), len(numbers)) for number in range(len(questions))]


def _gold_documents(question: Question) -> set[str]:
    if question.documents:
        return {place.source for place in question.documents}
    return {identity.rpartition(":")[0] or identity for identity in question.reference_context_ids}
