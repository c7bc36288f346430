"""What a generator claims, held against what it was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rag.generation.extractive import NO_ANSWER
from rag.generation.marks import MARK, composed, flat, has_marks, numbers_in, says, without_marks
from rag.sentences import sentence_spans
from rag.types import Answer, Citation, Hit, Sentence


def grounded(answer: Answer, hits: Sequence[Hit]) -> Answer:
    """The answer without citations that are not the very text of hits, and without their marks.

    A sentence that loses a citation or a mark, or had none, is not supported. The text is its sentences
    with their marks: one that says more is composed anew. An answer of which no sentence is left
    abstains; one all of which holds is returned as it is, marks in its quotes included.
    """
    citations = _unambiguous([each for each in answer.citations if holds(hits, each)])
    good = {citation.number: citation for citation in citations}
    claimed = answer.sentences or ([] if answer.abstained else _unproven(answer.text))
    sentences = tuple(each for each in (_held(claim, good) for claim in claimed) if each.text.strip())
    text, abstained = answer.text, answer.abstained
    if not sentences:
        text = without_marks(text) if abstained else NO_ANSWER
        abstained = True
    elif sentences != answer.sentences or not says(text, sentences):
        text = composed(sentences)
    held = replace(answer, text=text, sentences=sentences, citations=citations, abstained=abstained)
    return answer if held == answer else held


def holds(hits: Sequence[Hit], citation: Citation) -> bool:
    """Whether the quote stands at the place that is cited, in one hit or across hits that overlap."""
    chunks = [hit.chunk for hit in hits if hit.chunk.document_id == citation.document_id]
    at = citation.start
    if len(citation.quote) != citation.end - citation.start or not citation.quote:
        return False
    while at < citation.end:
        around = [chunk for chunk in chunks if chunk.start <= at < chunk.end]
        if not around:
            return False
        chunk = max(around, key=lambda each: each.end)
        end = min(chunk.end, citation.end)
        quoted = citation.quote[at - citation.start : end - citation.start]
        if chunk.text[at - chunk.start : end - chunk.start] != quoted:
            return False
        at = end
    return True


def _unambiguous(citations: Sequence[Citation]) -> tuple[Citation, ...]:
    """The citations without those whose number another one has taken."""
    by_number: dict[int, Citation] = {}
    for citation in citations:
        by_number.setdefault(citation.number, citation)
    return tuple(by_number.values())


def _held(sentence: Sentence, good: Mapping[int, Citation]) -> Sentence:
    """The sentence with the citations that are good; marks stand behind it, only a quote keeps its own."""
    kept = tuple(number for number in sentence.citations if number in good)
    text, body = sentence.text, flat(sentence.text)
    whole = kept == sentence.citations and bool(kept)
    if has_marks(text) and not any(body == flat(good[number].quote) for number in kept):
        whole = whole and set(numbers_in(text)).issubset(kept) and not has_marks(MARK.sub("", text))
        text = without_marks(text)
    supported = sentence.supported and whole
    if (text, kept, supported) == (sentence.text, sentence.citations, sentence.supported):
        return sentence
    return replace(sentence, text=text, citations=kept, supported=supported)


def _unproven(text: str) -> list[Sentence]:
    """The sentences of a text that comes without any: none of it is proven."""
    bodies = [without_marks(text[span.start : span.end]) for span in sentence_spans(text)]
    return [Sentence(body, (), supported=False, support=0.0) for body in bodies if body.strip()]
