"""Two documents -> what both say, what one says otherwise, and what only one says, cited on both sides.

Sentences are put side by side by meaning and by words; what differs inside a pair is found word by word
and highlighted in the quotes. Nothing is rephrased: every line is made of quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from rag.generation.candidates import Candidate, find_candidates
from rag.generation.conflicts import recency, version_of
from rag.generation.marks import flat, without_marks
from rag.generation.passages import only_cited, quotation
from rag.protocols import Encoder, Generator
from rag.types import Answer, Citation, Claim, Conflict, Hit, Sentence, Span, Support

MODEL = "comparison"
NOTHING = "There is nothing to compare."
ALIKE = 0.62
"""How alike two sentences must be to be put side by side."""
OF_WORDS = 0.4
"""What common words count beside meaning in how alike two sentences are."""
SAME_SECTION = 0.15
"""How much more alike two sentences are that stand below the same heading."""
RELEVANT = 0.35
"""How near a line must be to what is asked, where something is."""
MOST_COMPARED = 1_000
"""How many sentences of each document are compared, from its start."""
MONEY = "€$£¥"
MOST_ALIGNED = 300  # words; longer sentences are told apart, and not word by word
MOST_ABOUT = 60  # characters that say what a conflict is about

_QUOTED = re.compile(r"(?:: |” and )“(.*?)”(?= and “|\s*\Z)", re.DOTALL)
_WORD = re.compile(r"\w+(?:[.,:/-]\w+)*|[^\w\s]")
_FIGURE = re.compile(
    r"\d|^(january|february|march|april|may|june|july|august|september|october|november|december"
    r"|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred)$",
    re.IGNORECASE,
)


class Kind(IntEnum):
    """What a line of a comparison says, in the order in which they are told."""

    FIGURES = 0
    WORDING = 1
    FIRST = 2
    SECOND = 3
    SAME = 4


@dataclass(frozen=True, slots=True)
class Line:
    """Sentences that stand side by side; one of them is None where only the other document has it.

    `differ` are ranges of their documents: where a number or a date is another one that, else from the
    first to the last word that the other sentence has not.
    """

    kind: Kind
    first: Candidate | None
    second: Candidate | None
    differ: tuple[Span | None, Span | None] = (None, None)


def comparing(encoder: Encoder, first_id: str, *, most_lines: int = 40) -> Generator:
    """A generator that holds the passages of one document against those of another.

    Changed numbers and dates come first, then other changes, then what only one has, then what is the
    same. Where something is asked only what is near it is told. Every line quotes, so that it is
    proven by what it is made of; changed numbers are conflicts of the answer too.

    Args:
        encoder: Tells how alike sentences are.
        first_id: The id of the document that is told first; all other passages are the second's.
        most_lines: How many lines to tell at most.
    """

    def generate(question: str, hits: Sequence[Hit]) -> Answer:
        of_first = [hit for hit in hits if hit.chunk.document_id == first_id]
        of_second = [hit for hit in hits if hit.chunk.document_id != first_id]
        titles = {_heading(hit) for hit in hits}
        ones, others = (_statements(side, titles)[:MOST_COMPARED] for side in (of_first, of_second))
        others = [replace(each, context=each.context + len(of_first)) for each in others]
        ordered = [*of_first, *of_second]
        found = _lines(encoder, ones, others, question, [_heading(hit) for hit in ordered])
        lines = sorted(found, key=lambda line: line.kind)[:most_lines]
        if not lines:
            return Answer(question, NOTHING, (), (), (), abstained=True, confidence=0.0, model=MODEL)
        return _told(question, lines, ordered)

    return generate


def quotes_hold(claims: Sequence[Claim]) -> list[Support]:
    """Judge lines of a comparison, which say nothing but quotes: each must stand in what it cites."""
    found = []
    for claim in claims:
        held = [flat(without_marks(passage)) for passage in claim.evidence]
        quotes = [flat(without_marks(quote)) for quote in _QUOTED.findall(claim.text)]
        missing = [quote for quote in quotes if not any(quote in passage for passage in held)]
        faults = tuple(f"“{quote}” does not stand there" for quote in missing)
        found.append(Support(0.0 if faults or not quotes else 1.0, faults))
    return found


def _statements(hits: Sequence[Hit], titles: set[str]) -> list[Candidate]:
    """The sentences of the hits without those that are but headings, here or in the other document."""
    return [each for each in find_candidates(hits) if _plain(each.text) not in titles]


def _plain(text: str) -> str:
    return re.sub(r"^[#\s]*(\d[\d.)]*\s)?", "", text).strip().casefold()


def _lines(
    encoder: Encoder,
    ones: Sequence[Candidate],
    others: Sequence[Candidate],
    question: str,
    headings: Sequence[str],
) -> Iterator[Line]:
    """Every line, those of a pair in the order of the first document."""
    if not ones and not others:
        return
    vectors = encoder.encode([each.text for each in (*ones, *others)])
    near = np.ones(len(vectors), bool)
    if question.strip():
        (asked,) = encoder.encode([question], query=True)
        near = vectors @ asked >= RELEVANT
    left, right = vectors[: len(ones)], vectors[len(ones) :]
    above = [headings[each.context] for each in ones], [headings[each.context] for each in others]
    pairs = dict(_pairs(ones, others, np.asarray(left @ right.T, np.float32), above))
    for at, one in enumerate(ones):
        other = pairs.get(at)
        if other is not None:
            if near[at] or near[len(ones) + other]:
                yield _pair(one, others[other])
        elif near[at]:
            yield Line(Kind.FIRST, one, None)
    taken = set(pairs.values())
    for at, one in enumerate(others):
        if at not in taken and near[len(ones) + at]:
            yield Line(Kind.SECOND, None, one)


def _pairs(
    ones: Sequence[Candidate],
    others: Sequence[Candidate],
    meaning: npt.NDArray[np.float32],
    above: tuple[Sequence[str], Sequence[str]],
) -> list[tuple[int, int]]:
    """Which of the one stands beside which of the other: the most alike first, each once; ties in order."""
    words = [_words(each.text) for each in ones], [_words(each.text) for each in others]
    found = []
    for at, to in np.argwhere(meaning >= (ALIKE - SAME_SECTION) * (1 - OF_WORDS)).tolist():
        union = len(words[0][at] | words[1][to])
        common = len(words[0][at] & words[1][to]) / union if union else 0.0
        alike = (1 - OF_WORDS) * float(meaning[at, to]) + OF_WORDS * common
        if above[0][at] and above[0][at] == above[1][to]:
            alike += SAME_SECTION
        if alike >= ALIKE or words[0][at] == words[1][to]:
            found.append((-alike, at, to))
    paired: dict[int, int] = {}
    taken: set[int] = set()
    for _, at, to in sorted(found):
        if at not in paired and to not in taken:
            paired[at] = to
            taken.add(to)
    return sorted(paired.items())


def _heading(hit: Hit) -> str:
    """The heading that stands right above a passage, without its number; `""` where none does."""
    return _plain(hit.chunk.section.rsplit(" > ", 1)[-1])


def _words(text: str) -> frozenset[str]:
    return frozenset(word.casefold() for word in _WORD.findall(text) if word[0].isalnum())


def _pair(one: Candidate, other: Candidate) -> Line:
    """The line of two sentences side by side."""
    left, right = list(_WORD.finditer(one.text)), list(_WORD.finditer(other.text))
    said = [each.group().casefold() for each in left], [each.group().casefold() for each in right]
    if max(map(len, said)) > MOST_ALIGNED and said[0] != said[1]:
        figures_differ = any(map(_FIGURE.search, {*said[0]} ^ {*said[1]}))
        return Line(Kind.FIGURES if figures_differ else Kind.WORDING, one, other)
    changes = [
        (said[0][a:b], said[1][c:d], (a, b), (c, d))
        for kind, a, b, c, d in SequenceMatcher(None, *said, autojunk=False).get_opcodes()
        if kind != "equal"
    ]
    told = [each for each in changes if any(word[0].isalnum() for word in (*each[0], *each[1]))]
    if not told:
        return Line(Kind.SAME, one, other)
    figures = [each for each in told if any(map(_FIGURE.search, set(each[0]) ^ set(each[1])))]
    shown = figures[:1] or told
    spans = (
        _range(one, left, [places for _, _, places, _ in shown]),
        _range(other, right, [places for _, _, _, places in shown]),
    )
    return Line(Kind.FIGURES if figures else Kind.WORDING, one, other, spans)


def _range(
    candidate: Candidate, words: Sequence[re.Match[str]], ranges: Sequence[tuple[int, int]]
) -> Span | None:
    """From the first to the last word of `ranges`, with a sign of money before, in the document."""
    inside = [at for start, end in ranges for at in range(start, end)]
    if not inside:
        return None
    start = words[min(inside)].start()
    if start and candidate.text[start - 1] in MONEY:
        start -= 1
    return Span(candidate.start + start, candidate.start + words[max(inside)].end())


def _told(question: str, lines: Sequence[Line], hits: Sequence[Hit]) -> Answer:
    citations: list[Citation] = []
    sentences, texts, conflicts = [], [], []
    for line in lines:
        numbers = []
        for candidate, differs in zip((line.first, line.second), line.differ, strict=True):
            if candidate is not None:
                span = Span(candidate.start, candidate.end)
                citations.append(quotation(len(citations) + 1, hits[candidate.context], span, differs))
                numbers.append(len(citations))
        text = _sentence(line)
        sentences.append(Sentence(text, tuple(numbers), True, 1.0))
        texts.append(f"{text} " + "".join(f"[{number}]" for number in numbers))
        if line.kind is Kind.FIGURES:
            conflicts.append(_conflict(citations[-2:]))
    return Answer(
        question=question,
        text="\n".join(texts),
        sentences=tuple(sentences),
        citations=tuple(citations),
        contexts=only_cited(hits, citations),
        abstained=False,
        confidence=1.0,
        model=MODEL,
        conflicts=tuple(conflicts),
    )


def _sentence(line: Line) -> str:
    """The line in words: what kind it is, and the quotes."""
    quotes = [f"“{' '.join(each.text.split())}”" for each in (line.first, line.second) if each is not None]
    match line.kind:
        case Kind.FIGURES | Kind.WORDING:
            return f"Changed: {quotes[0]} and {quotes[1]}"
        case Kind.FIRST:
            return f"Only in the first: {quotes[0]}"
        case Kind.SECOND:
            return f"Only in the second: {quotes[0]}"
        case Kind.SAME:
            return f"The same: {quotes[0]}"


def _conflict(sides: Sequence[Citation]) -> Conflict:
    """The two that disagree, the newer one first where the names of their documents have dates."""
    dated = [(version_of(each.source, each.title).date, each.number) for each in sides]
    if all(date for date, _ in dated):
        dated.sort(key=lambda side: recency(side[0]), reverse=True)
    return Conflict(tuple(number for _, number in dated), tuple(date for date, _ in dated), _about(sides[-1]))


def _about(citation: Citation) -> str:
    """What a conflict is about: the heading above it, or how its sentence begins."""
    heading = citation.section.rsplit(" > ", 1)[-1]
    return (heading or flat(citation.quote))[:MOST_ABOUT]
