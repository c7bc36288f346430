"""Whether an answer is right, as far as what the question carries tells: the one definition that there is.

1. To answer a question that has no answer is wrong.
2. Where an accepted answer is known, an answer is right that says one: its words in a row, or all its
   numbers and half of its words (`wording.says`), or a judge finds the accepted answer supported by it.
   Without a judge its words alone tell.
3. Where none is known, and gold places are, an answer is right that cites one of them in a supported
   sentence that does not contradict it.

It cannot be told where there is neither, or where the judge gave no verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.errors import RagError
from rag.eval.failures.trace import TracedPlace, enough, flat, span_of_chunk
from rag.eval.failures.wording import contradiction, says
from rag.eval.sample import Sample
from rag.protocols import Judge
from rag.types import Citation, Claim, Judgement, Sentence, Span

LEAST_VERDICT = 0.5


@dataclass(frozen=True, slots=True)
class Rightness:
    """Whether an answer is right, None where that cannot be told; `missed` is why a verdict was not given."""

    right: bool | None
    missed: str = ""


def rightness(sample: Sample, places: Sequence[TracedPlace], judge: Judge | None = None) -> Rightness:
    """Whether the answer of a sample is right. One that abstains is neither right nor wrong."""
    question = sample.question
    if sample.abstained:
        return Rightness(None)
    if question.answerable is False:
        return Rightness(False)
    if not question.answers:
        return Rightness(any(is_cited(sample, place) for place in places) if places else None)
    if any(says(sample.response, accepted) for accepted in question.answers):
        return Rightness(True)
    if judge is None:
        return Rightness(False)
    claims = [Claim(each, (sample.response,), question.user_input) for each in question.answers]
    verdicts = _verdicts(judge, claims)
    if any(each.value is not None and each.value >= LEAST_VERDICT for each in verdicts):
        return Rightness(True)
    missed = [each.reason or "no verdict" for each in verdicts if each.value is None]
    return Rightness(None, missed[0]) if missed else Rightness(False)


def is_cited(sample: Sample, place: TracedPlace) -> bool:
    """Whether a supported sentence of the answer cites some of a place, and does not contradict it."""
    if sample.answer is None:
        return False
    reference = sample.question.reference or ""
    text = place.text or place.gold.text
    for citation in sample.answer.citations:
        if not cites(citation, place):
            continue
        for sentence in sample.answer.sentences:
            if citation.number in sentence.citations and sentence.supported:
                quoted = flat(sentence.text) in flat(citation.quote)
                if quoted or not contradiction(sentence.text, text, reference):
                    return True
    return False


def cites(citation: Citation, place: TracedPlace) -> bool:
    """Whether a citation and a place share enough of the shorter, or it is of that page or document."""
    here = Span(citation.start, max(citation.start, citation.end))
    if place.document_id and place.span is not None and place.gold.exact:
        return citation.document_id == place.document_id and _shared(place.span, here)
    gold = place.gold
    if gold.chunk_id:
        document_id, span = span_of_chunk(gold.chunk_id)
        return span is not None and citation.document_id == document_id and _shared(span, here)
    if gold.place is not None and not gold.place.is_in(citation.source, citation.document_id):
        return False
    if gold.place is not None and gold.place.span is not None:
        return _shared(gold.place.span, here)
    if gold.text:
        quote, text = flat(citation.quote), flat(gold.text)
        return bool(quote) and (quote in text or text in quote)
    return gold.place is not None and (gold.place.page is None or gold.place.page == citation.page)


def _shared(one: Span, other: Span) -> bool:
    shared = min(one.end, other.end) - max(one.start, other.start)
    return enough(shared, min(len(one), len(other)))


def cited_by(sentence: Sentence, citations: tuple[Citation, ...]) -> list[Citation]:
    """The citations that a sentence has."""
    return [citation for citation in citations if citation.number in sentence.citations]


def _verdicts(judge: Judge, claims: list[Claim]) -> list[Judgement]:
    try:
        return judge.supported(claims)
    except RagError as error:
        return [Judgement(None, str(error)) for _ in claims]
