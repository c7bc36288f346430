"""Whether a draft is a question: found by search, proven by its passage, with one answer; or with none.

What checks is handed in. A set that was checked by one system favours it: what that cannot find is not
asked. The reasons are counted, so that this can be seen.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import TypeAlias

from rag.eval.writing.draft import Draft, Evidence, Kind
from rag.eval.writing.shapes import CLOCK, COUNTED, DATE, MONEY, NAME, NUMERAL, PER_CENT
from rag.protocols import Verifier
from rag.sentences import sentence_spans
from rag.types import Claim, Hit, Span

Search: TypeAlias = Callable[[str, int], Sequence[Hit]]
"""Finds at most so many passages for a question, best first."""
Terms: TypeAlias = Callable[[str], list[str]]

Alike: TypeAlias = Callable[[str, Sequence[str]], Sequence[float]]
"""How near in meaning each of some texts is to the first: a cosine, -1..1."""

DEPTH = 10
MOST_SAYING = 2
"""Sentences that hold all words of a question at most: its own, and one that happens to."""
MOST_RIVALS = 24
"""Other answers that are tried for one question at most."""
NEAR = 0.6
"""The share of a question's terms that a sentence has to hold for its answers to be tried."""
OTHERWISE_CALLED = 0.75
"""The support from which a passage without the words may still say it, by others."""
OFTEN = 2
"""Unanswerable questions that one name or thing is put into at most."""
ALIKE = 0.8
"""The share of words, of all that two questions have, from which they are one."""

_NUMBERS = re.compile(rf"{MONEY}|{PER_CENT}|{NUMERAL} {COUNTED}|{NUMERAL}")
_DATES = re.compile(rf"{DATE}|{CLOCK}")
_ASKING = frozenset("what who whom when where which how many much".split())


@dataclass(frozen=True, slots=True)
class Checker:
    """What questions are checked with: a search, a verifier and the least support that it calls proof."""

    search: Search
    verifier: Verifier
    terms: Terms
    threshold: float
    alike: Alike

    def fault(self, draft: Draft, said: Said) -> str:
        """Why a draft is no question, `""` where it is one. `said` is what all documents say."""
        if (
            not draft.missing
            and len(draft.evidence) == 1
            and said.count(self._asked(draft.question)) > MOST_SAYING
        ):
            return "its words fit several sentences"
        hits = self.search(draft.question, DEPTH)
        return self._unfounded(draft, hits) if draft.missing else self._unproven(draft, hits)

    def _unproven(self, draft: Draft, hits: Sequence[Hit]) -> str:
        passages = list[str]()
        for document_id in dict.fromkeys(each.document_id for each in draft.evidence):
            places = [each for each in draft.evidence if each.document_id == document_id]
            found = [hit for hit in hits if any(_holds(hit, each) for each in places)]
            if not found:
                return "its passage is not found"
            passages += [hit.chunk.text for hit in found]
        passages += [each.text for each in draft.evidence]
        (support,) = self.verifier([Claim(draft.statement, tuple(dict.fromkeys(passages)))])
        if support.probability < self.threshold:
            return "its passage does not prove the answer"
        return "another passage proves another answer" if self._rivals(draft, hits) else ""

    def _rivals(self, draft: Draft, hits: Sequence[Hit]) -> bool:
        """Whether a passage without the evidence proves the statement with another answer in it."""
        others = [hit for hit in hits if not any(_holds(hit, each) for each in draft.evidence)]
        claims = [Claim(said, (hit.chunk.text,)) for hit in others for said in self._restated(draft, hit)]
        return any(each.probability >= self.threshold for each in self.verifier(claims[:MOST_RIVALS]))

    def _unfounded(self, draft: Draft, hits: Sequence[Hit]) -> str:
        """Why an unanswerable question may be answerable after all."""
        wanted = self._names(draft.missing)
        own = self._about(draft)
        claims, least = list[Claim](), list[float]()
        for hit in hits:
            text = f"{hit.title} {hit.chunk.section} {hit.chunk.text}"
            held = set(self.terms(text))
            if wanted <= held and len(own & held) >= ALIKE * len(own):
                return "what it asks for stands beside the rest"
            found = [Claim(said, (text,)) for said in self._restated(draft, hit)]
            claims += found
            least += [self.threshold if wanted <= held else OTHERWISE_CALLED] * len(found)
        supports = self.verifier(claims[:MOST_RIVALS])
        if any(each.probability >= enough for each, enough in zip(supports, least, strict=False)):
            return "a passage proves an answer"
        return ""

    def _restated(self, draft: Draft, hit: Hit) -> Iterator[str]:
        """The statement with each other answer of the same look that stands near the question's words."""
        if draft.hole is None:
            return
        own = self._about(draft)
        for span in sentence_spans(hit.chunk.text):
            text = hit.chunk.text[span.start : span.end]
            if len(own.intersection(self.terms(text))) < NEAR * len(own):
                continue
            for other in _same_look(draft, text):
                if not _says(other, draft.answer):
                    yield f"{draft.statement[: draft.hole.start]}{other}{draft.statement[draft.hole.end :]}"

    def _about(self, draft: Draft) -> set[str]:
        """The terms of what a draft is about: of a cell its row and column, and not how it is asked for."""
        return (
            self._names(" ".join(draft.names[:2]))
            if draft.kind is Kind.TABLE
            else self._asked(draft.question)
        )

    def _names(self, text: str) -> set[str]:
        return set(self.terms(re.sub(r"\b[A-Z]{2} (?=[A-Z][a-z])", "", text)))

    def _asked(self, question: str) -> set[str]:
        return set(self.terms(question)) - _ASKING


def _holds(hit: Hit, evidence: Evidence) -> bool:
    inside = hit.chunk.document_id == evidence.document_id
    return inside and hit.chunk.span.overlaps(evidence.span)


def _same_look(draft: Draft, text: str) -> list[str]:
    match draft.kind:
        case Kind.NUMBER:
            found = [match[0] for match in _NUMBERS.finditer(text)]
        case Kind.DATE:
            found = [match[0] for match in _DATES.finditer(text)]
        case Kind.TABLE:
            found = [cell.strip() for cell in text.strip("|").split("|")[1:]]
        case Kind.SINGLE_FACT if NAME.fullmatch(draft.answer):
            found = [match[0] for match in NAME.finditer(text)]
        case _:
            found = []
    return list(dict.fromkeys(each for each in found if each))[:6]


def _says(other: str, answer: str) -> bool:
    return other.casefold() in answer.casefold() or answer.casefold() in other.casefold()


class Said:
    """How many different sentences of all documents hold some terms: few tell one fact from others."""

    def __init__(self, texts: Iterable[str], terms: Terms) -> None:
        self._held = defaultdict[str, set[int]](set)
        for at, text in enumerate(dict.fromkeys(texts)):
            for term in terms(text):
                self._held[term].add(at)

    def count(self, terms: Set[str]) -> int:
        """How many texts hold all of the terms that any text holds; 0 where there is no such term."""
        held = sorted((self._held[term] for term in terms if term in self._held), key=len)
        return len(held[0].intersection(*held[1:])) if held else 0


class Asked:
    """The questions taken so far, and whether another one is new by its words."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._sets: list[frozenset[str]] = []
        self._places: set[tuple[str, Span, str]] = set()
        self._missing = Counter[str]()

    def is_new(self, draft: Draft) -> bool:
        """Whether no question taken has nearly the same words, or is about the same sentence or cell."""
        own = self._words(draft)
        alike = any(len(own & other) >= ALIKE * len(own | other) for other in self._sets)
        often = bool(draft.missing) and self._missing[draft.missing] >= OFTEN
        return not alike and not often and _place(draft) not in self._places

    def take(self, draft: Draft) -> None:
        """Remember a question."""
        self._sets.append(self._words(draft))
        self._places.add(_place(draft))
        self._missing[draft.missing] += 1

    def _words(self, draft: Draft) -> frozenset[str]:
        # The analyzer drops and cuts words, and 2021 is another question than 2024.
        return frozenset((*self._terms(draft.question), *re.findall(r"\w*\d\w*", draft.question)))


def _place(draft: Draft) -> tuple[str, Span, str]:
    first = draft.evidence[0]
    about = draft.question if draft.missing else draft.answer if len(draft.evidence) > 1 else ""
    return first.document_id, first.span, about
