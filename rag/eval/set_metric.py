"""A metric of a whole set of answers, which is no mean over its questions: calibration, ranking."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from rag.eval.bootstrap import RESAMPLES, SEED, Estimate
from rag.eval.questions import Question
from rag.types import Answer

Confidences: TypeAlias = npt.NDArray[np.float64]
Rights: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How sure a system was of an answer, 0..1, and whether the answer was right."""

    confidence: float
    right: bool


@dataclass(frozen=True, slots=True)
class SetMetric:
    """Gives the outcomes of a set of questions one number, or None where it is not defined for them.

    `outcome` gives what counts of one question, None where the metric does not bear on it; `measure` takes
    the confidences, float64 (n,), and whether each was right, bool (n,).
    """

    name: str
    outcome: Callable[[Question, Answer | None], Outcome | None]
    measure: Callable[[Confidences, Rights], float | None]
    formula: str
    higher_is_better: bool


def estimate_set(
    metric: SetMetric,
    answered: Iterable[tuple[Question, Answer | None]],
    clusters: Sequence[int] | None = None,
) -> Estimate:
    """The metric over the set with its 95 % bootstrap interval; NaN where it is not defined.

    Questions are drawn with replacement 1,000 times from a fixed seed, those with equal numbers in
    `clusters` together. Draws for which the metric is not defined (a ranking where all are right, or all
    wrong) are left out. `n` is the questions that it bears on.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.
    """
    outcomes = [metric.outcome(question, answer) for question, answer in answered]
    kept = [(at, each) for at, each in enumerate(outcomes) if each is not None]
    confidence = np.array([each.confidence for _, each in kept], dtype=np.float64)
    right = np.array([each.right for _, each in kept], dtype=np.bool_)
    value = metric.measure(confidence, right)
    if value is None:
        return Estimate(math.nan, math.nan, math.nan, len(kept))
    members = _members([at if clusters is None else clusters[at] for at, _ in kept])
    random = np.random.default_rng(SEED)
    values = []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([members[unit] for unit in random.integers(0, len(members), len(members))])
        again = metric.measure(confidence[drawn], right[drawn])
        values += [] if again is None else [again]
    low, high = np.percentile(values or [value], [2.5, 97.5])
    return Estimate(value, float(low), float(high), len(kept))


def _members(units: Sequence[int]) -> list[npt.NDArray[np.intp]]:
    """The places of each unit's members."""
    _, number = np.unique(np.asarray(units), return_inverse=True)
    return np.split(np.argsort(number, kind="stable"), np.cumsum(np.bincount(number))[:-1])
