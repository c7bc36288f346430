"""Versions of a document that answer the same question differently: an old policy and a new one.

Two documents are versions of one where their names are the same but for a year, a date or the number
of a version. What they say of a question is in conflict where each gives what is asked for (a number, a
date, a name), and the other one does not give the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

from rag.generation.evidence import Evidence
from rag.generation.shapes import Asked, find_spans
from rag.types import Hit, Scores

BOUNDS = ((0.15, 0.55), (0.02, 0.70))
"""What another version's sentence needs: a share of the best likelihood, and a cosine; either pair does."""

_DATE = re.compile(
    r"(?<![\d.])((?:19|20)\d\d)(?:[-_.]?(0[1-9]|1[0-2])(?:[-_.]?(0[1-9]|[12]\d|3[01]))?)?(?![\d.]*\d)"
)
_VERSION = re.compile(
    r"(?<![^\W_])(?:v|ver|version|rev|revision|edition)[ _.-]?(\d+(?:\.\d+)*)(?![^\W_])", re.IGNORECASE
)
_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
).split()
_TENS = {
    "thirty": "30",
    "forty": "40",
    "fifty": "50",
    "sixty": "60",
    "seventy": "70",
    "eighty": "80",
    "ninety": "90",
}
_DIGITS = {word: str(number) for number, word in enumerate(_NUMBER_WORDS)} | _TENS


@dataclass(frozen=True, slots=True)
class Version:
    """What a document is a version of, and the date in its name: `2024` or `2024-03-12`, or `""`."""

    family: str
    date: str


@dataclass(frozen=True, slots=True)
class Rivals:
    """Candidates, by their numbers, that answer differently, newest first, each with its date."""

    candidates: tuple[int, ...]
    dates: tuple[str, ...]
    values: tuple[str, ...]


def version_of(source: str, title: str) -> Version:
    """The version of a document by the name of its file, or by its title where that has the date."""
    stem = PurePath(source.replace("\\", "/")).stem
    for name in (stem, title):
        if match := _DATE.search(name):
            date = "-".join(part for part in match.groups() if part)
            return Version(_family(_DATE.sub(" ", name)), date)
        if match := _VERSION.search(name):
            return Version(_family(_VERSION.sub(" ", name)), f"version {match[1]}")
    return Version(_family(stem), "")


def find_rivals(
    evidence: Evidence, likelihood: Scores, hits: Sequence[Hit], chosen: Sequence[int]
) -> Rivals | None:
    """The first of the chosen candidates that other versions contradict, with what those say.

    None where no version of its document says anything else.
    """
    versions = [version_of(hit.source, hit.title) for hit in hits]
    found = (_against(one, evidence, likelihood, versions) for one in chosen)
    return next((rivals for rivals in found if rivals), None)


def _against(one: int, evidence: Evidence, likelihood: Scores, versions: Sequence[Version]) -> Rivals | None:
    candidates = evidence.candidates
    own = versions[candidates[one].context]
    said = values_of(candidates[one].text, evidence)
    if not own.family or not own.date or not said:
        return None
    best, cosine = float(likelihood.max()), evidence.vectors @ evidence.vectors[one]
    nearest = {own.date: one}
    for at in np.argsort(-cosine, kind="stable"):
        other = versions[candidates[at].context]
        near = any(likelihood[at] >= share * best and cosine[at] >= alike for share, alike in BOUNDS)
        if near and other.family == own.family and other.date and other.date not in nearest:
            nearest[other.date] = int(at)
    given = {date: values_of(candidates[at].text, evidence) for date, at in nearest.items()}
    against = [date for date, values in given.items() if values and not values & said]
    if not against or not _mutual(one, nearest[against[0]], evidence, versions):
        return None
    dates = sorted([own.date, *against], key=recency, reverse=True)
    values = tuple(", ".join(sorted(given[date])) for date in dates)
    return Rivals(tuple(nearest[date] for date in dates), tuple(dates), values)


def _mutual(one: int, other: int, evidence: Evidence, versions: Sequence[Version]) -> bool:
    """Whether no sentence of the version of `one` is nearer to `other` than `one` is."""
    own = versions[evidence.candidates[one].context]
    cosine = evidence.vectors @ evidence.vectors[other]
    return all(
        cosine[at] <= cosine[one]
        for at, each in enumerate(evidence.candidates)
        if versions[each.context] == own and values_of(each.text, evidence)
    )


def values_of(text: str, evidence: Evidence) -> frozenset[str]:
    """What `text` gives of the kind asked for, or its numbers, each in one way of writing it."""
    asked = evidence.asked or Asked.NUMBER
    spans = find_spans(text, asked)
    return frozenset(
        value
        for span in spans
        if (value := _plain(text[span.start : span.end])) and value not in evidence.weight
    )


def _plain(value: str) -> str:
    words = re.sub(r"(?<=\d),(?=\d{3})", "", value.casefold()).replace("per cent", "%").split()
    return " ".join(_DIGITS.get(word, word) for word in words)


def _family(name: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", name.casefold()))


def recency(date: str) -> tuple[int, ...]:
    """What a later date or a higher version has more of: its numbers, in their order."""
    return tuple(int(number) for number in re.findall(r"\d+", date))
