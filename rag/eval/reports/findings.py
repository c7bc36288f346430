"""What a report says of an evaluation, worked out once for the page and for Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rag.errors import InputError
from rag.eval.catalogue import metric_named
from rag.eval.failures.diagnosis import FIXES, FailureMode, count_failures
from rag.eval.metrics.calibration import CALIBRATION, Bin, calibration_error, outcome, reliability_bins
from rag.eval.report import Comparison, Evaluation, Row
from rag.eval.statistics.bootstrap import Estimate
from rag.eval.statistics.comparison import Difference
from rag.eval.statistics.intervals import wilson_interval

FEW_OF_MANY = ("P", "SpanPrecision", "SpanIoU")
"""Measures that are small for the best search too: of ten hits few characters can be gold."""


@dataclass(frozen=True, slots=True)
class MetricLine:
    """A metric as a reader is shown it.

    `detectable` is the difference to another run of this size that would be found four times in five, None
    where that cannot be told. `judged` says whether the judge had a part in it.
    """

    name: str
    estimate: Estimate
    formula: str
    higher_is_better: bool
    judged: bool
    detectable: float | None
    baseline: float | None


@dataclass(frozen=True, slots=True)
class FailureLine:
    """A mode of failure: how many answers have it, which questions, and the fix that it suggests."""

    mode: FailureMode
    count: int
    questions: tuple[str, ...]
    fix: str


@dataclass(frozen=True, slots=True)
class Calibrated:
    """How sure the answers were against how right: bins, Wilson's interval of each, and the ECE."""

    bins: tuple[Bin, ...]
    intervals: tuple[tuple[float, float] | None, ...]
    error: float
    n: int


def metric_lines(evaluation: Evaluation) -> tuple[MetricLine, ...]:
    """Every metric that bears on a question, in the order of the summary."""
    described = evaluation.setup.get("metrics")
    known = described if isinstance(described, dict) else {}
    means = evaluation.comparison.means if evaluation.comparison else {}
    lines = []
    for name, estimate in {**evaluation.summary, **evaluation.statistics}.items():
        formula, higher, judged = _told(name, known.get(name))
        lines.append(
            MetricLine(
                name,
                estimate,
                formula,
                higher,
                judged,
                estimate.detectable if math.isfinite(estimate.detectable) else None,
                means.get(name),
            )
        )
    return tuple(line for line in lines if line.estimate.n)


def _told(name: str, described: object) -> tuple[str, bool, bool]:
    """The formula of a metric, whether more of it is better, and whether a judge has a part in it."""
    if isinstance(described, dict):
        higher = described.get("higher_is_better", True) is not False
        return str(described.get("formula") or ""), higher, described.get("judged") is True
    of_set = next((each for each in CALIBRATION if each.name == name), None)
    if of_set is not None:
        return of_set.formula, of_set.higher_is_better, False
    try:
        metric = metric_named(name)
    except InputError:
        return "", True, False
    return metric.formula, metric.higher_is_better, "judge" in metric.needs


def lower_is_better(evaluation: Evaluation) -> frozenset[str]:
    """The metrics of which less is better."""
    return frozenset(line.name for line in metric_lines(evaluation) if not line.higher_is_better)


def mean_score(row: Row, lower: frozenset[str]) -> float | None:
    """The mean over a row's scores, those in `lower` turned round, without those that are always small.

    None where it has none.
    """
    scores = {name: value for name, value in row.scores.items() if not is_small(name)}
    good = [1 - value if name in lower else value for name, value in scores.items()]
    return math.fsum(good) / len(good) if good else None


def is_small(metric: str) -> bool:
    """Whether a good search has a small value too, so that it is no sign of anything wrong."""
    return metric.partition("@")[0] in FEW_OF_MANY


def worst_rows(evaluation: Evaluation, most: int) -> tuple[Row, ...]:
    """At most `most` rows, the worst first: those that failed, that are diagnosed, that score below a half.

    Each part is in the order of its mean scores, ties in that of the questions.
    """
    lower = lower_is_better(evaluation)

    def badness(row: Row) -> tuple[int, float]:
        mean = mean_score(row, lower)
        return (0 if row.failure else 1 if row.diagnosis else 2), 1.0 if mean is None else mean

    rows = sorted(evaluation.rows, key=badness)
    return tuple(row for row in rows if badness(row) < (2, 0.5))[:most]


def is_wrong(row: Row) -> bool:
    """Whether a question was answered wrongly, or refused wrongly."""
    return row.right is False or row.diagnosis is not None


def outcome_words(row: Row) -> tuple[str, str]:
    """What became of a question, in words, and how that is shown: `bad-cell` or nothing."""
    if row.failure:
        return "failed", "bad-cell"
    if row.diagnosis:
        return row.diagnosis.mode.words, "bad-cell"
    if is_wrong(row):
        return "wrong", "bad-cell"
    if row.answer is None:
        return "searched", ""
    return ("refused" if row.answer.abstained else "answered"), ""


def lead(evaluation: Evaluation) -> str:
    """What the evaluation found, in a sentence or two."""
    rows = evaluation.rows
    wrong = sum(map(is_wrong, rows))
    asked = f"{len(rows)} question{'' if len(rows) == 1 else 's'}"
    lines = failure_lines(evaluation)
    if not any(row.answer for row in rows):
        return f"{asked} searched for."
    if not wrong:
        return f"{asked} asked; nothing that can be checked was answered or refused wrongly."
    most = max(lines, key=lambda line: line.count, default=None)
    often = f"; most often {most.mode.words} ({most.count})" if most else ""
    return f"{asked} asked, {wrong} answered or refused wrongly{often}."


def failure_lines(evaluation: Evaluation) -> tuple[FailureLine, ...]:
    """The modes of failure that there are, in the order of the pipeline."""
    counted = count_failures(row.diagnosis for row in evaluation.rows)
    return tuple(
        FailureLine(
            mode,
            counted[mode.value],
            tuple(r.question.id for r in evaluation.rows if r.diagnosis and r.diagnosis.mode is mode),
            FIXES[mode],
        )
        for mode in FailureMode
        if mode.value in counted
    )


def calibrated(rows: Sequence[Row]) -> Calibrated | None:
    """How sure the answers were against how right; None where none can be told right or wrong."""
    found = [outcome(row.right, row.answer) for row in rows]
    known = [each for each in found if each is not None]
    confidence = np.array([each.confidence for each in known], dtype=np.float64)
    right = np.array([each.right for each in known], dtype=np.bool_)
    error = calibration_error(confidence, right)
    if error is None:
        return None
    bins = tuple(reliability_bins(confidence, right))
    return Calibrated(bins, tuple(map(_interval, bins)), error, len(known))


def _interval(each: Bin) -> tuple[float, float] | None:
    """The 95 % interval of a bin's share."""
    return None if each.accuracy is None else wilson_interval(each.accuracy * each.n, each.n)


def refusals(rows: Sequence[Row]) -> dict[tuple[bool | None, bool], int]:
    """How many questions were answerable (None: not known) and were answered, or not; failures left out."""
    counted: dict[tuple[bool | None, bool], int] = {}
    for row in rows:
        if row.answer is not None:
            key = row.question.answerable, not row.answer.abstained
            counted[key] = counted.get(key, 0) + 1
    return counted


def headline(evaluation: Evaluation) -> tuple[tuple[str, str], ...]:
    """What was run, as names and values."""
    setup = evaluation.setup
    questions, system = _mapping(setup.get("questions")), _mapping(setup.get("system"))
    commits = sorted({row.answer.index_commit for row in evaluation.rows if row.answer is not None})
    models = sorted({row.answer.model for row in evaluation.rows if row.answer is not None})
    drawn = [f"{name} {questions[name]}" for name in ("split", "sample") if questions.get(name)]
    said = {
        "questions": ", ".join([_called(questions, len(evaluation.rows)), *drawn]),
        "digest of the questions": str(questions.get("digest") or "")[:16],
        "index": f"commit {', '.join(map(str, commits))}" if commits else str(system.get("commit", "")),
        "documents": str(system.get("documents", "")),
        "encoder": str(system.get("encoder") or ""),
        "answers by": ", ".join(models),
        "judge": str(setup.get("judge") or "none"),
        "k": str(setup.get("k", "")),
        "rag": str(_mapping(setup.get("rag")).get("version") or ""),
    }
    return tuple((name, value) for name, value in said.items() if value)


def _called(questions: Mapping[str, object], count: int) -> str:
    """What the questions are called: by who gave them, by their file, or else by their number."""
    name = questions.get("name") or questions.get("file")
    return str(name) if name else f"{count} question{'' if count == 1 else 's'}"


def settings_lines(value: Mapping[str, object], above: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as dotted names and values; those of metrics are shown elsewhere."""
    for name, each in value.items():
        if not above and name == "metrics":
            continue
        if isinstance(each, Mapping):
            yield from settings_lines(each, f"{above}{name}.")
        elif each not in (None, "", [], ()):
            yield f"{above}{name}", str(each)


def got_worse(evaluation: Evaluation) -> tuple[tuple[Row, str, float, float], ...]:
    """The questions that have a lower mean score than in the baseline, by most: row, metric, before, now.

    The metric is the one that fell most.
    """
    comparison = evaluation.comparison
    if comparison is None:
        return ()
    lower = lower_is_better(evaluation)
    found = []
    for row in evaluation.rows:
        before = comparison.earlier.get(row.question.id)
        both = [] if before is None else [name for name in row.scores if name in before.scores]
        if before is None or not both:
            continue
        falls = {n: (row.scores[n] - before.scores[n]) * (1 if n in lower else -1) for n in both}
        total = math.fsum(falls.values())
        name = max(both, key=lambda each: falls[each])
        if total > 1e-9:
            found.append((total, (row, name, before.scores[name], row.scores[name])))
    return tuple(each for _, each in sorted(found, key=lambda pair: -pair[0]))


def tone(difference: Difference) -> str:
    """How a difference is shown: `better`, `worse`, or `same` where none can be claimed."""
    if not difference.significant:
        return "same"
    return "worse" if difference.worse else "better"


def claim(difference: Difference) -> str:
    """What can be claimed of a difference, its numbers left out."""
    if difference.significant:
        said = "worse" if difference.worse else "better"
    elif difference.low == difference.high == 0:
        said = "the same"
    elif difference.minimum_detectable is not None and difference.minimum_detectable <= 1:
        said = f"not significant; one below {difference.minimum_detectable:.3f} would not be seen"
    else:
        said = "not significant"
    return f"{said}, for these documents alone" if difference.of_these_documents else said


def verdict(comparison: Comparison) -> str:
    """What a comparison comes to, in words."""
    worse = [each.metric for each in comparison.differences if each.worse]
    better = [each.metric for each in comparison.differences if each.significant and not each.worse]
    if not comparison.differences:
        return "Only means can be compared: there is no test of a difference."
    parts = [f"worse in {', '.join(worse)}"] if worse else []
    parts += [f"better in {', '.join(better)}"] if better else []
    if not parts:
        asked = max(each.n for each in comparison.differences)
        return f"No difference can be claimed in any metric, with {asked} questions."
    return f"Significantly {' and '.join(parts)}."


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
