"""Rules that ask for what is neither number nor date: what something is, who did it, where, and to what."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.eval.writing.asked import Asked, is_role, turned, with_lead
from rag.eval.writing.clauses import PREPOSITIONS, Clause
from rag.eval.writing.draft import Kind
from rag.eval.writing.shapes import DATE, UNIT, is_name, is_person
from rag.eval.writing.verbs import is_participle

_BY = re.compile(
    r"(?P<verb>\w+) (?P<before>.*?)by (?P<agent>[^,]+?)"
    r"(?P<behind>(?: (?:in|on|at|for|after|before|during|from) .*)?)"
)
_HUMAN = frozenset(
    "argue suggest say write believe propose discover invent marry die learn think teach tell explain".split()
)
_PLACED = frozenset(
    "located situated held kept stored born based built buried moored found published".split()
)
_WHERE = re.compile(r"(?P<verb>\w+) (?:in|at|on|near) (?P<place>(?:the )?[A-ZÀ-Þ][^,]*)")
_OBJECT = re.compile(
    r"(?P<thing>(?:the|a|an) (?:(?!(?:of|and|or) (?:which|that)\b)[\w’'-]+ ){0,5}?[\w’'-]{3,})"
    r"(?P<behind>(?: (?:in|on|at|by|for|from|with|to|as|during|after|before|through|into|between|against)"
    r" .*)?)"
)
_NO_OBJECT = frozenset(
    "become remain say argue believe think suggest cost weigh last lie live stay come go appear seem happen "
    "occur mean consist comprise end begin start take make have call name find give visit follow meet".split()
)
_VAGUE = re.compile(r"(?:same|only|most|more|first|last|next|other|\w+est|similar|result|case|reason)\b")


def _definitions(clause: Clause) -> Iterator[Asked]:
    """`A is a B` -> what is A; `A is the C` -> what is A; `A is called D` -> what is A called."""
    rest = clause.rest
    if clause.verb in ("is", "are", "was", "were"):
        first, _, behind = rest.partition(" ")
        if first in ("called", "named", "known") and not clause.lead:
            named = behind.removeprefix("as ") if first == "known" else behind
            if (
                named
                and named.split()[0] not in PREPOSITIONS
                and (first != "known" or behind.startswith("as "))
            ):
                question = f"what {clause.verb} {clause.subject} {first}{' as' if first == 'known' else ''}"
                yield Asked(question, named, Kind.DEFINITION)
        elif is_role(clause.subject) and is_name(rest.split(",")[0]):
            question = f"who {clause.verb} {clause.subject}"
            yield Asked(with_lead(clause, question), rest.split(",")[0], Kind.SINGLE_FACT)
        elif (
            first in ("a", "an", "the")
            and not _VAGUE.match(behind)
            and len(behind.split()) >= 2
            and not clause.lead
            and clause.verb in ("is", "was")
        ):
            if clause.subject.lower().startswith("one "):
                return
            who = (
                "who"
                if is_role(rest) or any(is_person(" ".join(clause.subject.split()[-n:])) for n in (2, 3))
                else "what"
            )
            defined = is_name(clause.subject) or first in ("a", "an")
            kind = Kind.DEFINITION if defined else Kind.SINGLE_FACT
            yield Asked(f"{who} {clause.verb} {clause.subject}", rest, kind)
    elif clause.form and clause.form.base in ("mean", "consist", "comprise") and not clause.lead:
        of = rest.startswith("of ")
        if clause.form.base == "consist" and not of:
            return
        question = f"what {turned(clause, '')}{' of' if of else ''}"
        yield Asked(question, rest.removeprefix("of "), Kind.LIST if " and " in rest else Kind.DEFINITION)


def _subjects(clause: Clause) -> Iterator[Asked]:
    """`Ann founded B` -> who founded B; the name of a thing is asked for with `what`."""
    subject = clause.subject
    lower = subject.lower()
    words = f"{clause.verb} {clause.rest}"
    if (
        len(words.split()) < 4
        or lower == "there"
        or lower.split()[0] in ("you", "each", "every", "no", "any")
    ):
        return
    if re.search(r"\b(?:its|his|her|their|your)\b", clause.rest):
        return
    human = clause.form is not None and clause.form.base in _HUMAN and is_name(subject)
    if is_person(subject) or (human and not lower.startswith(("the ", "a ", "an "))):
        yield Asked(with_lead(clause, f"who {words}"), subject, Kind.SINGLE_FACT)
    elif clause.verb in ("is", "was") and is_name(clause.rest.split(",")[0]):
        return
    elif is_role(subject):
        yield Asked(with_lead(clause, f"who {words}"), subject, Kind.SINGLE_FACT)
    elif (
        clause.verb in ("is", "was") and clause.rest.startswith(("the ", "one of the ")) and is_name(subject)
    ):
        yield Asked(with_lead(clause, f"what {words}"), subject, Kind.SINGLE_FACT)


def _agents(clause: Clause) -> Iterator[Asked]:
    """`A was kept by Ann` -> by whom was A kept."""
    match = _BY.fullmatch(clause.rest)
    if match is None or clause.verb not in ("is", "are", "was", "were") or not is_participle(match["verb"]):
        return
    agent = match["agent"].strip()
    if is_person(agent) or is_role(agent):
        rest = f"{match['verb']} {match['before']}{match['behind'].strip()}".strip()
        yield Asked(with_lead(clause, f"by whom {turned(clause, rest)}"), agent, Kind.SINGLE_FACT)


def _places(clause: Clause) -> Iterator[Asked]:
    match = _WHERE.fullmatch(clause.rest)
    if match is None or clause.verb not in ("is", "are", "was", "were") or match["verb"] not in _PLACED:
        return
    if not re.search(DATE, match["place"]):
        question = with_lead(clause, f"where {turned(clause, match['verb'])}")
        yield Asked(question, match["place"], Kind.SINGLE_FACT)


def _objects(clause: Clause) -> Iterator[Asked]:
    """`A guarantees the B to C` -> what does A guarantee to C."""
    match = _OBJECT.fullmatch(clause.rest)
    if clause.form is None or match is None or clause.form.base in _NO_OBJECT:
        return
    thing = match["thing"]
    if is_name(thing) or is_role(thing) or re.search(rf"{DATE}|{UNIT}\b", thing):
        return
    question = f"what {turned(clause, match['behind'])}"
    yield Asked(with_lead(clause, question), thing, Kind.SINGLE_FACT)


FACT_RULES = (_definitions, _subjects, _agents, _places, _objects)
