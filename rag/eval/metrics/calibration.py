"""Whether the confidence of answers says how often they are right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rag.eval.metrics.set_metric import Confidences, Outcome, Rights, SetMetric
from rag.types import Answer

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """The answers of confidence in (low, high], the first bin with its 0: how sure, and how often right.

    `confidence` and `accuracy` are means over its `n` answers, None where it has none.
    """

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None


def outcome(right: bool | None, answer: Answer | None) -> Outcome | None:
    """How sure an answer was, and whether it was right, as `failures.rightness` tells.

    None for a refusal, a failure, and an answer of which that cannot be told.
    """
    if answer is None or answer.abstained or right is None:
        return None
    return Outcome(_unit(answer.confidence), right)


def reliability_bins(confidence: Confidences, right: Rights, bins: int = BINS) -> list[Bin]:
    """Part 0..1 into bins of equal width and say of each how sure its answers were, and how right.

    `confidence` is float64 (n,) in 0..1, `right` bool (n,).
    """
    at = _bins(confidence, bins)
    n = np.bincount(at, minlength=bins)
    sure = np.bincount(at, weights=confidence, minlength=bins)
    hit = np.bincount(at, weights=right, minlength=bins)
    return [
        Bin(
            each / bins,
            (each + 1) / bins,
            int(n[each]),
            float(sure[each] / n[each]) if n[each] else None,
            float(hit[each] / n[each]) if n[each] else None,
        )
        for each in range(bins)
    ]


def calibration_error(confidence: Confidences, right: Rights, bins: int = BINS) -> float | None:
    """The expected calibration error: the mean over answers of |accuracy - confidence| of their bin.

    None without an answer. Chance puts the accuracy of a bin off its confidence too, so that few answers
    give a larger error than many.

    Source: Naeini, Cooper and Hauskrecht 2015, Obtaining Well Calibrated Probabilities Using Bayesian
    Binning; Guo et al. 2017, On Calibration of Modern Neural Networks, whose bins these are.
    """
    if not len(confidence):
        return None
    # n_b / n * |mean gap of bin b| = |sum of its gaps| / n
    gaps = np.bincount(_bins(confidence, bins), weights=right - confidence)
    return float(np.abs(gaps).sum() / len(confidence))


def brier_score(confidence: Confidences, right: Rights) -> float | None:
    """The mean squared distance of confidence from right (1) or wrong (0); None without an answer.

    Source: Brier 1950, Verification of Forecasts Expressed in Terms of Probability.
    """
    return float(((right - confidence) ** 2).mean()) if len(confidence) else None


def confidence_auroc(confidence: Confidences, right: Rights) -> float | None:
    """How often a right answer has more confidence than a wrong one, ties half; None without both.

    Source: Hanley and McNeil 1982, The Meaning and Use of the Area under a ROC Curve.
    """
    of_right, of_wrong = np.sort(confidence[right]), confidence[~right]
    if not len(of_right) or not len(of_wrong):
        return None
    # twice the right ones below each wrong one, ties once
    below = np.searchsorted(of_right, of_wrong, side="left") + np.searchsorted(
        of_right, of_wrong, side="right"
    )
    return float(1 - below.sum() / (2 * len(of_right) * len(of_wrong)))


def _bins(confidence: Confidences, bins: int) -> npt.NDArray[np.intp]:
    return np.maximum(np.ceil(confidence * bins).astype(np.intp) - 1, 0)


def _unit(confidence: float) -> float:
    return min(1.0, max(0.0, float(confidence)))


CALIBRATION = (
    SetMetric(
        "expected_calibration_error",
        outcome,
        calibration_error,
        "mean over answers of |accuracy - confidence| of their bin, 10 bins of equal width "
        "(too large with few answers, so without an interval)",
        higher_is_better=False,
        biased=True,
    ),
    SetMetric(
        "brier_score",
        outcome,
        brier_score,
        "mean of (confidence - right)^2",
        higher_is_better=False,
    ),
    SetMetric(
        "confidence_auroc",
        outcome,
        confidence_auroc,
        "P(confidence of a right answer > of a wrong one), ties half",
        higher_is_better=True,
    ),
)
