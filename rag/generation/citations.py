"""What a generator claims, held against what it was given."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from rag.types import Answer, Citation, Hit

_MARK = re.compile(r" ?\[(\d+(?:\s*,\s*\d+)*)\]")


def grounded(answer: Answer, hits: Sequence[Hit]) -> Answer:
    """The answer without citations that are not the very text of a hit, and without their marks.

    A sentence that loses a citation, or had none, is not supported. An answer all of
    whose citations hold is returned as it is, marks in its quotes included.
    """
    citations = tuple(each for each in answer.citations if any(_holds(hit, each) for hit in hits))
    good = {citation.number for citation in citations}
    claimed = {number for sentence in answer.sentences for number in sentence.citations}
    proven = all(sentence.citations or not sentence.supported for sentence in answer.sentences)
    if citations == answer.citations and claimed <= good and proven:
        return answer
    sentences = tuple(
        replace(
            sentence,
            citations=tuple(number for number in sentence.citations if number in good),
            supported=sentence.supported and bool(sentence.citations) and good.issuperset(sentence.citations),
        )
        for sentence in answer.sentences
    )
    text = _MARK.sub(lambda mark: _kept(mark, good), answer.text)
    return replace(answer, text=text, sentences=sentences, citations=citations)


def _kept(mark: re.Match[str], good: set[int]) -> str:
    """The mark with the numbers that have a citation; nothing where none has."""
    numbers = [number.strip() for number in mark[1].split(",") if int(number) in good]
    lead = " " if mark[0].startswith(" ") else ""
    return f"{lead}[{', '.join(numbers)}]" if numbers else ""


def _holds(hit: Hit, citation: Citation) -> bool:
    """Whether the quote stands in the hit, at the place that is cited."""
    chunk = hit.chunk
    inside = chunk.document_id == citation.document_id
    inside = inside and chunk.start <= citation.start < citation.end <= chunk.end
    return inside and chunk.text[citation.start - chunk.start : citation.end - chunk.start] == citation.quote
