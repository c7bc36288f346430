import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import InputError
from rag.eval.statistics.bootstrap import estimate_mean, estimate_statistic
from rag.eval.statistics.intervals import Numbers

UNIT = st.floats(0, 1)


def test_the_interval_of_many_values_agrees_with_the_normal_one() -> None:
    values = np.random.default_rng(3).normal(0.5, 0.1, 2000).tolist()
    estimate = estimate_mean(values)
    half = 1.96 * np.std(values) / math.sqrt(len(values))
    assert estimate.mean == pytest.approx(np.mean(values), abs=1e-12)
    assert estimate.low == pytest.approx(estimate.mean - half, abs=half / 50)
    assert estimate.high == pytest.approx(estimate.mean + half, abs=half / 50)
    assert (estimate.n, estimate.reliable) == (2000, True)


@given(st.lists(st.tuples(UNIT, st.floats(0.1, 3), st.integers(0, 8)), min_size=1, max_size=30), st.randoms())
def test_the_interval_holds_the_mean_whatever_the_order(rows: list[tuple[float, float, int]], draw) -> None:  # type: ignore[no-untyped-def]
    found = estimate_mean(*zip(*rows, strict=True))
    assert 0 <= found.low <= found.mean <= found.high <= 1 + 1e-12
    draw.shuffle(rows)
    assert estimate_mean(*zip(*rows, strict=True)) == found


def test_the_names_of_clusters_do_not_matter() -> None:
    values = np.random.default_rng(0).random(40).tolist()
    clusters = [n % 7 for n in range(40)]
    assert estimate_mean(values, clusters=clusters) == estimate_mean(
        values, clusters=[9 - c for c in clusters]
    )


def test_all_right_is_not_certainty() -> None:
    estimate = estimate_mean([1.0] * 30)
    assert (estimate.mean, estimate.high) == (1.0, 1.0)
    assert estimate.low == pytest.approx(1 / (1 + 2.0452**2 / 30), abs=1e-4)  # Wilson with t at 29
    assert not estimate.reliable


def test_what_could_be_detected_is_told_only_where_it_can_be() -> None:
    half = estimate_mean([0.0, 1.0] * 50)
    assert half.detectable == pytest.approx((1.984 + 0.845) * math.sqrt(0.25 / 99), abs=1e-3)
    for values in ([], [1.0], [0.1] * 30, [0.0, 1.0]):  # two values: the difference would be above 1
        assert math.isnan(estimate_mean(values).detectable)
    # of an error in pounds more than 1 may well be found
    assert estimate_mean([0.0, 40.0] * 5).detectable > 1
    same = np.full((20, 1), 0.1)
    assert math.isnan(estimate_statistic(same, lambda rows: float(rows.mean())).detectable)
    assert not estimate_statistic(np.zeros((0, 1)), lambda rows: float(rows.mean())).reliable


def test_a_weight_stands_for_so_many_values() -> None:
    estimate = estimate_mean([1.0, 0.0, 0.0], [2.0, 1.0, 1.0])
    assert (estimate.mean, estimate.n) == (0.5, 3)


def test_nothing_has_no_mean_and_one_value_no_interval() -> None:
    nothing = estimate_mean([])
    assert (nothing.n, nothing.reliable) == (0, False)
    assert all(math.isnan(value) for value in (nothing.mean, nothing.low, nothing.high))
    one = estimate_mean([0.5])
    assert (one.mean, one.low, one.high, one.reliable) == (0.5, 0.0, 1.0, False)


def test_values_without_bounds_get_a_symmetric_interval() -> None:
    estimate = estimate_mean([-3.0, 5.0, 7.0, 11.0])
    assert estimate.mean == 5.0
    assert estimate.high - 5.0 == pytest.approx(5.0 - estimate.low)


def test_what_is_missed_is_told() -> None:
    assert estimate_mean([0.5, 1.0], missed=1).missed == 1


def test_values_of_one_cluster_are_drawn_together() -> None:
    values = [0.0, 1.0] * 20
    alone, together = estimate_mean(values), estimate_mean(values, clusters=[n % 8 for n in range(40)])
    assert together.mean == alone.mean == 0.5
    assert together.high - together.low > 2 * (alone.high - alone.low)
    assert together.reliable


def test_clusters_too_few_to_learn_from_are_said_to_be() -> None:
    values = [0.0, 0.5, 1.0] * 20
    few = estimate_mean(values, clusters=[n % 5 for n in range(60)])
    plain = estimate_mean(values)
    assert (few.low, few.high, few.reliable) == (plain.low, plain.high, False)
    assert plain.reliable


def test_few_misses_in_few_documents_are_said_to_be() -> None:
    clusters = [n // 6 for n in range(360)]
    together = [0.0 if n < 18 else 1.0 for n in range(360)]  # three documents have every wrong answer
    apart = [0.0 if n % 6 == 0 and n < 216 else 1.0 for n in range(360)]
    assert not estimate_mean(together, clusters=clusters).reliable
    assert estimate_mean(together).reliable
    assert estimate_mean(apart, clusters=clusters).reliable


def test_a_mean_by_draws_is_a_mean_in_closed_form() -> None:
    values = np.random.default_rng(1).beta(2, 1, 80)
    clusters = (np.arange(80) // 4).tolist()
    for given_clusters in (None, clusters):
        drawn = estimate_statistic(values[:, None], lambda rows: float(rows.mean()), given_clusters)
        closed = estimate_mean(values.tolist(), clusters=given_clusters)
        assert drawn.mean == pytest.approx(closed.mean, abs=1e-12)
        assert drawn.low == pytest.approx(closed.low, abs=0.004)
        assert drawn.high == pytest.approx(closed.high, abs=0.004)


def auroc(rows: Numbers) -> float | None:
    right, wrong = rows[rows[:, 0] == 1, 1], rows[rows[:, 0] == 0, 1]
    if not len(right) or not len(wrong):
        return None
    return float(((right[:, None] > wrong) + 0.5 * (right[:, None] == wrong)).mean())


def test_a_statistic_of_the_set_has_an_interval() -> None:
    random = np.random.default_rng(4)
    labels = np.arange(90) % 2
    rows = np.column_stack([labels, random.normal(labels, 1)])
    found = estimate_statistic(rows, auroc)
    assert found.low < found.mean < found.high
    assert found.mean == auroc(rows)
    # Hanley and McNeil 1982
    a = found.mean
    error = math.sqrt((a * (1 - a) + 44 * (a / (2 - a) - a * a) + 44 * (2 * a * a / (1 + a) - a * a)) / 45**2)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.12)
    assert estimate_statistic(rows[::-1], auroc) == found


def test_a_statistic_that_cannot_be_has_no_value() -> None:
    assert estimate_statistic(np.array([[1.0, 0.5], [1.0, 0.7]]), auroc).n == 0
    assert estimate_statistic(np.zeros((0, 2)), auroc).n == 0
    one_wrong = np.array([[1.0, 0.5]] * 15 + [[0.0, 0.1]])
    assert not estimate_statistic(one_wrong, auroc).reliable
    with pytest.raises(InputError, match="table"):
        estimate_statistic([1.0, 2.0], auroc)
