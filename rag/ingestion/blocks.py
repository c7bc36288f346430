"""What every loader ends with: blocks of text in a row, become one text with sections."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from rag.types import Section, Span

_UNWANTED = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Block:
    """One line of a document's text: a paragraph, a list item, a table row, or a heading.

    `level` is 1 for the topmost heading, 0 for what is not one.
    """

    text: str
    level: int = 0


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading and the offset at which its line starts."""

    level: int
    title: str
    start: int


def clean(text: str) -> str:
    """Drop what no text should hold: control characters, lone surrogates and noncharacters."""
    return _UNWANTED.sub("", text) if _UNWANTED.search(text) else text


def join_blocks(blocks: Iterable[Block]) -> tuple[str, tuple[Section, ...]]:
    """Put each block on its own line, and return the text with its sections."""
    lines: list[str] = []
    headings: list[Heading] = []
    offset = 0
    for block in blocks:
        if block.level:
            headings.append(Heading(block.level, block.text.replace("\n", " "), offset))
        lines.append(block.text)
        offset += len(block.text) + 1
    text = "\n".join(lines)
    return text, nest(headings, len(text))


def nest(headings: Sequence[Heading], end: int) -> tuple[Section, ...]:
    """Let each heading govern the text up to the next one of its level or above."""
    ends = [end] * len(headings)
    above: list[int] = []
    for number, heading in enumerate(headings):
        while above and headings[above[-1]].level >= heading.level:
            ends[above.pop()] = heading.start
        above.append(number)
    return tuple(
        Section(heading.level, heading.title, Span(heading.start, ends[number]))
        for number, heading in enumerate(headings)
    )


def name_of(source: str) -> str:
    """Return the title of a document that gives itself none: the stem of its file name."""
    return PurePath(source).stem or source


def counted(number: int, one: str, many: str = "") -> str:
    """Write a number with its noun: `1 image`, `3 images`."""
    return f"{number} {one if number == 1 else many or one + 's'}"
