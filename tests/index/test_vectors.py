from __future__ import annotations

import numpy as np
import pytest
from ann_data import brute, clustered

from rag.index.vectors import exact_nearest, exact_scores


@pytest.mark.parametrize("share", [None, 0.0, 0.02, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("k", [0, 1, 7, 300, 1000])
def test_exact_is_brute_force(share: float | None, k: int) -> None:
    random = np.random.default_rng(3)
    vectors, _ = clustered(300, 32, 5, seed=1)
    allowed = None if share is None else random.random(300) < share
    for query in vectors[:10]:
        got = exact_nearest(vectors, query, k, allowed)
        assert got.rows.tolist() == brute(vectors, query, k, allowed)
        assert got.rows.dtype == np.int32
        assert got.scores.dtype == np.float32
        np.testing.assert_allclose(got.scores, vectors[got.rows].astype(np.float64) @ query, atol=1e-6)


@pytest.mark.parametrize("rows", [7, 33, 101, 1001])
def test_equal_vectors_tie_wherever_they_stand(rows: int) -> None:
    vectors, _ = clustered(rows, 384, 3, seed=rows)
    twins = sorted({0, rows // 3, rows // 2, rows - 2, rows - 1})
    vectors[twins] = vectors[0]
    for query in clustered(20, 384, 3, seed=5)[0]:
        scores = exact_scores(vectors, query, np.array(twins, np.int32))
        assert len(set(scores.tolist())) == 1
        for k in (2, 3, rows):
            got = exact_nearest(vectors, query, k, None)
            found = [row for row in got.rows.tolist() if row in twins]
            assert found == twins[: len(found)]
        alone = exact_nearest(vectors, query, rows, np.isin(np.arange(rows), twins))
        assert alone.scores.tolist() == scores.tolist()


def test_a_vector_that_is_no_number_hides_no_other() -> None:
    vectors, _ = clustered(50, 16, 3, seed=1)
    query = vectors[7].copy()
    vectors[3] = np.nan
    assert exact_nearest(vectors, query, 1, None).rows.tolist() == [7]
    assert 3 not in exact_nearest(vectors, query, 50, None).rows
