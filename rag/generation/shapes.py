"""The shapes of short answers: a number with its unit, a date, a name. The question tells which."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum

from rag.generation.marks import MARK
from rag.types import Span

Terms = Callable[[str], list[str]]


class Asked(StrEnum):
    """The shape of an answer."""

    NUMBER = "number"
    DATE = "date"
    PERSON = "person"
    PLACE = "place"


_FIRST = re.compile(r"\b(?:who|whom|whose|what|which|when|where|why|how)\b")
_ASKED = (
    (
        Asked.DATE,
        r"when\b|(?:what|which|whose) (?:\w+ )?(?:year|date|day|month|decade|century|time|hour|week)s?\b",
    ),
    (
        Asked.NUMBER,
        r"how (?:many|much|long|far|often|old|tall|big|high|large|heavy|fast|deep|wide|thick|late|soon)\b"
        r"|(?:what|which) (?:is |was |are |were )?(?:the |a )?(?:\w+ )?(?:percent|percentage|number|amount"
        r"|price|cost|sum|fine|share|age|height|length|weight|speed|temperature|pressure|value|population|distance"
        r"|visibility|wind)\b",
    ),
    (Asked.PERSON, r"who(?:m|se)?\b"),
    (
        Asked.PLACE,
        r"where\b|(?:what|which) (?:city|country|place|town|state|county|island|continent|region|port)\b",
    ),
)
_PATTERNS = tuple((asked, re.compile(pattern)) for asked, pattern in _ASKED)

_MONTH = (
    "(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|(?:Jan|Feb|Mar|Apr|Aug|Sept?|Oct|Nov|Dec)\.?)"
)
_DAY = "(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?)"
_YEAR = r"(?:1\d{3}|20\d{2})"
_CLOCK = r"(?:[01]?\d|2[0-3])[:.][0-5]\d(?: ?[ap]\.?m\.?)?|\d{1,2} ?[ap]\.?m\.?\b"
_DATES = re.compile(
    rf"(?:{_DAY},? (?:the )?)?\b\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTH}\b(?:,? {_YEAR})?"
    rf"|\b{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?\b(?! ?{_MONTH})(?:,? {_YEAR}\b)?"
    rf"|\b{_MONTH}(?:,? {_YEAR}\b)"
    rf"|\b{_YEAR}s?(?:(?: ?[–-] ?| to | and )(?:{_YEAR}|\d\d)\b)?(?!\d)"
    r"|\b(?:\d{1,2}(?:st|nd|rd|th)|[a-z]+th|first|second|third) (?:century|centuries)(?: (?:BC|AD|BCE|CE)\b)?"
    rf"|\b{_MONTH}(?: (?:to|and) {_MONTH})?\b"
    rf"|\b{_DAY}(?: (?:to|and) {_DAY})?\b"
    rf"|\b(?:{_CLOCK})(?: (?:to|and) (?:{_CLOCK}))?"
)
_WORD_NUMBERS = (
    "(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen"
    "|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand"
    "|million|billion|half|dozen|twice|once)"
)
_UNIT = (
    "(?:%|°[CF]?|per ?cent|percent|degrees(?: Celsius| Fahrenheit)?|years?|months?|weeks?|days?|hours?"
    "|minutes?|seconds?|millimetres?|centimetres?|metres?|meters?|kilometres?|kilometers?|miles?|feet|foot"
    "|inch(?:es)?|yards?|acres?|hectares?|square (?:metres?|miles?|kilometres?|feet)|tonnes?|tons?"
    "|kilograms?|grams?|pounds?|litres?|liters?|gallons?|knots?|bar|volts?|amperes?|watts?|kilowatts?|euros?"
    r"|dollars?|cents|kWh|kW|MW|GW|GB|MB|TB|kg|km/h|km2|km|cm|mm|mph|m|t|ft|lb|g)(?![\w])"
)
_NUMBERS = re.compile(
    r"(?:[€$£¥]|US\$|C\$)?\s?(?<![\w.,-])(?:[€$£¥] ?)?\d[\d,]*+(?:\.\d++)?(?![\w.]*[\w])"
    rf"(?: (?:hundred|thousand|million|billion|trillion)\b)?(?: ?{_UNIT})?"
    rf"|[€$£¥] ?\d[\d,]*(?:\.\d+)?(?: (?:million|billion|trillion)\b)?"
    rf"|\b\d[\d,]*(?:\.\d+)?(?: ?{_UNIT})"
    rf"|\b{_WORD_NUMBERS}(?:[ -]{_WORD_NUMBERS})*\b(?: {_UNIT})?",
    re.IGNORECASE,
)
_JOINED = "of|the|de|del|della|di|da|van|von|der|den|du|la|le|al|bin|ibn|y|&"
_NAME = re.compile(
    rf"\b[^\W\d_a-zß-öø-ÿ][\w'’-]*(?:\.(?=\s[A-Z]))?"
    rf"(?: (?:(?:{_JOINED}) ){{0,2}}[^\W\d_a-zß-öø-ÿ][\w'’-]*(?:\.(?=\s[A-Z]))?)*"
)
_NO_NAME = frozenset(
    "the a an this that these those there it its he she we they you i his her our their your my in on at by "
    "for from with as if when while after before since until although though because however but and or so "
    "yet then thus hence also moreover what who why how where which is are was were do does did all any each "
    "both some many most such one two three no not under over to of during between within about through "
    "despite according other another several early late later today only even once here every".split()
)


def asked_for(question: str) -> Asked | None:
    """The shape of the answer to `question`, by its first question word; None where it may have any."""
    lower = question.lower()
    first = _FIRST.search(lower)
    if first is None:
        return None
    return next((asked for asked, pattern in _PATTERNS if pattern.match(lower, first.start())), None)


def find_spans(text: str, asked: Asked) -> list[Span]:
    """All spans of `text` that have the shape asked for, in order, none inside another."""
    match asked:
        case Asked.DATE:
            found = _DATES
        case Asked.NUMBER:
            found = _NUMBERS
        case _:
            return _names(text)
    spans = (Span(*_trimmed(text, match.start(), match.end())) for match in found.finditer(text))
    marks = [Span(*match.span()) for match in MARK.finditer(text)]
    return [each for each in spans if each.start < each.end and not any(map(each.overlaps, marks))]


def fills(text: str, asked: Asked, known: set[str], terms: Terms) -> bool:
    """Whether `text` has a span of that shape with a term that is not `known` from the question."""
    return any(not known.issuperset(terms_of(text[s.start : s.end], terms)) for s in find_spans(text, asked))


def terms_of(text: str, terms: Terms) -> list[str]:
    """The terms of `text`, or itself where it has none: the analyzer drops some names and numbers."""
    return terms(text) or [text.casefold()]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1] in " \t\n.,":
        end -= 1
    return start, end


def _names(text: str) -> list[Span]:
    """Runs of capitalised words; a word that only begins the sentence is taken off."""
    spans = []
    for match in _NAME.finditer(text):
        start, end = match.span()
        first = re.match(r"[\w'’-]+\s*", match[0])
        while first and first[0].strip().lower() in _NO_NAME:
            start += first.end()
            first = re.match(r"[\w'’-]+\s*", text[start:end])
        if start < end and text[start:end].lower() not in _NO_NAME:
            spans.append(Span(start, end))
    return spans
