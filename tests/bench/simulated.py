"""Scores of made-up systems, whose true means are known, for simulations of the statistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from rag.eval.statistics.intervals import Numbers

Draw = Callable[[np.random.Generator, int], Numbers]

# name: the scores of n questions, and their true mean
SCORES: Mapping[str, tuple[Draw, float]] = {
    "normal, .6 +- .12": (lambda random, n: random.normal(0.6, 0.12, n).clip(0, 1), 0.6),
    "binary, p .5": (lambda random, n: (random.random(n) < 0.5) * 1.0, 0.5),
    "binary, p .8": (lambda random, n: (random.random(n) < 0.8) * 1.0, 0.8),
    "binary, p .95": (lambda random, n: (random.random(n) < 0.95) * 1.0, 0.95),
    "Beta(.5, 3)": (lambda random, n: random.beta(0.5, 3, n), 0.5 / 3.5),
    "Beta(5, 1)": (lambda random, n: random.beta(5, 1, n), 5 / 6),
    "7 of 10 zero": (lambda random, n: (random.random(n) < 0.3) * random.beta(2, 2, n), 0.15),
    "9 of 10 zero": (lambda random, n: (random.random(n) < 0.1) * random.beta(2, 2, n), 0.05),
    "thirds": (lambda random, n: random.binomial(3, random.beta(2, 0.7, n)) / 3, 2 / 2.7),
    # a calibrated forecaster's: the mean of c (1 - c) over Beta(4, 1.5)
    "Brier": (lambda random, n: _brier(random, n), 4 * 1.5 / (5.5 * 6.5)),  # noqa: PLW0108 # it stands below
    "RR: 1, .5, 0": (lambda random, n: random.choice([1.0, 0.5, 0.0], n, p=[0.6, 0.2, 0.2]), 0.7),
}


def _brier(random: np.random.Generator, n: int) -> Numbers:
    said = random.beta(4, 1.5, n)
    return np.asarray((random.random(n) < said) - said) ** 2


def clustered(
    random: np.random.Generator, documents: int, kind: str, likeness: float = 0.3
) -> tuple[Numbers, npt.NDArray[np.int64], float]:
    """Scores of questions about so many documents, six a document on average (geometric).

    Documents differ: the chance (or the mean) of each is drawn from a Beta distribution, so that two
    questions of one document have the intraclass correlation `likeness`. Returns scores, the
    document of each, and the true mean.
    """
    sizes = random.geometric(1 / 6, documents)
    mean = {"p .5": 0.5, "p .8": 0.8, "p .95": 0.95, "graded": 0.7}[kind]
    scale = 1 / likeness - 1
    chances = random.beta(mean * scale, (1 - mean) * scale, documents).clip(1e-6, 1 - 1e-6).repeat(sizes)
    if kind == "graded":
        scores = random.beta(2 * chances, 2 * (1 - chances))
    else:
        scores = (random.random(len(chances)) < chances) * 1.0
    return scores, np.arange(documents).repeat(sizes), mean


# name: the scores of two systems that do not differ
PAIRS: Mapping[str, Callable[[np.random.Generator, int], tuple[Numbers, Numbers]]] = {
    "normal": lambda random, n: tuple(random.normal(0.6, 0.1, n) + random.normal(0, 0.1, (2, n))),  # type: ignore[return-value]
    "binary, p .8": lambda random, n: _alike(random, n, 0.8),
    "binary, p .95": lambda random, n: _alike(random, n, 0.95),
    "skewed": lambda random, n: tuple(random.beta(0.5, 3, (2, n))),  # type: ignore[return-value]
    "ties, 8 of 10 the same": lambda random, n: _mostly_the_same(random, n),  # noqa: PLW0108 # it stands below
}


def _alike(random: np.random.Generator, n: int, p: float) -> tuple[Numbers, Numbers]:
    hard = random.random(n)
    other = np.where(random.random(n) < 0.6, hard, random.random(n))
    return (hard < p) * 1.0, (other < p) * 1.0


def _mostly_the_same(random: np.random.Generator, n: int) -> tuple[Numbers, Numbers]:
    first = random.choice([0.0, 0.5, 1.0], n, p=[0.2, 0.2, 0.6])
    again = random.choice([0.0, 0.5, 1.0], n, p=[0.2, 0.2, 0.6])
    return first, np.where(random.random(n) < 0.8, first, again)
