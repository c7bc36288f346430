from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.eval.metrics.calibration import (
    brier_score,
    calibration_error,
    confidence_auroc,
    outcome,
    reliability_bins,
)
from rag.eval.metrics.set_metric import Outcome
from rag.types import Answer

metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is an oracle here")

PAIRS = st.lists(
    st.tuples(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0])), st.booleans()),
    min_size=1,
    max_size=40,
)


def arrays(pairs):
    return np.array([c for c, _ in pairs]), np.array([r for _, r in pairs])


@settings(max_examples=200, deadline=None)
@given(PAIRS)
def test_brier_and_auroc_equal_scikit_learn(pairs) -> None:
    confidence, right = arrays(pairs)
    assert brier_score(confidence, right) == pytest.approx(((confidence - right) ** 2).mean(), abs=1e-12)
    if right.any() and not right.all():
        assert brier_score(confidence, right) == pytest.approx(metrics.brier_score_loss(right, confidence))
        assert confidence_auroc(confidence, right) == pytest.approx(metrics.roc_auc_score(right, confidence))
    else:
        assert confidence_auroc(confidence, right) is None


@settings(max_examples=200, deadline=None)
@given(PAIRS)
def test_the_error_is_that_of_the_bins(pairs) -> None:
    confidence, right = arrays(pairs)
    bins = reliability_bins(confidence, right)
    assert sum(each.n for each in bins) == len(pairs)
    for each in bins:
        assert (each.n == 0) == (each.confidence is None) == (each.accuracy is None)
        # exact at the edges but for the rounding of a tenth
        assert each.n == 0 or each.low - 1e-12 <= each.confidence <= each.high + 1e-12
    by_hand = sum(each.n * abs(each.accuracy - each.confidence) for each in bins if each.n) / len(pairs)
    assert calibration_error(confidence, right) == pytest.approx(by_hand, abs=1e-12)


def test_by_hand() -> None:
    confidence, right = np.array([0.95, 0.95, 0.15, 0.0]), np.array([True, False, False, False])
    assert calibration_error(confidence, right) == pytest.approx((0.9 + 0.15 + 0) / 4)
    assert [(each.low, each.n) for each in reliability_bins(confidence, right) if each.n] == [
        (0.0, 1), (0.1, 1), (0.9, 2)
    ]  # fmt: skip
    nothing = np.array([]), np.array([], dtype=bool)
    assert calibration_error(*nothing) is brier_score(*nothing) is confidence_auroc(*nothing) is None


ANSWER = Answer("Who?", "It was Ada Lovelace. [1]", (), (), (), False, 0.7, "m")


def test_what_an_answer_was_worth() -> None:
    assert outcome(True, ANSWER) == Outcome(0.7, True)
    assert outcome(False, ANSWER) == Outcome(0.7, False)
    assert outcome(True, replace(ANSWER, confidence=1.2)) == Outcome(1.0, True)
    assert outcome(True, replace(ANSWER, abstained=True)) is None
    assert outcome(None, ANSWER) is None
    assert outcome(None, None) is None
