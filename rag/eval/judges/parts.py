"""Texts and lists, cut to what a model takes at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from rag.sentences import sentence_spans

_T = TypeVar("_T")

PART_CHARACTERS = 2_000


def parts_of(text: str, most_characters: int = PART_CHARACTERS) -> list[str]:
    """The text in parts of whole sentences, of at most so many characters each where no sentence has more.

    Nothing but white space is lost. A text without a sentence has no part.
    """
    parts: list[str] = []
    start = end = 0
    for span in sentence_spans(text):
        if end > start and span.end - start > most_characters:
            parts.append(text[start:end].strip())
            start = span.start
        end = span.end
    parts.append(text[start:end].strip())
    return [part for part in parts if part]


def halves(things: Sequence[_T]) -> tuple[list[_T], list[_T]]:
    """The first and the second half."""
    middle = len(things) // 2
    return list(things[:middle]), list(things[middle:])
