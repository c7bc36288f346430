"""Which questions are not independent of each other, since they are asked of the same documents."""

from __future__ import annotations

from collections.abc import Sequence

from rag.eval.questions import Question


def document_clusters(questions: Sequence[Question]) -> list[int]:
    """Number the clusters of questions that share a gold document, a number a question, from 0 in order.

    Clusters are connected components: a question of several documents joins the clusters of all of
    them, so that no two clusters share a document. Gold documents are those of `documents`, by their
    source as it is written; without any, those that the `reference_context_ids` are of
    (`<document>:<start>-<end>`, or the id itself). A question without either is a cluster of its own.
    """
    above: dict[str | int, str | int] = {}

    def root(name: str | int) -> str | int:
        while above.setdefault(name, name) != name:
            above[name] = above[above[name]]
            name = above[name]
        return name

    homes: list[str | int] = []
    for at, question in enumerate(questions):
        gold = sorted(_gold_documents(question))
        for document in gold[1:]:
            above[root(document)] = root(gold[0])
        homes.append(gold[0] if gold else at)
    numbers: dict[str | int, int] = {}
    return [numbers.setdefault(root(home), len(numbers)) for home in homes]


def _gold_documents(question: Question) -> set[str]:
    if question.documents:
        return {place.source for place in question.documents}
    return {identity.rpartition(":")[0] or identity for identity in question.reference_context_ids}
