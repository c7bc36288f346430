import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rag.eval.statistics.bootstrap import estimate_mean
from rag.eval.statistics.intervals import Spread, cluster_units, mean_spread, score_interval, wilson_interval


def test_degrees_and_variance_are_those_of_the_matrices() -> None:
    """Bell and McCaffrey's definition, with its matrices written out."""
    random = np.random.default_rng(0)
    for _ in range(20):
        units = random.integers(0, 7, 40)
        weight, value = random.choice([1.0, 2.0], 40), random.random(40)
        mean = np.average(value, weights=weight)
        sizes, squares = np.bincount(units, weight), np.bincount(units, weight**2)
        residuals = np.bincount(units, weight * (value - mean))
        maker = np.eye(7) - np.outer(sizes / sizes.sum(), np.ones(7))
        adjust = np.diag(1 / np.sqrt(1 - sizes / sizes.sum()))
        covariance = adjust @ maker @ np.diag(squares) @ maker.T @ adjust
        spread = mean_spread(residuals, sizes, squares)
        assert spread.variance == pytest.approx(((adjust @ residuals) ** 2).sum() / sizes.sum() ** 2)
        assert spread.degrees == pytest.approx(np.trace(covariance) ** 2 / (covariance**2).sum())


def test_without_clusters_it_is_the_variance_of_a_mean() -> None:
    values = np.random.default_rng(1).random(25)
    spread = mean_spread(values - values.mean(), np.ones(25), np.ones(25))
    assert spread.variance == pytest.approx(values.var(ddof=1) / 25)
    assert (spread.degrees, spread.independent) == pytest.approx((24, 25))


def test_yes_or_no_answers_have_wilsons_interval() -> None:
    ours = score_interval(0.9, Spread(0.9 * 0.1 / 1e5, 1e6, 1e5))
    theirs = stats.binomtest(90_000, 100_000).proportion_ci(method="wilson")
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-7)
    at_end = score_interval(1.0, Spread(0.0, 1e7, 50))
    theirs = stats.binomtest(50, 50).proportion_ci(method="wilson")
    assert at_end == pytest.approx((theirs.low, theirs.high), abs=1e-6)


def test_other_bounds_move_and_stretch_it() -> None:
    low, high = score_interval(0.3, Spread(0.01, 20, 21))
    assert score_interval(-0.4, Spread(0.04, 20, 21), -1.0, 1.0) == pytest.approx((2 * low - 1, 2 * high - 1))


@pytest.mark.parametrize(("good", "total"), [(0, 1), (1, 1), (3, 10), (50, 100), (0, 40), (999, 1000)])
def test_a_proportions_interval_is_that_of_scipy(good: int, total: int) -> None:
    wanted = stats.binomtest(good, total).proportion_ci(method="wilson")
    assert wilson_interval(good, total) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


@given(st.integers(0, 200), st.integers(0, 200))
def test_a_proportions_interval_holds_it(good: int, bad: int) -> None:
    low, high = wilson_interval(good, good + bad)
    assert 0 <= low <= high <= 1
    if good + bad:
        assert low - 1e-12 <= good / (good + bad) <= high + 1e-12


@pytest.mark.parametrize(
    ("sizes", "fewest", "few"),
    [
        ([5] * 6, 6, False),
        ([5] * 5, 6, True),
        ([5] * 10, 11, True),
        ([37, 8, 6, 4, 4, 4, 4, 3, 3, 2], 6, True),  # half of the questions are of one cluster
        ([10, 8, 6, 4, 4, 4, 4, 3, 3, 2], 6, False),
    ],
)
def test_few_clusters_or_uneven_ones_give_way_to_questions(sizes: list[int], fewest: int, few: bool) -> None:
    labels = np.arange(len(sizes)).repeat(sizes)
    units, found = cluster_units(sum(sizes), labels, fewest)
    assert found is few
    assert units.max() + 1 == (sum(sizes) if few else len(sizes))


def cover(held: list[bool]) -> float:
    return sum(held) / len(held)


@pytest.mark.parametrize(
    ("n", "p", "least", "most"),
    [
        (30, 0.5, 0.935, 0.965),
        (30, 0.8, 0.935, 0.965),
        (30, 0.95, 0.935, 0.965),
        (60, 0.5, 0.935, 0.965),
        # too few counts are likely there to come nearer: docs/statistics.md
        (60, 0.95, 0.935, 0.971),
        (100, 0.8, 0.935, 0.965),
        (100, 0.95, 0.935, 0.967),
        (300, 0.5, 0.935, 0.965),
        (300, 0.95, 0.935, 0.965),
    ],
)
def test_yes_or_no_answers_are_covered_exactly(n: int, p: float, least: float, most: float) -> None:
    counts = range(n + 1)
    found = [estimate_mean([1.0] * count + [0.0] * (n - count)) for count in counts]
    chance = sum(
        stats.binom.pmf(count, n, p) for count in counts if found[count].low <= p <= found[count].high
    )
    assert least <= chance <= most


@pytest.mark.parametrize("n", [30, 100])
@pytest.mark.parametrize("kind", ["even", "skewed", "mostly zero"])
def test_graded_answers_are_covered(kind: str, n: int) -> None:
    random = np.random.default_rng(n)
    held = []
    for _ in range(1500):
        values, truth = {
            "even": (random.normal(0.6, 0.12, n).clip(0, 1), 0.6),
            "skewed": (random.beta(0.5, 3, n), 0.5 / 3.5),
            "mostly zero": ((random.random(n) < 0.3) * random.beta(2, 2, n), 0.15),
        }[kind]
        found = estimate_mean(values.tolist())
        held.append(found.low <= truth <= found.high)
    assert 0.93 <= cover(held) <= 0.968  # 0.935 to 0.965 but for 1,500 draws


def test_questions_about_one_document_are_covered_where_that_is_known() -> None:
    random = np.random.default_rng(6)
    known, plain = [], []
    for _ in range(800):
        sizes = random.geometric(1 / 6, 20)
        chance = random.beta(0.7 * 7 / 3, 0.3 * 7 / 3, 20).repeat(sizes)  # intraclass correlation .3
        values = ((random.random(len(chance)) < chance) * 1.0).tolist()
        found = estimate_mean(values, clusters=np.arange(20).repeat(sizes).tolist())
        known.append(found.low <= 0.7 <= found.high)
        unaware = estimate_mean(values)
        plain.append(unaware.low <= 0.7 <= unaware.high)
    assert 0.925 <= cover(known) <= 0.975
    assert cover(plain) < 0.8
