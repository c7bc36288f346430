"""The forms of replies: the JSON schema of each, and what is read from an object that is to have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rag.eval.judges.asking import Schema, Unreadable
from rag.types import AskedBack

REASON_CHARACTERS = 160
MOST_TEXTS = 40
TEXT_CHARACTERS = 400

VERDICT_TOKENS = REASON_CHARACTERS + 60
"""What a verdict may take: its reason is ASCII, of at most a token a character."""

ASCII = "^[ !#-\\[\\]-~]*$"

_TRUTHS: Mapping[object, bool] = {
    **dict.fromkeys((True, 1, "1", "true", "yes"), True),
    **dict.fromkeys((False, 0, "0", "false", "no"), False),
}


@dataclass(frozen=True, slots=True)
class Vote:
    """A yes or a no, and why."""

    yes: bool
    reason: str


def verdicts_form(count: int) -> Schema:
    """`{"verdicts": [{"number": 1, "reason": "...", "verdict": true}, ...]}`, one for each of `count` things.

    The reason comes first: a model that has written one judges by it.
    """
    verdict = _object(
        number={"type": "integer", "minimum": 1, "maximum": count},
        reason={"type": "string", "maxLength": REASON_CHARACTERS, "pattern": ASCII},
        verdict={"type": "boolean"},
    )
    return _object(verdicts={"type": "array", "items": verdict, "minItems": count, "maxItems": count})


def texts_form(key: str) -> Schema:
    """`{"<key>": ["...", ...]}`, which may be empty."""
    text = {"type": "string", "minLength": 1, "maxLength": TEXT_CHARACTERS}
    return _object(**{key: {"type": "array", "items": text, "minItems": 0, "maxItems": MOST_TEXTS}})


def question_form() -> Schema:
    """`{"question": "...", "noncommittal": false}`."""
    return _object(
        question={"type": "string", "minLength": 1, "maxLength": TEXT_CHARACTERS},
        noncommittal={"type": "boolean"},
    )


def read_votes(reply: Mapping[str, Any], count: int) -> list[Vote]:
    """The votes on things 1 to `count`, in this order, whichever order they were given in.

    Raises:
        Unreadable: One is missing, twice there or no verdict, or there are others.
    """
    given = reply.get("verdicts")
    if not isinstance(given, list) or len(given) != count:
        found = len(given) if isinstance(given, list) else "no"
        raise Unreadable(f"{found} verdicts for {count} things")
    votes: dict[int, Vote] = {}
    for each in given:
        if not isinstance(each, dict):
            raise Unreadable("a verdict is no object")
        number, yes = each.get("number"), _truth(each.get("verdict"))
        if count == 1 and number is None:
            number = 1
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= count:
            raise Unreadable(f"a verdict on thing {number!r:.40} of {count}")
        reason = each.get("reason")
        votes[number] = Vote(yes, _line(reason)[: 2 * REASON_CHARACTERS] if isinstance(reason, str) else "")
    if len(votes) != count:
        raise Unreadable(f"verdicts on {len(votes)} things of {count}")
    return [votes[number] for number in range(1, count + 1)]


def read_texts(reply: Mapping[str, Any], key: str) -> list[str]:
    """The texts, each once, in their order.

    Raises:
        Unreadable: They are no list of texts.
    """
    given = reply.get(key)
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise Unreadable(f"no list of texts under {key!r}")
    return list(dict.fromkeys(line for each in given if (line := _line(each))))


def read_question(reply: Mapping[str, Any]) -> AskedBack:
    """The question.

    Raises:
        Unreadable: There is none.
    """
    question = reply.get("question")
    if not isinstance(question, str) or not question.strip():
        raise Unreadable("no text under 'question'")
    return AskedBack(_line(question), _truth(reply.get("noncommittal", False)))


def _truth(value: object) -> bool:
    key = value.strip().lower() if isinstance(value, str) else value
    if isinstance(key, bool | int | str) and key in _TRUTHS:
        return _TRUTHS[key]
    raise Unreadable(f"{value!r:.40} is neither true nor false")


def _line(text: str) -> str:
    """The text on one line, without what UTF-8 cannot hold."""
    return " ".join(text.encode(errors="replace").decode().split())


def _object(**properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
