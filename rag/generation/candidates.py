"""The sentences of the contexts that may answer a question, each with what it must be read with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.generation.marks import flat
from rag.sentences import sentence_spans
from rag.types import Hit, Span

_ROW = re.compile(r"\||.* \| ")
_ITEM = re.compile(r"(?:[-*+•●▪◦‣–—]|\(?(?:\d{1,3}|[a-z]|[ivx]{1,5})[.)])\s")
_HEADING = re.compile(r"#{1,6}\s")
_NUMBERED = re.compile(r"\d+(?:\.\d+)*\.?\s[^\W\d_a-z][^\d|]{0,80}(?<![.:;!])\Z")
_CORNER = re.compile(r"\|\s*\|")
_RULE = re.compile(r"[|:+\s-]+\Z")

FEWEST_WORDS = 3
"""A shorter line is a heading or a cell, which proves nothing by itself."""

WIDEST_GAP = 4
"""Chunks of a document that are this few characters apart have white space between them."""

QUESTION_WORDS = (
    "what who whom whose when where which why how many much long often do does did done can could should "
    "would may might must shall i me my we us our you your he she they them am were been being have has had "
    "about from than so please tell give name list say state describe explain any some get"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that may stand in an answer.

    `start` and `end` are in its document; `context` is the place, from 0, of the hit it came with;
    `before` is the sentence in front of it: of a row of a table its first row, which names the columns,
    and of an item of a list what stands above the first item.
    """

    text: str
    start: int
    end: int
    context: int
    before: Candidate | None = None

    @property
    def is_row(self) -> bool:
        """Whether it is a row of a table."""
        return _ROW.match(self.text) is not None

    @property
    def is_item(self) -> bool:
        """Whether it is an item of a list."""
        return _ITEM.match(self.text) is not None

    @property
    def columns(self) -> Candidate | None:
        """The row that names the columns of this one, None where it is no row, or that row itself."""
        return self.before if self.is_row and self.before and self.before.is_row else None

    @property
    def lead(self) -> Candidate | None:
        """What stands above the list of which it is an item, None where it is none."""
        return self.before if self.is_item and self.before and not self.before.is_item else None

    @property
    def whole(self) -> str:
        """Its text below that of its columns or its lead, without which it says nothing."""
        above = self.columns or self.lead
        return f"{above.text}\n{self.text}" if above else self.text


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Hits of one document that overlap or touch, and the text that they make together."""

    start: int
    text: str
    contexts: tuple[int, ...]


def find_candidates(hits: Sequence[Hit]) -> list[Candidate]:
    """The statements of all contexts, each once: chunks overlap, and documents repeat each other.

    They come in the order of the hits, and inside a hit in that of the text. Hits that overlap are read
    as one text, so that a row knows the head of its table where another hit has that.
    """
    found = [each for stretch in _stretches(hits) for each in _statements(hits, stretch)]
    seen: set[str] = set()
    candidates = []
    for candidate in sorted(found, key=lambda each: (each.context, each.start)):
        columns = candidate.columns.text if candidate.columns else ""
        known = flat(f"{columns} {candidate.text}").casefold()
        if known not in seen:
            seen.add(known)
            candidates.append(candidate)
    return candidates


def _stretches(hits: Sequence[Hit]) -> list[_Stretch]:
    order = sorted(range(len(hits)), key=lambda at: (hits[at].chunk.document_id, hits[at].chunk.start, at))
    stretches: list[_Stretch] = []
    for at in order:
        chunk = hits[at].chunk
        last = stretches[-1] if stretches else _Stretch(0, "", ())
        gap = chunk.start - last.start - len(last.text)
        same = last.contexts and hits[last.contexts[0]].chunk.document_id == chunk.document_id
        if same and gap <= WIDEST_GAP:
            text = last.text + "\n" * gap + chunk.text[max(-gap, 0) :]
            stretches[-1] = _Stretch(last.start, text, (*last.contexts, at))
        else:
            stretches.append(_Stretch(chunk.start, chunk.text, (at,)))
    return stretches


def _statements(hits: Sequence[Hit], stretch: _Stretch) -> Iterator[Candidate]:
    """The sentences of a stretch that can answer: no questions, headings, stray cells or heads of tables."""
    text = stretch.text
    spans = sentence_spans(text)
    is_row = [_ROW.match(text, span.start, span.end) is not None for span in spans]
    before, in_head = None, False
    for at, span in enumerate(spans):
        start, end, context = _placed(hits, stretch, stretch.start + span.start, stretch.start + span.end)
        candidate = Candidate(text[start - stretch.start : end - stretch.start], start, end, context, before)
        follows_row = before is not None and before.is_row
        names_columns = is_row[at] and not follows_row and at + 1 < len(spans) and is_row[at + 1]
        # A head of several rows: the last one, which leaves the corner empty, names the columns.
        goes_on = in_head and _CORNER.match(candidate.text) is not None
        in_head = names_columns or goes_on or (in_head and _RULE.match(candidate.text) is not None)
        if goes_on or not ((is_row[at] and follows_row) or candidate.is_item):
            before = candidate
        in_list = any(0 <= near < len(spans) and _is_item(text, spans[near]) for near in (at - 1, at + 1))
        numbered = _NUMBERED.match(candidate.text) is not None and not in_list
        heading = numbered or _HEADING.match(candidate.text) is not None
        stands_alone = len(candidate.text.split()) >= FEWEST_WORDS and not candidate.text.endswith("?")
        if stands_alone and not in_head and not heading and not _RULE.match(candidate.text):
            yield candidate


def _is_item(text: str, span: Span) -> bool:
    return _ITEM.match(text, span.start, span.end) is not None


def _placed(hits: Sequence[Hit], stretch: _Stretch, start: int, end: int) -> tuple[int, int, int]:
    """The span, cut to the best hit that has it whole, or else to the one that has most of it."""

    def lost(context: int) -> tuple[int, int]:
        chunk = hits[context].chunk
        return max(chunk.start - start, 0) + max(end - chunk.end, 0), context

    best = min(stretch.contexts, key=lost)
    chunk = hits[best].chunk
    return max(start, chunk.start), min(end, chunk.end), best
