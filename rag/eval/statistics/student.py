"""Student's t distribution, for intervals from few questions."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)


@lru_cache(maxsize=512)
def t_quantile(probability: float, degrees: float) -> float:
    """Give the t that a draw stays below so often, .5 to .99999, of so many degrees of freedom, 1 or more."""
    low, high = 0.0, 1.0
    while t_below(high, degrees) < probability:
        low, high = high, 2 * high
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if t_below(middle, degrees) < probability else (low, middle)
    return (low + high) / 2


def t_below(t: float, degrees: float) -> float:
    """Give the probability of a draw below `t` (0 or more).

    With `t = sqrt(degrees) tan(angle)` the density is a power of a cosine, which a quadrature of Gauss
    and Legendre integrates to nine digits.
    """
    # half the interval, as it is from 0
    half = math.atan(t / math.sqrt(degrees)) / 2
    inside = half * float(_WEIGHTS @ np.cos(half * (_NODES + 1)) ** (degrees - 1))
    log_scale = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2) - math.log(math.pi) / 2
    return 0.5 + math.exp(log_scale) * inside
