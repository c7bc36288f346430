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

SIGNS = (
    "cosine",
    "squared cosine",
    "cosine by coverage",
    "row",
    "number asked",
    "date asked",
    "missing terms",
)

WEIGHTS = np.array([7.457, -2.905, 4.326, -0.663, -0.316, -0.184])
BIAS = -3.774

LEAST_CONFIDENCE = 0.35
"""Below it there is no answer. On the development questions of every set but one this keeps at least 84 of
100 that can be answered, and of the ClapNQ ones refuses 77 of 100 that cannot. Less than an even chance,
since whoever gets an answer sees its quotes, and whoever gets none sees nothing."""


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
