"""Whether there is an answer at all: one confidence in 0..1, and when it is too low to answer.

A logistic model of what the likeliest sentence has, and of what no sentence has. It was fitted by
`scripts/fit_extractive.py` on development questions of six collections, half of them without an
answer in what was shown: another passage, the right passage without its answer, or a question that
nobody could answer from it. As many of each make a confidence of one half an even chance.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rag.generation.evidence import FEATURES, Evidence
from rag.generation.shapes import Asked

SIGNS = ("cosine", "squared cosine", "cosine by coverage", "number asked", "date asked", "missing terms")

WEIGHTS = np.array([4.625, -0.428, 3.924, -0.574, -0.187, -0.174])
BIAS = -3.043

LEAST_CONFIDENCE = 0.33
"""Below it there is no answer. Of the ClapNQ development questions, each with the weights of the other four
folds, it refuses 77 of 100 that have no answer in their passage and keeps 85 of 100 that have one. It is less
than an even chance, since whoever gets an answer sees its quotes, and whoever gets none sees nothing."""


def signs(evidence: Evidence, best: int) -> npt.NDArray[np.float64]:
    """What tells whether the candidate numbered `best` answers: float64 (signs,)."""
    features = dict(zip(FEATURES, evidence.features[best].tolist(), strict=True))
    return np.array(
        [
            features["cosine"],
            features["cosine"] ** 2,
            features["cosine"] * features["coverage"],
            evidence.asked is Asked.NUMBER,
            evidence.asked is Asked.DATE,
            len(evidence.missing),
        ],
        np.float64,
    )


def confidence(evidence: Evidence, best: int) -> float:
    """How likely the contexts hold an answer, in 0..1, by the likeliest candidate."""
    return float(1 / (1 + np.exp(-(signs(evidence, best) @ WEIGHTS + BIAS))))
