"""Hits -> the passages that a language model is shown, within a budget of its own tokens.

Every passage is one range of one document, so that what is quoted of it can be placed to the character.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from rag.generation.marks import flat
from rag.sentences import sentence_spans
from rag.types import Hit

Order: TypeAlias = Literal["edges", "document"]
Count: TypeAlias = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Passage:
    """A range of a document as a model is shown it: `text` is the document's, from `start` to `end`.

    `number` counts from 1 in the order shown; `rank` is that of the best hit in it.
    """

    number: int
    document_id: str
    start: int
    end: int
    text: str
    source: str
    title: str
    section: str
    page: int | None
    rank: int


def assemble(
    hits: Sequence[Hit], count: Count, budget_tokens: int, order: Order = "edges", *, frame_tokens: int = 0
) -> list[Passage]:
    """The passages of the best hits that `budget_tokens` allow, numbered from 1 in the order shown.

    Hits of one document that overlap or touch become one passage; a passage whose words were shown
    already is left out, and so is one that does not fit. Where not even the best fits, its
    beginning is shown. With `edges` the best stands first, the second last, and the worst in the
    middle, where models read worst; with `document` passages stand in the order of their
    documents and places, so that another question about the same passages finds their state kept. Either
    order depends on nothing but the hits. `frame_tokens` are what the lines around a passage take.

    Source: Liu et al., Lost in the Middle: How Language Models Use Long Contexts, TACL 2024
    (arXiv:2307.03172, 2023).
    """

    def cost(passage: Passage) -> int:
        return count(passage.text) + count(passage.title or passage.source) + frame_tokens

    shown: list[Passage] = []
    left = budget_tokens
    for hit in sorted(hits, key=lambda each: each.rank):
        joined, rest = _joined(_passage(hit), shown)
        if joined in shown or any(_says_the_same(joined, other) for other in rest):
            continue
        more = cost(joined) - sum(cost(each) for each in shown if each not in rest)
        if more <= left:
            shown, left = [*rest, joined], left - more
    if not shown and hits:
        shown = _beginning(_passage(min(hits, key=lambda each: each.rank)), cost, budget_tokens)
    return [replace(each, number=number) for number, each in enumerate(_ordered(shown, order), start=1)]


def _passage(hit: Hit) -> Passage:
    chunk = hit.chunk
    return Passage(
        number=0,
        document_id=chunk.document_id,
        start=chunk.start,
        end=chunk.end,
        text=chunk.text,
        source=hit.source,
        title=hit.title,
        section=chunk.section,
        page=chunk.page,
        rank=hit.rank,
    )


def _joined(passage: Passage, shown: Sequence[Passage]) -> tuple[Passage, list[Passage]]:
    """The passage together with those shown that it overlaps or touches, and the others."""
    rest = []
    for other in shown:
        apart = passage.end < other.start or other.end < passage.start
        if other.document_id != passage.document_id or apart:
            rest.append(other)
        else:
            passage = _union(passage, other)
    return passage, rest


def _union(one: Passage, other: Passage) -> Passage:
    """One passage of two that overlap or touch; it keeps the place of the first and the better rank."""
    first, second = (one, other) if one.start <= other.start else (other, one)
    tail = second.text[first.end - second.start :] if second.end > first.end else ""
    return replace(
        first, end=max(first.end, second.end), text=first.text + tail, rank=min(one.rank, other.rank)
    )


def _says_the_same(one: Passage, other: Passage) -> bool:
    return flat(one.text).casefold() == flat(other.text).casefold()


def _beginning(passage: Passage, cost: Callable[[Passage], int], budget_tokens: int) -> list[Passage]:
    """The passage cut behind the last sentence, or else the last word, that fits; nothing where none does."""
    sentences = [span.end for span in sentence_spans(passage.text)]
    words = [word.end() for word in re.finditer(r"\S+", passage.text)]
    for ends in (sentences, words):
        fits = bisect_right(ends, budget_tokens, key=lambda end: cost(_cut(passage, end)))
        if fits:
            return [_cut(passage, ends[fits - 1])]
    return []


def _cut(passage: Passage, end: int) -> Passage:
    return replace(passage, end=passage.start + end, text=passage.text[:end])


def _ordered(shown: Sequence[Passage], order: Order) -> list[Passage]:
    if order == "document":
        return sorted(shown, key=lambda each: (each.document_id, each.start))
    by_rank = sorted(shown, key=lambda each: (each.rank, each.document_id, each.start))
    return by_rank[::2] + by_rank[1::2][::-1]
