"""A question set run against a system: a row a question, means with intervals, and files of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Protocol, TypeVar

from rag.errors import InputError, RagError
from rag.eval.answers import (
    answer_words,
    citation_precision,
    citation_recall,
    citation_validity,
    exact_match,
    refusal_precision,
    refusal_recall,
    token_f1,
)
from rag.eval.bootstrap import Estimate, estimate_mean
from rag.eval.questions import Question, read_questions
from rag.eval.report import Evaluation, Row, write_evaluation
from rag.eval.retrieval import PLACE_MEASURES, PlaceMeasure, parse_place_measure
from rag.types import Answer, Hit

_T = TypeVar("_T")


class KnowledgeBase(Protocol):
    """What is measured. One that also has `document(id) -> Document` gets its citations checked."""

    def search(self, question: str, /, *, k: int = 10) -> Sequence[Hit]:
        """Return at most k hits, best first."""
        ...

    def ask(self, question: str, /) -> Answer:
        """Answer, or abstain."""
        ...


ANSWER_METRICS = (
    "refusal_precision",
    "refusal_recall",
    "refusal_f1",
    "exact_match",
    "token_f1",
    "citation_validity",
    "citation_recall",
    "citation_precision",
)


def evaluate(
    kb: KnowledgeBase,
    questions: str | Path | Sequence[Question],
    *,
    metrics: Sequence[str] | None = None,
    out: str | Path | None = None,
    k: int = 10,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Run every question and measure what comes back.

    Args:
        kb: the system; it is searched, or asked, only where a metric needs that.
        questions: a question file, or questions.
        metrics: names of measures of places (`Recall@10`) and of `ANSWER_METRICS`; all of
            them, at k and Success also at 1, unless given.
        out: a folder to write `results.jsonl`, `timings.jsonl` and `summary.json` to.
        k: how many hits to search for; a metric's cutoff raises it.
        progress: called with the questions done and their total, after each.

    A `RagError` from the system is a failure of that question: it counts 0 in every metric
    that a miss would count 0 in, and its reason is in the row. Other errors pass through.

    Raises:
        InputError: no question, an unknown metric, k below 1, or `out` is no folder.
        QuestionFileError: the question file does not parse.
    """
    if k < 1:
        raise InputError(f"k is {k}: search for at least 1 hit")
    questions = read_questions(questions) if isinstance(questions, str | Path) else tuple(questions)
    if not questions:
        raise InputError("no questions to evaluate: give at least one")
    names = tuple(dict.fromkeys(default_metrics(k) if metrics is None else metrics))
    places = [parse_place_measure(name) for name in names if _is_place_measure(name)]
    wanted = [name for name in names if not _is_place_measure(name)]
    folder = _make_folder(Path(out)) if out is not None else None
    rows = []
    for question in questions:
        rows.append(_run_question(kb, question, places, wanted, k))
        if progress:
            progress(len(rows), len(questions))
    evaluation = Evaluation(
        summary=_summarise(rows, names),
        by_kind={
            kind: _summarise([row for row in rows if row.question.kind == kind], names)
            for kind in sorted({question.kind for question in questions} - {""})
        },
        counts=_count(rows),
        rows=tuple(rows),
    )
    if folder is not None:
        write_evaluation(evaluation, folder)
    return evaluation


def default_metrics(k: int = 10) -> tuple[str, ...]:
    """The metrics of an evaluation that names none."""
    return tuple(dict.fromkeys(("Success@1", *(f"{name}@{k}" for name in PLACE_MEASURES), *ANSWER_METRICS)))


def _is_place_measure(name: str) -> bool:
    if name in ANSWER_METRICS:
        return False
    if name.partition("@")[0] in PLACE_MEASURES:
        return True
    known = ", ".join((*(f"{measure}@10" for measure in PLACE_MEASURES), *ANSWER_METRICS))
    raise InputError(f"no metric {name!r}: use {known}")


def _make_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}; name a folder") from error
    return folder


def _run_question(
    kb: KnowledgeBase, question: Question, places: Sequence[PlaceMeasure], wanted: Sequence[str], k: int
) -> Row:
    timings: dict[str, float] = {}
    failures: list[str] = []

    def attempt(stage: str, call: Callable[[], _T]) -> _T | None:
        start = perf_counter()
        try:
            return call()
        except RagError as error:
            failures.append(f"{stage}: {type(error).__name__}: {error}")
            return None
        finally:
            timings[stage] = (perf_counter() - start) * 1000

    hits: Sequence[Hit] = ()
    answer = None
    if places:
        depth = max(k, *(measure.cutoff for measure in places))
        hits = attempt("search", lambda: kb.search(question.user_input, k=depth)) or ()
    if wanted:
        answer = attempt("ask", lambda: kb.ask(question.user_input))
    scores = {str(measure): measure(hits, question) for measure in places}
    scores |= {name: _score(name, answer, question, kb) for name in wanted}
    return Row(
        question=question,
        hits=tuple(hits),
        answer=answer,
        scores={name: value for name, value in scores.items() if value is not None},
        failure="; ".join(failures),
        timings_ms=timings,
    )


def _score(name: str, answer: Answer | None, question: Question, kb: KnowledgeBase) -> float | None:
    if answer is None:  # it failed: neither an answer nor a refusal
        answer = Answer(question.user_input, "", (), (), (), False, 0.0, "")
    match name:
        case "refusal_precision":
            return refusal_precision(answer, question)
        case "refusal_recall":
            return refusal_recall(answer, question)
        case "refusal_f1":
            right = refusal_precision(answer, question)
            return refusal_recall(answer, question) if right is None else right
        case "citation_validity":
            document = getattr(kb, "document", None)
            return None if document is None else citation_validity(answer, document)
        case "citation_recall":
            return citation_recall(answer, question)
        case "citation_precision":
            return citation_precision(answer, question)
    if question.answerable is False or not question.answers:
        return None
    words = "" if answer.abstained else answer_words(answer)
    return (exact_match if name == "exact_match" else token_f1)(words, question.answers)


def _summarise(rows: Sequence[Row], names: Sequence[str]) -> dict[str, Estimate]:
    summary = {}
    for name in names:
        values = [row.scores[name] for row in rows if name in row.scores]
        # F1 = 2 tp / (2 tp + fp + fn): a mean over refusals right, wrong and missed, the right ones twice
        weights = [1 + value for value in values] if name == "refusal_f1" else None
        summary[name] = estimate_mean(values, weights)
    return summary


def _count(rows: Sequence[Row]) -> dict[str, int]:
    given = [(row.answer.abstained, row.question.answerable) for row in rows if row.answer is not None]
    return {
        "questions": len(rows),
        "failed": sum(bool(row.failure) for row in rows),
        "answered": sum(not abstained for abstained, _ in given),
        "abstained": sum(abstained for abstained, _ in given),
        "right_refusals": given.count((True, False)),
        "wrong_refusals": given.count((True, True)),
        "wrong_answers": given.count((False, False)),
    }
