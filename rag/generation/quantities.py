"""The numbers, dates and times of a text, whatever way they are written.

`1,234`, `1.2 million`, `$1577.00`, `40 %`, `twenty-one`, `21st`; `12 March 2024`, `2024-03-12`,
`March 2024`, `the 1990s`; `2:30 pm`, `14:30`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINALS = (
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
).split()
_WORDS = {word: value for value, word in enumerate(_SMALL)} | {
    word: 10 * value for value, word in enumerate(_TENS, start=2)
}
_RANKS = {word: value for value, word in enumerate(_ORDINALS)} | {
    word[:-1] + "ieth": 10 * value for value, word in enumerate(_TENS, start=2)
}
_SCALES = {
    "hundred": 100,
    "thousand": 1000,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "k": 1000,
    "m": 10**6,
    "mn": 10**6,
    "bn": 10**9,
    "b": 10**9,
    "dozen": 12,
}
_UNITS = {
    "percent": "% percent per cent pct percentage points",
    "dollar": "$ dollar dollars usd us$",
    "euro": "€ euro euros eur",
    "pound": "£ gbp",
    "second": "s sec secs second seconds",
    "minute": "min mins minute minutes",
    "hour": "h hr hrs hour hours",
    "day": "day days",
    "week": "week weeks",
    "month": "month months",
    "year": "year years yr yrs",
    "metre": "m metre metres meter meters",
    "kilometre": "km kilometre kilometres kilometer kilometers",
    "mile": "mile miles",
    "foot": "ft foot feet",
    "kilogram": "kg kilogram kilograms",
    "gram": "g gram grams",
    "tonne": "t tonne tonnes tons",
    "litre": "l litre litres liter liters",
    "celsius": "°c",
    "fahrenheit": "°f",
    "kilowatt": "kw",
    "megawatt": "mw",
}
_UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in words.split()}
_MONTHS = "january february march april may june july august september october november december".split()
_MONTH_OF = {name[:size]: at for at, name in enumerate(_MONTHS, start=1) for size in (3, len(name))} | {
    "sept": 9
}
ROMAN = {"II": 2, "III": 3, "IV": 4, "VI": 6, "VII": 7, "VIII": 8, "IX": 9, "XI": 11, "XII": 12}

_month = "|".join(sorted(_MONTH_OF, key=len, reverse=True))
_tens = "|".join(_TENS)
_small = "|".join(sorted(_SMALL, key=len, reverse=True))
_SPELLED = rf"(?:{_tens})(?:[- ](?:{_small}))?|{_small}"
_TIME = re.compile(r"\b([01]?\d|2[0-3])[:.]([0-5]\d)\s?([ap])\.?m\b\.?|\b([01]?\d|2[0-3]):([0-5]\d)\b"
                   r"|\b(1[0-2]|0?[1-9])\s?([ap])\.?m\b\.?", re.IGNORECASE)  # fmt: skip
_DATES = (
    re.compile(r"\b(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})(?!\d)"),
    re.compile(r"\b(?P<a>\d{1,2})(?P<sign>[./])(?P<b>\d{1,2})(?P=sign)(?P<y>\d{4}|\d{2})\b"),
    re.compile(
        rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\.?(?: of)? (?P<n>{_month})\b\.?(?:,? (?P<y>\d{{4}}))?",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?P<n>{_month})\b\.? (?P<d>\d{{1,2}})(?:st|nd|rd|th)?\b(?!,\d{{3}})(?:,? (?P<y>\d{{4}}))?",
        re.IGNORECASE,
    ),
    re.compile(rf"\b(?P<n>{_month})\b\.?,? (?:of )?(?P<y>\d{{4}})\b", re.IGNORECASE),
)
_YEAR = re.compile(r"(?<![\w.,$€£-])(1[0-9]\d\d|20\d\d)(?![\d%]|[.,]\d)(s\b)?")
_NUMBER = re.compile(
    r"(?P<currency>US\$|[$€£])?\s?(?P<sign>(?<![\w)])[-−])?"
    r"(?P<digits>\d{1,3}(?:[,\u00a0\u202f’]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?P<rank>st|nd|rd|th)?"
    r"(?:[\s-]?(?P<scale>hundred|thousand|million|billion|trillion|bn|mn|(?<=\d)[kKMB]\b|(?<=\d)[mb]\b))?",
)
_SPELLED_NUMBER = re.compile(
    rf"\b(?P<tens>{_tens})[- ](?P<one>{'|'.join(_ORDINALS[1:10])})\b"
    rf"|\b(?P<rank>{'|'.join(sorted(_RANKS, key=len, reverse=True))})\b"
    rf"|\b(?P<whole>(?:{_SPELLED})(?: hundred(?: and)?(?: (?:{_SPELLED}))?)?)"
    rf"(?P<scales>(?: (?:thousand|million|billion))*)\b",
    re.IGNORECASE,
)
_AFTER = re.compile(r"[\s-]?(%|°[cf]\b|per cent\b|[a-z$€£]+)", re.IGNORECASE)
_IN_NAME = re.compile(r"(?:[^\W\d]\d*[-/+]|\w)$")  # A4, interleukin-2, PD-1
_HEDGE = re.compile(
    r"\b(?:about|around|approximately|roughly|nearly|almost|some|circa|ca\.?|~|over|more than)\s*[$€£]?$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written, its value, what it counts (`percent`, `day`, ..., `""` unknown), and its grain.

    `grain` is the place of its last digit that means something: 0.1 for 4.2, 100000 for 1.2 million;
    a number that stands for something this near is the same. `spelled` is true of `three`.
    `noun` is the word that follows it.
    """

    text: str
    value: Decimal
    unit: str
    grain: Decimal
    spelled: bool = False
    rank: bool = False
    noun: str = ""


@dataclass(frozen=True, slots=True)
class Date:
    """A date as written; parts that it does not have are 0.

    `alternative` is the month and day of 3/4 read the other way. A `decade` has its first year.
    """

    text: str
    year: int = 0
    month: int = 0
    day: int = 0
    alternative: tuple[int, int] = (0, 0)
    decade: bool = False

    def within(self, other: Date) -> bool:
        """Whether every part of this date is that of the other."""
        if self.year and self.year != (other.year // 10 * 10 if self.decade else other.year):
            return False
        mine = {(self.month, self.day), self.alternative} - {(0, 0)}
        theirs = {(other.month, other.day), other.alternative} - {(0, 0)}
        return not mine or any(
            month == their_month and (not day or day == their_day)
            for month, day in mine
            for their_month, their_day in theirs
        )


@dataclass(frozen=True, slots=True)
class Quantities:
    """All of a text: its numbers, dates and times of day (minutes after midnight, as written)."""

    numbers: tuple[Number, ...]
    dates: tuple[Date, ...]
    times: tuple[tuple[str, int], ...]


_SPELT_ALIKE = str.maketrans({"ſ": "s", "ı": "i", "İ": "I", "\u212a": "K"})
"""Letters that a search without regard to capitals takes for these."""


@lru_cache(maxsize=64)
def quantities(text: str) -> Quantities:
    """Read the numbers, dates and times of `text`. What is part of a date or a time is no number.

    The last texts are remembered: the claims of an answer often share their evidence.
    """
    dates, text = _take_dates(text.translate(_SPELT_ALIKE))
    times, text = _take_times(text)
    years, rest = _take_years(text)
    return Quantities(tuple(_numbers(rest)), (*dates, *years), times)


def _blank(text: str, start: int, end: int) -> str:
    return text[:start] + "\x00" * (end - start) + text[end:]


def _take_dates(text: str) -> tuple[list[Date], str]:
    found = []
    for pattern in _DATES:
        for match in pattern.finditer(text):
            date = _date(match)
            if date:
                found.append(date)
                text = _blank(text, *match.span())
    return found, text


def _date(match: re.Match[str]) -> Date | None:
    part = match.groupdict()
    year = int(part["y"] or 0) if "y" in part else 0
    if 0 < year < 100:
        year += 2000 if year < 70 else 1900
    if "a" in part:
        one, other = int(part["a"]), int(part["b"])
        if part["sign"] == "." and one <= 31 and 1 <= other <= 12:
            return Date(match.group(), year, other, one)
        ways = [(m, d) for m, d in ((other, one), (one, other)) if 1 <= m <= 12 and 1 <= d <= 31]
        return Date(match.group(), year, *ways[0], ways[-1]) if ways else None
    month = int(part["m"]) if "m" in part else _MONTH_OF[part["n"].lower()]
    day = int(part.get("d") or 0)
    if "n" in part and part["n"] == "may" and not year:
        return None  # "4 may apply"
    return Date(match.group().strip(), year, month, day) if 1 <= month <= 12 and day <= 31 else None


def _take_times(text: str) -> tuple[tuple[tuple[str, int], ...], str]:
    found = []
    for match in _TIME.finditer(text):
        groups = match.groups()
        hour, minute = int(groups[0] or groups[3] or groups[5]), int(groups[1] or groups[4] or 0)
        half = (groups[2] or groups[6] or "").lower()
        if half:
            hour = hour % 12 + (12 if half == "p" else 0)
        found.append((match.group().strip(" ."), 60 * hour + minute))
        text = _blank(text, *match.span())
    return tuple(found), text


def _take_years(text: str) -> tuple[list[Date], str]:
    """A bare number of four digits is a year, unless it counts something."""
    found = []
    for match in _YEAR.finditer(text):
        unit, _ = _counted(text, match.end())
        if not unit:
            found.append(Date(match.group(), int(match.group(1)), decade=match.group(2) is not None))
            text = _blank(text, *match.span())
    return found, text


def _numbers(text: str) -> Iterator[Number]:
    taken = [False] * len(text)
    for match in _NUMBER.finditer(text):
        start, end = match.start("digits"), match.end("rank") if match["rank"] else match.end("digits")
        if _IN_NAME.search(text[max(0, start - 12) : start]):
            continue
        digits = re.sub(r"[,\u00a0\u202f’]", "", match["digits"])
        scaled = match["scale"] is not None and (match["scale"] not in "mb" or match["currency"] is not None)
        scale = _SCALES[match["scale"].lower()] if scaled else 1  # 412m is a length, £412m is not
        value = Decimal(digits) * scale * (-1 if match["sign"] else 1)
        places = len(digits.partition(".")[2])
        grain = Decimal(scale) / 10**places
        if _HEDGE.search(text[max(0, match.start() - 20) : match.start()].rstrip() or " ") and grain == 1:
            grain = Decimal(10) ** (len(digits) - len(digits.rstrip("0")))
        unit, noun = _counted(text, match.end() if scaled else end)
        if match["currency"]:
            unit = _UNIT_OF[match["currency"].lower()] if match["currency"] != "£" else "pound"
        taken[match.start() : match.end()] = [True] * (match.end() - match.start())
        yield Number(match.group().strip(), value, unit, grain, rank=bool(match["rank"]), noun=noun)
    for match in _SPELLED_NUMBER.finditer(text):
        if not taken[match.start()]:
            yield _spelled(text, match)


def _spelled(text: str, match: re.Match[str]) -> Number:
    unit, noun = _counted(text, match.end())
    if match["whole"]:
        value = 0
        for word in re.findall(r"[a-z]+", match["whole"].lower()):
            if word == "hundred":
                value *= 100
            elif word != "and":
                value += _WORDS[word]
        for word in match["scales"].lower().split():
            value *= _SCALES[word]
        return Number(match.group(), Decimal(value), unit, Decimal(1), spelled=True, noun=noun)
    value = _RANKS[(match["rank"] or match["one"]).lower()]
    value += _WORDS[match["tens"].lower()] if match["tens"] else 0
    return Number(match.group(), Decimal(value), "", Decimal(1), spelled=True, rank=True, noun=noun)


def _counted(text: str, end: int) -> tuple[str, str]:
    """The unit behind a number, and the word there."""
    match = _AFTER.match(text, end)
    if match is None:
        return "", ""
    word = match.group(1).lower()
    if word == "per cent":
        return "percent", word
    glued = text[end : end + 1] not in (" ", "-", "\n")
    if len(word) == 1 and word.isalpha() and not glued and word not in "hm":
        return "", word
    return _UNIT_OF.get(word, ""), word


def roman_numbers(text: str) -> Iterator[Decimal]:
    """The Roman numerals of a text, of two letters and more."""
    for word in re.findall(r"\b[IVX]{2,4}\b", text):
        if word in ROMAN:
            yield Decimal(ROMAN[word])
