"""An answer that was printed is read as it was, and what no answer would say is named."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from rag.api.saved import read_answer
from rag.api.schema import answer_json
from rag.errors import InputError
from rag.types import (
    Answer,
    Chunk,
    Citation,
    Conflict,
    Hit,
    LegScores,
    Message,
    Request,
    Sentence,
    Span,
    Usage,
)

ANSWER = Answer(
    question="where?",
    text="Here. [1]",
    sentences=(Sentence("Here.", (1,), True, 1.0, ("a fault",)),),
    citations=(Citation(1, "d", "d.pdf", "D", None, "A > B", 0, 5, "Here.", Span(0, 4)),),
    contexts=(Hit(1, 0.25, Chunk("d", Span(0, 5), "Here."), "d.pdf", "D", LegScores(bm25=2.0)),),
    abstained=False,
    confidence=0.75,
    model="m",
    timings_ms={"retrieval": 1.5},
    conflicts=(Conflict((1,), ("2024",), "it"),),
    queries=("where", "there"),
    usage=Usage(1, 0, 2, 0, 3.0, 4.5, "r"),
    request=Request(where={"team": {"$in": ["hr"]}}, messages=(Message("user", "where?"),), documents=("d",)),
    seal="00",
)
PRINTED = json.dumps(answer_json(ANSWER))


def test_what_was_printed_is_read_as_it_was():
    assert read_answer(PRINTED, "file") == (ANSWER, "")
    assert read_answer(PRINTED.replace("1.0", "1"), "file") == (ANSWER, "")  # as other tools write it


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("contexts", 0, "chunk_id"), "d:0-4", "contexts.0.chunk_id"),
        (("contexts", 0, "colour"), "red", "contexts.0.colour"),
        (("colour",), "red", "colour"),
        (("citations", 0, "page"), "1", "citations.0.page"),
        (("sentences", 0, "supported"), 1, "sentences.0.supported"),
    ],
)
def test_what_no_answer_would_say_is_named(path: tuple[Any, ...], value: object, named: str):
    wrong = copy.deepcopy(json.loads(PRINTED))
    place = wrong
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    _, altered = read_answer(json.dumps(wrong), "file")
    assert altered == f"{named} was changed, added or taken away"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"answer": "a", "citations": [1], "contexts": []}', "[" * 99_999, PRINTED[:-9]]
)
def test_what_is_no_answer_is_refused(text: str):
    with pytest.raises(InputError, match="file is not"):
        read_answer(text, "file")


@pytest.mark.parametrize("name", list(json.loads(PRINTED)))
def test_a_field_that_was_taken_away_is_missed(name: str):
    lacking = {key: value for key, value in json.loads(PRINTED).items() if key != name}
    try:
        _, altered = read_answer(json.dumps(lacking), "file")
    except InputError:
        return
    assert altered
