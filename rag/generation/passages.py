"""A place in a passage -> a citation of it, and passages of a whole document to cite from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

from rag.sentences import sentence_spans
from rag.types import Chunk, Citation, Document, Hit, Span

PASSAGE_CHARACTERS = 1_000


def quotation(number: int, hit: Hit, span: Span, highlight: Span | None = None) -> Citation:
    """The citation of `span`, offsets in the hit's document, which lies in the hit."""
    chunk = hit.chunk
    return Citation(
        number=number,
        document_id=chunk.document_id,
        source=hit.source,
        title=hit.title,
        page=chunk.page,
        section=chunk.section,
        start=span.start,
        end=span.end,
        quote=chunk.text[span.start - chunk.start : span.end - chunk.start],
        highlight=highlight,
    )


def passages_of(document: Document) -> list[Hit]:
    """The whole document as passages of whole sentences, in order, each of about 1,000 characters.

    Where a section begins a passage ends, so that the headings of a passage are those of all of it.
    """
    passages: list[Hit] = []
    begins = sorted({section.span.start for section in document.sections})
    start = end = 0
    for span in sentence_spans(document.text):
        crosses = bisect_right(begins, start) != bisect_right(begins, span.start)
        if end > start and (crosses or span.end - start > PASSAGE_CHARACTERS):
            passages.append(_passage(document, Span(start, end), len(passages) + 1))
            start = end
        start, end = (span.start if start == end else start), span.end
    if end > start:
        passages.append(_passage(document, Span(start, end), len(passages) + 1))
    return passages


def _passage(document: Document, span: Span, rank: int) -> Hit:
    chunk = Chunk(
        document_id=document.id,
        span=span,
        text=document.text[span.start : span.end],
        page=document.page_at(span.start),
        section=document.section_at(span.start),
        last_page=document.page_at(span.end - 1),
    )
    return Hit(rank, 1.0, chunk, document.source, document.title)


def only_cited(hits: Sequence[Hit], citations: Sequence[Citation]) -> tuple[Hit, ...]:
    """The hits that some citation stands in, in their order, ranked anew."""
    kept = [
        hit
        for hit in hits
        if any(
            each.document_id == hit.chunk.document_id
            and hit.chunk.start <= each.start
            and each.end <= hit.chunk.end
            for each in citations
        )
    ]
    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(kept, start=1))
