"""How large a difference has to be for a question set of this size to show it."""

from __future__ import annotations

import math

from rag.eval.statistics.intervals import Spread
from rag.eval.statistics.student import t_quantile

LEVEL = 0.05
POWER = 0.8


def detectable_difference(spread: Spread, comparisons: int = 1) -> float:
    """Give the true difference of means that a two-sided test finds four times in five.

    The test is at .05 over the number of `comparisons`, as the first step of Holm's procedure is.

    `spread` is that of the difference that was observed. Of one run alone, the spread of its
    mean serves in its place: it is that of a difference to another run that agrees with it, question
    by question, with a correlation of one half.

    Source: Cohen 1988, Statistical Power Analysis for the Behavioral Sciences, chapter 2, with the
    quantiles of t in place of those of the noncentral t.
    """
    degrees = round(spread.degrees, 2)
    quantiles = t_quantile(1 - LEVEL / comparisons / 2, degrees) + t_quantile(POWER, degrees)
    return quantiles * math.sqrt(spread.variance)
