"""The last turn of a conversation as a question that stands by itself.

"And in 2023?" asks nothing that could be searched for. With the words of the turns it leans on it does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from rag.errors import InputError
from rag.generation.candidates import QUESTION_WORDS
from rag.generation.line import line_of
from rag.generation.marks import flat
from rag.protocols import LanguageModel, Prompt
from rag.types import Message

Analyze: TypeAlias = Callable[[str], list[str]]
Condense: TypeAlias = Callable[[Sequence[Message]], str]
"""Makes the last message of a conversation, which a user wrote, a question that stands by itself."""

ROLES = ("system", "user", "assistant")
MOST_WORDS = 8
"""How many words of earlier turns are taken; more bring in what is no longer spoken of."""
FEWEST_TERMS = 3
"""A turn of fewer terms leans on what was said before."""
TURNS_BACK = 10
LONGEST_TURN = 4_000  # characters of an earlier turn that are looked at

_CHATTER = (
    "need want know there here more information thanks thank ok okay yes no good great like really other "
    "else also help see mean meant sure well right it its him his her hers their theirs this that these "
    "those one ones such same both each another"
)
_LEANS = re.compile(
    r"\b(it|its|they|them|theirs?|he|him|his|she|hers?|this|that|these|those|there|ones?|such|same|both|each"
    r"|others?|another|else)\b"
    r"|^\W*(and|or|but|also|so|then|(what|how) about|what (if|else)|ok|okay|i see|i meant?"
    r"|which one|why|how)\b",
    re.IGNORECASE,
)
_OTHER_END = re.compile(
    r"\W*(?:and|or|but|(?:and |or |but )?(?:what|how) about) "
    r"(?P<preposition>in|for|on|at|by|with|from|to|of|under|during|after|before|since|until|within|without)"
    r" (?P<rest>[^\s?!.][^?!.]*)[?!.\s]*",
    re.IGNORECASE,
)
_WORD = re.compile(r"[\w'’-]+")
_SYSTEM = (
    "Rewrite the user's last message as one question that can be understood without the conversation. "
    "Name what its pronouns stand for. Keep its meaning and its language, answer nothing, and write "
    "nothing but the question."
)


def condensed(analyze: Analyze) -> Condense:
    """Condense by rules: to a turn that leans on others the words of the one before are added.

    A turn that gives a question another end ("and in 2023?") becomes that question, so ended. Any other
    leans on those before where it has a pronoun, opens as a follow-up does ("and", "what about"), or
    says little. The turn before is condensed itself, so that a topic is carried on as long as it is
    spoken of. `analyze` turns text into terms, as the index does.

    Source: the expansion by earlier turns of S. Lin et al., Multi-Stage Conversational Passage
    Retrieval, ACM TOIS 39(4), 2021, with the terms of the last turn alone.
    """
    empty = frozenset(analyze(f"{QUESTION_WORDS} {_CHATTER}"))

    def terms(text: str) -> set[str]:
        return set(analyze(text)) - empty

    def carried(text: str, before: str) -> str:
        known = terms(text)
        words: list[str] = []
        for word in _WORD.findall(before):
            new = terms(word) - known
            if new and len(words) < MOST_WORDS:
                words.append(word)
                known |= new
        return " ".join([text, *words])

    def condense(messages: Sequence[Message]) -> str:
        said = [flat(each.text[:LONGEST_TURN]) for each in messages[:-1] if each.role == "user"]
        question = ""
        for text in [*said[-TURNS_BACK:], messages[-1].text.strip()]:
            leans = bool(_LEANS.search(text)) or len(terms(text)) < FEWEST_TERMS
            changed = _with_other_end(question, flat(text[:LONGEST_TURN])) if question else None
            question = changed or (carried(text, question) if leans else text)
        return question

    return condense


def _with_other_end(question: str, text: str) -> str | None:
    """The question before with what `text` says in its place: "and in 2023?", "what about for sea staff?".

    From the last such preposition on it is said anew; where there is none, it is said besides. None where
    `text` is no such follow-up.
    """
    found = _OTHER_END.fullmatch(text)
    if found is None:
        return None
    end = f"{found['preposition'].lower()} {found['rest'].strip()}"
    places = list(re.finditer(rf"\b{found['preposition']}\b", question, re.IGNORECASE))
    kept = question[: places[-1].start()] if places else question
    kept = kept.rstrip(" ?!.,")
    return f"{kept} {end}?" if kept else None


def condensed_by(model: LanguageModel, otherwise: Condense, *, partition: str = "") -> Condense:
    """Condense by a language model; by `otherwise` where it writes nothing, or more than a question.

    `partition` is the tenant within which states of prompts are kept.
    """

    def condense(messages: Sequence[Message]) -> str:
        if len(messages) < 2:
            return otherwise(messages)
        talk = tuple(
            Message(each.role, each.text[:LONGEST_TURN])
            for each in messages[-2 * TURNS_BACK :]
            if each.role != "system"
        )
        prompt = Prompt(_SYSTEM, "", talk)
        written = line_of(model, prompt, max_tokens=96, partition=partition)
        return written if 0 < len(written) <= 2 * LONGEST_TURN else otherwise(messages)

    return condense


def conversation(messages: Sequence[Message | Mapping[str, str]]) -> tuple[Message, ...]:
    """The messages, each a Message or of the form `{"role", "content"}`, seen to end in a question.

    Raises:
        InputError: One has no role or text, or the last is no user's that asks something.
    """
    found = tuple(each if isinstance(each, Message) else _message(each) for each in messages)
    unknown = next((each.role for each in found if each.role not in ROLES), None)
    if unknown is not None:
        raise InputError(f"a message is from {', '.join(ROLES)}, not from {unknown!r}")
    if not found or found[-1].role != "user" or not found[-1].text.strip():
        raise InputError("the last message must be the user's, and ask something")
    return found


def _message(given: Mapping[str, str]) -> Message:
    role, text = given.get("role"), given.get("content")
    if not isinstance(role, str) or not isinstance(text, str):
        raise InputError('a message has a "role" and a "content", both text')
    return Message(role, text)
