import math

import numpy as np
import pytest

from rag.eval.bootstrap import estimate_mean


def test_the_interval_of_many_values_agrees_with_the_normal_one() -> None:
    values = np.random.default_rng(3).normal(0.5, 0.1, 2000).tolist()
    estimate = estimate_mean(values)
    half = 1.96 * np.std(values) / math.sqrt(len(values))
    assert estimate.mean == pytest.approx(np.mean(values), abs=1e-12)
    assert estimate.low == pytest.approx(estimate.mean - half, abs=half / 5)
    assert estimate.high == pytest.approx(estimate.mean + half, abs=half / 5)
    assert estimate.n == 2000


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    draws = np.random.default_rng(5).random((60, 40)) < 0.3
    covered = sum(
        e.low <= 0.3 <= e.high for e in (estimate_mean(row.astype(float).tolist()) for row in draws)
    )
    assert 50 <= covered <= 60


def test_a_weight_stands_for_so_many_values() -> None:
    estimate = estimate_mean([1.0, 0.0, 0.0], [2.0, 1.0, 1.0])
    assert estimate.mean == 0.5
    assert (estimate.low, estimate.high, estimate.n) == (0.0, 1.0, 3)


def test_the_same_values_give_the_same_interval() -> None:
    values = [0.1, 0.9, 0.4, 0.4]
    assert estimate_mean(values) == estimate_mean(values)


def test_nothing_has_no_mean_and_one_value_no_width() -> None:
    nothing = estimate_mean([])
    assert nothing.n == 0
    assert all(math.isnan(value) for value in (nothing.mean, nothing.low, nothing.high))
    one = estimate_mean([0.5])
    assert (one.mean, one.low, one.high) == (0.5, 0.5, 0.5)


def test_what_is_missed_is_told() -> None:
    assert estimate_mean([0.5, 1.0], missed=1).missed == 1


def test_values_of_one_cluster_are_drawn_together() -> None:
    values = [0.0, 1.0] * 20
    alone, together = estimate_mean(values), estimate_mean(values, clusters=[n % 2 for n in range(40)])
    assert together.mean == alone.mean == 0.5
    assert together.high - together.low > 2 * (alone.high - alone.low)
