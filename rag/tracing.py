"""Where the gold places of a question stand in an index, and how far down each stage of a search has them.

Only what the view shows is looked at: a document that its reader may not read holds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from rag.eval.failures.trace import GoldPlace, Trace, TracedPlace, enough, places_of, span_of_chunk
from rag.eval.questions import Question
from rag.index.storage import StorageView
from rag.protocols import Encoder, Retriever
from rag.types import Document, Filter, Hit, Span

DEPTH = 100
MOST_CHUNKS = 100_000
"""So many chunks of one document are looked at, at most."""
MOST_SCANNED = 2_000
"""In a larger index, a text is looked for in the documents that its own words find, and not in all."""


def traced(
    view: StorageView,
    encoder: Encoder,
    question: Question,
    stages: Mapping[str, Retriever],
    *,
    where: Filter | None = None,
    depth: int = DEPTH,
) -> Trace:
    """Look up the gold places of a question.

    Args:
        view: What is searched.
        encoder: That of the view.
        question: The question.
        stages: The stages of a search by their names, in their order; each searches by itself.
        where: A filter that every stage is given.
        depth: How many candidates of each stage are looked at.
    """
    places = [_placed(view, gold) for gold in places_of(question)]
    found = [(place, *_chunks(view, encoder, place)) for place in places]
    ranked = {
        name: {hit.chunk.id: hit.rank for hit in search(question.user_input, k=depth, where=where)}
        for name, search in (stages.items() if any(chunks for _, chunks, _ in found) else ())
    }
    return Trace(
        tuple(
            TracedPlace(
                place.gold,
                place.document_id,
                place.source,
                place.span,
                place.text,
                chunks,
                {
                    name: min(ranks[each] for each in chunks if each in ranks)
                    for name, ranks in ranked.items()
                    if any(each in ranks for each in chunks)
                },
                problem or place.problem,
            )
            for place, chunks, problem in found
        ),
        tuple(stages),
        depth,
    )


def pooled(retriever: Retriever, pool: int) -> Retriever:
    """The retriever as it is for less than `pool` hits: one that rescores no more candidates than that."""

    def retrieve(query: str, *, k: int = 10, where: Filter | None = None) -> list[Hit]:
        return retriever(query, k=min(k, pool), where=where)

    return retrieve


def _placed(view: StorageView, gold: GoldPlace) -> TracedPlace:
    """The place in the first document that holds it, of all that its name may mean, or why none does."""
    if gold.chunk_id:
        document_id, span = span_of_chunk(gold.chunk_id)
        candidates = [each for each in view.documents() if each.id == document_id]
    elif gold.place is not None:
        wanted, span = gold.place, gold.place.span
        candidates = [each for each in view.documents() if wanted.is_in(each.source, each.id)]
    else:
        candidates, span = list(_holding(view, gold.text)), None
    if not candidates:
        missing = "no document of that name is in the index"
        return TracedPlace(gold, problem=missing if gold.place or gold.chunk_id else "no document holds it")
    for candidate in candidates:
        document = view.document(candidate.id)
        at = _at(document, gold, span)
        if at is not None:
            return TracedPlace(gold, document.id, document.source, at, document.text[at.start : at.end])
    others = f", and so do {len(candidates) - 1} more of that name" if candidates[1:] else ""
    return TracedPlace(gold, problem=f"the text of {candidates[0].source} lacks it{others}")


def _at(document: Document, gold: GoldPlace, span: Span | None) -> Span | None:
    """Where in a document a place is; None where its text lacks it."""
    page = gold.place.page if gold.place else None
    pages = [each.span for each in document.pages if each.number == page]
    if span is not None:
        inside = span.end <= len(document.text) and document.text[span.start : span.end].strip()
        if inside and (not gold.text or _find(document.text[span.start : span.end], gold.text)):
            return span
    if gold.text:
        return _find(document.text, gold.text) or (_dark(document, pages[0]) if pages else None)
    if span is not None:
        return None
    if page is not None:
        return _dark(document, pages[0]) if pages else None
    return _dark(document, Span(0, len(document.text)))


def _dark(document: Document, span: Span) -> Span | None:
    return span if document.text[span.start : span.end].strip() else None


def _find(text: str, wanted: str) -> Span | None:
    """Where a text stands in another, upper and lower case and white space taken as equal."""
    words = wanted.split()
    match = re.search(r"\s+".join(map(re.escape, words)), text, re.IGNORECASE) if words else None
    return Span(*match.span()) if match else None


def _holding(view: StorageView, text: str) -> Iterator[Document]:
    """The documents that hold a text, those first that its own words find."""
    found = dict.fromkeys(hit.chunk.document_id for hit in view.hits(view.lexical(text, DEPTH)))
    if view.documents_total <= MOST_SCANNED:
        found |= dict.fromkeys(document.id for document in view.documents())
    for document_id in found:
        document = view.document(document_id)
        if _find(document.text, text):
            yield document
            return


def chunks_of(view: StorageView, encoder: Encoder, document_id: str) -> dict[str, Span]:
    """The chunks of a document by their ids, with the characters of its text that each holds."""
    # every chunk has a vector, so all of a document's are among the nearest to anything
    (vector,) = encoder.encode(["chunk"], query=True)
    ranking = view.dense(vector, MOST_CHUNKS, {"document_id": document_id})
    named = {each: span_of_chunk(each)[1] for each in view.chunk_ids(ranking.rows)}
    return {each: span for each, span in named.items() if span is not None}


def _chunks(view: StorageView, encoder: Encoder, place: TracedPlace) -> tuple[tuple[str, ...], str]:
    """The ids of the chunks that hold enough of a place, or why there is none."""
    if not place.document_id or place.span is None:
        return (), ""
    spans = chunks_of(view, encoder, place.document_id)
    if place.gold.exact:
        held = {each: _shared(place, span) for each, span in spans.items()}
        whole = _shared(place, place.span)
        holding = [each for each, shared in held.items() if enough(shared, whole)]
        most = max(held.values(), default=0)
        problem = f"no chunk holds enough of it, the best {most} of its {whole} characters"
    else:
        holding = [each for each, span in spans.items() if span.overlaps(place.span)]
        problem = "no chunk stands there"
    return tuple(sorted(holding)), "" if holding else problem


def _shared(place: TracedPlace, chunk: Span | None) -> int:
    """How many characters of a place a chunk holds, white space aside."""
    if chunk is None or place.span is None:
        return 0
    start, end = max(chunk.start, place.span.start), min(chunk.end, place.span.end)
    text = place.text[max(0, start - place.span.start) : max(0, end - place.span.start)]
    return sum(not character.isspace() for character in text)
