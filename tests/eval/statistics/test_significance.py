from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rag.eval.statistics.significance import Numbers, holm, randomisation_test, wilcoxon


def units(values: list[float]) -> Numbers:
    return np.array([[value, 1.0] for value in values])


@given(st.lists(st.tuples(*[st.sampled_from([0, 0.25, 0.5, 1])] * 2), min_size=1, max_size=9))
def test_a_few_pairs_are_exchanged_in_every_way(pairs: list[tuple[float, float]]) -> None:
    changes = [a - b for a, b in pairs]
    found = abs(sum(changes))
    larger = [
        abs(sum(s * c for s, c in zip(signs, changes, strict=True))) >= found - 1e-9
        for signs in product((1, -1), repeat=len(changes))
    ]
    p = randomisation_test(units([a for a, _ in pairs]), units([b for _, b in pairs]))
    assert p == pytest.approx(sum(larger) / len(larger))


def test_many_pairs_agree_with_scipys_permutation_test() -> None:
    random = np.random.default_rng(2)
    current, baseline = random.beta(2, 2, 60), random.beta(2, 2.6, 60)
    theirs = stats.permutation_test(
        (current, baseline),
        lambda a, b, axis: (a - b).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=20_000,
        rng=np.random.default_rng(0),
    ).pvalue
    ours = randomisation_test(units(current.tolist()), units(baseline.tolist()))
    assert ours == pytest.approx(theirs, abs=0.015)
    order = random.permutation(60)
    assert ours == randomisation_test(units(current[order].tolist()), units(baseline[order].tolist()))


def test_a_question_that_bears_in_one_run_only_is_exchanged_too() -> None:
    # exchanged, the second question moves a mean of 1 against .5 to .5 against 1: as large each time
    current, baseline = np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([[1.0, 1.0], [0.0, 1.0]])
    assert randomisation_test(current, baseline) == 1.0


def test_equal_runs_do_not_differ() -> None:
    assert randomisation_test(units([0.5, 1.0]), units([0.5, 1.0])) == 1.0


@pytest.mark.parametrize("n", [1, 2, 5, 12, 30, 50, 51, 90])
@pytest.mark.parametrize("ties", [False, True])
def test_signed_ranks_equal_scipys(n: int, ties: bool) -> None:
    random = np.random.default_rng(n)
    for _ in range(20):
        changes = random.integers(-4, 6, n) / 4 if ties else random.normal(0.2, 1, n)
        changes = changes[changes != 0]
        if not len(changes):
            continue
        distinct = len(set(np.abs(changes))) == len(changes)
        theirs = stats.wilcoxon(
            changes, method="exact" if distinct and len(changes) <= 50 else "asymptotic", correction=True
        ).pvalue
        assert wilcoxon(changes.tolist()) == pytest.approx(theirs, abs=1e-12)


def test_nothing_but_zeros_has_no_ranks() -> None:
    assert wilcoxon([0.0, 0.0]) == 1.0
    assert wilcoxon([]) == 1.0


def test_holm_as_worked_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0, 0.5))
def test_holm_rejects_what_its_steps_reject(p_values: list[float], level: float) -> None:
    rejected = set()
    for done, at in enumerate(sorted(range(len(p_values)), key=lambda at: p_values[at])):
        if p_values[at] * (len(p_values) - done) > level:
            break
        rejected.add(at)
    assert {at for at, p in enumerate(holm(p_values)) if p <= level} == rejected


def test_the_level_is_held_with_ties_and_skew() -> None:
    random = np.random.default_rng(11)
    kinds = (
        lambda: random.normal(0.6, 0.1, (2, 25)),
        lambda: random.beta(0.5, 3, (2, 25)),
        lambda: random.choice([0.0, 0.5, 1.0], (2, 25)),
    )
    for draw in kinds:
        p_values = [randomisation_test(*map(units, draw().tolist())) for _ in range(300)]
        found = sum(p <= 0.05 for p in p_values) / 300
        assert found <= 0.05 + 3 * 0.0126
        assert found >= 0.02  # it is not silent either


def test_the_level_is_held_where_questions_share_documents() -> None:
    random = np.random.default_rng(12)
    bound, free = [], []
    for number in range(400):
        labels = np.arange(12).repeat(random.geometric(1 / 5, 12))
        likes = random.normal(0, 0.2, (2, 12))[:, labels]
        runs = [units(run.tolist()) for run in likes + random.normal(0, 0.2, likes.shape)]
        sums = [np.column_stack([np.bincount(labels, column) for column in run.T]) for run in runs]
        bound.append(randomisation_test(sums[0], sums[1]) <= 0.05)
        if number < 100:
            free.append(randomisation_test(runs[0], runs[1]) <= 0.05)
    assert sum(bound) / 400 <= 0.05 + 3 * 0.011
    assert sum(free) / 100 > 0.15


def test_holm_holds_the_family_wise_rate_over_correlated_metrics() -> None:
    random = np.random.default_rng(13)
    adjusted, plain = [], []
    for _ in range(150):
        shared = random.normal(size=(2, 1, 13))
        runs = 0.7 * shared + 0.7 * random.normal(size=(2, 10, 13))
        p_values = [
            randomisation_test(units(runs[0, m].tolist()), units(runs[1, m].tolist())) for m in range(10)
        ]
        adjusted.append(min(holm(p_values)) <= 0.05)
        plain.append(min(p_values) <= 0.05)
    assert sum(adjusted) / 150 <= 0.05 + 3 * 0.0178
    assert sum(plain) / 150 > 0.12
