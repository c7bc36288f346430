"""A metric: a name, what it needs, and a function from a sample to a score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rag.eval.sample import Sample, Score
from rag.protocols import Judge


@dataclass(frozen=True, slots=True)
class Metric:
    """Gives a sample a score, or None where the question does not bear on it.

    `needs` are of `search` (hits, at least `depth` of them), `answer` and `judge`; `measure` is given a
    judge where it needs one, else None. `weight`, of a value, is what it counts in the mean (None: 1).
    `formula` says in one line how it is worked out, and after whom.
    """

    name: str
    measure: Callable[[Sample, Judge | None], Score | None]
    needs: frozenset[str]
    formula: str = ""
    higher_is_better: bool = True
    weight: Callable[[float], float] | None = None
    depth: int = 0
