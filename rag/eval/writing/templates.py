"""Rules that make a question of a clause: its answer is taken out, and asked for by what it looks like.

Each rule gives the question, the answer as it stands in the sentence, and what kind of question that is.
Where a part of the clause is taken out, the rest keeps its order.

Source: Heilman and Smith 2010, Good Question! Statistical Ranking for Question Generation, for making
questions from declarative sentences by taking the answer phrase out and ranking what comes of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rag.eval.writing.clauses import DETERMINERS, POINTING, PREPOSITIONS, Clause
from rag.eval.writing.draft import Kind
from rag.eval.writing.shapes import (
    ABOUT,
    CLOCK,
    COUNTED,
    DATE,
    MONEY,
    NUMERAL,
    PER_CENT,
    UNIT,
    is_name,
    is_person,
    is_year,
)
from rag.eval.writing.verbs import AUXILIARIES, is_participle


@dataclass(frozen=True, slots=True)
class Asked:
    """What a rule made: a question without its first capital, the answer, and its kind."""

    question: str
    answer: str
    kind: Kind
    answers: tuple[str, ...] = ()


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
_DATED = re.compile(
    rf"(?P<before>.*?)(?:^|\s)(?P<preposition>in|on|since|until|from|by|before|after) "
    rf"(?P<date>{DATE})(?P<behind>(?:[ ,].*)?)"
)
_CLOCKED = re.compile(
    rf"(?P<before>.*?)(?:^|\s)(?P<preposition>at|from|until|before|after|by) (?P<date>{CLOCK})"
    r"(?P<behind>(?:[ ,].*)?)"
)
_LEAD_DATE = re.compile(rf"(?:in|on) (?P<date>{DATE})")
_BY = re.compile(
    r"(?P<verb>\w+) (?P<before>.*?)by (?P<agent>[^,]+?)"
    r"(?P<behind>(?: (?:in|on|at|for|after|before|during|from) .*)?)"
)
_MEASURED = frozenset(
    "limit length speed height price fee fine deadline maximum minimum width depth weight temperature "
    "population area rate cost allowance budget distance age capacity value salary rent duration period "
    "percentage share total amount number density elevation pressure voltage power".split()
)
_PEOPLE = frozenset(
    "director manager officer captain master council committee head chair leader founder editor author "
    "engineer purser mate government parliament president king queen emperor team department ministry".split()
)
_HUMAN = frozenset(
    "argue suggest say write believe propose discover invent marry die learn think teach tell explain".split()
)
_PLURALS = frozenset("people men women children feet fish aircraft sheep staff' staff species crew".split())
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
_OTHER_PREPOSITIONS = PREPOSITIONS - {"up", "off", "out", "down"}


FEWEST_TELLING = 2
"""Words that a question without a name has at least, those left out that every question has."""
_UNTELLING = (
    AUXILIARIES
    | PREPOSITIONS
    | DETERMINERS
    | frozenset(
        "what who whom when where how many much do does did year time be been have and or that".split()
    )
)
_ONE_NOUN = re.compile(
    r"\b(?:does|do|did|is|are|was|were|can|may|must|will|would|has|had|who \w+) the \w+"
    r"(?: (?:have|called|take|last|happen|end|start|be|consist|contain|open|close|in|on|at)\b|$)"
)
"""A bare noun that only the sentences around it explain: how long does the walk take?"""
_VAGUE = re.compile(r"(?:same|only|most|more|first|last|next|other|\w+est|similar|result|case|reason)\b")
_INNER = re.compile(
    r"\b(?:that|whether|when|which|who|whom|if|where|because|and|or|not|than|as)\b", re.IGNORECASE
)
_MEASURED_FROM = re.compile(r"\s*(?:before|after|ago|later|earlier|ahead|and|or|to|behind)\b")


def ask_clause(clause: Clause) -> Iterator[Asked]:
    """Yield every question that a rule makes of the clause, in the order of the rules."""
    if clause.rest.split()[0].lower() in ("not", "never", "also", "only", "neither", "either", "no"):
        return
    for rule in _RULES:
        yield from rule(clause)


def _turned(clause: Clause, rest: str) -> str:
    """Auxiliary, subject, verb and `rest` in the order of a question, with the lead behind."""
    before, behind = clause.question_verb
    return " ".join(part for part in (before, clause.subject, behind, rest.strip(" ,")) if part)


def _is_role(text: str) -> bool:
    """Whether it is somebody by an office: `the head of safety`."""
    words = re.split(r" (?:of|in|for|at|on|to|from|since) |,", text.lower())[0].split()
    return len(words) > 1 and words[0] in ("the", "a", "an") and words[-1] in _PEOPLE


def _is_plural(noun: str) -> bool:
    """Whether the noun, without what it is `of` and how often it is counted, can be counted."""
    head = re.split(r" (?:of|a|per) ", noun)[0].split()[-1]
    return (
        len(head) > 2 and (head.endswith(("s", "s'", "s’")) or head in _PLURALS) and not head.endswith("ss")
    )


def _has_more(behind: str) -> bool:
    """Whether another number follows, as in `5 days for A and 7 for B`: then the first is no whole answer."""
    return re.search(rf"(?:\band\b|\bor\b|,).*\b{NUMERAL}", behind) is not None


def _with_lead(clause: Clause, question: str) -> str:
    """The question, with what stood before the subject behind it, as `In 2023, ...` is put."""
    if not clause.lead:
        return question
    if clause.lead.startswith(("if ", "when ", "where ")):
        return f"{question} {clause.lead}"
    return f"{clause.lead}, {question}"


def _counts(clause: Clause) -> Iterator[Asked]:
    """`A has 3 B` -> how many B does A have."""
    match = _TIGHT.fullmatch(clause.rest)
    if match is None or clause.verb in ("is", "was"):
        return
    if (
        not _is_plural(match["noun"])
        or is_year(match["number"])
        or clause.form is None
        or _has_more(match["behind"])
    ):
        return
    answer = f"{match['about'] or ''}{match['number']} {match['noun']}"
    if clause.form.base in ("cost", "weigh", "measure", "last", "become", "remain", "rise", "fall", "grow"):
        return
    question = f"how many {match['noun']} {_turned(clause, match['behind'])}"
    yield Asked(_with_lead(clause, question), answer, Kind.NUMBER, (match["number"],))


def _there(clause: Clause) -> Iterator[Asked]:
    """`There are 3 B` -> how many B are there."""
    match = _TIGHT.fullmatch(clause.rest)
    if clause.subject.lower() == "there" and match and clause.verb in ("are", "were"):
        question = f"how many {match['noun']} {clause.verb} there{match['behind']}"
        answer = f"{match['about'] or ''}{match['number']} {match['noun']}"
        yield Asked(_with_lead(clause, question), answer, Kind.NUMBER, (match["number"],))


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
    yield Asked(_with_lead(clause, question), clause.subject, Kind.NUMBER, (match["number"],))


def _share_subject(clause: Clause) -> Iterator[Asked]:
    match = _SHARE.fullmatch(clause.subject)
    if match:
        question = f"what percentage of {match['whole']} {clause.verb} {clause.rest}"
        yield Asked(_with_lead(clause, question), f"{match['about'] or ''}{match['number']}", Kind.NUMBER)


def _counts_in(clause: Clause) -> Iterator[Asked]:
    """`A is locked for 3 B` -> for how many B is A locked."""
    match = _COUNT_IN.fullmatch(clause.rest)
    if match is None or is_year(match["number"]) or _INNER.search(match["before"]):
        return
    if not _is_plural(match["noun"]) or (match["preposition"] == "with" and "notice" not in match["noun"]):
        return
    if _MEASURED_FROM.match(match["behind"]) or _has_more(match["behind"]):
        return
    if not match["before"].strip() and not (clause.form or clause.verb in ("is", "are", "was", "were")):
        return
    behind = match["behind"].strip(" ,")
    turned = _turned(clause, (match["before"] + behind).strip())
    question = f"{match['preposition']} how many {match['noun']} {turned}"
    answer = f"{match['about'] or ''}{match['number']} {match['noun']}"
    yield Asked(_with_lead(clause, question), answer, Kind.NUMBER, (match["number"],))


def _sizes(clause: Clause) -> Iterator[Asked]:
    match = _SIZE.fullmatch(clause.rest)
    if match and clause.verb in ("is", "are", "was", "were"):
        how = {"away": "far away"}.get(match["how"], match["how"])
        question = f"how {how} {clause.verb} {clause.subject}{match['behind']}"
        yield Asked(_with_lead(clause, question), f"{match['about'] or ''}{match['number']}", Kind.NUMBER)


def _amounts(clause: Clause) -> Iterator[Asked]:
    """`The fee is 5 euros` -> what is the fee; `A costs €5` -> how much does A cost."""
    match = _AMOUNT.fullmatch(clause.rest)
    if match is None or _has_more(match["behind"]):
        return
    answer = f"{match['about'] or ''}{match['number']}"
    head = clause.subject.split(" of ")[0].split(" for ")[0].split(" in ")[0].split()[-1]
    if clause.verb in ("is", "are", "was", "were") and head in _MEASURED:
        yield Asked(
            _with_lead(clause, f"what {clause.verb} {clause.subject}{match['behind']}"), answer, Kind.NUMBER
        )
    elif clause.form and re.match(MONEY, match["number"]):
        question = f"how much {_turned(clause, match['behind'])}"
        yield Asked(_with_lead(clause, question), answer, Kind.NUMBER)
    elif clause.form and clause.form.base in ("weigh", "cost"):
        yield Asked(_with_lead(clause, f"how much {_turned(clause, match['behind'])}"), answer, Kind.NUMBER)
    elif clause.form and clause.form.base == "last":
        yield Asked(_with_lead(clause, f"how long {_turned(clause, match['behind'])}"), answer, Kind.NUMBER)


def _dates(clause: Clause) -> Iterator[Asked]:
    """`A was opened on 3 May 1998` -> when was A opened."""
    lead = _LEAD_DATE.fullmatch(clause.lead)
    if lead:
        yield Asked(_when("in", lead["date"], _turned(clause, clause.rest)), lead["date"], Kind.DATE)
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
        if "," in match["before"] or _INNER.search(match["before"]) or _has_more(match["behind"]):
            continue
        if re.match(rf"\s*(?:and|or|to|until|,? ?{DATE})\b", match["behind"]) or re.search(
            DATE, match["before"]
        ):
            continue
        rest = f"{match['before']} {match['behind'].strip(' ,')}".strip()
        question = _when(match["preposition"], match["date"], _turned(clause, rest))
        yield Asked(_with_lead(clause, question), match["date"], Kind.DATE)


def _when(preposition: str, date: str, turned: str) -> str:
    if preposition == "at":
        return f"at what time {turned}"
    if preposition in ("in", "on"):
        return f"in what year {turned}" if is_year(date) else f"when {turned}"
    if preposition in ("before", "after", "by"):
        what = "year" if is_year(date) else "time" if ":" in date else "date"
        return f"{preposition} what {what} {turned}"
    return f"{preposition} when {turned}"


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
        elif _is_role(clause.subject) and is_name(rest.split(",")[0]):
            question = f"who {clause.verb} {clause.subject}"
            yield Asked(_with_lead(clause, question), rest.split(",")[0], Kind.SINGLE_FACT)
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
                if _is_role(rest) or any(is_person(" ".join(clause.subject.split()[-n:])) for n in (2, 3))
                else "what"
            )
            defined = is_name(clause.subject) or first in ("a", "an")
            kind = Kind.DEFINITION if defined else Kind.SINGLE_FACT
            yield Asked(f"{who} {clause.verb} {clause.subject}", rest, kind)
    elif clause.form and clause.form.base in ("mean", "consist", "comprise") and not clause.lead:
        of = rest.startswith("of ")
        if clause.form.base == "consist" and not of:
            return
        question = f"what {_turned(clause, '')}{' of' if of else ''}"
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
        yield Asked(_with_lead(clause, f"who {words}"), subject, Kind.SINGLE_FACT)
    elif clause.verb in ("is", "was") and is_name(clause.rest.split(",")[0]):
        return
    elif _is_role(subject):
        yield Asked(_with_lead(clause, f"who {words}"), subject, Kind.SINGLE_FACT)
    elif (
        clause.verb in ("is", "was") and clause.rest.startswith(("the ", "one of the ")) and is_name(subject)
    ):
        yield Asked(_with_lead(clause, f"what {words}"), subject, Kind.SINGLE_FACT)


def _objects(clause: Clause) -> Iterator[Asked]:
    """`A guarantees the B to C` -> what does A guarantee to C."""
    match = _OBJECT.fullmatch(clause.rest)
    if clause.form is None or match is None or clause.form.base in _NO_OBJECT:
        return
    thing = match["thing"]
    if is_name(thing) or _is_role(thing) or re.search(rf"{DATE}|{UNIT}\b", thing):
        return
    question = f"what {_turned(clause, match['behind'])}"
    yield Asked(_with_lead(clause, question), thing, Kind.SINGLE_FACT)


def _agents(clause: Clause) -> Iterator[Asked]:
    """`A was kept by Ann` -> by whom was A kept."""
    match = _BY.fullmatch(clause.rest)
    if match is None or clause.verb not in ("is", "are", "was", "were") or not is_participle(match["verb"]):
        return
    agent = match["agent"].strip()
    if is_person(agent) or _is_role(agent):
        rest = f"{match['verb']} {match['before']}{match['behind'].strip()}".strip()
        yield Asked(_with_lead(clause, f"by whom {_turned(clause, rest)}"), agent, Kind.SINGLE_FACT)


def _places(clause: Clause) -> Iterator[Asked]:
    match = _WHERE.fullmatch(clause.rest)
    if match is None or clause.verb not in ("is", "are", "was", "were") or match["verb"] not in _PLACED:
        return
    if not re.search(DATE, match["place"]):
        question = _with_lead(clause, f"where {_turned(clause, match['verb'])}")
        yield Asked(question, match["place"], Kind.SINGLE_FACT)


_RULES: tuple[Callable[[Clause], Iterator[Asked]], ...] = (
    _there,
    _counts,
    _counted_subject,
    _share_subject,
    _counts_in,
    _sizes,
    _amounts,
    _dates,
    _definitions,
    _subjects,
    _agents,
    _places,
    _objects,
)


def reads_well(question: str, answer: str) -> bool:
    """Whether a question ends, says what it is about, and asks for something that it does not say itself."""
    words = question.lower().rstrip("?").split()
    telling = {word for word in re.findall(r"[\w’'-]+", question) if word.lower() not in _UNTELLING}
    named = any(word[0].isupper() or word[0].isdigit() for word in telling)
    if not named and (len(telling) < FEWEST_TELLING or _ONE_NOUN.search(question)):
        return False
    last = words[-1].strip(",")
    if last in DETERMINERS - {"all"} or last in ("and", "or", "not", "only", "than", "that"):
        return False
    if last in _OTHER_PREPOSITIONS and not re.match(r"what (?:do|does|did|is|are) ", question.lower()):
        return False
    if POINTING & {word.strip(",.’'\"“”()") for word in words}:
        return False
    if answer.split()[0].lower() in ("that", "this", "these", "those", "it", "so", "not", "to"):
        return False
    if answer.split()[-1].lower() in PREPOSITIONS | DETERMINERS | {"similar", "and", "or", "just", "not"}:
        return False
    inside = f" {' '.join(words)} "
    return (
        (3 if named else 4) <= len(words) <= 30
        and f" {answer.lower()} " not in inside
        and len(answer.split()) <= 25
    )
