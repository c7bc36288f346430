import numpy as np
import pytest
from scipy import stats

from rag.errors import InputError
from rag.eval.statistics.comparison import compare, fewest_units


def run(**metrics: list[float | None]) -> dict[str, dict[str, float]]:
    return {
        name: {f"q{n}": value for n, value in enumerate(values) if value is not None}
        for name, values in metrics.items()
    }


def test_a_clear_loss_is_worse_and_a_small_one_nothing() -> None:
    current = run(recall=[0.2] * 19 + [1.0], f1=[0.5, 0.4] * 10)
    baseline = run(recall=[0.9] * 19 + [0.8], f1=[0.4, 0.5] * 10)
    recall, f1 = compare(current, baseline)
    assert (recall.metric, recall.n, recall.significant, recall.worse) == ("recall", 20, True, True)
    assert (recall.current, recall.baseline) == pytest.approx((0.24, 0.895))
    assert recall.difference == pytest.approx(-0.655)
    assert recall.low < -0.655 < recall.high < 0
    assert recall.words.startswith("worse by 0.655")
    assert (f1.p_value, f1.significant, f1.worse) == (1.0, False, False)
    assert f1.words.startswith("no difference can be claimed with 20 questions: one below 0.0")


def test_a_rise_of_what_should_be_low_is_worse() -> None:
    current, baseline = run(error=[0.9] * 20), run(error=[0.1, 0.2] * 10)
    assert compare(current, baseline, higher_is_better={"error": False})[0].worse
    assert not compare(current, baseline)[0].worse


def test_only_what_both_runs_asked_and_measured_is_compared() -> None:
    current = {"a": {"q1": 1.0, "q2": 0.0, "q3": 1.0}, "b": {"q1": 1.0}, "new": {"q1": 1.0}}
    baseline = {"a": {"q1": 0.0, "q4": 0.0}, "b": {}, "old": {"q1": 1.0}}
    (only,) = compare(current, baseline)
    assert (only.metric, only.n, only.current, only.baseline) == ("a", 1, 1.0, 0.0)
    assert only.minimum_detectable is None
    assert (only.low, only.high) == (-1.0, 1.0)


def test_a_question_that_a_metric_bears_on_in_one_run_only_is_part_of_that_runs_mean() -> None:
    current = run(other=[1.0] * 4, refusal=[1.0, 0.0, None, None])
    baseline = run(other=[1.0] * 4, refusal=[1.0, None, None, 1.0])
    found = compare(current, baseline)[1]
    assert (found.n, found.current, found.baseline) == (3, 0.5, 1.0)


def test_a_weight_counts() -> None:
    current, baseline = run(f1=[1.0, 0.0, 0.0]), run(f1=[1.0, 1.0, 0.0])
    found = compare(current, baseline, weights={"f1": lambda value: 1 + value})[0]
    assert (found.current, found.baseline) == pytest.approx((2 / 4, 4 / 5))


def test_questions_of_one_document_are_one_unit() -> None:
    current, baseline = run(m=[1.0, 0.9] * 12), run(m=[0.0] * 24)
    free = compare(current, baseline)[0]
    bound = compare(current, baseline, clusters={f"q{n}": n // 3 for n in range(24)})[0]
    assert free.p_value == pytest.approx(1 / 10_000)
    assert bound.p_value == pytest.approx(2 / 2**8)
    assert (bound.n, bound.of_these_documents) == (24, False)


def test_few_documents_allow_claims_about_themselves_alone() -> None:
    current, baseline = run(m=[1.0, 0.9] * 12), run(m=[0.0] * 24)
    free = compare(current, baseline)[0]
    few = compare(current, baseline, clusters={f"q{n}": n % 2 for n in range(23)})[0]
    assert (few.p_value, few.low, few.significant) == (free.p_value, free.low, True)
    assert few.of_these_documents
    assert few.words.endswith("for questions about these documents alone")


def test_the_interval_is_that_of_paired_differences() -> None:
    random = np.random.default_rng(0)
    current, baseline = random.random(40), random.random(40)
    found = compare(run(m=current.tolist()), run(m=baseline.tolist()))[0]
    theirs = stats.ttest_rel(current, baseline).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    error = (current - baseline).std(ddof=1) / 40**0.5
    assert found.minimum_detectable == pytest.approx((stats.t.ppf(0.975, 39) + stats.t.ppf(0.8, 39)) * error)


def test_the_order_of_questions_does_not_matter() -> None:
    random = np.random.default_rng(0)
    current, baseline = ({"m": {f"q{n}": random.random() for n in range(40)}} for _ in range(2))
    turned = [{"m": dict(reversed(each["m"].items()))} for each in (current, baseline)]
    assert compare(current, baseline) == compare(*turned)


@pytest.mark.parametrize("metrics", [1, 2, 7, 10, 28])
def test_the_fewest_units_are_the_fewest_that_can_show_a_difference(metrics: int) -> None:
    fewest = fewest_units(metrics)
    for units, can in ((fewest, True), (fewest - 1, False)):
        runs = [run(**{f"m{m}": [value] * units for m in range(metrics)}) for value in (0.0, 1.0)]
        assert all(found.worse is can for found in compare(*runs))


def test_documents_too_few_for_many_metrics_allow_claims_about_themselves_alone() -> None:
    random = np.random.default_rng(0)
    ones = {f"m{m}": [1.0] * 120 for m in range(10)}
    low = {f"m{m}": (random.random(120) < 0.1).tolist() for m in range(10)}
    documents = {f"q{n}": n // 20 for n in range(120)}
    many = compare(run(**low), run(**ones), clusters=documents)
    assert all(each.worse and each.of_these_documents for each in many)
    assert many[0].words.endswith(
        "for questions about these documents alone, too few or too uneven for 10 metrics"
    )
    (one,) = compare(run(m0=low["m0"]), run(m0=ones["m0"]), clusters=documents)
    assert (one.worse, one.of_these_documents) == (True, False)


def test_questions_too_few_for_many_metrics_are_said_to_be() -> None:
    runs = [run(**{f"m{m}": [value] * 8 for m in range(10)}) for value in (0.0, 1.0)]
    assert compare(*runs)[0].words == (
        "no difference can be claimed with 8 questions; "
        "with 10 metrics no fewer than 9 questions can show one"
    )


def test_what_is_missed_when_nothing_is_claimed_is_larger_than_what_was_seen() -> None:
    random = np.random.default_rng(1)
    baseline = {f"m{m}": (random.random(60) < 0.8).astype(float).tolist() for m in range(28)}
    current = {**baseline, "m0": [0.0] * 11 + baseline["m0"][11:]}
    first = compare(run(**current), run(**baseline))[0]
    alone = compare(run(m0=current["m0"]), run(m0=baseline["m0"]))[0]
    assert (alone.significant, first.significant) == (True, False)
    assert first.minimum_detectable is not None
    assert alone.minimum_detectable is not None
    assert alone.minimum_detectable < abs(first.difference) < first.minimum_detectable
    assert "would be missed more often than one time in five" in first.words


def test_questions_without_a_verdict_are_left_out_and_counted() -> None:
    baseline = run(m=[1.0] * 30)
    broken = run(m=[1.0] * 18 + [0.0] * 12)
    lost = {f"q{n}" for n in range(18, 30)}
    (found,) = compare(broken, baseline, missed={"m": lost})
    assert (found.n, found.missed, found.current, found.worse) == (18, 12, 1.0, False)
    assert found.words == "the same in all 18 questions; 12 left out, without a verdict in one of the runs"
    assert compare(broken, baseline)[0].worse
    assert compare(broken, baseline, missed={"m": {*lost, *(f"q{n}" for n in range(18))}}) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(value: float) -> None:
    for runs in ((run(m=[value, 1.0]), run(m=[1.0, 1.0])), (run(m=[1.0, 1.0]), run(m=[value, 1.0]))):
        with pytest.raises(InputError, match="finite"):
            compare(*runs)
