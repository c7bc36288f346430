"""The few words of a sentence that answer a question for a name, a number or a date.

All spans of the shape asked for are found, those that the question itself holds are left out, and the
rest are ranked by a linear model of nine features, fitted on the pairs of a right and a wrong span of
the XQuAD (CC BY-SA 4.0) and Natural Questions (CC BY-SA 3.0) development questions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rag.generation.shapes import Asked, Terms, asked_for, find_spans, terms_of
from rag.types import Span

FEATURES = (
    "nearness",  # of the question's terms: each 1 / (3 + words between), a mean over all
    "distance",  # in words to those that are there, a mean, at most 20, in tens
    "counted",  # 1 where what is counted stands in or behind the number, -1 where it does not
    "repeats",  # the share of its terms that the question has
    "year for number",
    "person behind by",
    "place behind in",
    "person at the start",
    "full name",
)
WEIGHTS = np.array([0.38, -0.92, 0.90, -0.68, -1.60, 0.94, 1.28, 1.55, 2.34])

_WORD = re.compile(r"[\w'’-]+")
_COUNTED = re.compile(r"how (?:many|much) ((?:\w+ )?\w+)")
_YEAR = re.compile(r"1[5-9]\d\d|20\d\d")
_WITH_UNIT = re.compile(r"([€$£¥]? ?\d(?:[\d,.]*\d)?|[a-z]+(?:[ -][a-z]+)*) ([a-zA-Z°]+)")
_AT = ("in", "at", "to", "from", "near", "of")


@dataclass(frozen=True, slots=True)
class _Word:
    start: int
    end: int
    terms: tuple[str, ...]


def short_answer(text: str, question: str, weight: Mapping[str, float], terms: Terms) -> Span | None:
    """The span of `text` that answers, None where another shape is asked for or none is there.

    `weight` has the terms of the question that say what it is about. Ties go to the first span.
    """
    asked = asked_for(question)
    if asked is None:
        return None
    known = set(terms(question))
    spans = [
        _without_unit(span, text, known, terms)
        for span in find_spans(text, asked)
        if not known.issuperset(terms_of(text[span.start : span.end], terms))
    ]
    if not spans:
        return None
    words = [_Word(*match.span(), tuple(terms(match[0]))) for match in _WORD.finditer(text)]
    scores = [
        float(_measure(span, text, question.lower(), asked, words, weight, known, terms) @ WEIGHTS)
        for span in spans
    ]
    return spans[int(np.argmax(scores))]


def _without_unit(span: Span, text: str, known: set[str], terms: Terms) -> Span:
    """The number alone where the question names its unit: `how many days` is answered by `14`."""
    match = _WITH_UNIT.fullmatch(text, span.start, span.end)
    return Span(span.start, match.end(1)) if match and known.intersection(terms(match[2])) else span


def _measure(
    span: Span,
    text: str,
    question: str,
    asked: Asked,
    words: Sequence[_Word],
    weight: Mapping[str, float],
    known: set[str],
    terms: Terms,
) -> npt.NDArray[np.float64]:
    """What speaks for a span: float64 (features,)."""
    own = terms_of(text[span.start : span.end], terms)
    nearest = _distances(span, words, weight)
    before = text[: span.start].lower().split()[-1:]
    person = asked is Asked.PERSON
    return np.array(
        [
            sum(1 / (3 + far) for far in nearest) / max(1, len(weight)),
            min(float(np.mean(nearest)) if nearest else 20.0, 20.0) / 10,
            _counted(span, text, question, terms),
            len(known.intersection(own)) / len(set(own)),
            asked is Asked.NUMBER and _YEAR.fullmatch(text, span.start, span.end) is not None,
            person and before == ["by"],
            asked is Asked.PLACE and bool(before) and before[0] in _AT,
            person and span.start < 3,
            person and " " in text[span.start : span.end],
        ],
        np.float64,
    )


def _distances(span: Span, words: Sequence[_Word], weight: Mapping[str, float]) -> list[int]:
    """How many words each term of the question that is outside the span is away, at its nearest."""
    inside = [at for at, word in enumerate(words) if word.end > span.start and word.start < span.end]
    if not inside:
        return []
    nearest: dict[str, int] = {}
    for at, word in enumerate(words):
        far = max(inside[0] - at, at - inside[-1])
        if far > 0:
            for term in word.terms:
                if term in weight:
                    nearest[term] = min(far, nearest.get(term, far))
    return list(nearest.values())


def _counted(span: Span, text: str, question: str, terms: Terms) -> int:
    """1 where what `question` counts stands in or close behind the span, -1 where not, 0 if none is."""
    match = _COUNTED.search(question)
    if match is None:
        return 0
    close = text[span.start : span.end + 30].split(".")[0]
    return 1 if set(terms(match[1])).intersection(terms(close)) else -1
