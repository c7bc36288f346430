"""Where the gold places of a question stand in an index, and how far down each stage of a search has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rag.eval.questions import Place, Question
from rag.types import Hit, Span

ENOUGH_CHARACTERS = 500
"""So many characters of a long place are enough to answer from; of a shorter one half of it is."""


@dataclass(frozen=True, slots=True)
class GoldPlace:
    """A gold place as a question names it: a document's place, a text, or both, or a chunk's id."""

    place: Place | None = None
    text: str = ""
    chunk_id: str = ""

    @property
    def name(self) -> str:
        """What it is called, for a reader."""
        if self.place is None:
            return f"chunk {self.chunk_id}" if self.chunk_id else f"“{_shortened(self.text)}”"
        page = "" if self.place.page is None else f", page {self.place.page}"
        span = self.place.span
        characters = "" if span is None else f", characters {span.start}-{span.end}"
        return f"{self.place.source}{page}{characters}"

    @property
    def exact(self) -> bool:
        """Whether it says more than a page or a document."""
        return bool(self.chunk_id or self.text or (self.place and self.place.span))


@dataclass(frozen=True, slots=True)
class TracedPlace:
    """A gold place in an index.

    `document_id` and `source` are of the document that holds it at `span`, None where no document that the
    reader may read does, for the reason `problem`. `text` is what stands there. `chunks` are the ids of
    the chunks that hold enough of it. `ranks` has, for each stage that found one of these within
    `Trace.depth`, the best rank, from 1: of `bm25`, `dense`, `fused` and `reranked`.
    """

    gold: GoldPlace
    document_id: str = ""
    source: str = ""
    span: Span | None = None
    text: str = ""
    chunks: tuple[str, ...] = ()
    ranks: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """The gold places of a question, in its order, looked up to `depth` candidates of each stage.

    `stages` are those that the search has, in their order; the last one's ranks are those of its hits.
    """

    places: tuple[TracedPlace, ...]
    stages: tuple[str, ...] = ()
    depth: int = 100


def places_of(question: Question) -> tuple[GoldPlace, ...]:
    """The gold places of a question, by the rules of `gold_places`; none where it is unanswerable.

    Where it has as many `reference_contexts` as located places, each text belongs to the place at its
    position.
    """
    if question.answerable is False:
        return ()
    if question.reference_context_ids:
        return tuple(GoldPlace(chunk_id=each) for each in dict.fromkeys(question.reference_context_ids))
    places = tuple(dict.fromkeys(question.documents))
    texts = [text for text in dict.fromkeys(question.reference_contexts) if text.strip()]
    located = [place for place in places if place.span is not None or place.page is not None]
    if located:
        matched = texts if len(texts) == len(located) else [""] * len(located)
        return tuple(GoldPlace(place, text) for place, text in zip(located, matched, strict=True))
    if texts:
        sources = places if len(places) == len(texts) else [None] * len(texts)
        return tuple(GoldPlace(place, text) for place, text in zip(sources, texts, strict=True))
    return tuple(GoldPlace(place) for place in places)


def enough(shared: int, whole: int) -> bool:
    """Whether `shared` of the `whole` characters of a place are enough to answer from."""
    return shared > 0 and shared >= min(whole / 2, ENOUGH_CHARACTERS)


def is_reached(place: TracedPlace | GoldPlace, hits: tuple[Hit, ...]) -> bool:
    """Whether the hits together hold enough of a place.

    A place that is a page or a document is reached by one hit from it.
    """
    if isinstance(place, TracedPlace):
        if place.problem and not place.document_id:
            return False
        if place.document_id and place.span is not None and place.gold.exact:
            spans = [hit.chunk.span for hit in hits if hit.chunk.document_id == place.document_id]
            return _covers(place.span, place.text, spans)
        place = place.gold
    return any(_holds(hit, place) for hit in hits)


def _holds(hit: Hit, gold: GoldPlace) -> bool:
    chunk, place = hit.chunk, gold.place
    if gold.chunk_id:
        return chunk.id == gold.chunk_id
    if place is not None and not place.is_in(hit.source, chunk.document_id):
        return False
    if place is not None and place.span is not None:
        shared = min(place.span.end, chunk.end) - max(place.span.start, chunk.start)
        return enough(shared, len(place.span))
    if gold.text:
        held, wanted = flat(chunk.text), flat(gold.text)
        return wanted in held or (held in wanted and enough(len(held), len(wanted)))
    return place is not None and (place.page is None or chunk.is_on(place.page))


def _covers(wanted: Span, text: str, spans: list[Span]) -> bool:
    """Whether spans hold enough of the characters of a text at `wanted`, white space aside."""
    held = [False] * len(text)
    for span in spans:
        for at in range(max(span.start, wanted.start), min(span.end, wanted.start + len(text), wanted.end)):
            held[at - wanted.start] = True
    dark = [at for at, character in enumerate(text) if not character.isspace()]
    return enough(sum(held[at] for at in dark), len(dark))


def span_of_chunk(chunk_id: str) -> tuple[str, Span | None]:
    """The document and the characters that a chunk's id names; None where it names none."""
    document_id, _, numbers = chunk_id.rpartition(":")
    start, _, end = numbers.partition("-")
    if not (start.isdecimal() and end.isdecimal() and int(start) <= int(end)):
        return chunk_id, None
    return document_id, Span(int(start), int(end))


def flat(text: str) -> str:
    """The text in lower case with single blanks for white space."""
    return " ".join(text.lower().split())


def _shortened(text: str, most: int = 60) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
