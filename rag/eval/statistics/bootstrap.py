"""How far a mean over questions, or another number of all of them, can be trusted."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rag.errors import InputError
from rag.eval.statistics.intervals import (
    Numbers,
    Spread,
    cluster_units,
    mean_spread,
    score_interval,
    symmetric_interval,
    unit_sums,
)
from rag.eval.statistics.power import detectable_difference

RESAMPLES = 2000
SEED = 0
METHOD = "score interval with the bootstrap's standard error over questions, or over clusters of them"
_FEW = 10
_NOTHING = 1e-24  # a variance that is rounding alone
_FEW_MISSES = 8
_NEAR_A_BOUND = 0.1


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number over `n` questions and its 95 % interval; all NaN where n is 0.

    Of the `n`, `missed` have a value that a judge's missing verdict had a part in. Where `reliable` is
    false the interval is not to be trusted: there are fewer than 10 questions, all values are the same, the
    clusters are too few or too uneven, so that it is for more questions about these same documents, or the
    mean is near a bound and the clusters tell no more than few independent misses would.
    `detectable` is the true difference to another such run that a comparison would find four times in five,
    NaN where that cannot be told: all values are the same, or it is more than there can be.
    """

    mean: float
    low: float
    high: float
    n: int
    missed: int = 0
    reliable: bool = True
    detectable: float = math.nan


def estimate_mean(
    values: Sequence[float],
    weights: Sequence[float] | None = None,
    clusters: Sequence[int] | None = None,
    *,
    missed: int = 0,
) -> Estimate:
    """Take the mean, weighted if weights (all above 0) are given, and its 95 % interval.

    Values with equal numbers in `clusters` are one unit, as questions about one document are: they
    are alike, so they tell less than as many questions about many documents. Nothing is drawn: equal
    values give an equal interval, in whatever order. Values are expected in 0..1, and others are
    given a symmetric interval.

    Source: `rag.eval.statistics.intervals`; why not percentiles of draws: docs/statistics.md.
    """
    n = len(values)
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0, missed, reliable=False)
    value = np.asarray(values, dtype=np.float64)
    weight = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    order = np.lexsort((weight, value))  # so that sums do not depend on the order given
    value, weight = value[order], weight[order]
    mean = math.fsum(value * weight) / math.fsum(weight)
    labels = None if clusters is None else np.asarray(clusters)[order]
    bounded = bool(value[0] >= 0 and value[-1] <= 1)
    if n == 1:
        return Estimate(mean, *((0.0, 1.0) if bounded else (mean, mean)), 1, missed, reliable=False)
    units, few = cluster_units(n, labels)
    residuals = unit_sums(units, weight * (value - mean))
    spread = mean_spread(residuals, unit_sums(units, weight), unit_sums(units, weight**2))
    low, high = score_interval(mean, spread) if bounded else symmetric_interval(mean, spread)
    reliable = n >= _FEW and bool(value[0] < value[-1]) and not few
    if bounded and units.max() + 1 < n:
        reliable = reliable and not _few_misses(mean, spread)
    detectable = _detectable(spread, 1.0 if bounded else math.inf)
    return Estimate(mean, min(low, mean), max(high, mean), n, missed, reliable, detectable)


def estimate_statistic(
    rows: npt.ArrayLike,
    function: Callable[[Numbers], float | None],
    clusters: Sequence[int] | None = None,
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Estimate:
    """Estimate a number of a whole set that is no mean, such as AUROC or a calibration error.

    Rows, or whole clusters of them, are drawn with replacement 2,000 times from a fixed seed. The spread
    of the function over the draws is its standard error, from which the interval between `bounds`
    is made as for means. A draw without a value is left out.

    Args:
        rows: `(n, fields)`, float64; a row a question. Their order does not matter.
        function: of such rows; None, or NaN, where they have no such number (AUROC of one class).
        clusters: the number of each row's cluster.
        bounds: the least and the greatest value that there is.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 6; of clusters: Davison
    and Hinkley 1997, Bootstrap Methods and their Application, section 3.8.

    Raises:
        InputError: rows are not a table.
    """
    table = np.asarray(rows, dtype=np.float64)
    if table.ndim != 2:
        raise InputError(f"rows of shape {table.shape}: give a table of (questions, fields)")
    n = len(table)
    order = np.lexsort(table.T[::-1])
    table = table[order]
    whole = _value(function, table) if n else None
    if whole is None:
        return Estimate(math.nan, math.nan, math.nan, 0, reliable=False)
    units, few = cluster_units(n, None if clusters is None else np.asarray(clusters)[order])
    members = np.split(np.argsort(units, kind="stable"), np.cumsum(np.bincount(units))[:-1])
    random = np.random.default_rng(SEED)
    drawn = (
        table[picked if len(members) == n else np.concatenate([members[unit] for unit in picked])]
        for picked in (
            random.integers(0, len(members), len(members))
            for _ in range(RESAMPLES if len(members) > 1 else 0)
        )
    )
    values = [value for value in (_value(function, rows) for rows in drawn) if value is not None]
    if len(values) < RESAMPLES / 2:
        return Estimate(whole, *bounds, n, reliable=False)
    variance = float(np.var(values)) * len(members) / (len(members) - 1)
    spread = Spread(variance, len(members) - 1, len(members))
    low, high = score_interval(whole, spread, *bounds)
    reliable = n >= _FEW and variance > 0 and not few and len(values) > 0.95 * RESAMPLES
    detectable = _detectable(spread, bounds[1] - bounds[0])
    return Estimate(whole, min(low, whole), max(high, whole), n, reliable=reliable, detectable=detectable)


def _detectable(spread: Spread, most: float) -> float:
    """The detectable difference, NaN where nothing varied, which tells nothing of it, or above `most`."""
    found = detectable_difference(spread) if spread.variance > _NOTHING else math.nan
    return found if found <= most else math.nan


def _few_misses(mean: float, spread: Spread) -> bool:
    """Whether a mean near 0 or 1, of clusters, tells no more than a few independent misses would.

    Then the few clusters that have them say little of how often clusters do, and the interval is too
    narrow: docs/statistics.md.
    """
    rare = min(mean, 1 - mean)
    return rare < _NEAR_A_BOUND and rare * mean * (1 - mean) < _FEW_MISSES * spread.variance


def _value(function: Callable[[Numbers], float | None], rows: Numbers) -> float | None:
    value = function(rows)
    return None if value is None or math.isnan(value) else float(value)
