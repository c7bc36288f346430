"""Every metric by its name. Those that ragas has too bear the names it gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import TypeAlias

from rag.errors import InputError
from rag.eval.metric import Metric
from rag.eval.metrics.alce import ALCE
from rag.eval.metrics.answers import (
    citation_precision,
    citation_recall,
    citation_validity,
    exact_match,
    refusal_precision,
    refusal_recall,
    token_f1,
)
from rag.eval.metrics.calibration import CALIBRATION
from rag.eval.metrics.context_gold import GOLD_CONTEXTS
from rag.eval.metrics.context_precision import CONTEXT_PRECISION, CONTEXT_UTILIZATION
from rag.eval.metrics.context_recall import CONTEXT_RECALL
from rag.eval.metrics.correctness import CORRECTNESS
from rag.eval.metrics.entities import CONTEXT_ENTITY_RECALL
from rag.eval.metrics.faithfulness import FAITHFULNESS
from rag.eval.metrics.noise import NOISE_SENSITIVITY
from rag.eval.metrics.relevancy import ANSWER_RELEVANCY
from rag.eval.metrics.rouge import best_rouge_l
from rag.eval.metrics.set_metric import SetMetric
from rag.eval.metrics.similarity import SEMANTIC_SIMILARITY
from rag.eval.metrics.strings import string_present, string_similarity, verbatim_match
from rag.eval.metrics.support import SUPPORT
from rag.eval.questions import Question
from rag.eval.retrieval import (
    PLACE_FORMULAS,
    PLACE_MEASURES,
    RANKING_MEASURES,
    is_place_measure,
    parse_place_measure,
)
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
    if not is_place_measure(name.partition("@")[0]):
        raise InputError(_unknown(name))
    measure = parse_place_measure(name)

    def of_sample(sample: Sample, judge: Judge | None) -> Score | None:
        return _score(measure(sample.hits, sample.question))

    formula = PLACE_FORMULAS[measure.name].format(k=measure.cutoff)
    return Metric(name, of_sample, frozenset({"search"}), formula, depth=measure.cutoff)


def default_metrics(k: int = 10) -> tuple[str, ...]:
    """The metrics of an evaluation that names none; those that need a judge are for where there is one.

    Left to be named are those that say what another says with less effort: see docs/metrics.md.
    """
    return tuple(dict.fromkeys(("Success@1", *(f"{name}@{k}" for name in PLACE_MEASURES), *_BY_DEFAULT)))


def _unknown(name: str) -> str:
    places = dict.fromkeys(PLACE_MEASURES + RANKING_MEASURES)
    known = [*(f"{measure}@10" for measure in places), *METRICS, *SET_METRICS]
    folded = {each.lower(): each for each in known}
    near = get_close_matches(name.lower().replace("-", "_"), folded, n=3, cutoff=0.6)
    part = [each for each in known if name and (name.lower() in each.lower() or each in name)][:3]
    likely = list(dict.fromkeys([folded[each] for each in near] + part))
    guess = f"did you mean {' or '.join(likely)}? " if likely else ""
    return f"no metric {name!r}: {guess}There are {', '.join(known)}"


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


def _nearest(distance: str) -> Callable[[str, tuple[str, ...]], float]:
    return lambda text, references: max(string_similarity(text, each, distance) for each in references)


_STRINGS = tuple(
    _of_words(
        f"non_llm_string_similarity{'' if distance == 'levenshtein' else '_' + distance}",
        _nearest(distance),
        f"1 - normalised {distance.replace('_', '-').title()} distance, to the nearest reference",
    )
    for distance in ("levenshtein", "hamming", "jaro", "jaro_winkler")
)
_ROUGE = (
    _of_words("rouge_score", lambda text, gold: best_rouge_l(text, gold).f, "ROUGE-L F1, stemmed words"),
    _of_words(
        "rouge_score_precision",
        lambda text, gold: best_rouge_l(text, gold).precision,
        "longest common subsequence of words / words of the response",
    ),
    _of_words(
        "rouge_score_recall",
        lambda text, gold: best_rouge_l(text, gold).recall,
        "longest common subsequence of words / words of the reference",
    ),
)
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
    *_ROUGE,
    _of_words("verbatim_match", verbatim_match, "1 where the response is a reference to the character"),
    _of_words("string_present", string_present, "1 where a reference stands in the response"),
    *_STRINGS,
    Metric("citation_validity", _validity, frozenset({"answer"}), "exact citations / citations and marks"),
    _of_answer("citation_recall", citation_recall, "gold characters cited / gold characters"),
    _of_answer("citation_precision", citation_precision, "gold characters cited / characters cited"),
    *ALCE,
    FAITHFULNESS,
    ANSWER_RELEVANCY,
    CONTEXT_PRECISION,
    CONTEXT_UTILIZATION,
    CONTEXT_RECALL,
    CONTEXT_ENTITY_RECALL,
    *GOLD_CONTEXTS,
    *NOISE_SENSITIVITY,
    *CORRECTNESS,
    *SUPPORT,
    SEMANTIC_SIMILARITY,
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ALL}
SET_METRICS: Mapping[str, SetMetric] = {metric.name: metric for metric in CALIBRATION}
"""Metrics of the set as a whole, of the answers that any evaluation asks for."""

_BY_DEFAULT = (
    "refusal_precision",
    "refusal_recall",
    "refusal_f1",
    "exact_match",
    "token_f1",
    "rouge_score",
    "citation_validity",
    "citation_recall",
    "citation_precision",
    "alce_citation_recall",
    "alce_citation_precision",
    "faithfulness",
    "context_precision",
    "context_recall",
    "answer_correctness",
    "reference_support",
    "semantic_similarity",
)
