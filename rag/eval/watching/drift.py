"""Whether what a system is asked, and what it finds, is still what it was: two windows of questions compared.

Every measure has a threshold, below which a change does not matter, and a p-value, above which it may be
chance. A drift is both. p-values come from exchanging the two windows' questions, so that they hold for
small windows too, and are corrected for being several.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Numbers: TypeAlias = npt.NDArray[np.float64]
Statistic: TypeAlias = Callable[[Numbers, Numbers], float]

SOME, STRONG = 0.1, 0.25
"""PSI from which a change is worth a look, and from which it is a shift.

Source: Siddiqi 2006, Credit Risk Scorecards, chapter 8. They are rules of thumb for large windows.
"""
CENTROID = 0.05
"""1 - cosine of the windows' mean vectors from which questions have moved. Our own rule of thumb."""
LEVEL = 0.05
PERMUTATIONS = 999
BINS = 10
CLUSTERS = 8
FEWEST = 20
"""Questions that each window has at least; with fewer nothing is said."""
ROUNDS = 25


@dataclass(frozen=True, slots=True)
class Window:
    """What is known of the questions of some time, one entry a question; an empty series was not kept.

    `vectors` are float32 (n, dimension), `lengths` words of the question, `scores` those of the best hit,
    `confidences` in 0..1.
    """

    vectors: npt.NDArray[np.float32] | None = None
    lengths: Sequence[float] = ()
    scores: Sequence[float] = ()
    confidences: Sequence[float] = ()
    abstained: Sequence[bool] = ()


@dataclass(frozen=True, slots=True)
class Drift:
    """How far one thing has moved between two windows.

    `value` is a PSI, or for `centroid` 1 - cosine; `p_value` is corrected for the number of tests.
    `drifted` is true where `value` reaches `threshold` and `p_value` is below 0.05. `level` is `none`,
    `some` or `strong`; `note` says why nothing can be said, and `value` and `p_value` are then None.
    """

    measure: str
    value: float | None
    threshold: float
    p_value: float | None
    reference: int
    current: int
    level: str = "none"
    note: str = ""

    @property
    def drifted(self) -> bool:
        """Whether it moved far, and further than chance would have it."""
        return self.level == "strong"


def measure_drift(reference: Window, current: Window, *, seed: int = 0) -> tuple[Drift, ...]:
    """Compare two windows by every series that both have.

    `centroid` and `clusters` look at the questions' vectors, `length`, `score`, `confidence` and
    `abstention` at one number each. p-values are not yet corrected, so that no level is given: that is
    what `judge_together` does. Equal input and seed give equal results.
    """
    found = [_vector_drift(reference, current, seed)] if _both(reference.vectors, current.vectors) else []
    drifts = [each for pair in found for each in pair]
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]] = {
        "length": (reference.lengths, current.lengths),
        "score": (reference.scores, current.scores),
        "confidence": (reference.confidences, current.confidences),
        "abstention": (reference.abstained, current.abstained),
    }
    for name, (before, now) in series.items():
        if len(before) and len(now):
            old, new = (np.asarray(each, np.float64) for each in (before, now))
            statistic = psi_of_labels if name == "abstention" else psi
            drifts.append(_tested(name, old, new, statistic, STRONG, seed))
    return tuple(drifts)


def psi(reference: Numbers, current: Numbers) -> float:
    """Give the population stability index of two samples of numbers, 0 or more, over ten bins.

    The bins are the tenths of both samples together, so that neither is favoured; equal numbers fall
    into one. Half an observation is added to every bin, so that an empty one is finite.

    Source: Siddiqi 2006, Credit Risk Scorecards, chapter 8. It is Jeffreys' divergence of the two
    histograms: Jeffreys 1946, An Invariant Form for the Prior Probability in Estimation Problems.
    """
    both = np.concatenate([reference, current])
    edges = np.unique(np.quantile(both, np.linspace(0, 1, BINS + 1)[1:-1]))
    return psi_of_counts(_histogram(reference, edges), _histogram(current, edges))


def psi_of_labels(reference: Numbers, current: Numbers) -> float:
    """Give the population stability index of two samples of labels: a bin for each label that occurs."""
    labels = np.unique(np.concatenate([reference, current]))
    old, new = (np.searchsorted(labels, each) for each in (reference, current))
    return psi_of_counts(np.bincount(old, minlength=len(labels)), np.bincount(new, minlength=len(labels)))


def psi_of_counts(reference: npt.NDArray[np.int64], current: npt.NDArray[np.int64]) -> float:
    """Give the index of two histograms over the same bins: the sum of (q - p) ln(q / p)."""
    old, new = ((counts + 0.5) / (counts.sum() + 0.5 * len(counts)) for counts in (reference, current))
    return float(np.sum((new - old) * np.log(new / old)))


def centroid_shift(reference: Numbers, current: Numbers) -> float:
    """Give 1 - cosine of the mean vectors of two samples of unit vectors, 0..2; 0 where one mean is 0."""
    old, new = reference.mean(axis=0), current.mean(axis=0)
    norm = float(np.linalg.norm(old) * np.linalg.norm(new))
    return max(0.0, 1 - float(old @ new) / norm) if norm > 0 else 0.0


def cluster(vectors: Numbers, count: int, seed: int) -> npt.NDArray[np.int64]:
    """Assign unit vectors to at most `count` clusters by k-means on the sphere: the number of each one's.

    Source: Dhillon and Modha 2001, Concept Decompositions for Large Sparse Text Data Using Clustering;
    the first centres as in Arthur and Vassilvitskii 2007, k-means++.
    """
    random = np.random.default_rng(seed)
    centres = vectors[[int(random.integers(len(vectors)))]]
    while len(centres) < count:
        far = np.clip(1 - (vectors @ centres.T).max(axis=1), 0, None)
        if far.sum() <= 1e-9:
            break
        centres = np.vstack([centres, vectors[int(random.choice(len(vectors), p=far / far.sum()))]])
    labels = np.full(len(vectors), -1)
    for _ in range(ROUNDS):
        nearest = (vectors @ centres.T).argmax(axis=1)
        if np.array_equal(nearest, labels):
            break
        labels = nearest
        for at in range(len(centres)):
            total = vectors[labels == at].sum(axis=0)
            norm = float(np.linalg.norm(total))
            centres[at] = total / norm if norm > 0 else centres[at]
    return labels.astype(np.int64)


def _vector_drift(reference: Window, current: Window, seed: int) -> tuple[Drift, Drift]:
    assert reference.vectors is not None and current.vectors is not None
    old, new = (np.asarray(each, np.float64) for each in (reference.vectors, current.vectors))
    shift = _tested("centroid", old, new, centroid_shift, CENTROID, seed)
    if shift.note:
        return shift, Drift("clusters", None, STRONG, None, len(old), len(new), note=shift.note)
    # of both windows together, so that labels are as good under any exchange of questions
    labels = cluster(np.vstack([old, new]), CLUSTERS, seed).astype(np.float64)
    moved = _tested("clusters", labels[: len(old)], labels[len(old) :], psi_of_labels, STRONG, seed)
    return shift, moved


def _tested(
    name: str, reference: Numbers, current: Numbers, statistic: Statistic, threshold: float, seed: int
) -> Drift:
    """The statistic, and how often an exchange of questions between the windows gives as much.

    Source: (b + 1) / (m + 1): Davison and Hinkley 1997, Bootstrap Methods and their Application, 4.2.
    """
    sizes = len(reference), len(current)
    if min(sizes) < FEWEST:
        note = f"{min(sizes)} questions are too few to tell: {FEWEST} are needed in each window"
        return Drift(name, None, threshold, None, *sizes, note=note)
    observed = statistic(reference, current)
    both = np.concatenate([reference, current])
    random = np.random.default_rng(seed)
    large = 0
    for _ in range(PERMUTATIONS):
        order = random.permutation(len(both))
        found = statistic(both[order[: sizes[0]]], both[order[sizes[0] :]])
        large += found >= observed - 1e-12
    return Drift(name, observed, threshold, (large + 1) / (PERMUTATIONS + 1), *sizes)


def judge_drift(drift: Drift, p_value: float) -> Drift:
    """The drift with its corrected p-value, and how strong it is."""
    value = drift.value or 0.0
    some = SOME / STRONG * drift.threshold
    level = "none"
    if p_value < LEVEL and value >= some:
        level = "strong" if value >= drift.threshold else "some"
    sizes = drift.reference, drift.current
    return Drift(drift.measure, drift.value, drift.threshold, p_value, *sizes, level)


def _histogram(values: Numbers, edges: Numbers) -> npt.NDArray[np.int64]:
    return np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1).astype(np.int64)


def _both(one: object | None, other: object | None) -> bool:
    return one is not None and other is not None
