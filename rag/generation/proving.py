"""Nothing is shown as proven that is not: each sentence of an answer held against what it cites.

A sentence that is its quote needs no model. Any other is a claim for a verifier, with the quotes that it
cites as evidence, each below the title and headings of its document. What fails is dropped, repaired
(replaced by the cited sentence that is nearest to it) or flagged, as the policy says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from rag.generation.citations import grounded
from rag.generation.marks import composed, flat, says, without_marks
from rag.generation.verify import THRESHOLD
from rag.generation.wording import content_words
from rag.protocols import Generator, StreamingGenerator, Verifier
from rag.sentences import sentence_spans
from rag.types import Answer, Citation, Claim, Hit, Sentence, Support

Policy: TypeAlias = Literal["drop", "repair", "flag"]

NOT_PROVEN = "The documents do not prove an answer to this."
CITES_NOTHING = "it cites nothing"
SAYS_NO_SUCH_THING = "what it cites does not say this"

_POINTS_BACK = re.compile(
    r"\W*(?:he|she|it|they|his|her|its|their|this|that|these|those|such|both|the (?:former|latter|same))\b",
    re.IGNORECASE,
)

SHARED_WORDS, SHARED_PART = 2, 0.3
"""How many words, and what part of a sentence's, a quote must share with it to stand in its place."""


def proven(
    answer: Answer, verifier: Verifier, *, policy: Policy = "drop", threshold: float = THRESHOLD
) -> Answer:
    """The answer with each sentence's support, and without what is not proven, as `policy` has it.

    A sentence is supported where its support is at least `threshold` and it has no fault. The text is
    made of the sentences and their marks alone; whatever else it held is left out. Citations keep
    their numbers; those that no sentence needs any more go. Doing it twice changes nothing more.

    Args:
        answer: An answer whose citations hold (see `grounded`). An abstention is returned as it is.
        verifier: Judges what is no quote.
        policy: `drop` leaves out what fails; `repair` puts the nearest cited sentence in its place, or
            drops it where none is near; `flag` keeps it, `supported` false.
        threshold: In 0..1.

    Raises:
        ValueError: There is no such policy.
    """
    if policy not in ("drop", "repair", "flag"):
        raise ValueError(f"policy is drop, repair or flag, not {policy!r}")
    if answer.abstained:
        return answer
    judged = _judged(answer, verifier, threshold)
    kept: list[Sentence | None] = list(judged)
    if policy != "flag":
        kept = [each if each.supported else None for each in judged]
    if policy == "repair":
        kept = _repaired(judged, answer)
    shown = [each for each in kept if each is not None]
    if not shown:
        return _withdrawn(answer, judged)
    needed = {number for sentence in shown for number in sentence.citations}
    return replace(
        answer,
        text=answer.text.strip() if says(answer.text, shown) else composed(shown),
        sentences=tuple(shown),
        citations=tuple(each for each in answer.citations if each.number in needed),
        conflicts=tuple(each for each in answer.conflicts if needed.issuperset(each.citations)),
    )


def proving(
    generator: Generator, verifier: Verifier, *, policy: Policy = "drop", threshold: float = THRESHOLD
) -> StreamingGenerator:
    """A generator whose answers are those of `generator`, grounded and proven, whole or as they grow."""
    return _Proving(generator, verifier, policy, threshold)


@dataclass(frozen=True, slots=True)
class _Proving:
    generator: Generator
    verifier: Verifier
    policy: Policy
    threshold: float

    def __call__(self, question: str, hits: Sequence[Hit]) -> Answer:
        return self._proven(self.generator(question, hits), hits, self.verifier)

    def stream(self, question: str, hits: Sequence[Hit]) -> Iterator[Answer]:
        """The proven answer after each sentence that is; the last one is whole."""
        verifier = _Remembering(self.verifier)
        if not isinstance(self.generator, StreamingGenerator):
            yield self._proven(self.generator(question, hits), hits, verifier)
            return
        last = shown = None
        for growing in self.generator.stream(question, hits):
            last = self._proven(growing, hits, verifier)
            # As long as nothing is proven there is nothing to show, which is no abstention yet.
            if not last.abstained and (shown is None or last.sentences != shown.sentences):
                shown = last
                yield last
        if last is not None and last is not shown:
            yield last

    def _proven(self, answer: Answer, hits: Sequence[Hit], verifier: Verifier) -> Answer:
        return proven(grounded(answer, hits), verifier, policy=self.policy, threshold=self.threshold)


@dataclass(slots=True)
class _Remembering:
    """A verifier that judges each claim once."""

    verifier: Verifier
    known: dict[Claim, Support] = field(default_factory=dict)

    def __call__(self, claims: Sequence[Claim]) -> list[Support]:
        new = [claim for claim in dict.fromkeys(claims) if claim not in self.known]
        if new:
            self.known.update(zip(new, self.verifier(new), strict=True))
        return [self.known[claim] for claim in claims]


def _judged(answer: Answer, verifier: Verifier, threshold: float) -> list[Sentence]:
    """The sentences with support, faults and verdict; one call of the verifier for all that need it."""
    citations = {each.number: each for each in answer.citations}
    cited = [[citations[n] for n in each.citations if n in citations] for each in answer.sentences]
    pairs = list(zip(answer.sentences, cited, strict=True))
    claims = [_claim(one, quotes, answer) for one, quotes in pairs if quotes and not _is_quoted(one, quotes)]
    found = iter(verifier(claims) if claims else [])
    judged = []
    for sentence, quotes in pairs:
        if not quotes:
            support = Support(0.0, (CITES_NOTHING,))
        elif _is_quoted(sentence, quotes):
            support = Support(1.0)
        else:
            support = next(found)
        good = support.probability >= threshold and not support.faults
        faults = support.faults if good or support.faults else (SAYS_NO_SUCH_THING,)
        numbers = tuple(each.number for each in quotes)
        # A quote keeps the marks that stand in its document; others belong to the answer's text.
        text = sentence.text if _is_quoted(sentence, quotes) else without_marks(sentence.text)
        judged.append(Sentence(text, numbers, good, support.probability, faults))
    return judged


def _claim(sentence: Sentence, quotes: Sequence[Citation], answer: Answer) -> Claim:
    evidence = tuple(_in_context(citation, answer.contexts) for citation in quotes)
    return Claim(without_marks(sentence.text), evidence, answer.question)


def _in_context(citation: Citation, contexts: Sequence[Hit]) -> str:
    """The quote below its title and headings, and below the sentence before it where it points back."""
    above = [line for line in (citation.title, citation.section) if line and line not in citation.quote]
    if _POINTS_BACK.match(citation.quote):
        above += _before(citation, contexts)
    return "\n".join((*above, citation.quote))


def _before(citation: Citation, contexts: Sequence[Hit]) -> list[str]:
    for hit in contexts:
        chunk = hit.chunk
        if chunk.document_id == citation.document_id and chunk.start < citation.start < chunk.end:
            earlier = chunk.text[: citation.start - chunk.start]
            return [earlier[span.start : span.end] for span in sentence_spans(earlier)[-1:]]
    return []


def _is_quoted(sentence: Sentence, quotes: Sequence[Citation]) -> bool:
    """Whether it is, word for word, one of its quotes, or sentences of one that stand there in a row."""
    parts = _sentences(sentence.text)
    return any(
        flat(sentence.text) == flat(each.quote) or _stand_in_a_row(parts, _sentences(each.quote))
        for each in quotes
    )


def _stand_in_a_row(parts: Sequence[str], sentences: Sequence[str]) -> bool:
    places = range(len(sentences) - len(parts) + 1)
    return bool(parts) and any(sentences[at : at + len(parts)] == parts for at in places)


def _sentences(text: str) -> list[str]:
    return [flat(text[span.start : span.end]) for span in sentence_spans(text)]


# -------------------------------------------------------------------------------------------------- repairs


def _repaired(judged: Sequence[Sentence], answer: Answer) -> list[Sentence | None]:
    """Put the nearest cited sentence in the place of each that failed, unless it is said already."""
    citations = {each.number: each for each in answer.citations}
    said = {flat(each.text) for each in judged if each.supported}
    kept: list[Sentence | None] = []
    for sentence in judged:
        if sentence.supported:
            kept.append(sentence)
            continue
        found = _nearest(sentence, [citations[number] for number in sentence.citations])
        if found is None or flat(found.text) in said:
            kept.append(None)
        else:
            said.add(flat(found.text))
            kept.append(found)
    return kept


def _nearest(sentence: Sentence, quotes: Sequence[Citation]) -> Sentence | None:
    """The sentence of the quotes that shares most words with a failed one; the first of equals."""
    wanted = content_words(sentence.text)
    best, most = None, max(SHARED_WORDS, SHARED_PART * len(wanted)) - 1e-9
    for citation in quotes:
        for span in sentence_spans(citation.quote):
            text = citation.quote[span.start : span.end]
            shared = len(wanted & content_words(text))
            if shared > most or (best is None and shared >= most):
                best, most = Sentence(text, (citation.number,), supported=True, support=1.0), shared
    return best


def _withdrawn(answer: Answer, judged: Sequence[Sentence]) -> Answer:
    best = max((each.support for each in judged), default=0.0)
    return replace(
        answer,
        text=NOT_PROVEN,
        sentences=(),
        citations=(),
        abstained=True,
        confidence=min(answer.confidence, best),
        conflicts=(),
    )
