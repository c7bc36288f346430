"""A question set run against a system: a row a question, means with intervals, and files of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Protocol, TypeVar

from rag.errors import InputError, RagError
from rag.eval.answers import answer_words
from rag.eval.bootstrap import Estimate, estimate_mean
from rag.eval.catalogue import default_metrics, metric_named
from rag.eval.metric import Metric
from rag.eval.questions import Question, read_questions
from rag.eval.report import Evaluation, Row, write_evaluation
from rag.eval.sample import Sample, Score
from rag.protocols import Judge
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


def evaluate(
    kb: KnowledgeBase,
    questions: str | Path | Sequence[Question],
    *,
    metrics: Sequence[str] | None = None,
    out: str | Path | None = None,
    k: int = 10,
    judge: Judge | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Run every question and measure what comes back.

    Args:
        kb: the system; it is searched, or asked, only where a metric needs that.
        questions: a question file, or questions.
        metrics: names of measures of places (`Recall@10`) and of `METRICS`; all that the judge, where
            there is one, allows, at k and Success also at 1, unless given.
        out: a folder to write `results.jsonl`, `timings.jsonl` and `summary.json` to.
        k: how many hits to search for; a metric's cutoff raises it.
        judge: what judges answers, for the metrics that need it.
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
    chosen = _chosen(metrics, k, judge)
    folder = _make_folder(Path(out)) if out is not None else None
    rows = []
    for question in questions:
        rows.append(_run_question(kb, question, chosen, k, judge))
        if progress:
            progress(len(rows), len(questions))
    evaluation = Evaluation(
        summary=_summarise(rows, chosen),
        by_kind={
            kind: _summarise([row for row in rows if row.question.kind == kind], chosen)
            for kind in sorted({question.kind for question in questions} - {""})
        },
        counts=_count(rows),
        rows=tuple(rows),
    )
    if folder is not None:
        write_evaluation(evaluation, folder)
    return evaluation


def _chosen(metrics: Sequence[str] | None, k: int, judge: Judge | None) -> list[Metric]:
    if metrics is None:
        every = map(metric_named, default_metrics(k))
        return [metric for metric in every if judge is not None or "judge" not in metric.needs]
    chosen = [metric_named(name) for name in dict.fromkeys(metrics)]
    unjudged = next((metric.name for metric in chosen if judge is None and "judge" in metric.needs), None)
    if unjudged is not None:
        raise InputError(f"{unjudged} needs a judge: give one, or leave the metric out")
    return chosen


def _make_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}; name a folder") from error
    return folder


def _run_question(
    kb: KnowledgeBase, question: Question, metrics: Sequence[Metric], k: int, judge: Judge | None
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
    if any("search" in metric.needs for metric in metrics):
        depth = max(k, *(metric.depth for metric in metrics))
        hits = attempt("search", lambda: kb.search(question.user_input, k=depth)) or ()
    if any("answer" in metric.needs for metric in metrics):
        answer = attempt("ask", lambda: kb.ask(question.user_input))
    sample = _sample(kb, question, hits, answer)
    scores = {metric.name: metric.measure(sample, judge) for metric in metrics}
    given: dict[str, Score] = {name: score for name, score in scores.items() if score is not None}
    return Row(
        question=question,
        hits=tuple(hits),
        answer=answer,
        scores={name: score.value for name, score in given.items()},
        judged={name: score for name, score in given.items() if score.grounds or score.missed},
        failure="; ".join(failures),
        timings_ms=timings,
    )


def _sample(kb: KnowledgeBase, question: Question, hits: Sequence[Hit], answer: Answer | None) -> Sample:
    given = hits if answer is None else answer.contexts
    return Sample(
        question,
        response="" if answer is None or answer.abstained else answer_words(answer),
        retrieved_contexts=tuple(hit.chunk.text for hit in given),
        retrieved_context_ids=tuple(hit.chunk.id for hit in given),
        abstained=answer is not None and answer.abstained,
        confidence=None if answer is None else answer.confidence,
        hits=tuple(hits),
        answer=answer,
        document=getattr(kb, "document", None),
    )


def _summarise(rows: Sequence[Row], metrics: Sequence[Metric]) -> dict[str, Estimate]:
    summary = {}
    for metric in metrics:
        values = [row.scores[metric.name] for row in rows if metric.name in row.scores]
        weights = [metric.weight(value) for value in values] if metric.weight else None
        summary[metric.name] = estimate_mean(values, weights)
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
