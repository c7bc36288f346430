"""How metrics ask a judge, and what they make of a verdict that is missing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from rag.errors import InputError, JudgeFailed
from rag.eval.metric import Metric
from rag.eval.questions import Question
from rag.eval.sample import Ground, Sample, Score
from rag.protocols import Judge
from rag.types import Claim, Judgement

_REFERENCES = 5  # accepted answers that a response is held to: each costs verdicts of its own
_SHOWN = 80  # characters of a passage that a ground shows behind its place


def judged(
    name: str,
    measure: Callable[[Sample, Judge], Score | None],
    formula: str,
    *,
    higher_is_better: bool = True,
) -> Metric:
    """A metric that a judge's verdicts make. Where the judge fails altogether its score is the worst."""

    def of_sample(sample: Sample, judge: Judge | None) -> Score | None:
        if judge is None:
            raise InputError(f"{name} needs a judge: give one, or leave the metric out")
        try:
            return measure(sample, judge)
        except JudgeFailed as error:
            return Score(0.0 if higher_is_better else 1.0, missed=(str(error),))

    return Metric(name, of_sample, frozenset({"answer", "judge"}), formula, higher_is_better)


def holds(judgement: Judgement, *, missing: bool = False) -> bool:
    """Whether the verdict is yes: .5 or more. `missing` is what one without a value counts as."""
    return missing if judgement.value is None else judgement.value >= 0.5


def ask_supported(judge: Judge, claims: Sequence[Claim]) -> list[Judgement]:
    """A verdict for each claim; where the judge fails or is short of some, those are missing."""
    return _ask(lambda: judge.supported(claims), len(claims))


def ask_useful(judge: Judge, question: str, answer: str, contexts: Sequence[str]) -> list[Judgement]:
    """A verdict for each passage; where the judge fails or is short of some, those are missing."""
    return _ask(lambda: judge.useful(question, answer, contexts), len(contexts))


def ask_similarities(judge: Judge, text: str, others: Sequence[str]) -> list[float]:
    """The cosines of the judge.

    Raises:
        JudgeFailed: there are too few or too many, or one is no number.
    """
    values = [float(value) for value in judge.similarities(text, others)]
    if len(values) != len(others) or not all(map(math.isfinite, values)):
        raise JudgeFailed(
            f"{judge.name} gave {len(values)} similarities for {len(others)} texts, or no numbers"
        )
    return values


def reasons(judgements: Sequence[Judgement]) -> tuple[str, ...]:
    """Why verdicts are missing, one reason each."""
    return tuple(each.reason or "no verdict" for each in judgements if each.value is None)


def grounds(texts: Sequence[str], judgements: Sequence[Judgement], note: str = "") -> tuple[Ground, ...]:
    """What was judged beside its verdict; `note` says what it was judged by."""
    return tuple(
        Ground(text, Judgement(each.value, ": ".join(filter(None, (note, each.reason)))))
        for text, each in zip(texts, judgements, strict=True)
    )


def passage_names(contexts: Sequence[str]) -> list[str]:
    """How grounds name passages: the place, from 1, and the first words."""
    lines = (" ".join(text.split()) for text in contexts)
    return [
        f"[{rank}] {line if len(line) <= _SHOWN else line[: _SHOWN - 1] + '…'}"
        for rank, line in enumerate(lines, 1)
    ]


def best_of_references(sample: Sample, measure: Callable[[str], Score]) -> Score | None:
    """The best score by any of the first five accepted answers with words in them, the first of equals.

    None without one, or for an unanswerable question; 0 for a refusal or a failure, which says nothing.
    """
    if sample.question.answerable is False:
        return None
    references = [answer for answer in sample.question.answers if answer.strip()][:_REFERENCES]
    if not references:
        return None
    if sample.abstained or not sample.response.strip():
        return Score(0.0)
    return max(map(measure, references), key=lambda score: score.value)


def reference_of(question: Question) -> str | None:
    """The answer that metrics of one reference take: the first; None without, or for an unanswerable one."""
    if question.answerable is False:
        return None
    return next((answer for answer in question.answers if answer.strip()), None)


def _ask(call: Callable[[], list[Judgement]], count: int) -> list[Judgement]:
    if not count:
        return []
    try:
        given = [_checked(each) for each in call()]
    except JudgeFailed as error:
        return [Judgement(None, str(error))] * count
    short = Judgement(None, f"the judge gave {len(given)} verdicts for {count}")
    return given if len(given) == count else [short] * count


def _checked(judgement: Judgement) -> Judgement:
    value = judgement.value
    if value is None or 0 <= value <= 1:
        return judgement
    return Judgement(None, f"the judge's verdict {value} is outside 0 to 1")
