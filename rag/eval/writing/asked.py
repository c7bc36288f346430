"""What a rule makes of a clause, and how the rest of the clause is put into a question."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rag.eval.writing.clauses import Clause
from rag.eval.writing.draft import Kind
from rag.eval.writing.shapes import NUMERAL

_PEOPLE = frozenset(
    "director manager officer captain master council committee head chair leader founder editor author "
    "engineer purser mate government parliament president king queen emperor team department ministry".split()
)
INNER = re.compile(
    r"\b(?:that|whether|when|which|who|whom|if|where|because|and|or|not|than|as)\b", re.IGNORECASE
)
"""Words behind which another clause begins."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a rule made: a question without its first capital, the answer, and its kind."""

    question: str
    answer: str
    kind: Kind
    answers: tuple[str, ...] = ()


def turned(clause: Clause, rest: str) -> str:
    """Auxiliary, subject, verb and `rest` in the order of a question, with the lead behind."""
    before, behind = clause.question_verb
    return " ".join(part for part in (before, clause.subject, behind, rest.strip(" ,")) if part)


def with_lead(clause: Clause, question: str) -> str:
    """The question, with what stood before the subject behind it, as `In 2023, ...` is put."""
    if not clause.lead:
        return question
    if clause.lead.startswith(("if ", "when ", "where ")):
        return f"{question} {clause.lead}"
    return f"{clause.lead}, {question}"


def is_role(text: str) -> bool:
    """Whether it is somebody by an office: `the head of safety`."""
    words = re.split(r" (?:of|in|for|at|on|to|from|since) |,", text.lower())[0].split()
    return len(words) > 1 and words[0] in ("the", "a", "an") and words[-1] in _PEOPLE


def has_more(behind: str) -> bool:
    """Whether another number follows, as in `5 days for A and 7 for B`: then the first is no whole answer."""
    return re.search(rf"(?:\band\b|\bor\b|,).*\b{NUMERAL}", behind) is not None
