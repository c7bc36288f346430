"""Which parts of the evidence a claim is read with: a model sees about a hundred words at once.

Short evidence is one window. Of longer evidence these are taken: the runs of sentences that hold most
of what the claim says, and last the sentences that together hold most of it, in order, wherever
they stand. Each begins with the headings that its passage begins with.

Source: Kamoi et al., WiCE, 2023 (a claim may need sentences that stand apart); Carbonell and Goldstein,
The Use of MMR, 1998 (what is held already counts no more).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.generation.marks import flat
from rag.generation.wording import content_list
from rag.sentences import sentence_spans
from rag.types import Claim

MOST_WORDS, MOST_RUNS = 75, 3
_HEADING_WORDS, _MOST_HEADINGS, _MOST_SENTENCES = 12, 2, 4


@dataclass(frozen=True, slots=True)
class _Part:
    """A sentence of the evidence, or a piece of a long one; `passage` counts from 0."""

    text: str
    passage: int
    size: int
    held: frozenset[str]


def sentences_of(evidence: Sequence[str]) -> list[str]:
    """The sentences of all passages, in order."""
    return [text[span.start : span.end] for text in evidence for span in sentence_spans(text)]


def windows(claim: Claim, analyze: Callable[[str], list[str]]) -> list[str]:
    """The texts to read the claim with, at least one; the gathered sentences come last."""
    asked = frozenset(content_list(claim.text, analyze))
    heads, parts = _parts(claim.evidence, asked, analyze)
    if sum(part.size for part in parts) <= MOST_WORDS:
        return [_joined(parts, heads)]
    counts = Counter(word for part in parts for word in part.held)
    weight = {word: math.log1p(len(parts) / (0.5 + counts[word])) for word in asked}
    chosen = [_joined(run, heads) for run in _runs(parts, weight)]
    return [*chosen, _joined(_gathered(parts, weight), heads)]


def _parts(
    evidence: Sequence[str], asked: frozenset[str], analyze: Callable[[str], list[str]]
) -> tuple[list[str], list[_Part]]:
    """The headings of each passage, and the sentences below them."""
    heads, parts = [], []
    for number, passage in enumerate(evidence):
        sentences = [flat(sentence) for sentence in sentences_of([passage])]
        top = 0
        while top < min(_MOST_HEADINGS, len(sentences) - 1) and _is_heading(sentences[top]):
            top += 1
        heads.append(" ".join(sentences[:top]))
        for sentence in sentences[top:]:
            words = sentence.split()
            for start in range(0, len(words), MOST_WORDS):
                piece = words[start : start + MOST_WORDS]
                text = " ".join(piece)
                held = asked.intersection(content_list(text, analyze)) if asked else frozenset()
                parts.append(_Part(text, number, len(piece), frozenset(held)))
    return heads, parts


def _is_heading(sentence: str) -> bool:
    """Whether it is short and no sentence; an item of a list is none either, since it says something."""
    return (
        len(sentence.split()) <= _HEADING_WORDS and sentence[-1] not in ".!?;," and sentence[0] not in "-*•"
    )


def _worth(parts: Sequence[_Part], weight: dict[str, float]) -> float:
    held: set[str] = set().union(*(part.held for part in parts))
    return sum(weight[word] for word in sorted(held))


def _runs(parts: Sequence[_Part], weight: dict[str, float]) -> list[Sequence[_Part]]:
    """The neighbouring sentences that hold most, best first; no two share half of their sentences."""
    found = []
    for start, first in enumerate(parts):
        end, size = start, 0
        while (
            end < min(len(parts), start + _MOST_SENTENCES)
            and parts[end].passage == first.passage
            and size + parts[end].size <= MOST_WORDS
        ):
            size += parts[end].size
            end += 1
        found.append((-_worth(parts[start:end], weight), start, end))
    chosen: list[tuple[int, int]] = []
    for _, start, end in sorted(found):
        shared = (min(end, other_end) - max(start, other) for other, other_end in chosen)
        if all(2 * both <= end - start for both in shared):
            chosen.append((start, end))
        if len(chosen) == MOST_RUNS:
            break
    return [parts[start:end] for start, end in chosen]


def _gathered(parts: Sequence[_Part], weight: dict[str, float]) -> list[_Part]:
    """Sentences that add most to what is held already, until the window is full, in their own order."""
    held: set[str] = set()
    chosen: list[int] = []
    room = MOST_WORDS
    while True:
        gains = [
            (sum(weight[word] for word in sorted(part.held - held)) / (8 + part.size) ** 0.5, -at)
            for at, part in enumerate(parts)
            if at not in chosen and part.size <= room
        ]
        gain, at = max(gains, default=(0.0, 0))
        if gain <= 0:
            return [parts[at] for at in sorted(chosen)] or list(parts[:1])
        chosen.append(-at)
        held |= parts[-at].held
        room -= parts[-at].size


def _joined(parts: Sequence[_Part], heads: Sequence[str]) -> str:
    """The text of the parts, below the headings of the first one's passage."""
    body = " ".join(part.text for part in parts)
    head = heads[parts[0].passage] if parts else ""
    return f"{head}\n{body}" if head else body
