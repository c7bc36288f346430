"""Whether an answer to a question that has an answer is right, as far as what the question carries tells.

It is right where one of these holds:

1. It says an accepted answer: its words in a row, or all its numbers and half of its words
   (`wording.says`), or a judge finds the accepted answer supported by it.
2. It cites the gold: a supported sentence that does not contradict it cites some of every gold place that
   is more than a page or a document; without an accepted answer, some of one place.

It cannot be told where there is neither an accepted answer nor a gold place; where only a page or a document
is known, which it cites, and no judge is there to compare its words; or where the judge gave no verdict.
"""

from __future__ import annotations

from rag.errors import RagError
from rag.eval.failures.trace import TracedPlace, flat, span_of_chunk
from rag.eval.failures.wording import contradiction, says
from rag.eval.sample import Sample
from rag.protocols import Judge
from rag.types import Citation, Claim, Judgement, Sentence, Span

LEAST_VERDICT = 0.5


def is_right(sample: Sample, places: tuple[TracedPlace, ...], judge: Judge | None = None) -> bool | None:
    """Whether the answer is right; None where that cannot be told. It is one that does not abstain."""
    question = sample.question
    if any(says(sample.response, accepted) for accepted in question.answers):
        return True
    cited = [place for place in places if is_cited(sample, place)]
    if not question.answers:
        return bool(cited) if places else None
    exact = [place for place in places if place.gold.exact]
    if exact and all(place in cited for place in exact):
        return True
    if judge is None:
        return None if any(not place.gold.exact for place in cited) else False
    claims = [Claim(each, (sample.response,), question.user_input) for each in question.answers]
    verdicts = [verdict.value for verdict in _verdicts(judge, claims)]
    if any(value is not None and value >= LEAST_VERDICT for value in verdicts):
        return True
    return None if None in verdicts else False


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
    """Whether a citation shares a character with a place, or stands on its page or in its document."""
    here = Span(citation.start, max(citation.start, citation.end))
    if place.document_id and place.span is not None and place.gold.exact:
        return citation.document_id == place.document_id and place.span.overlaps(here)
    gold = place.gold
    if gold.chunk_id:
        document_id, span = span_of_chunk(gold.chunk_id)
        return span is not None and citation.document_id == document_id and span.overlaps(here)
    if gold.place is not None and not gold.place.is_in(citation.source, citation.document_id):
        return False
    if gold.place is not None and gold.place.span is not None:
        return gold.place.span.overlaps(here)
    if gold.text:
        quote, text = flat(citation.quote), flat(gold.text)
        return bool(quote) and (quote in text or text in quote)
    return gold.place is not None and (gold.place.page is None or gold.place.page == citation.page)


def cited_by(sentence: Sentence, citations: tuple[Citation, ...]) -> list[Citation]:
    """The citations that a sentence has."""
    return [citation for citation in citations if citation.number in sentence.citations]


def _verdicts(judge: Judge, claims: list[Claim]) -> list[Judgement]:
    try:
        return judge.supported(claims)
    except RagError as error:
        return [Judgement(None, str(error)) for _ in claims]
