"""The standard error of a mean over questions, and the interval that it gives.

The error is the bootstrap's over questions, or over clusters of them, in closed form: what drawing
with replacement would come to after endless draws, corrected for few of them. The interval is Wilson's,
for a proportion, with that error in place of the binomial one; it stays inside the bounds
and has a width where all answers are right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rag.eval.statistics.student import t_quantile

Numbers = npt.NDArray[np.float64]

FEW_CLUSTERS = 6
FEW_EFFECTIVE = 4
Z = 1.959963984540054
"""The normal quantile of a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A variance of an estimate, and the degrees of freedom that it was estimated with.

    `independent` is how many equally weighted units would weigh as much as those there are.
    """

    variance: float
    degrees: float
    independent: float


def cluster_units(
    n: int, clusters: npt.NDArray[np.int64] | None, fewest: int = FEW_CLUSTERS
) -> tuple[npt.NDArray[np.int64], bool]:
    """Give each of n questions the number of its unit, from 0, and whether there were too few clusters.

    Units are the clusters. Fewer than `fewest` are too few to learn their spread from (and for any
    exchange of them to be significant), and so are those that are as uneven as fewer than 4 equal ones,
    as they are wherever one has half of the questions: then units are the questions, and what is found is
    for more questions about these same documents.

    Source: the effective number of unequal parts, one over the sum of squared shares, is Laakso and
    Taagepera 1979, Effective Number of Parties; for clusters: Carter, Schnepel and Steigerwald 2017,
    Asymptotic Behavior of a t-Test Robust to Cluster Heterogeneity.
    """
    if clusters is None:
        return np.arange(n), False
    numbers, units, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    effective = n**2 / float((sizes**2).sum())
    if len(numbers) < fewest or effective < FEW_EFFECTIVE:
        return np.arange(n), True
    # numbered as they come, which does not depend on how the clusters were numbered
    _, first = np.unique(units, return_index=True)
    return np.argsort(np.argsort(first))[units.reshape(-1)], False


def unit_sums(units: npt.NDArray[np.int64], values: Numbers) -> Numbers:
    """Add up the values of each unit."""
    return np.bincount(units, values).astype(np.float64)


def mean_spread(residuals: Numbers, sizes: Numbers, squares: Numbers) -> Spread:
    """Give the spread of a weighted mean from what its units (2 or more) add to it.

    Args:
        residuals: of each unit, the sum of weight times (value less mean).
        sizes: of each unit, the sum of weights, above 0.
        squares: of each unit, the sum of squared weights.

    Without weights and clusters this is the variance of the values over n, with n - 1 degrees of freedom.

    Source: Bell and McCaffrey 2002, Bias Reduction in Standard Errors for Linear Regression with
    Multi-Stage Samples (CR2 and its degrees of freedom), for a regression on a constant.
    """
    total = math.fsum(sizes)
    shares = sizes / total
    rest = 1 - shares
    variance = math.fsum(residuals**2 / rest) / total**2
    # the trace and squared norm of the residuals' covariance, were the questions independent
    every = math.fsum(squares)
    diagonal = (squares - 2 * shares * squares + every * shares**2) / rest
    outer = (2 * shares * squares - every * shares**2) / rest
    a, b, c = (math.fsum(each / rest) for each in (shares**2, squares**2, shares * squares))
    norm = 2 * a * b + 2 * c * c + (every * a) ** 2 - 4 * every * a * c
    norm += math.fsum(diagonal**2 - outer**2)
    return Spread(variance, max(1.0, math.fsum(diagonal) ** 2 / norm), 1 / math.fsum(shares**2))


def score_interval(mean: float, spread: Spread, low: float = 0.0, high: float = 1.0) -> tuple[float, float]:
    """Give the 95 % interval of a mean between bounds, by inverting the score test.

    It holds every p with (mean - p)^2 <= t^2 r p (1 - p), where r is such that the variance at the mean is
    the one estimated, and at the bounds, where none can be, that of `independent` yes-or-no answers.

    Source: Wilson 1927, Probable Inference, the Law of Succession, and Statistical Inference; with an
    effective number of questions, as Korn and Graubard 1998 have for proportions in surveys.
    """
    width = high - low
    p = min(max((mean - low) / width, 0.0), 1.0)
    binomial = p * (1 - p)
    ratio = spread.variance / width**2 / binomial if binomial > 1e-12 else 1 / spread.independent
    factor = t_quantile(0.975, round(spread.degrees, 2)) ** 2 * ratio
    centre = (p + factor / 2) / (1 + factor)
    half = math.sqrt(factor * binomial + factor**2 / 4) / (1 + factor)
    return low + width * max(0.0, centre - half), low + width * min(1.0, centre + half)


def symmetric_interval(mean: float, spread: Spread) -> tuple[float, float]:
    """Give the 95 % interval of a mean without bounds: t standard errors to either side."""
    half = t_quantile(0.975, round(spread.degrees, 2)) * math.sqrt(spread.variance)
    return mean - half, mean + half


def wilson_interval(good: float, total: int) -> tuple[float, float]:
    """Give the 95 % interval of a proportion, 0..1; the whole range where `total` is 0.

    Source: Wilson 1927, Probable Inference, the Law of Succession, and Statistical Inference.
    """
    if not total:
        return 0.0, 1.0
    share = good / total
    middle = share + Z * Z / (2 * total)
    width = Z * math.sqrt(share * (1 - share) / total + Z * Z / (4 * total * total))
    whole = 1 + Z * Z / total
    return max(0.0, (middle - width) / whole), min(1.0, (middle + width) / whole)
