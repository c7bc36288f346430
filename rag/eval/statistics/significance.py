"""Whether two runs over the same questions differ by more than chance would make them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from rag.eval.statistics.intervals import Numbers

PERMUTATIONS = 9999
SEED = 0
_EXACT_UNITS = 13  # 2**13 is as many as are drawn otherwise
_EXACT_PAIRS = 50


def randomisation_test(current: Numbers, baseline: Numbers) -> float:
    """Give the two-sided p-value of a paired randomisation test of a difference of means, 0..1.

    `current` and `baseline` are `(n, 2)`: for each question, or cluster of questions, the sum of its
    weighted values and the sum of its weights (0 and 0 where a run has none). Under the null
    hypothesis the two runs could be exchanged for each of them, so p is how often such an exchange
    gives a difference as large as the one found: exact over all exchanges for up to 13 that are not
    equal, otherwise (b + 1) / (m + 1) over m = 9,999 drawn from a fixed seed. Their order does not matter.

    Source: Fisher 1935, The Design of Experiments; Smucker, Allan and Carterette 2007, A Comparison
    of Statistical Significance Tests for Information Retrieval Evaluation. (b + 1) / (m + 1): Davison
    and Hinkley 1997, Bootstrap Methods and their Application, section 4.2.
    """
    change = current - baseline
    change = change[np.lexsort(change.T)]
    change = change[change.any(axis=1)]
    if not len(change):
        return 1.0
    current_total, baseline_total = current.sum(axis=0), baseline.sum(axis=0)

    def as_large(exchanged: Numbers) -> int:
        moved = exchanged @ change
        found = _differences(current_total - moved, baseline_total + moved)
        # what differs only by the order of a sum is equal, and a mean of nothing counts as large
        return int(np.sum(~(np.abs(found) < observed - 1e-10)))

    observed = float(abs(_differences(current_total[None], baseline_total[None])[0]))
    if len(change) <= _EXACT_UNITS:
        codes = np.arange(2 ** len(change))[:, None]
        return as_large((codes >> np.arange(len(change)) & 1).astype(np.float64)) / len(codes)
    random = np.random.default_rng(SEED)
    block = max(1, 2**20 // len(change))
    large = 0
    for at in range(0, PERMUTATIONS, block):
        wide = (min(block, PERMUTATIONS - at), (len(change) + 7) // 8)
        coins = np.frombuffer(random.bytes(wide[0] * wide[1]), np.uint8).reshape(wide)
        large += as_large(np.unpackbits(coins, axis=1, count=len(change)).astype(np.float64))
    return (large + 1) / (PERMUTATIONS + 1)


def _differences(current: Numbers, baseline: Numbers) -> Numbers:
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Numbers = current[:, 0] / current[:, 1] - baseline[:, 0] / baseline[:, 1]
    return found


def wilcoxon(differences: Sequence[float]) -> float:
    """Give the two-sided p-value of Wilcoxon's signed-rank test, 0..1; differences of 0 are left out.

    Exact for up to 50 differences of which no two are equally large, else by the normal approximation
    with corrections for ties and for continuity. 1 where every difference is 0.

    Source: Wilcoxon 1945, Individual Comparisons by Ranking Methods; the corrections as in Hollander,
    Wolfe and Chicken 2014, Nonparametric Statistical Methods, section 3.1.
    """
    changes = np.asarray([difference for difference in differences if difference != 0], dtype=np.float64)
    n = len(changes)
    if n == 0:
        return 1.0
    _, group, sizes = np.unique(np.abs(changes), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(sizes) - (sizes - 1) / 2)[group]
    up = float(ranks[changes > 0].sum())
    if n <= _EXACT_PAIRS and len(sizes) == n:
        return _exact_rank_p(int(min(up, n * (n + 1) / 2 - up)), n)
    variance = n * (n + 1) * (2 * n + 1) / 24 - float((sizes**3 - sizes).sum()) / 48
    z = max(abs(up - n * (n + 1) / 4) - 0.5, 0.0) / math.sqrt(variance)
    return min(1.0, 2 * NormalDist().cdf(-z))


def _exact_rank_p(smaller: int, n: int) -> float:
    # in how many of the 2**n ways of signs the positive ranks sum to each total
    ways = np.zeros(n * (n + 1) // 2 + 1)
    ways[0] = 1
    for rank in range(1, n + 1):
        ways[rank:] += ways[:-rank].copy()
    return min(1.0, 2 * float(ways[: smaller + 1].sum()) / 2.0**n)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for being so many, so that at a level the chance of any false finding is that level.

    Source: Holm 1979, A Simple Sequentially Rejective Multiple Test Procedure.
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for done, at in enumerate(sorted(range(len(p_values)), key=lambda at: p_values[at])):
        highest = max(highest, min(1.0, (len(p_values) - done) * p_values[at]))
        adjusted[at] = highest
    return adjusted
