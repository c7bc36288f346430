"""Two runs over the same questions, compared metric by metric, with what can be claimed in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from rag.eval.power import LEVEL, detectable_difference
from rag.eval.significance import Numbers, holm, randomisation_test, wilcoxon

Values: TypeAlias = Mapping[str, Mapping[str, float]]
"""Metric name to question id to value."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of a metric from a baseline to the current run.

    `baseline` and `current` are its means over the questions asked in both runs, `n` those of them that it
    bears on in at least one run, `difference` is current less baseline, with its 95 % interval. `p_value`
    is of the randomisation test, `adjusted` that p-value after Holm over the metrics of the comparison,
    `wilcoxon` of the signed-rank test. `minimum_detectable` is the true difference that would be
    found four times in five (None for one question). `significant` is `adjusted` of .05 or less, `worse` a
    significant loss. `words` say so.
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


def compare(
    current: Values,
    baseline: Values,
    *,
    higher_is_better: Mapping[str, bool] | None = None,
    weights: Mapping[str, Callable[[float], float] | None] | None = None,
    clusters: Mapping[str, int] | None = None,
) -> list[Difference]:
    """Compare the metrics that both runs have, over the questions that both asked, in current's order.

    Args:
        current: metric name to question id to value; an id is left out where the metric does not bear on it.
        baseline: the same for the other run.
        higher_is_better: by metric name; True for those not named.
        weights: by metric name, what a value counts in its mean; 1 for those not named.
        clusters: question id to the number of its cluster; each its own unless given.

    A metric without a question in one of the runs is left out.
    """
    asked = _questions(current) & _questions(baseline)
    found = []
    for name in current:
        if name not in baseline:
            continue
        pair = ({q: v for q, v in run[name].items() if q in asked} for run in (current, baseline))
        weight = (weights or {}).get(name) or (lambda value: 1.0)
        difference = _difference(name, *pair, weight=weight, clusters=clusters)
        if difference is not None:
            found.append(difference)
    adjusted = holm([difference.p_value for difference in found])
    higher = higher_is_better or {}
    return [
        _judged(replace(difference, adjusted=p), higher.get(difference.metric, True), len(found))
        for difference, p in zip(found, adjusted, strict=True)
    ]


def _questions(run: Values) -> set[str]:
    return {question for values in run.values() for question in values}


def _difference(
    name: str,
    current: Mapping[str, float],
    baseline: Mapping[str, float],
    *,
    weight: Callable[[float], float],
    clusters: Mapping[str, int] | None,
) -> Difference | None:
    if not current or not baseline:
        return None
    questions = sorted(current.keys() | baseline.keys())
    units: dict[str, str | int] = {q: (clusters or {}).get(q, q) for q in questions}
    numbers = {unit: number for number, unit in enumerate(dict.fromkeys(units.values()))}
    ours, theirs = np.zeros((len(numbers), 2)), np.zeros((len(numbers), 2))
    for question in questions:
        row = numbers[units[question]]
        for sums, values in ((ours, current), (theirs, baseline)):
            if question in values:
                w = weight(values[question])
                sums[row] += (w * values[question], w)
    mean, other = _mean(ours), _mean(theirs)
    # what each unit adds to the difference, by linearisation
    parts = (ours[:, 0] - mean * ours[:, 1]) / ours[:, 1].mean()
    parts -= (theirs[:, 0] - other * theirs[:, 1]) / theirs[:, 1].mean()
    detectable = detectable_difference(parts.tolist())
    half = 1.0 if detectable is None else detectable * 1.96 / 2.8
    both = [current[q] - baseline[q] for q in questions if q in current and q in baseline]
    return Difference(
        metric=name,
        n=len(questions),
        baseline=other,
        current=mean,
        difference=mean - other,
        low=mean - other - half,
        high=mean - other + half,
        p_value=randomisation_test(ours, theirs),
        wilcoxon=wilcoxon(both),
        adjusted=1.0,
        minimum_detectable=detectable,
        words="",
        significant=False,
        worse=False,
    )


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
        if found.minimum_detectable is not None:
            words += f": one below {found.minimum_detectable:.3f} would not be seen"
    return replace(found, significant=significant, worse=significant and not better, words=words)
