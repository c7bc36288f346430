from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.eval.watching import drift
from rag.eval.watching.drift import (
    Drift,
    Window,
    centroid_shift,
    cluster,
    measure_drift,
    psi,
    psi_of_counts,
    psi_of_labels,
)
from rag.eval.watching.family import judge_together


def measured(reference: Window, current: Window, seed: int = 0) -> tuple[Drift, ...]:
    return judge_together((), measure_drift(reference, current, seed=seed))[1]


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def topics(random: np.random.Generator, n: int, shift: float = 0.0) -> np.ndarray:
    """Questions of three topics, all of them moved by `shift` in a fourth direction."""
    centres = np.eye(16)[:3] * 3
    vectors = centres[random.integers(0, 3, n)] + random.standard_normal((n, 16)) * 0.5
    vectors[:, 3] += shift
    return unit(vectors)


def test_psi_by_hand() -> None:
    # 10 of 20 and 10 of 20 against 15 and 5, half an observation more in each bin
    old, new = [10.5 / 21, 10.5 / 21], [15.5 / 21, 5.5 / 21]
    wanted = sum((q - p) * math.log(q / p) for p, q in zip(old, new, strict=True))
    assert psi_of_counts(np.array([10, 10]), np.array([15, 5])) == pytest.approx(wanted, abs=1e-12)


def test_psi_is_the_divergence_both_ways_of_scipy() -> None:
    entropy = pytest.importorskip("scipy.stats").entropy
    random = np.random.default_rng(1)
    for _ in range(20):
        old, new = random.integers(0, 50, 7), random.integers(0, 50, 7)
        p, q = (old + 0.5) / (old + 0.5).sum(), (new + 0.5) / (new + 0.5).sum()
        assert psi_of_counts(old, new) == pytest.approx(entropy(p, q) + entropy(q, p), abs=1e-12)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40),
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40),
)
def test_psi_is_finite_symmetric_and_0_of_itself(one: list[float], other: list[float]) -> None:
    first, second = np.array(one), np.array(other)
    assert 0 <= psi(first, second) < math.inf
    assert psi(first, second) == pytest.approx(psi(second, first))
    assert psi(first, first) == psi_of_labels(first, first) == 0


def test_centroid_shift_is_1_less_the_cosine() -> None:
    one, other = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 1.0]])
    assert centroid_shift(one, one) == 0
    assert centroid_shift(one, other) == pytest.approx(1)
    assert centroid_shift(one, -one) == pytest.approx(2)
    assert centroid_shift(np.array([[1.0, 0], [-1.0, 0]]), one) == 0  # a mean of nothing points nowhere


def test_clusters_are_the_topics_and_the_same_every_time() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, 90)
    vectors = unit(np.eye(16)[:3][truth] * 8 + random.standard_normal((90, 16)) * 0.3).astype(np.float64)
    labels = cluster(vectors, 3, seed=0)
    assert len({(a, b) for a, b in zip(truth, labels, strict=True)}) == 3
    assert np.array_equal(labels, cluster(vectors, 3, seed=0))
    assert set(cluster(np.ones((5, 1)), 8, seed=0)) == {0}


def test_the_same_source_raises_an_alarm_no_more_often_than_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "PERMUTATIONS", 99)
    random = np.random.default_rng(7)
    trials, alarms = 60, 0
    for seed in range(trials):
        windows = [
            Window(
                topics(random, 40),
                lengths=random.poisson(9, 40).astype(float).tolist(),
                scores=random.normal(0.6, 0.1, 40).tolist(),
                confidences=random.beta(4, 2, 40).tolist(),
                abstained=(random.random(40) < 0.2).tolist(),
            )
            for _ in range(2)
        ]
        alarms += any(each.level != "none" for each in measured(*windows, seed=seed))
    # at most 5 %: of 60 trials more than 8 would be one chance in a hundred
    assert alarms <= 8


def test_another_topic_is_an_alarm() -> None:
    random = np.random.default_rng(3)
    one = Window(topics(random, 60), lengths=random.poisson(9, 60).tolist(), abstained=[False] * 60)
    other = Window(
        topics(random, 60, 4.0), lengths=random.poisson(9, 60).tolist(), abstained=[True] * 40 + [False] * 20
    )
    found = {each.measure: each for each in measured(one, other)}
    assert found["centroid"].drifted and found["abstention"].drifted
    assert not found["length"].drifted
    assert measured(one, other) == measured(one, other)


def test_a_large_change_in_few_questions_and_a_sure_one_that_is_small_are_none() -> None:
    few = measured(Window(lengths=[3.0] * 5), Window(lengths=[30.0] * 5))
    assert [(each.level, each.value, each.p_value) for each in few] == [("none", None, None)]
    assert "too few" in few[0].note
    random = np.random.default_rng(0)
    many = random.normal(0, 1, 20_000)
    monkey = measured(Window(scores=many[:10_000]), Window(scores=many[10_000:] + 0.1))
    assert monkey[0].p_value is not None and monkey[0].p_value < 0.05
    assert monkey[0].level == "none"


@settings(max_examples=15)
@given(st.integers(0, 60), st.integers(0, 60))
def test_any_windows_are_measured(one: int, other: int) -> None:
    random = np.random.default_rng(one)
    found = measured(
        Window(topics(random, one) if one else None, lengths=[1.0] * one, abstained=[True] * one),
        Window(topics(random, other) if other else None, lengths=[1.0] * other, abstained=[True] * other),
    )
    for each in found:
        assert each.value is None or math.isfinite(each.value)
        if each.measure in ("length", "abstention"):
            assert not each.drifted
