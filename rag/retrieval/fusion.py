"""Two opinions of the same candidates -> one score each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from rag.types import Rows, Scores


@dataclass(frozen=True, slots=True)
class Leg:
    """What one retriever thinks of n candidates.

    `scores` float32 (n,) are its scores of all of them; `ranks` int32 (n,) count
    from 1, and are 0 for a candidate that it did not return itself.
    """

    scores: Scores
    ranks: Rows


Fusion: TypeAlias = Callable[[Leg, Leg], Scores]
"""Scores candidates, float32 (n,), by the lexical and the dense opinion of them."""


def convex(dense_weight: float = 0.6) -> Fusion:
    """A weighted mean of the two scores, each scaled to 0..1 over the candidates.

    Source: S. Bruch, S. Gai and A. Ingber, An Analysis of Fusion Functions for
    Hybrid Retrieval, ACM TOIS 42(1), 2023.
    """
    if not 0 <= dense_weight <= 1:
        raise ValueError(f"dense_weight is in 0..1, not {dense_weight}")

    def fuse(lexical: Leg, dense: Leg) -> Scores:
        fused = dense_weight * _scaled(dense.scores) + (1 - dense_weight) * _scaled(lexical.scores)
        return np.asarray(fused, np.float32)

    return fuse


def _scaled(scores: Scores) -> Scores:
    """Scores moved and stretched to 0..1; all 0 where they are all equal."""
    if not len(scores):
        return scores
    low, high = scores.min(), scores.max()
    return (scores - low) / (high - low) if high > low else np.zeros_like(scores)


def reciprocal_rank(constant: int = 60) -> Fusion:
    """The sum of 1 / (constant + rank) over the legs that returned a candidate.

    Source: G. V. Cormack, C. L. A. Clarke and S. Buettcher, Reciprocal Rank Fusion
    outperforms Condorcet and individual Rank Learning Methods, SIGIR 2009.
    """
    if constant < 1:
        raise ValueError(f"constant is 1 or more, not {constant}")

    def part(leg: Leg) -> Scores:
        return np.where(leg.ranks > 0, 1 / (constant + leg.ranks), 0)

    def fuse(lexical: Leg, dense: Leg) -> Scores:
        return np.asarray(part(lexical) + part(dense), np.float32)

    return fuse
