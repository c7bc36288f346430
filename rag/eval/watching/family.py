"""Changes and drifts of one look judged together: an alarm is one claim, however much is tested."""

from __future__ import annotations

from collections.abc import Sequence

from rag.eval.statistics.significance import holm
from rag.eval.watching.drift import Drift, judge_drift
from rag.eval.watching.windows import Change, judge_change


def judge_together(
    changes: Sequence[Change], drifts: Sequence[Drift], lower_is_better: frozenset[str] = frozenset()
) -> tuple[tuple[Change, ...], tuple[Drift, ...]]:
    """Correct the p-values of both for being so many, and say which are worse and which drifted.

    Source: Holm 1979, A Simple Sequentially Rejective Multiple Test Procedure.
    """
    tested = [*(each.p_value for each in changes), *(each.p_value for each in drifts)]
    given = [each for each in tested if each is not None]
    adjusted = iter(holm(given))
    judged = tuple(
        each if each.p_value is None else judge_change(each, next(adjusted), lower_is_better)
        for each in changes
    )
    told = tuple(each if each.p_value is None else judge_drift(each, next(adjusted)) for each in drifts)
    return judged, told
