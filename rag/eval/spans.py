"""How many of the gold characters were retrieved, and how many others with them.

The gold characters of a question are those of its `documents` that have characters; one that
two places name counts once. The measures are of characters where their source has tokens.

Source: Smith and Troynikov 2024, Evaluating Chunking Strategies for Retrieval (Chroma), with the
details as in its published code (https://github.com/brandonstarxel/chunking_evaluation). It differs
where gold places overlap, whose shared characters it counts twice in what is to be found, and
where a chunk ends just before a gold place, which for precision-omega counts there as touching it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from rag.eval.questions import Question
from rag.types import Chunk, Hit, Span

SPAN_MEASURES = ("SpanRecall", "SpanPrecision", "SpanIoU")


def measure_spans(name: str, hits: Sequence[Hit], question: Question) -> float | None:
    """Measure hits against the gold characters, 0..1; None where the question has none.

    SpanRecall: gold characters retrieved, over gold characters.
    SpanPrecision: gold characters retrieved, over all characters of the hits.
    SpanIoU: gold characters retrieved, over all characters of the hits and the gold ones they lack.

    A gold character counts once however often it was retrieved, and the hits' characters as often as they
    were, so overlapping chunks cost what they would cost a reader. Without hits all are 0.
    """
    sources = {hit.chunk.document_id: hit.source for hit in hits}
    gold = gold_spans(question, sources)
    if not gold:
        return None
    wanted = sum(map(count_characters, gold.values()))
    retrieved = sum(len(hit.chunk.span) for hit in hits)
    shared = sum(
        count_shared(spans, [hit.chunk.span for hit in hits if hit.chunk.document_id == document])
        for document, spans in gold.items()
    )
    below = {"SpanRecall": wanted, "SpanPrecision": retrieved, "SpanIoU": retrieved + wanted - shared}[name]
    return shared / below if below else 0.0


def precision_omega(chunks: Iterable[Chunk], question: Question, sources: Mapping[str, str]) -> float | None:
    """Give the precision that a perfect search of these chunks would have; None without gold characters.

    All chunks that hold a gold character are taken: gold characters in them, over all characters of
    them, each once, and the gold ones that no chunk has. It is of a way of chunking, not of a search.

    Args:
        chunks: all chunks of the documents.
        question: whose gold characters are looked for.
        sources: document id to source, of these documents.
    """
    gold = gold_spans(question, sources)
    if not gold:
        return None
    touching: dict[str, list[Span]] = defaultdict(list)
    for chunk in chunks:
        if any(span.overlaps(chunk.span) for span in gold.get(chunk.document_id, ())):
            touching[chunk.document_id].append(chunk.span)
    shared = sum(count_shared(spans, touching[document]) for document, spans in gold.items())
    return shared / sum(count_characters([*spans, *touching[d]]) for d, spans in gold.items())


def gold_spans(question: Question, sources: Mapping[str, str]) -> dict[str, list[Span]]:
    """Group the gold characters by document id; those in none of `sources` (id to source) by their own."""
    gold: dict[str, list[Span]] = defaultdict(list)
    if question.answerable is False:
        return gold
    for place in question.documents:
        if place.span is not None and len(place.span):
            found = (document for document, source in sources.items() if place.is_in(source, document))
            gold[next(found, f"not there: {place.source}")].append(place.span)
    return gold


def merge_spans(spans: Iterable[Span]) -> list[Span]:
    """Join spans that overlap or touch, in order."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged


def count_characters(spans: Iterable[Span]) -> int:
    """How many characters are in at least one of the spans."""
    return sum(map(len, merge_spans(spans)))


def count_shared(one: Sequence[Span], other: Sequence[Span]) -> int:
    """How many characters are in a span of both."""
    return count_characters(one) + count_characters(other) - count_characters([*one, *other])
