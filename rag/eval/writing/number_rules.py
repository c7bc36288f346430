"""Rules that ask for a number: how many, how much, how long, and what share."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.eval.writing.asked import INNER, Asked, has_more, turned, with_lead
from rag.eval.writing.clauses import Clause
from rag.eval.writing.draft import Kind
from rag.eval.writing.shapes import ABOUT, COUNTED, MONEY, NUMERAL, PER_CENT, UNIT, is_year

_TIGHT = re.compile(rf"(?P<about>{ABOUT})?(?P<number>{NUMERAL}) (?P<noun>{COUNTED})(?P<behind>.*)")
_COUNTED_SUBJECT = re.compile(rf"(?P<about>{ABOUT})?(?P<number>{NUMERAL}) (?P<noun>.+)", re.IGNORECASE)
_COUNT_IN = re.compile(
    rf"(?P<before>.*?\b)(?P<preposition>for|within|after|in|on|by|with) (?P<about>{ABOUT})?"
    rf"(?P<number>{NUMERAL}) (?P<noun>{COUNTED})(?P<behind>(?:[ ,].*)?)"
)
_SIZE = re.compile(
    rf"(?P<about>{ABOUT})?(?P<number>{NUMERAL} {UNIT}) (?P<how>long|wide|high|tall|deep|old|thick|away)\b"
    r"(?P<behind>.*)"
)
_AMOUNT = re.compile(
    rf"(?P<about>{ABOUT})?(?P<number>{MONEY}|{PER_CENT}|{NUMERAL} {UNIT})"
    r"(?P<behind>(?![\w%])(?: (?!of\b).*)?)"
)
_SHARE = re.compile(rf"(?P<about>{ABOUT})?(?P<number>{PER_CENT}) of (?P<whole>[^,]+)")
_MEASURED = frozenset(
    "limit length speed height price fee fine deadline maximum minimum width depth weight temperature "
    "population area rate cost allowance budget distance age capacity value salary rent duration period "
    "percentage share total amount number density elevation pressure voltage power".split()
)
_PLURALS = frozenset("people men women children feet fish aircraft sheep staff' staff species crew".split())
_MEASURED_FROM = re.compile(r"\s*(?:before|after|ago|later|earlier|ahead|and|or|to|behind)\b")


def _there(clause: Clause) -> Iterator[Asked]:
    """`There are 3 B` -> how many B are there."""
    match = _TIGHT.fullmatch(clause.rest)
    if clause.subject.lower() == "there" and match and clause.verb in ("are", "were"):
        question = f"how many {match['noun']} {clause.verb} there{match['behind']}"
        answer = f"{match['about'] or ''}{match['number']} {match['noun']}"
        yield Asked(with_lead(clause, question), answer, Kind.NUMBER, (match["number"],))


def _counts(clause: Clause) -> Iterator[Asked]:
    """`A has 3 B` -> how many B does A have."""
    match = _TIGHT.fullmatch(clause.rest)
    if match is None or clause.verb in ("is", "was"):
        return
    if (
        not _is_plural(match["noun"])
        or is_year(match["number"])
        or clause.form is None
        or has_more(match["behind"])
    ):
        return
    answer = f"{match['about'] or ''}{match['number']} {match['noun']}"
    if clause.form.base in ("cost", "weigh", "measure", "last", "become", "remain", "rise", "fall", "grow"):
        return
    question = f"how many {match['noun']} {turned(clause, match['behind'])}"
    yield Asked(with_lead(clause, question), answer, Kind.NUMBER, (match["number"],))


def _counted_subject(clause: Clause) -> Iterator[Asked]:
    """`3 B do C` -> how many B do C."""
    match = _COUNTED_SUBJECT.fullmatch(clause.subject)
    if (
        match is None
        or not _is_plural(match["noun"].split(" in ")[0])
        or is_year(match["number"])
        or match["noun"].split()[0] in ("of", "and", "or", "per")
    ):
        return
    question = f"how many {match['noun']} {clause.verb} {clause.rest}"
    yield Asked(with_lead(clause, question), clause.subject, Kind.NUMBER, (match["number"],))


def _share_subject(clause: Clause) -> Iterator[Asked]:
    match = _SHARE.fullmatch(clause.subject)
    if match:
        question = f"what percentage of {match['whole']} {clause.verb} {clause.rest}"
        yield Asked(with_lead(clause, question), f"{match['about'] or ''}{match['number']}", Kind.NUMBER)


def _counts_in(clause: Clause) -> Iterator[Asked]:
    """`A is locked for 3 B` -> for how many B is A locked."""
    match = _COUNT_IN.fullmatch(clause.rest)
    if match is None or is_year(match["number"]) or INNER.search(match["before"]):
        return
    if not _is_plural(match["noun"]) or (match["preposition"] == "with" and "notice" not in match["noun"]):
        return
    if _MEASURED_FROM.match(match["behind"]) or has_more(match["behind"]):
        return
    if not match["before"].strip() and not (clause.form or clause.verb in ("is", "are", "was", "were")):
        return
    behind = match["behind"].strip(" ,")
    rest = turned(clause, (match["before"] + behind).strip())
    question = f"{match['preposition']} how many {match['noun']} {rest}"
    answer = f"{match['about'] or ''}{match['number']} {match['noun']}"
    yield Asked(with_lead(clause, question), answer, Kind.NUMBER, (match["number"],))


def _sizes(clause: Clause) -> Iterator[Asked]:
    match = _SIZE.fullmatch(clause.rest)
    if match and clause.verb in ("is", "are", "was", "were"):
        how = {"away": "far away"}.get(match["how"], match["how"])
        question = f"how {how} {clause.verb} {clause.subject}{match['behind']}"
        yield Asked(with_lead(clause, question), f"{match['about'] or ''}{match['number']}", Kind.NUMBER)


def _amounts(clause: Clause) -> Iterator[Asked]:
    """`The fee is 5 euros` -> what is the fee; `A costs €5` -> how much does A cost."""
    match = _AMOUNT.fullmatch(clause.rest)
    if match is None or has_more(match["behind"]):
        return
    answer = f"{match['about'] or ''}{match['number']}"
    head = clause.subject.split(" of ")[0].split(" for ")[0].split(" in ")[0].split()[-1]
    if clause.verb in ("is", "are", "was", "were") and head in _MEASURED:
        yield Asked(
            with_lead(clause, f"what {clause.verb} {clause.subject}{match['behind']}"), answer, Kind.NUMBER
        )
    elif clause.form and re.match(MONEY, match["number"]):
        question = f"how much {turned(clause, match['behind'])}"
        yield Asked(with_lead(clause, question), answer, Kind.NUMBER)
    elif clause.form and clause.form.base in ("weigh", "cost"):
        yield Asked(with_lead(clause, f"how much {turned(clause, match['behind'])}"), answer, Kind.NUMBER)
    elif clause.form and clause.form.base == "last":
        yield Asked(with_lead(clause, f"how long {turned(clause, match['behind'])}"), answer, Kind.NUMBER)


def _is_plural(noun: str) -> bool:
    """Whether the noun, without what it is `of` and how often it is counted, can be counted."""
    head = re.split(r" (?:of|a|per) ", noun)[0].split()[-1]
    return (
        len(head) > 2 and (head.endswith(("s", "s'", "s’")) or head in _PLURALS) and not head.endswith("ss")
    )


NUMBER_RULES = (_there, _counts, _counted_subject, _share_subject, _counts_in, _sizes, _amounts)
