"""A question as the line of a question file that `read_questions` reads again."""

from __future__ import annotations

import json
from collections.abc import Iterable

from rag.eval.questions import Place, Question


def question_lines(questions: Iterable[Question]) -> str:
    """The questions, one JSON object a line."""
    return "".join(json.dumps(_object(each), ensure_ascii=False) + "\n" for each in questions)


def _object(question: Question) -> dict[str, object]:
    return {
        "id": question.id,
        "user_input": question.user_input,
        "reference": question.reference,
        "references": list(question.references),
        "reference_contexts": list(question.reference_contexts),
        "reference_context_ids": list(question.reference_context_ids),
        "documents": [_place(place) for place in question.documents],
        "answerable": question.answerable,
        "kind": question.kind,
        "split": question.split,
        **question.extra,
    }


def _place(place: Place) -> dict[str, object]:
    start, end = (place.span.start, place.span.end) if place.span else (None, None)
    return {"source": place.source, "page": place.page, "start": start, "end": end}
