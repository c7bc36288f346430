"""How large a difference has to be for a question set of this size to show it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

LEVEL = 0.05
POWER = 0.8


def detectable_difference(differences: Sequence[float]) -> float | None:
    """Give the smallest true mean of paired differences that a test at .05 finds four times in five.

    `differences` are of questions, or of clusters; fewer than two show nothing (None).

    Source: Cohen 1988, Statistical Power Analysis for the Behavioral Sciences, chapter 2.
    """
    n = len(differences)
    if n < 2:
        return None
    normal = NormalDist()
    spread = float(np.std(np.asarray(differences, dtype=np.float64), ddof=1))
    return (normal.inv_cdf(1 - LEVEL / 2) + normal.inv_cdf(POWER)) * spread / math.sqrt(n)
