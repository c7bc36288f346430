from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from rag.eval.watching import windows
from rag.eval.watching.family import judge_together
from rag.eval.watching.records import LoggedAnswer
from rag.eval.watching.windows import Change, between, compare_unpaired, sample_questions

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def compared(
    current: Mapping[str, Sequence[float]],
    before: Mapping[str, Sequence[float]],
    lower_is_better: frozenset[str] = frozenset(),
    seed: int = 0,
) -> tuple[Change, ...]:
    return judge_together(compare_unpaired(current, before, seed), (), lower_is_better)[0]


def answer(
    number: int, *, day: int = 0, refused: bool = False, question: str = "", mode: str = "ask"
) -> LoggedAnswer:
    asked = question or f"question {number}"
    when = START + day * DAY + timedelta(minutes=number)
    return LoggedAnswer(
        f"s{number}", when, asked, f"h {asked}", 2, "", "", mode, 1, "m", refused, 0.5, (), (), {}
    )


def test_windows_are_of_one_length_and_touch() -> None:
    held = [answer(0, day=day) for day in range(10)]
    current, before = between(held, START + 9 * DAY, 3 * DAY)
    assert [each.time.day for each in current] == [8, 9, 10]
    assert [each.time.day for each in before] == [5, 6, 7]


def test_days_and_refusals_are_drawn_by_their_share() -> None:
    held = [answer(number, day=number % 2, refused=number % 10 < 2) for number in range(200)]
    found = sample_questions(held, 20, seed=0)
    assert len({question.id for question in found}) == 20
    assert Counter(question.kind for question in found) == {"answered": 16, "refused": 4}
    assert found == sample_questions(list(reversed(held)), 20, seed=0)
    assert found != sample_questions(held, 20, seed=1)


def test_what_cannot_be_asked_again_is_left_out_and_repeats_come_once() -> None:
    held = [
        answer(1, question="same"),
        answer(2, question="same"),
        answer(3, question=" "),
        answer(4, question="mail [redacted]"),
        answer(5, mode="chat"),
    ]
    assert [question.user_input for question in sample_questions(held, 50, seed=0)] == ["same"]
    assert sample_questions([], 50, seed=0) == ()


def test_the_interval_and_p_value_are_those_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(5)
    new, old = random.normal(0.6, 0.2, 30), random.normal(0.7, 0.1, 45)
    (change,) = compared({"m": new.tolist()}, {"m": old.tolist()})
    welch = stats.ttest_ind(new, old, equal_var=False)
    wanted = welch.confidence_interval()
    assert (change.low, change.high) == pytest.approx((wanted.low, wanted.high), abs=1e-7)
    assert change.p_value == pytest.approx(welch.pvalue, abs=0.01)
    assert change.worse


def test_a_gain_is_no_loss_and_few_answers_tell_nothing() -> None:
    high, low = [0.9, 0.8, 0.95, 0.85, 0.9, 0.92] * 3, [0.1, 0.2, 0.15, 0.12, 0.1, 0.2] * 3
    up, down = compared({"m": high, "rate": high}, {"m": low, "rate": low}, frozenset({"rate"}))
    assert not up.worse and down.worse
    (few,) = compared({"m": low[:4]}, {"m": high})
    assert (few.low, few.p_value, few.worse) == (None, None, False)
    assert compared({"m": [], "a": [1.0]}, {"m": [1.0], "b": [1.0]}) == ()
    (same,) = compared({"m": [1.0] * 9}, {"m": [1.0] * 9})
    assert (same.low, same.high, same.p_value) == (0.0, 0.0, 1.0)


def test_equal_windows_are_called_worse_no_more_often_than_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "PERMUTATIONS", 199)
    random = np.random.default_rng(11)
    worse = 0
    for seed in range(100):
        current, before = ({n: (random.random(25) < 0.7).tolist() for n in "abc"} for _ in range(2))
        worse += any(each.worse for each in compared(current, before, seed=seed))
    # one-sided 2.5 %: more than 8 of 100 would be less than one chance in a thousand
    assert worse <= 8
