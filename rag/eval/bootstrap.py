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
    """A mean over `n` questions and its 95 % interval; all NaN where n is 0."""

    mean: float
    low: float
    high: float
    n: int


def estimate_mean(values: Sequence[float], weights: Sequence[float] | None = None) -> Estimate:
    """Take the mean, weighted if weights (all above 0) are given, and its bootstrap percentile interval.

    Questions are drawn with replacement 1,000 times from a fixed seed, so equal values in
    equal order give equal intervals. The interval is for questions like these; for few of
    them, or where all values are equal, it is too narrow.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.
    """
    n = len(values)
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    weight = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    weighted = np.asarray(values, dtype=np.float64) * weight
    random = np.random.default_rng(SEED)
    means = np.empty(RESAMPLES)
    block = max(1, 2**20 // n)  # resamples at once: as many as fit in a few megabytes
    for at in range(0, RESAMPLES, block):
        drawn = random.integers(0, n, (min(block, RESAMPLES - at), n))
        means[at : at + block] = weighted[drawn].sum(axis=1) / weight[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Estimate(math.fsum(weighted) / math.fsum(weight), float(low), float(high), n)
