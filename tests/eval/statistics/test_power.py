import numpy as np
import pytest
from scipy import stats

from rag.eval.statistics.intervals import Spread
from rag.eval.statistics.power import detectable_difference
from rag.eval.statistics.significance import randomisation_test


@pytest.mark.parametrize("n", [20, 60, 300])
def test_the_t_test_has_that_power_at_that_difference(n: int) -> None:
    found = detectable_difference(Spread(0.04 / n, n - 1, n))
    limit = stats.t.ppf(0.975, n - 1)
    shift = found / (0.2 / n**0.5)
    power = stats.nct.sf(limit, n - 1, shift) + stats.nct.cdf(-limit, n - 1, shift)
    assert power == pytest.approx(0.8, abs=0.003)


def test_the_randomisation_test_finds_such_a_difference_four_times_in_five() -> None:
    random, n = np.random.default_rng(5), 40
    size = detectable_difference(Spread(0.0625 / n, n - 1, n))
    found = []
    for _ in range(300):
        moved = random.normal(size, 0.25, n)
        ours, theirs = np.column_stack([moved, np.ones(n)]), np.column_stack([np.zeros(n), np.ones(n)])
        found.append(randomisation_test(ours, theirs) <= 0.05)
    assert 0.8 - 3 * 0.023 <= sum(found) / 300 <= 0.8 + 3 * 0.023
