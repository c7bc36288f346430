from __future__ import annotations

import copy
from typing import Any

import pytest

from rag.api.proof import check_answer, read_answer
from rag.errors import DocumentNotFound, InputError
from rag.types import Document, Page, Span

TEXT = "One is here [9]. Two is there."
PAGED = Document("d", "d.pdf", "D", TEXT, pages=(Page(1, Span(0, 17)), Page(2, Span(17, 30))))


def document(document_id: str) -> Document:
    if document_id != "d":
        raise DocumentNotFound(document_id)
    return PAGED


def answer() -> dict[str, Any]:
    quotes = [(1, 0, 16, 1), (2, 17, 30, 2)]
    return {
        "answer": "One is here [9]. [1] Two is there. [2]",
        "sentences": [{"text": TEXT[s:e], "citations": [n], "supported": True} for n, s, e, _ in quotes],
        "citations": [
            {"number": n, "document_id": "d", "start": s, "end": e, "page": page, "quote": TEXT[s:e]}
            for n, s, e, page in quotes
        ],
    }


def test_a_right_answer_is_proven_and_a_mark_inside_a_quote_is_the_documents_own() -> None:
    assert all(verdict.proven for verdict in check_answer(answer(), document))


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("citations", 0, "document_id"), "e", "its document is not in the index"),
        (("citations", 0, "end"), 15, "the quote is not what stands there"),
        (("citations", 0, "end"), 0, "no range"),
        (("citations", 0, "end"), 31, "no range"),
        (("citations", 0, "start"), -1, "no range"),
        (("citations", 0, "start"), None, "no range of characters"),
        (("citations", 1, "page"), 1, "page 2, not 1"),
        (("citations", 1, "quote"), "Two is where.", "the quote is not"),
        (("citations", 1, "number"), 1, "two citations have this number"),
        (("sentences", 0, "citations"), [3], "no citation has the number 3"),
        (("sentences", 0, "citations"), [], "cites nothing"),
        (("sentences", 0, "citations"), None, "no list"),
        (("answer",), "One. [1, 7]", "no citation has the number 7"),
    ],
)
def test_each_fault_is_found(path: tuple[Any, ...], value: object, reason: str) -> None:
    wrong = copy.deepcopy(answer())
    place: Any = wrong
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    reasons = [verdict.reason for verdict in check_answer(wrong, document) if not verdict.proven]
    assert any(reason in each for each in reasons), reasons


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"answer": "a", "citations": [1], "sentences": []}'])
def test_what_is_no_answer_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="file"):
        read_answer(text, "file")


def test_a_text_without_sentences_is_not_proven():
    answer = {"answer": "The moon is cheese.", "sentences": [], "citations": []}
    assert not all(verdict.proven for verdict in check_answer(answer, lambda _: None))
