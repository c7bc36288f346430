from __future__ import annotations

import pytest

from rag.eval.watching.drift import Drift
from rag.eval.watching.family import judge_together
from rag.eval.watching.windows import Change


def change(name: str, p_value: float | None, difference: float = -0.5) -> Change:
    return Change(name, 0.2, 0.7, 30, 30, difference, None, None, p_value)


def test_changes_and_drifts_are_corrected_together() -> None:
    drift = Drift("length", 0.5, 0.25, 0.03, 30, 30)
    (alone,), _ = judge_together([change("a", 0.03)], [])
    _, (lonely,) = judge_together([], [drift])
    assert alone.worse and lonely.drifted
    (first, skipped), (second,) = judge_together([change("a", 0.03), change("b", None)], [drift])
    assert not first.worse and not second.drifted
    assert (first.p_value, second.p_value) == (pytest.approx(0.06), pytest.approx(0.06))
    assert skipped.p_value is None


def test_a_rise_is_worse_where_lower_is_better() -> None:
    (rise, fall), _ = judge_together(
        [change("a", 0.001, 0.5), change("b", 0.001)], [], lower_is_better=frozenset({"a", "b"})
    )
    assert rise.worse and not fall.worse
