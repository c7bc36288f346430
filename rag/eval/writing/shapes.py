"""What short answers look like in a sentence: a counted thing, an amount, a date, a person."""

from __future__ import annotations

import re

_ONES = (
    "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen"
    "|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
)
NUMERAL = (
    r"(?:\d[\d,]*(?:\.\d+)?(?: (?:million|billion|trillion|thousand))?"
    rf"|(?:{_ONES})(?:[- ](?:{_ONES}|one|hundred|thousand|million))*|a hundred)"
)
ABOUT = (
    "(?:at least|at most|up to|about|around|approximately|roughly|nearly|almost|more than|no more than"
    "|not more than|less than|fewer than|over|only|exactly|just|some|a total of) "
)
_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_YEAR = r"(?:1[0-9]{3}|20[0-9]{2})"
_WEEKDAY = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
DATE = (
    rf"(?:(?:{_WEEKDAY},? )?\d{{1,2}} {_MONTH}(?:,? {_YEAR})?|{_MONTH} \d{{1,2}}(?:, {_YEAR}| {_YEAR})?"
    rf"|(?:early |late |mid-)?{_MONTH} {_YEAR}|{_YEAR}(?![\d,.]\d))"
)
CLOCK = r"(?:[01]?\d|2[0-3]):[0-5]\d"
MONEY = r"(?:(?:US)?[€$£] ?\d[\d,]*(?:\.\d+)?(?: (?:million|billion|thousand))?)"
PER_CENT = r"\d[\d,]*(?:\.\d+)? ?(?:%|per ?cent\b)"
UNIT = (
    "(?:knots?|metres?|meters?|kilometres?|kilometers?|miles?|feet|foot|inches|tonnes?|tons?|kilograms?|kg|km"
    "|m|cm|mm|litres?|liters?|bar|degrees|°C|°F|hours?|minutes?|seconds?|days?|weeks?|months?|years?|euros?"
    "|dollars?|pounds|acres|hectares|square (?:miles|kilometres|kilometers|metres|feet)|kW|MW|GB|MB|volts?)"
)
_STOPS = (
    "of|in|on|at|by|for|from|with|to|into|onto|over|under|about|after|before|between|through|during|within"
    "|without|against|per|and|or|that|which|who|when|where|while|if|as|than|because|is|are|was|were|has|have"
    "|had|can|may|must|will|the|a|an|each|every|ahead|away|ago|long|wide|high|old|deep|tall|later|earlier"
    "|outside|inside|below|above|near|across|throughout|since|until|only|more|less|already|not|instead|up|down"
    "|out|off|before|then|now|you|January|February|March|April|May|June|July|August|September|October"
    "|November|December|BC|AD|BCE|CE|percent|million|billion|thousand|hundred"
)
_SMALL = rf"(?!(?:{_STOPS})\b)[a-z][\w’'-]*"
COUNTED = (
    rf"(?!(?:{_STOPS})\b)[A-Za-z][\w’'-]*(?: {_SMALL}){{0,3}}"
    rf"(?: of (?!(?:the|a|an|its|their|his|her|this)\b)[a-z][\w’'-]*(?: {_SMALL})?)?"
    r"(?: (?:a|per) (?:day|week|month|year|hour|person))?"
)
"""A noun with the words before it that say which, and how often it is counted: `working days a week`."""

_TITLE = (
    r"(?:Mr|Mrs|Ms|Dr|Sir|Lord|Lady|King|Queen|Pope|President|Prince|Princess|Professor|Captain|General|Saint"
    r"|Father)\.?"
)
_GIVEN = frozenset(
    "Adam Agnes Alan Albert Alexander Alfred Alice Amy Andrea Andrew Ann Anna Anne Anthony Antonio Arthur "
    "Barbara Benjamin Bernard Brian Carl Carlos Caroline Catherine Charles Charlotte Chris Christian "
    "Christine Christopher Claire Claude Daniel David Deborah Dennis Diana Donald Dorothy Douglas Edgar "
    "Edmund Eduard Edward Edwin Elena Elizabeth Ellen Emily Emma Eric Ernest Eva Eve Ferdinand Florence "
    "Francis Frank Franz Fred Frederick Friedrich Gary George Gerald Giovanni Grace Greta Gustav Hans Harold "
    "Harry Heinrich Helen Henri Henry Herbert Hermann Howard Hugh Ian Ingrid Irene Isaac Isabella Ivan Jack "
    "Jacob Jacques James Jan Jane Janet Jean Jennifer Jeremy Jessica Jim Joan Johann Johannes John Jonas "
    "Jonathan Jordan Joseph Juan Julia Julian Karen Karl Kate Katherine Keith Kenneth Kevin Larry Laura "
    "Leonard Leonardo Lewis Linda Lisa Louis Louise Ludwig Luis Luke Manuel Marcus Margaret Maria Marie Mark "
    "Martha Martin Mary Matthew Maurice Max Michael Michel Nancy Nathan Nicholas Nikola Oliver Oscar Otto "
    "Patricia Patrick Paul Peter Philip Pierre Rachel Ralph Raymond Rebecca Richard Robert Roger Ronald "
    "Rosa Rudolf Russell Ruth Samuel Sandra Sarah Scott Sebastian Simon Sophie Stanley Stefan Stephen Steven "
    "Stuart Susan Theodore Theresa Thomas Tim Timothy Tom Victor Victoria Vincent Virginia Walter Werner "
    "Wilhelm William Winston Wolfgang".split()
)
_NAME_WORD = r"[A-ZÀ-Þ][\w’'-]+"
_PERSON = re.compile(
    rf"(?:{_TITLE} {_NAME_WORD}(?: {_NAME_WORD})*"
    rf"|({_NAME_WORD})(?: [A-Z]\.)?(?: (?:van |von |de |da )?{_NAME_WORD}){{1,2}})"
)
_PLACE_WORDS = frozenset(
    "university college school company church street city river lake bay island park county hospital "
    "museum station award award prize war act bowl league council court house bank institute society "
    "agreement treaty empire dynasty century group inc ltd corporation association".split()
)
NAME = re.compile(
    rf"(?<![\w-]){_NAME_WORD}(?: (?:(?:of|the|de|van|von) )*{_NAME_WORD})*|(?<![\w-])[A-Z]{{2,}}[\w-]*"
)


def is_person(text: str) -> bool:
    """Whether `text` is very likely the name of one person."""
    match = _PERSON.fullmatch(text)
    if match is None or _PLACE_WORDS & set(text.lower().split()):
        return False
    return match[1] is None or match[1] in _GIVEN


def is_year(text: str) -> bool:
    """Whether `text` is a year and no more."""
    return re.fullmatch(_YEAR, text) is not None


def is_name(text: str) -> bool:
    """Whether every longer word of `text` has a capital, as in a name."""
    words = [word for word in re.findall(r"[^\W_]+", text) if len(word) > 3]
    return bool(words) and all(word[0].isupper() for word in words)
