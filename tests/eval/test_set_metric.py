import math

import numpy as np
import pytest

from rag.eval.calibration import CALIBRATION
from rag.eval.questions import Question
from rag.eval.set_metric import Outcome, SetMetric, estimate_set
from rag.types import Answer


def answer(confidence: float) -> Answer:
    return Answer("?", "yes", (), (), (), False, confidence, "m")


QUESTION = Question("q", "?", reference="yes")
WRONG = Question("w", "?", reference="no")
MEAN = SetMetric(
    "mean",
    lambda question, given: None if given is None else Outcome(given.confidence, True),
    lambda confidence, right: float(confidence.mean()) if len(confidence) else None,
    "",
    higher_is_better=True,
)


def test_the_interval_holds_the_value_and_is_the_same_each_time() -> None:
    answered = [(QUESTION, answer(at / 40)) for at in range(40)] + [(QUESTION, None)]
    estimate = estimate_set(MEAN, answered)
    assert estimate.n == 40
    assert estimate.mean == pytest.approx(np.mean(np.arange(40) / 40))
    spread = np.std(np.arange(40) / 40) / math.sqrt(40)
    assert estimate.low == pytest.approx(estimate.mean - 1.96 * spread, abs=0.02)
    assert estimate.high == pytest.approx(estimate.mean + 1.96 * spread, abs=0.02)
    assert estimate_set(MEAN, answered) == estimate


def test_questions_of_one_cluster_are_drawn_together() -> None:
    answered = [(QUESTION, answer(at % 2)) for at in range(40)]
    assert estimate_set(MEAN, answered, [at // 2 for at in range(40)]).high == 0.5
    assert estimate_set(MEAN, answered, [at % 2 for at in range(40)]).high == 1.0


@pytest.mark.parametrize("metric", CALIBRATION, ids=lambda metric: metric.name)
def test_a_set_that_has_no_value(metric: SetMetric) -> None:
    estimate = estimate_set(metric, [(QUESTION, None)])
    assert estimate.n == 0
    assert math.isnan(estimate.mean)


def test_ranking_needs_right_and_wrong_answers() -> None:
    auroc = next(metric for metric in CALIBRATION if metric.name == "confidence_auroc")
    assert math.isnan(estimate_set(auroc, [(QUESTION, answer(0.5))]).mean)
    both = estimate_set(auroc, [(QUESTION, answer(0.9)), (WRONG, answer(0.2))])
    assert (both.mean, both.low, both.high, both.n) == (1, 1, 1, 2)
