"""How far a mean over questions can be trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000
SEED = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over `n` questions and its 95 % interval; all NaN where n is 0.

    Of the `n`, `missed` have a value that a judge's missing verdict had a part in. Where `reliable` is
    false there are too few questions for the interval to be trusted.
    """

    mean: float
    low: float
    high: float
    n: int
    missed: int = 0
    reliable: bool = True


def estimate_mean(
    values: Sequence[float],
    weights: Sequence[float] | None = None,
    clusters: Sequence[int] | None = None,
    *,
    missed: int = 0,
) -> Estimate:
    """Take the mean, weighted if weights (all above 0) are given, and its bootstrap percentile interval.

    Questions are drawn with replacement 1,000 times from a fixed seed, so equal values in
    equal order give equal intervals. Values with equal numbers in `clusters` are drawn together. The
    interval is for questions like these; for few of them, or where all values are equal, it is too narrow.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.
    """
    n = len(values)
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0, missed)
    weight = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    weighted = np.asarray(values, dtype=np.float64) * weight
    mean = math.fsum(weighted) / math.fsum(weight)
    units = np.arange(n) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    totals, sizes = np.bincount(units, weighted), np.bincount(units, weight)
    random = np.random.default_rng(SEED)
    means = np.empty(RESAMPLES)
    block = max(1, 2**20 // n)  # resamples at once: as many as fit in a few megabytes
    for at in range(0, RESAMPLES, block):
        drawn = random.integers(0, len(totals), (min(block, RESAMPLES - at), len(totals)))
        means[at : at + block] = totals[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Estimate(mean, float(low), float(high), n, missed)
