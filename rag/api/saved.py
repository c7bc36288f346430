"""JSON that a door printed -> the answer that it was made of, or an error where it is no such thing."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rag.api.schema import answer_json
from rag.errors import InputError
from rag.generation.seal import canonical
from rag.types import Answer

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_HIT = ("rank", "score", "source", "title", "scores")
_CHUNK = ("document_id", "text", "page", "section", "last_page")


def read_answer(text: str, where: str) -> tuple[Answer, str]:
    """Read what `rag ask --json` printed, or the service sent, and say what of it no answer would say.

    What was read is printed again and must come out the same: else a field was added, or contradicts
    another, and the first such is named.

    Raises:
        InputError: It is something else; `where` names it in the message.
    """
    try:
        given = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not JSON ({error}); give the output of `rag ask --json`") from error
    try:
        answer = _answer(given)
        printed = json.loads(json.dumps(answer_json(answer)))
        same = canonical(printed) == canonical(given)
    except (RecursionError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{where} is not an answer ({reason}); give the output of `rag ask --json`"
        ) from error
    if same:
        return answer, ""
    return answer, f"{_first_difference(given, printed)} was changed, added or taken away"


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object each of whose names stands in it once: of two, a reader and a program may see another."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


@functools.cache
def _reader() -> TypeAdapter[Answer]:
    from pydantic import TypeAdapter

    return TypeAdapter(Answer)


def _answer(given: Mapping[str, Any]) -> Answer:
    hits = [
        {name: hit[name] for name in _HIT}
        | {
            "chunk": {name: hit[name] for name in _CHUNK}
            | {"span": {"start": hit["start"], "end": hit["end"]}}
        }
        for hit in given["contexts"]
    ]
    fields = {name: value for name, value in given.items() if name != "answer"}
    return _reader().validate_python(fields | {"text": given["answer"], "contexts": hits})


def _first_difference(one: object, other: object, path: str = "") -> str:
    """Where two JSON values begin to differ, as a path of names and places."""
    if isinstance(one, dict) and isinstance(other, dict):
        steps: list[Any] = sorted({*one, *other})
        parts = [(step, one.get(step, _NOTHING), other.get(step, _NOTHING)) for step in steps]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        parts = [(step, *both) for step, both in enumerate(zip(one, other, strict=True))]
    else:
        return path or "it"
    for step, mine, its in parts:
        if _NOTHING in (mine, its) or canonical(mine) != canonical(its):
            return _first_difference(mine, its, f"{path}.{step}" if path else str(step))
    return path or "it"


_NOTHING = object()
