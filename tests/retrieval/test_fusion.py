from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieval.fusion import Leg, convex, reciprocal_rank


def leg(scores: list[float], ranks: list[int] | None = None) -> Leg:
    return Leg(np.array(scores, np.float32), np.array(ranks or [0] * len(scores), np.int32))


def test_convex_by_hand() -> None:
    # Words: 0, 5, 10 -> 0, .5, 1. Meaning: .2, .6, .4 -> 0, 1, .5. Weights .25 and .75.
    fused = convex(0.75)(leg([0, 5, 10]), leg([0.2, 0.6, 0.4]))
    assert fused.tolist() == pytest.approx([0, 0.125 + 0.75, 0.25 + 0.375])
    assert fused.dtype == np.float32


def test_convex_of_equal_scores_leaves_the_other_leg_to_decide() -> None:
    assert convex(0.5)(leg([0, 0]), leg([0.1, 0.9])).tolist() == [0, 0.5]
    assert convex(0.5)(leg([3]), leg([0.1])).tolist() == [0]
    assert convex()(leg([]), leg([])).tolist() == []
    assert convex(1)(leg([9, 0]), leg([0, 1])).tolist() == [0, 1]
    assert convex(0)(leg([9, 0]), leg([0, 1])).tolist() == [1, 0]


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_a_weight_beyond_one_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="dense_weight"):
        convex(weight)


def test_reciprocal_rank_by_hand() -> None:
    fused = reciprocal_rank()(leg([0, 0, 0], [1, 0, 2]), leg([0, 0, 0], [3, 1, 0]))
    assert fused.tolist() == pytest.approx([1 / 61 + 1 / 63, 1 / 61, 1 / 62])
    assert reciprocal_rank(1)(leg([0], [1]), leg([0], [0])).tolist() == [0.5]
    assert reciprocal_rank()(leg([]), leg([])).tolist() == []


@pytest.mark.parametrize("constant", [0, -1])
def test_a_constant_below_one_is_refused(constant: int) -> None:
    with pytest.raises(ValueError, match="constant"):
        reciprocal_rank(constant)


SCORES = st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=20)


@given(SCORES, st.floats(0, 1), st.randoms(use_true_random=False))
def test_convex_stays_in_range_and_minds_no_scale(scores: list[float], weight: float, random: object) -> None:
    other = [random.uniform(0, 1) for _ in scores]
    fused = convex(weight)(leg(scores), leg(other))
    assert ((fused >= -1e-6) & (fused <= 1 + 1e-6)).all()
    twice = convex(weight)(leg([4 * score for score in scores]), leg(other))
    np.testing.assert_allclose(fused, twice, atol=1e-5)
