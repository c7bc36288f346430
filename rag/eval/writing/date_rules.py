"""Rules that ask for a date, a year or a time of day."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.eval.writing.asked import INNER, Asked, has_more, turned, with_lead
from rag.eval.writing.clauses import Clause
from rag.eval.writing.draft import Kind
from rag.eval.writing.shapes import CLOCK, DATE, is_year

_DATED = re.compile(
    rf"(?P<before>.*?)(?:^|\s)(?P<preposition>in|on|since|until|from|by|before|after) "
    rf"(?P<date>{DATE})(?P<behind>(?:[ ,].*)?)"
)
_CLOCKED = re.compile(
    rf"(?P<before>.*?)(?:^|\s)(?P<preposition>at|from|until|before|after|by) (?P<date>{CLOCK})"
    r"(?P<behind>(?:[ ,].*)?)"
)
_LEAD_DATE = re.compile(rf"(?:in|on) (?P<date>{DATE})")


def _dates(clause: Clause) -> Iterator[Asked]:
    """`A was opened on 3 May 1998` -> when was A opened."""
    lead = _LEAD_DATE.fullmatch(clause.lead)
    if lead:
        yield Asked(_when("in", lead["date"], turned(clause, clause.rest)), lead["date"], Kind.DATE)
        return
    for pattern in (_DATED, _CLOCKED):
        match = pattern.fullmatch(clause.rest)
        if match is None or (not match["before"].strip() and clause.form is None):
            continue
        present = clause.verb in ("is", "are", "has", "have", "can", "may", "must") or (
            clause.form is not None and clause.form.support != "did"
        )
        if present and is_year(match["date"]) and match["preposition"] in ("in", "on", "by", "before"):
            continue
        if match["preposition"] == "by" and clause.verb in ("was", "were", "is", "are"):
            continue
        if "," in match["before"] or INNER.search(match["before"]) or has_more(match["behind"]):
            continue
        if re.match(rf"\s*(?:and|or|to|until|,? ?{DATE})\b", match["behind"]) or re.search(
            DATE, match["before"]
        ):
            continue
        rest = f"{match['before']} {match['behind'].strip(' ,')}".strip()
        question = _when(match["preposition"], match["date"], turned(clause, rest))
        yield Asked(with_lead(clause, question), match["date"], Kind.DATE)


def _when(preposition: str, date: str, turned: str) -> str:
    if preposition == "at":
        return f"at what time {turned}"
    if preposition in ("in", "on"):
        return f"in what year {turned}" if is_year(date) else f"when {turned}"
    if preposition in ("before", "after", "by"):
        what = "year" if is_year(date) else "time" if ":" in date else "date"
        return f"{preposition} what {what} {turned}"
    return f"{preposition} when {turned}"


DATE_RULES = (_dates,)
