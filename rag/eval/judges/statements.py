"""What an answer says, statement by statement, told by its sentences and lists; no model."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.sentences import sentence_spans

_MARK = re.compile(r"\s?\[\d+(?:,\s?\d+)*\]")
_ITEM = re.compile(r"^\s*(?:[-*+•●▪◦‣–—]|\(?\d{1,3}[.)]|#{1,6}|>)\s+")
_EMPHASIS = re.compile(r"\*\*|__|`")
_WORD = re.compile(r"\w+")
_LEAST = 3  # words that a clause has to have to stand by itself

_UNABLE = (
    r"(?:do|does|did|can|could|is|are|was|were|have|has|am)\s?(?:not|n['’]t)|can\s?not|can['’]t|unable to"
)
_REFUSAL = re.compile(
    rf"\bI(?:['’]m| am) (?:sorry|afraid|unable|not (?:sure|able|certain|aware))\b"
    rf"|\bI (?:{_UNABLE}) (?:\w+ )?(?:know|find|have|see|answer|provide|determine|tell|access|locate)\b"
    rf"|\b(?:documents?|passages?|context|texts?|sources?|information|filing|report|excerpt|data)\b[^.]{{0,80}}?"
    rf"\b(?:{_UNABLE}) (?:\w+ ){{0,2}}(?:say|tell|mention|provide|contain|include|specify|state|give|answer|"
    r"discuss|address|find|found|available|enough|sufficient|provided|mentioned|specified|given)"
    r"|\b(?:no|not enough|insufficient|without (?:more|further|additional)) (?:\w+ ){0,2}"
    r"(?:information|context|details?|data|mention|evidence)\b"
    r"|\b(?:it is|it's|that is|remains) (?:unclear|unknown|not clear|not possible|impossible)\b"
    r"|\bI (?:don['’]t|do not) know\b|\bnot (?:specified|mentioned|stated|available|provided) in\b",
    re.IGNORECASE,
)


def statements_of(text: str) -> list[str]:
    """The statements of an answer in its order: sentences, list items and clauses joined by semicolons.

    Marks such as `[1]`, bullets and emphasis are left out, and so is what states nothing by itself:
    questions, and lines that end in a colon to lead to a list. Where that would leave nothing, all
    that has a word stays.
    """
    parts = [clause for span in sentence_spans(text) for clause in _clauses(text[span.start : span.end])]
    parts = [part for part in parts if _WORD.search(part)]
    stated = [part for part in parts if not part.endswith((":", "?"))]
    return list(dict.fromkeys(stated or parts))


def avoids(text: str) -> bool:
    """Whether a statement says that there is no answer: one cannot know, or the sources do not say."""
    return _REFUSAL.search(text) is not None


def _clauses(sentence: str) -> Iterator[str]:
    plain = " ".join(_EMPHASIS.sub("", _ITEM.sub("", _MARK.sub("", sentence))).split())
    clauses = plain.split("; ")
    whole = any(len(_WORD.findall(clause)) < _LEAST for clause in clauses)
    # inside brackets a semicolon parts no clauses
    if whole or any(clause.count("(") != clause.count(")") for clause in clauses):
        yield plain
    else:
        yield from clauses
