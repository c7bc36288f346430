"""A running system's answers by time: which are looked at, and whether they are worse than those before.

The questions of two windows are others, so that nothing is paired: means are compared by exchanging
answers between the windows.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from rag.eval.drawing import apportion
from rag.eval.questions import Question
from rag.eval.statistics.student import t_quantile
from rag.eval.watching.records import LoggedAnswer

LEVEL = 0.05
PERMUTATIONS = 4_999
FEWEST = 5


@dataclass(frozen=True, slots=True)
class Change:
    """A mean of one window beside that of the window before, with the 95 % interval of the difference.

    `p_value` is two-sided; `judge_together` corrects it for the number of tests. `worse` is true where the
    change is for the worse and significant. Interval and `p_value` are None where a window has fewer than 5.
    """

    metric: str
    current: float
    before: float
    n: int
    n_before: int
    difference: float
    low: float | None
    high: float | None
    p_value: float | None
    worse: bool = False


def between(
    answers: Sequence[LoggedAnswer], end: datetime, length: timedelta
) -> tuple[tuple[LoggedAnswer, ...], tuple[LoggedAnswer, ...]]:
    """The answers of the time of that length up to `end`, and those of as long a time before."""
    start, before = end - length, end - 2 * length
    current = tuple(each for each in answers if start < each.time <= end)
    return current, tuple(each for each in answers if before < each.time <= start)


def sample_questions(answers: Sequence[LoggedAnswer], count: int, seed: int) -> tuple[Question, ...]:
    """Draw at most `count` different questions, from each day and from refusals by their share.

    Only what was asked alone can be asked again: chats, summaries and comparisons are left out, and so
    is what was redacted or kept only as a hash.
    """
    first: dict[str, LoggedAnswer] = {}
    for answer in answers:
        if answer.mode == "ask" and answer.question.strip() and "[redacted]" not in answer.question:
            first.setdefault(answer.question_hash, answer)
    strata = defaultdict[tuple[str, bool], list[LoggedAnswer]](list)
    for answer in first.values():
        strata[answer.time.date().isoformat(), answer.abstained].append(answer)
    chosen = _by_share(strata, min(count, len(first)), random.Random(seed))
    kinds = {True: "refused", False: "answered"}
    return tuple(
        Question(each.question_hash, each.question, kind=kinds[each.abstained])
        for each in sorted(chosen, key=lambda each: (each.time, each.id))
    )


def compare_unpaired(
    current: Mapping[str, Sequence[float]],
    before: Mapping[str, Sequence[float]],
    seed: int = 0,
) -> tuple[Change, ...]:
    """Compare the means of metrics that both windows have, by metric name. p-values are not yet corrected.

    Source: Welch 1947, The Generalization of 'Student's' Problem, for the interval; Pitman 1937,
    Significance Tests Which May be Applied to Samples from any Populations, for the exchanges.
    """
    shared = [name for name in current if current[name] and before.get(name)]
    return tuple(_change(name, current[name], before[name], seed) for name in shared)


def judge_change(change: Change, p_value: float, lower_is_better: frozenset[str] = frozenset()) -> Change:
    """The change with its corrected p-value, and whether it is for the worse."""
    loss = change.difference > 0 if change.metric in lower_is_better else change.difference < 0
    return replace(change, p_value=p_value, worse=bool(loss and p_value < LEVEL))


def _by_share(
    strata: Mapping[tuple[str, bool], list[LoggedAnswer]], count: int, chance: random.Random
) -> list[LoggedAnswer]:
    """`count` of all, of each stratum as many as its share comes to, the largest remainders rounded up."""
    taken = apportion({name: len(held) for name, held in sorted(strata.items())}, count)
    return [
        answer
        for name, size in taken.items()
        for answer in chance.sample(sorted(strata[name], key=lambda each: each.question_hash), size)
    ]


def _change(metric: str, current: Sequence[float], before: Sequence[float], seed: int) -> Change:
    new, old = np.asarray(current, np.float64), np.asarray(before, np.float64)
    difference = float(new.mean() - old.mean())
    change = Change(
        metric, float(new.mean()), float(old.mean()), len(new), len(old), difference, None, None, None
    )
    if min(len(new), len(old)) < FEWEST:
        return change
    both = np.concatenate([new, old])
    chance = np.random.default_rng(seed)
    large = 0
    for _ in range(PERMUTATIONS):
        drawn = chance.permutation(both)
        large += abs(drawn[: len(new)].mean() - drawn[len(new) :].mean()) >= abs(difference) - 1e-12
    errors = new.var(ddof=1) / len(new), old.var(ddof=1) / len(old)
    spread = sum(errors)
    # Welch and Satterthwaite's degrees of freedom
    below = sum(e * e / (n - 1) for e, n in zip(errors, (len(new), len(old)), strict=True))
    half = t_quantile(0.975, float(spread**2 / below)) * math.sqrt(spread) if below > 0 else 0.0
    p_value = (large + 1) / (PERMUTATIONS + 1)
    return replace(change, low=difference - half, high=difference + half, p_value=p_value)
