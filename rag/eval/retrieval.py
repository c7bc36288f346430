"""Whether a retriever finds the places where the answers stand.

Systems cut documents differently, so chunks cannot be judged by their ids alone:
a question's gold places are matched to whatever was returned. The most exact
knowledge that a question carries is used, and only that:

1. `reference_context_ids`: each id is a place; a hit finds it by being that chunk, or by being from
   the document of that name: its id, its source, or its file's name without the suffix.
2. `documents` with characters or a page: each entry is a place; a hit finds it by
   sharing a character with it, or where only a page is given, by standing, if only in part, on that page.
3. `reference_contexts`: each text is a place; a hit finds it by holding it or by lying
   inside it, white space taken as equal.
4. `documents` with neither: each is a place; any hit from that document finds it.

A question marked unanswerable has no gold places, and is not measured. A question of a test collection
carries graded judgments (`qrels`): measures of ranking are then trec_eval's, over the documents of the hits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath
from typing import TypeAlias

from rag.errors import InputError
from rag.eval.measures import Measure
from rag.eval.questions import Place, Question
from rag.eval.spans import SPAN_MEASURES, measure_spans
from rag.protocols import Retriever
from rag.types import Filter, Hit

Gold: TypeAlias = Callable[[Hit], bool]
"""A gold place, as the test whether a hit finds it."""


def gold_places(question: Question) -> tuple[Gold, ...]:
    """The places that hold the answer, by the first of the four rules that applies."""
    if question.answerable is False:
        return ()
    if question.reference_context_ids:
        return tuple(partial(_is_named, name) for name in dict.fromkeys(question.reference_context_ids))
    places = tuple(dict.fromkeys(question.documents))
    located = [place for place in places if place.span is not None or place.page is not None]
    if located:
        return tuple(partial(_reaches, place) for place in located)
    texts = dict.fromkeys(_plain(text) for text in question.reference_contexts)
    if any(texts):
        return tuple(partial(_shares_text, text) for text in texts if text)
    return tuple(partial(_reaches, place) for place in places)


@dataclass(frozen=True, slots=True)
class PlaceMeasure:
    """A measure of the first `cutoff` hits for a question against its gold places, 0..1.

    Where the question carries judgments, the first `cutoff` documents of the hits are measured, each at its
    first hit, as `rag.eval.measures` has it; else the places are:

    Success: 1 where a hit finds a place, else 0 (also called hit rate).
    Recall: places found, over all places.
    RR: 1 / rank of the first hit that finds a place, 0 where none does.
    nDCG: of the list in which each hit stands for the places that it finds first, one
        behind the other, or for one miss where it finds none or only known ones. Gain 1 a
        place, discount log2(position + 1), the first `cutoff` positions, over that of all
        places in front. So saying a thing twice gains nothing, and a long chunk that holds
        two places is worth two short ones.
    AP: of the same list, the mean over all places of the share of places down to each.
    P: hits that find a place, over the cutoff.
    PageSuccess: 1 where a hit stands on a gold page of a gold document, else 0.
    SpanRecall, SpanPrecision, SpanIoU: of gold characters, as `rag.eval.spans` has them.
    """

    name: str
    cutoff: int

    def __call__(self, hits: Sequence[Hit], question: Question) -> float | None:
        """Measure hits, best first; None where the question has no gold place (page, character)."""
        if (grades := _grades(question)) and self.name in RANKING_MEASURES:
            return Measure(self.name, self.cutoff).of_ranking(_documents(hits, grades), grades)
        hits = hits[: self.cutoff]
        if self.name == "PageSuccess":
            return _page_success(hits, question)
        if self.name in SPAN_MEASURES:
            return measure_spans(self.name, hits, question)
        places = gold_places(question)
        if not places:
            return None
        if self.name == "P":
            return sum(any(finds(hit) for finds in places) for hit in hits) / self.cutoff
        # several places may stand behind one hit, so recall counts hits above and not positions here
        measure = Measure(self.name, None if self.name == "Recall" else self.cutoff)
        wanted = {_name(number): 1 for number in range(len(places))}
        return measure.of_ranking(_rank_places(hits, places), wanted)

    def __str__(self) -> str:
        return f"{self.name}@{self.cutoff}"


PLACE_MEASURES = ("Success", "Recall", "RR", "nDCG", "PageSuccess", *SPAN_MEASURES)
"""Those that an evaluation has by default; `AP@10` and `P@10` are to be named."""

RANKING_MEASURES = ("Success", "Recall", "RR", "nDCG", "AP", "P")

PLACE_FORMULAS = {
    "Success": "1 where one of the first {k} hits finds a gold place, else 0",
    "Recall": "gold places that the first {k} hits find / gold places",
    "RR": "1 / rank of the first hit that finds a gold place, 0 where none of {k} does",
    "nDCG": "sum of 1 / log2(rank + 1) of the gold places found by rank {k} / that of the best order",
    "AP": "mean over gold places of the precision at the rank where it is found, 0 beyond {k}",
    "P": "of the first {k} hits those that find a gold place / {k}",
    "PageSuccess": "1 where one of the first {k} hits stands on a gold page, else 0",
    "SpanRecall": "gold characters in the first {k} hits / gold characters",
    "SpanPrecision": "gold characters in the first {k} hits / characters of these hits",
    "SpanIoU": "gold characters in the first {k} hits / characters of these hits and of the gold they lack",
}
"""How each measure is worked out, in a line; `k` is its cutoff."""


def parse_place_measure(name: str) -> PlaceMeasure:
    """Read a measure's name: `Success@5`, `Recall@10`, `RR@10`, `nDCG@10`, `PageSuccess@5`, `SpanIoU@5`.

    Raises:
        InputError: no such measure, or no cutoff.
    """
    parts = re.fullmatch(r"(\w+)@([1-9][0-9]*)", name, re.ASCII)
    if parts is None or not is_place_measure(parts[1]):
        known = ", ".join(f"{measure}@10" for measure in dict.fromkeys(PLACE_MEASURES + RANKING_MEASURES))
        raise InputError(f"no measure {name!r} of places: use {known}")
    return PlaceMeasure(parts[1], int(parts[2]))


def is_place_measure(name: str) -> bool:
    """Whether that is the name, without a cutoff, of a measure of places."""
    return name in PLACE_MEASURES or name in RANKING_MEASURES


def measure_retriever(
    retriever: Retriever,
    questions: Sequence[Question],
    measures: Sequence[str] = ("Success@1", "Success@10", "Recall@10", "RR@10", "nDCG@10"),
    *,
    where: Filter | None = None,
) -> dict[str, dict[str, float]]:
    """Measure a retriever: measure name to question id to value, for questions with gold places.

    Raises:
        InputError: a measure's name is wrong.
        RagError: whatever the retriever raises.
    """
    chosen = [parse_place_measure(name) for name in measures]
    depth = max((measure.cutoff for measure in chosen), default=1)
    values: dict[str, dict[str, float]] = {str(measure): {} for measure in chosen}
    for question in questions:
        if not gold_places(question):
            continue
        hits = retriever(question.user_input, k=depth, where=where)
        for measure in chosen:
            value = measure(hits, question)
            if value is not None:
                values[str(measure)][question.id] = value
    return values


def search_run(
    retriever: Retriever, queries: Mapping[str, str], *, k: int = 100, document: Callable[[Hit], str]
) -> dict[str, dict[str, float]]:
    """Search every query and give the run: query id to document id to score.

    `document` tells the collection's own id of the document that a hit is from. A document
    scores as its best hit, so k hits may give fewer documents.
    """
    run: dict[str, dict[str, float]] = {}
    for query, text in queries.items():
        scores = run.setdefault(query, {})
        for hit in retriever(text, k=k):
            name = document(hit)
            scores[name] = max(hit.score, scores.get(name, hit.score))
    return run


def _grades(question: Question) -> Mapping[str, int]:
    """The graded judgments of a question of a test collection, by document; empty where it has none."""
    grades = question.extra.get("qrels")
    if not isinstance(grades, dict) or not all(type(grade) is int for grade in grades.values()):
        return {}
    return grades


def _documents(hits: Sequence[Hit], judged: Mapping[str, int]) -> list[str]:
    """The documents of hits, best first and each once, by the collection's own ids where it judges them."""
    return list(dict.fromkeys(_judged_name(hit, judged) for hit in hits))


def _judged_name(hit: Hit, judged: Mapping[str, int]) -> str:
    return next((name for name in judged if _is_named(name, hit)), hit.chunk.document_id)


def _rank_places(hits: Sequence[Hit], places: Sequence[Gold]) -> list[str]:
    ranking: list[str] = []
    waiting = dict(enumerate(places))
    for hit in hits:
        found = [number for number, finds in waiting.items() if finds(hit)]
        ranking += [_name(number) for number in found] or [f"miss {len(ranking)}"]
        for number in found:
            del waiting[number]
    return ranking


def _name(number: int) -> str:
    return f"place {number}"


def _page_success(hits: Sequence[Hit], question: Question) -> float | None:
    paged = [place for place in question.documents if place.page is not None]
    if not paged or question.answerable is False:
        return None
    return float(any(_is_on_page(place, hit) for hit in hits for place in paged))


def _is_named(name: str, hit: Hit) -> bool:
    if hit.chunk.id == name or Place(name).is_in(hit.source, hit.chunk.document_id):
        return True
    return PurePath(hit.source).stem == name


def _reaches(place: Place, hit: Hit) -> bool:
    if place.span is None and place.page is not None:
        return _is_on_page(place, hit)
    inside = place.is_in(hit.source, hit.chunk.document_id)
    return inside and (place.span is None or place.span.overlaps(hit.chunk.span))


def _is_on_page(place: Place, hit: Hit) -> bool:
    on_page = place.page is not None and hit.chunk.is_on(place.page)
    return on_page and place.is_in(hit.source, hit.chunk.document_id)


def _shares_text(gold: str, hit: Hit) -> bool:
    text = _plain(hit.chunk.text)
    return bool(text) and (gold in text or text in gold)


def _plain(text: str) -> str:
    return " ".join(text.split())
