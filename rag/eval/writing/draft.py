"""What documents state, as it is taken from them, and the questions drafted from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rag.types import Span


class Kind(StrEnum):
    """What a question asks for. Only a language model writes a paraphrase."""

    SINGLE_FACT = "single_fact"
    NUMBER = "number"
    DATE = "date"
    DEFINITION = "definition"
    TABLE = "table"
    LIST = "list"
    COMPARISON = "comparison"
    MULTI_DOCUMENT = "multi_document"
    PARAPHRASE = "paraphrase"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A place that answers: the characters of `span` in the document of that id, verbatim."""

    document_id: str
    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A question that nobody has checked yet.

    `answer` is as it stands in the evidence, `answers` are other ways to say it. `statement` is question
    and answer as one assertion, which the evidence has to prove, and `hole` is where in it the answer
    stands, None where it stands in no one place. `names` are the words of the question by which it is
    about one thing and not another. Of an unanswerable one `missing` says what it asks for that no
    document states.
    """

    question: str
    answer: str
    kind: Kind
    evidence: tuple[Evidence, ...]
    statement: str
    hole: Span | None = None
    answers: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    missing: str = ""
