"""Cut a document into passages of a size that the encoder sees whole.

Sections first, then paragraphs, sentences, words, and in the last resort between two tokens: what
fits stays whole, and what does not is cut at the best boundary near an even share.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from rag.sentences import sentence_spans
from rag.types import Chunk, Document, Span

Offsets = npt.NDArray[np.int32]

_TOKEN = re.compile(r"\w+|[^\w\s]")
_LAST_WORD = re.compile(r"\s\S*\Z")
_LONGEST_TOKEN = 100  # characters
_SMALL = 0.25  # of size_tokens: a section of fewer joins its neighbour


class _Break(IntEnum):
    """What begins at an atom; the lower, the better a place to cut."""

    SECTION = 0
    PARAGRAPH = 1
    SENTENCE = 2
    WORD = 3


_COST = {_Break.SECTION: 0.0, _Break.PARAGRAPH: 0.0, _Break.SENTENCE: 0.25, _Break.WORD: 1.0}


@dataclass(frozen=True, slots=True)
class _Atom:
    """A sentence, or a part of one that would not fit, and the numbers of its tokens."""

    start: int
    end: int
    first_token: int
    last_token: int
    kind: _Break
    heading: bool


def word_offsets(text: str) -> Offsets:
    """Find the words and punctuation marks of `text`, the tokens where no encoder says otherwise."""
    spans = [match.span() for match in _TOKEN.finditer(text)]
    return np.array(spans, dtype=np.int32).reshape(-1, 2)


@dataclass(frozen=True, slots=True)
class RecursiveChunker:
    """A Chunker that follows the structure of the document.

    Args:
        size_tokens: No chunk touches more tokens of the document than this.
        overlap_tokens: A chunk repeats the last whole sentences of the one before, up to so many
            tokens, where a section had to be cut.
        token_offsets: Text to the character range of each token, int32 (tokens, 2), such as
            `Tokenizer.token_offsets`.
    """

    size_tokens: int = 200
    overlap_tokens: int = 20
    token_offsets: Callable[[str], Offsets] = word_offsets

    def __post_init__(self) -> None:
        if self.size_tokens < 1 or not 0 <= self.overlap_tokens < self.size_tokens:
            raise ValueError(
                f"size_tokens={self.size_tokens}, overlap_tokens={self.overlap_tokens}: a chunk needs at "
                "least one token, and an overlap is smaller than the chunk",
            )

    def __call__(self, document: Document) -> list[Chunk]:
        """Cut `document`; every character but white space is in at least one chunk."""
        tokens = _Tokens(self.token_offsets(document.text))
        atoms = list(_atoms(document, tokens, self.size_tokens))
        spans: list[Span] = []
        for group in _grouped(atoms, self.size_tokens):
            spans += _packed(group, self.size_tokens, self.overlap_tokens)
        return _chunks(document, spans)


class _Tokens:
    """The tokens that a range of characters touches, by bisection."""

    def __init__(self, offsets: Offsets) -> None:
        filled = _shortened(offsets[offsets[:, 1] > offsets[:, 0]])
        self._starts: list[int] = np.maximum.accumulate(filled[:, 0]).tolist()
        self._ends: list[int] = np.maximum.accumulate(filled[:, 1]).tolist()

    def first(self, start: int) -> int:
        """Return the number of the first token that ends behind `start`."""
        return bisect_right(self._ends, start)

    def last(self, end: int) -> int:
        """Return the number behind that of the last token that begins before `end`."""
        return bisect_left(self._starts, end)

    def furthest(self, start: int, end: int, size: int) -> int:
        """Return the greatest offset up to `end` such that [start, offset) touches `size` tokens at most."""
        beyond = self.first(start) + size
        return max(start + 1, min(end, self._starts[beyond])) if beyond < len(self._starts) else end


def _shortened(offsets: Offsets) -> Offsets:
    """Count an endless word, which a tokenizer may take for one unknown token, by its length."""
    pieces = -(-(offsets[:, 1] - offsets[:, 0]) // _LONGEST_TOKEN)
    if not len(offsets) or pieces.max() == 1:
        return offsets
    within = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    starts = np.repeat(offsets[:, 0], pieces) + within * _LONGEST_TOKEN
    ends = np.minimum(starts + _LONGEST_TOKEN, np.repeat(offsets[:, 1], pieces))
    return np.stack([starts, ends], axis=1).astype(np.int32)


def _atoms(document: Document, tokens: _Tokens, size: int) -> Iterator[_Atom]:
    text = document.text
    has_blank_lines = "\n\n" in text
    headings = sorted(section.span.start for section in document.sections)
    number, before = 0, 0
    for sentence in sentence_spans(text):
        gap = text[before : sentence.start]
        heading = number < len(headings) and headings[number] <= sentence.start
        while number < len(headings) and headings[number] <= sentence.start:
            number += 1
        if heading:
            kind = _Break.SECTION
        elif "\n\n" in gap or ("\n" in gap and not has_blank_lines):
            kind = _Break.PARAGRAPH
        else:
            kind = _Break.SENTENCE
        for start, end in _fitting(text, sentence, tokens, size):
            yield _Atom(start, end, tokens.first(start), tokens.last(end), kind, heading)
            kind = _Break.WORD
        before = sentence.end


def _fitting(text: str, sentence: Span, tokens: _Tokens, size: int) -> Iterator[tuple[int, int]]:
    """Cut a sentence where it would not fit: behind a word, or behind a token of an endless word."""
    start = sentence.start
    while start < sentence.end:
        end = tokens.furthest(start, sentence.end, size)
        if end < sentence.end:
            space = _LAST_WORD.search(text, start, end + 1)
            end = space.start() if space and space.start() > start else end
            end = start + len(text[start:end].rstrip())
        yield start, end
        start = end
        while start < sentence.end and text[start].isspace():
            start += 1


def _grouped(atoms: list[_Atom], size: int) -> Iterator[list[_Atom]]:
    """Divide the atoms at the sections; a small section goes with a neighbour."""
    starts = [i for i, atom in enumerate(atoms) if i == 0 or atom.kind is _Break.SECTION] + [len(atoms)]
    group: list[_Atom] = []
    for first, behind in pairwise(starts):
        section = atoms[first:behind]
        if group and _size(group) >= _SMALL * size:
            joined = section[-1].last_token - group[0].first_token
            if joined > size or _size(section) >= _SMALL * size:
                yield group
                group = []
        group.extend(section)
    if group:
        yield group


def _size(atoms: list[_Atom]) -> int:
    return atoms[-1].last_token - atoms[0].first_token


def _packed(atoms: list[_Atom], size: int, overlap: int) -> Iterator[Span]:
    """Yield the chunks of one group of atoms, cut at the best boundaries near equal shares."""
    first, fresh = 0, 0
    while True:
        rest = atoms[-1].last_token - atoms[first].first_token
        if rest <= size:
            yield Span(atoms[first].start, atoms[-1].end)
            return
        cut = _best_cut(atoms, first, fresh, rest / -(-rest // size), size)
        yield Span(atoms[first].start, atoms[cut - 1].end)
        fresh = cut
        first = _overlap_start(atoms, first, cut, size, overlap)


def _best_cut(atoms: list[_Atom], first: int, fresh: int, target: float, size: int) -> int:
    """Return the number of the atom to begin the next chunk with, behind `fresh`."""
    best, least = fresh + 1, float("inf")
    for cut in range(fresh + 1, len(atoms)):
        tokens = atoms[cut - 1].last_token - atoms[first].first_token
        if tokens > size:
            break
        cost = abs(tokens - target) / size + (1.0 if atoms[cut - 1].heading else _COST[atoms[cut].kind])
        if cost <= least:
            best, least = cut, cost
    return best


def _overlap_start(atoms: list[_Atom], first: int, cut: int, size: int, overlap: int) -> int:
    """Step back from `cut` over whole sentences that fit the overlap, and leave room for what is new."""
    if atoms[cut].kind is _Break.SECTION:
        return cut
    start = cut
    for earlier in range(cut - 1, first, -1):
        atom = atoms[earlier]
        too_long = atoms[cut - 1].last_token - atom.first_token > overlap
        if too_long or atoms[cut].last_token - atom.first_token > size:
            break
        if atom.kind is not _Break.WORD:
            start = earlier
    return start


def _chunks(document: Document, spans: list[Span]) -> list[Chunk]:
    """Name the page and section of each span, in one sweep: there may be thousands of sections."""
    chunks = []
    active: list[int] = []
    number = 0
    sections = document.sections
    for span in spans:
        while number < len(sections) and sections[number].span.start <= span.start:
            active.append(number)
            number += 1
        active = [at for at in active if sections[at].span.end > span.start]
        path = " > ".join(sections[at].title for at in active)
        first, last = document.page_at(span.start), document.page_at(span.end - 1)
        chunks.append(Chunk(document.id, span, document.text[span.start : span.end], first, path, last))
    return chunks
