"""Which sentences of a passage a written sentence rests on, as an exact span of its document."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TypeAlias

from rag.generation.context import Passage
from rag.protocols import Reranker
from rag.sentences import sentence_spans
from rag.types import Citation, Span

Words: TypeAlias = Callable[[str], Sequence[str]]

_WORD = re.compile(r"\w+(?:[.,]\d+)*")

MOST_SENTENCES = 3
"""As many neighbouring sentences a quote has at most."""

_WORTH = 0.15
"""The share of a statement's weight that a neighbouring sentence must add to be quoted as well."""


def words(text: str) -> list[str]:
    """The words of a text in lower case; a number is one word, `1,200.50`."""
    return [word.casefold() for word in _WORD.findall(text)]


class Quoting:
    """Finds the quotes for statements about some passages.

    A word counts by how few sentences of the passages hold it, as in BM25. With a `scorer` the sentence
    that it scores highest is the middle of the quote, otherwise the one that shares most with the
    statement. Ties go to the earlier sentence.
    """

    def __init__(
        self, passages: Sequence[Passage], analyze: Words = words, scorer: Reranker | None = None
    ) -> None:
        self._passages = {passage.number: passage for passage in passages}
        self._analyze = analyze
        self._scorer = scorer

    @cached_property
    def _sentences(self) -> dict[int, list[tuple[Span, frozenset[str]]]]:
        return {
            number: [
                (span, frozenset(self._analyze(passage.text[span.start : span.end])))
                for span in sentence_spans(passage.text)
            ]
            for number, passage in self._passages.items()
        }

    @cached_property
    def _weights(self) -> dict[str, float]:
        held = [terms for sentences in self._sentences.values() for _, terms in sentences]
        occurring = Counter(term for terms in held for term in terms)
        return {
            term: math.log1p((len(held) - count + 0.5) / (count + 0.5))
            for term, count in sorted(occurring.items())
        }

    def weight(self, terms: frozenset[str]) -> float:
        """How much the words count together; one that no passage holds counts as much as the rarest."""
        rarest = max(self._weights.values(), default=1.0)
        return math.fsum(self._weights.get(term, rarest) for term in terms)

    def quote(self, statement: str, number: int) -> Citation:
        """The citation, numbered 0, of what in passage `number` best supports the statement.

        Where it shares no word with the statement, that is the whole passage.
        """
        passage = self._passages[number]
        span = self._span(statement, number)
        return Citation(
            number=0,
            document_id=passage.document_id,
            source=passage.source,
            title=passage.title,
            page=passage.page,
            section=passage.section,
            start=passage.start + span.start,
            end=passage.start + span.end,
            quote=passage.text[span.start : span.end],
        )

    def shared(self, statement: str, quotes: Sequence[str]) -> float:
        """The share, in 0..1, of the statement's words by weight that the quotes hold."""
        said = frozenset(self._analyze(statement))
        held = frozenset(term for quote in quotes for term in self._analyze(quote))
        whole = self.weight(said)
        return min(1.0, self.weight(said & held) / whole) if whole else 0.0

    def _span(self, statement: str, number: int) -> Span:
        sentences = self._sentences[number]
        text = self._passages[number].text
        said = frozenset(self._analyze(statement))
        scores = [self.weight(said & terms) for _, terms in sentences]
        if self._scorer is not None and sentences:
            texts = [text[span.start : span.end] for span, _ in sentences]
            scores = [float(score) for score in self._scorer(statement, texts)]
        elif not any(scores):
            return Span(0, len(text))
        best = max(range(len(scores)), key=lambda at: (scores[at], -at))
        first, last = self._widened(said, [terms for _, terms in sentences], best)
        return Span(sentences[first][0].start, sentences[last][0].end)

    def _widened(self, said: frozenset[str], held: Sequence[frozenset[str]], best: int) -> tuple[int, int]:
        """The first and last sentence of the quote: neighbours join while they add enough."""
        first = last = best
        missing = said - held[best]
        enough = _WORTH * self.weight(said)
        while last - first + 1 < MOST_SENTENCES:
            around = [at for at in (first - 1, last + 1) if 0 <= at < len(held)]
            gains = {at: self.weight(missing & held[at]) for at in around}
            at = max(around, key=lambda place: (gains[place], -place), default=None)
            if at is None or not gains[at] or gains[at] < enough:
                break
            missing -= held[at]
            first, last = min(first, at), max(last, at)
        return first, last
