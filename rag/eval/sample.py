"""What is measured: a question with what came back for it, and the score that a metric gives it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rag.eval.questions import Question
from rag.types import Answer, Document, Hit, Judgement


@dataclass(frozen=True, slots=True)
class Sample:
    """A question and what a system made of it. The names are those of ragas.

    `response` is the answer's words without their marks, `""` where it abstained or failed.
    `retrieved_contexts` are the passages that it was answered from, best first, and
    `retrieved_context_ids` their ids; `hits` is what a search gave. `answer` is None where the system
    gave only words, and `confidence` None where it does not say. `document` finds a document by its id,
    where the system lets one.
    """

    question: Question
    response: str = ""
    retrieved_contexts: tuple[str, ...] = ()
    retrieved_context_ids: tuple[str, ...] = ()
    abstained: bool = False
    confidence: float | None = None
    hits: tuple[Hit, ...] = ()
    answer: Answer | None = None
    document: Callable[[str], Document] | None = None


@dataclass(frozen=True, slots=True)
class Ground:
    """What was judged, and how: a statement, a passage or a question asked back, with the verdict on it."""

    text: str
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Score:
    """What a metric gives one sample, 0..1 (a cosine can be below 0), and the grounds that it stands on.

    Where a judge gave no verdict it is counted against the answer, and its reason stands in `missed`.
    """

    value: float
    grounds: tuple[Ground, ...] = ()
    missed: tuple[str, ...] = ()
