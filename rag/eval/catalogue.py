"""Every metric by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from rag.errors import InputError
from rag.eval.answers import (
    citation_precision,
    citation_recall,
    citation_validity,
    exact_match,
    refusal_precision,
    refusal_recall,
    token_f1,
)
from rag.eval.metric import Metric
from rag.eval.questions import Question
from rag.eval.retrieval import PLACE_MEASURES, parse_place_measure
from rag.eval.sample import Sample, Score
from rag.protocols import Judge
from rag.types import Answer

_OfAnswer: TypeAlias = Callable[[Answer, Question], float | None]


def metric_named(name: str) -> Metric:
    """The metric of that name: one of `METRICS`, or a measure of places such as `Recall@10`.

    Raises:
        InputError: There is none.
    """
    if name in METRICS:
        return METRICS[name]
    if name.partition("@")[0] not in PLACE_MEASURES:
        known = ", ".join((*(f"{measure}@10" for measure in PLACE_MEASURES), *METRICS))
        raise InputError(f"no metric {name!r}: use {known}")
    measure = parse_place_measure(name)

    def of_sample(sample: Sample, judge: Judge | None) -> Score | None:
        return _score(measure(sample.hits, sample.question))

    return Metric(name, of_sample, frozenset({"search"}), depth=measure.cutoff)


def default_metrics(k: int = 10) -> tuple[str, ...]:
    """The metrics of an evaluation that names none."""
    return tuple(dict.fromkeys(("Success@1", *(f"{name}@{k}" for name in PLACE_MEASURES), *METRICS)))


def _of_answer(name: str, function: _OfAnswer, formula: str) -> Metric:
    def of_sample(sample: Sample, judge: Judge | None) -> Score | None:
        # one that failed is neither an answer nor a refusal
        answer = sample.answer or Answer(sample.question.user_input, "", (), (), (), False, 0.0, "")
        return _score(function(answer, sample.question))

    return Metric(name, of_sample, frozenset({"answer"}), formula)


def _of_words(name: str, function: Callable[[str, tuple[str, ...]], float], formula: str) -> Metric:
    def of_sample(sample: Sample, judge: Judge | None) -> Score | None:
        question = sample.question
        if question.answerable is False or not question.answers:
            return None
        return _score(function(sample.response, question.answers))

    return Metric(name, of_sample, frozenset({"answer"}), formula)


def _validity(sample: Sample, judge: Judge | None) -> Score | None:
    if sample.answer is None or sample.document is None:
        return None
    return _score(citation_validity(sample.answer, sample.document))


def _refusal_f1(answer: Answer, question: Question) -> float | None:
    right = refusal_precision(answer, question)
    return refusal_recall(answer, question) if right is None else right


def _score(value: float | None) -> Score | None:
    return None if value is None else Score(value)


_ALL = (
    _of_answer("refusal_precision", refusal_precision, "right refusals / refusals"),
    _of_answer("refusal_recall", refusal_recall, "right refusals / unanswerable questions"),
    # F1 = 2 tp / (2 tp + fp + fn): a mean over refusals right, wrong and missed, the right ones twice
    replace(
        _of_answer("refusal_f1", _refusal_f1, "harmonic mean of refusal precision and recall"),
        weight=lambda value: 1 + value,
    ),
    _of_words("exact_match", exact_match, "1 where the normalised words are those of a reference"),
    _of_words("token_f1", token_f1, "F1 of words, repeated ones counted, with the best reference"),
    Metric("citation_validity", _validity, frozenset({"answer"}), "exact citations / citations and marks"),
    _of_answer("citation_recall", citation_recall, "gold characters cited / gold characters"),
    _of_answer("citation_precision", citation_precision, "gold characters cited / characters cited"),
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ALL}
