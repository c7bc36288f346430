"""Two runs over the same questions, compared metric by metric, with what can be claimed in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from rag.errors import InputError
from rag.eval.statistics.intervals import Numbers, cluster_units, mean_spread, symmetric_interval, unit_sums
from rag.eval.statistics.power import LEVEL, detectable_difference
from rag.eval.statistics.significance import holm, randomisation_test, wilcoxon

Values: TypeAlias = Mapping[str, Mapping[str, float]]
"""Metric name to question id to value."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of a metric from a baseline to the current run.

    `baseline` and `current` are its means over the questions asked in both runs, `n` those of them that it
    bears on in at least one run, `difference` is current less baseline, with its 95 % interval. `p_value`
    is of the randomisation test, `adjusted` that p-value after Holm over the metrics of the comparison,
    `wilcoxon` of the signed-rank test. `minimum_detectable` is the true difference that would be
    found four times in five at .05 over the number of metrics (None for one question). `significant` is
    `adjusted` of .05 or less, `worse` a significant loss. `words` say so. Where `of_these_documents`, the
    questions are of too few clusters for so many metrics, or of too uneven ones, and all this is for more
    questions about the same documents. `missed` counts the questions without a verdict in one of the runs,
    which are left out of all this.
    """

    metric: str
    n: int
    baseline: float
    current: float
    difference: float
    low: float
    high: float
    p_value: float
    wilcoxon: float
    adjusted: float
    minimum_detectable: float | None
    words: str
    significant: bool
    worse: bool
    of_these_documents: bool = False
    missed: int = 0


def compare(
    current: Values,
    baseline: Values,
    *,
    higher_is_better: Mapping[str, bool] | None = None,
    weights: Mapping[str, Callable[[float], float] | None] | None = None,
    clusters: Mapping[str, int] | None = None,
    missed: Mapping[str, Collection[str]] | None = None,
) -> list[Difference]:
    """Compare the metrics that both runs have, over the questions that both asked, in current's order.

    Args:
        current: metric name to question id to value; an id is left out where the metric does not bear on it.
        baseline: the same for the other run.
        higher_is_better: by metric name; True for those not named.
        weights: by metric name, what a value counts in its mean; 1 for those not named.
        clusters: question id to the number of its cluster; each its own unless given.
        missed: by metric name, the questions whose value in one of the runs lacks a verdict of the
            judge. They are left out: what a judge's outage makes of them is no difference of systems.

    A metric without a question in one of the runs is left out.

    Raises:
        InputError: a value is not a finite number.
    """
    asked = _questions(current) & _questions(baseline)
    pairs = []
    for name in current:
        kept = asked - set((missed or {}).get(name, ()))
        mine, theirs = (
            {q: v for q, v in run.get(name, {}).items() if q in kept} for run in (current, baseline)
        )
        if mine and theirs:
            pairs.append((name, mine, theirs))
    found = [
        _difference(
            name,
            mine,
            theirs,
            weight=(weights or {}).get(name) or (lambda value: 1.0),
            clusters=clusters,
            metrics=len(pairs),
        )
        for name, mine, theirs in pairs
    ]
    lost = {name: len(asked & set(questions)) for name, questions in (missed or {}).items()}
    adjusted = holm([difference.p_value for difference in found])
    higher = higher_is_better or {}
    return [
        _judged(
            replace(difference, adjusted=p, missed=lost.get(difference.metric, 0)),
            higher.get(difference.metric, True),
            len(found),
        )
        for difference, p in zip(found, adjusted, strict=True)
    ]


def fewest_units(metrics: int) -> int:
    """How many questions, or clusters, can show a difference in one of so many metrics.

    All exchanges of n units give a p-value of 2 / 2^n at the least, which Holm multiplies by their number.
    """
    return math.ceil(math.log2(2 * metrics / LEVEL))


def _questions(run: Values) -> set[str]:
    return {question for values in run.values() for question in values}


def _difference(
    name: str,
    current: Mapping[str, float],
    baseline: Mapping[str, float],
    *,
    weight: Callable[[float], float],
    clusters: Mapping[str, int] | None,
    metrics: int,
) -> Difference:
    if not all(map(math.isfinite, (*current.values(), *baseline.values()))):
        raise InputError(f"{name} has a value that is not a finite number: leave that question out")
    questions = sorted(current.keys() | baseline.keys())
    ours, theirs = _sums(questions, current, weight), _sums(questions, baseline, weight)
    units, few = cluster_units(len(questions), _labels(questions, clusters), fewest_units(metrics))
    mean, other = _mean(ours), _mean(theirs)
    low, high, detectable = -1.0, 1.0, None
    if units.max() > 0:
        # what each question adds to the difference, by linearisation
        parts = (ours[:, 0] - mean * ours[:, 1]) / ours[:, 1].mean()
        parts -= (theirs[:, 0] - other * theirs[:, 1]) / theirs[:, 1].mean()
        sizes = unit_sums(units, np.ones(len(units)))
        spread = mean_spread(unit_sums(units, parts), sizes, sizes)
        low, high = symmetric_interval(mean - other, spread)
        detectable = detectable_difference(spread, metrics)
    both = [current[q] - baseline[q] for q in questions if q in current and q in baseline]
    return Difference(
        metric=name,
        n=len(questions),
        baseline=other,
        current=mean,
        difference=mean - other,
        low=low,
        high=high,
        p_value=randomisation_test(_by_unit(ours, units), _by_unit(theirs, units)),
        wilcoxon=wilcoxon(both),
        adjusted=1.0,
        minimum_detectable=detectable,
        words="",
        significant=False,
        worse=False,
        of_these_documents=few,
    )


def _sums(questions: Sequence[str], values: Mapping[str, float], weight: Callable[[float], float]) -> Numbers:
    """Give for each question its weighted value and its weight, 0 and 0 where it has none: `(n, 2)`."""
    rows = [
        (weight(values[q]) * values[q], weight(values[q])) if q in values else (0.0, 0.0) for q in questions
    ]
    return np.asarray(rows, dtype=np.float64)


def _labels(questions: Sequence[str], clusters: Mapping[str, int] | None) -> npt.NDArray[np.int64] | None:
    if clusters is None:
        return None
    alone = -1  # a question that no cluster has is one of its own
    labels = []
    for question in questions:
        labels.append(clusters.get(question, alone))
        alone -= question not in clusters
    return np.asarray(labels)


def _by_unit(sums: Numbers, units: npt.NDArray[np.int64]) -> Numbers:
    return np.column_stack([unit_sums(units, column) for column in sums.T])


def _mean(sums: Numbers) -> float:
    return math.fsum(sums[:, 0]) / math.fsum(sums[:, 1])


def _judged(found: Difference, higher_is_better: bool, metrics: int) -> Difference:
    significant = found.adjusted <= LEVEL
    better = (found.difference > 0) == higher_is_better
    if significant:
        taken = f" taken with {metrics - 1} other metrics" if metrics > 1 else ""
        words = (
            f"{'better' if better else 'worse'} by {abs(found.difference):.3f} "
            f"({found.low:+.3f} to {found.high:+.3f}), p {found.adjusted:.4f}{taken}"
        )
    else:
        words = f"no difference can be claimed with {found.n} questions"
        if found.difference == 0 and found.minimum_detectable == 0:
            words = f"the same in all {found.n} questions"
        elif found.minimum_detectable:
            least = f"{found.minimum_detectable:.3f}"
            words += f": one below {least} would be missed more often than one time in five"
        fewest = fewest_units(metrics)
        if found.n < fewest and found.difference:
            words += f"; with {metrics} metrics no fewer than {fewest} questions can show one"
    if found.of_these_documents:
        words += "; for questions about these documents alone"
        words += f", too few or too uneven for {metrics} metrics" if metrics > 1 else ""
    if found.missed:
        words += f"; {found.missed} left out, without a verdict in one of the runs"
    return replace(found, significant=significant, worse=significant and not better, words=words)
