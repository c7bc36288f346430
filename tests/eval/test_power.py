import pytest
from scipy import stats

from rag.eval.intervals import Spread
from rag.eval.power import detectable_difference


@pytest.mark.parametrize("n", [20, 60, 300])
def test_the_t_test_has_that_power_at_that_difference(n: int) -> None:
    found = detectable_difference(Spread(0.04 / n, n - 1, n))
    limit = stats.t.ppf(0.975, n - 1)
    shift = found / (0.2 / n**0.5)
    power = stats.nct.sf(limit, n - 1, shift) + stats.nct.cdf(-limit, n - 1, shift)
    assert power == pytest.approx(0.8, abs=0.003)
