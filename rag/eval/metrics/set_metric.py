"""A metric of a whole set of answers, which is no mean over its questions: calibration, ranking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from rag.types import Answer

Confidences: TypeAlias = npt.NDArray[np.float64]
Rights: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How sure a system was of an answer, 0..1, and whether the answer was right."""

    confidence: float
    right: bool


@dataclass(frozen=True, slots=True)
class SetMetric:
    """Gives the outcomes of a set of questions one number, or None where it is not defined for them.

    `outcome` gives what counts of one question, of whether its answer is right (None where that cannot be
    told) and the answer, and None where the metric does not bear on it; `measure` takes
    the confidences, float64 (n,), and whether each was right, bool (n,). Where `biased`, few answers make it
    larger than many would, so that no interval around it holds what many would give.
    """

    name: str
    outcome: Callable[[bool | None, Answer | None], Outcome | None]
    measure: Callable[[Confidences, Rights], float | None]
    formula: str
    higher_is_better: bool
    biased: bool = False
