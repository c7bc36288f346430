import pytest
from scipy import stats

from rag.eval.statistics.student import t_quantile


@pytest.mark.parametrize("degrees", [1, 1.05, 2, 3.3, 7, 29, 299, 1e5])
def test_quantiles_equal_scipys(degrees: float) -> None:
    for probability in (0.6, 0.8, 0.975, 0.995):
        assert t_quantile(probability, degrees) == pytest.approx(stats.t.ppf(probability, degrees), rel=1e-7)
