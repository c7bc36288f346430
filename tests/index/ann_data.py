"""Vectors and an oracle that the tests of nearest neighbours share."""

from __future__ import annotations

import numpy as np


def clustered(rows: int, dimension: int, clusters: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around `clusters` centres, and the number of each one's centre."""
    random = np.random.default_rng(seed)
    label = random.integers(clusters, size=rows)
    vectors = random.standard_normal((clusters, dimension))[label] + 0.6 * random.standard_normal(
        (rows, dimension)
    )
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), label


def brute(vectors: np.ndarray, query: np.ndarray, k: int, allowed: np.ndarray | None = None) -> list[int]:
    """The k rows of highest inner product, in float64, ties by row."""
    scores = vectors.astype(np.float64) @ query.astype(np.float64)
    rows = np.arange(len(vectors)) if allowed is None else np.flatnonzero(allowed)
    return rows[np.argsort(-scores[rows], kind="stable")][:k].tolist()
