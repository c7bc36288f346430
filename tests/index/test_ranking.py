from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rag.index.ranking import best_rows, ranked

SCORES = st.lists(st.sampled_from([-1.0, -0.0, 0.0, 0.25, 0.5, 1.0, float("-inf")]), max_size=30)


@given(SCORES, st.integers(-1, 40))
def test_best_rows_are_those_of_a_full_sort(scores: list[float], k: int) -> None:
    expected = sorted(
        (row for row in range(len(scores)) if scores[row] > -np.inf), key=lambda row: (-scores[row], row)
    )
    assert best_rows(np.array(scores, np.float32), k).tolist() == expected[: max(k, 0)]


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.text("ab1", max_size=4)), unique_by=lambda p: p[1]
    ),
    st.integers(0, 20),
)
def test_ranked_breaks_ties_by_chunk_id(parts: list[tuple[float, str]], k: int) -> None:
    scores = np.array([score for score, _ in parts], np.float32)
    names = [name for _, name in parts]
    rows = np.arange(len(parts), dtype=np.int32)
    asked: list[int] = []

    def chunk_ids(wanted: np.ndarray) -> list[str]:
        asked.extend(wanted.tolist())
        return [names[row] for row in wanted]

    got = ranked(rows, scores, k, chunk_ids)
    expected = sorted(range(len(parts)), key=lambda row: (-parts[row][0], names[row]))[:k]
    assert got.rows.tolist() == expected
    assert got.scores.tolist() == [parts[row][0] for row in expected]
    assert all(sum(parts[row][0] == score for score, _ in parts) > 1 for row in asked)
