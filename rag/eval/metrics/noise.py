"""Noise sensitivity: how much of an answer is wrong because a passage says so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rag.eval.metrics.verdicts import ask_supported, judged, passage_names, reasons, reference_of
from rag.eval.sample import Ground, Sample, Score
from rag.protocols import Judge
from rag.types import Claim, Judgement

_Verdicts = npt.NDArray[np.float64]
_Truths = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Judged:
    """Statements of the response, and verdicts on them and on the reference's; NaN where one is missing."""

    statements: list[str]
    of_passages: _Verdicts  # (statements of the response, passages)
    of_reference: _Verdicts  # (statements of the reference, passages)
    right: _Verdicts  # (statements of the response,)
    missed: tuple[str, ...]


def noise_sensitivity_relevant(sample: Sample, judge: Judge) -> Score | None:
    """Statements of the response that are wrong and follow from a relevant passage, over all of them.

    A statement is wrong where it does not follow from the reference; a passage is relevant where a
    statement of the reference follows from it. Lower is better. None without a reference, and where the
    response or the reference states nothing; 0 without passages. A missing verdict counts as the one
    that makes the value highest.

    Source: Ru et al. 2024, RAGChecker; ragas 0.4.3 (noise sensitivity, relevant).
    """
    each = _judge(sample, judge)
    if each is None:
        return None
    relevant = np.any(_yes(each.of_reference, missing=True), axis=0)
    faithful = np.any((_yes(each.of_passages, missing=True) & relevant), axis=1)
    return _score(each, faithful, relevant, sample)


def noise_sensitivity_irrelevant(sample: Sample, judge: Judge) -> Score | None:
    """Statements of the response that are wrong and follow from irrelevant passages alone, over all of them.

    As `noise_sensitivity_relevant` in all else.

    Source: as there (noise sensitivity, irrelevant).
    """
    each = _judge(sample, judge)
    if each is None:
        return None
    relevant = np.any(_yes(each.of_reference, missing=False), axis=0)
    by_irrelevant = np.any((_yes(each.of_passages, missing=True) & ~relevant), axis=1)
    by_relevant = np.any((_yes(each.of_passages, missing=False) & relevant), axis=1)
    return _score(each, by_irrelevant & ~by_relevant, relevant, sample)


def _judge(sample: Sample, judge: Judge) -> _Judged | None:
    """Ask for all verdicts at once."""
    reference = reference_of(sample.question)
    if reference is None or sample.abstained or not sample.response.strip():
        return None
    asked, passages = sample.question.user_input, sample.retrieved_contexts
    said = judge.statements(sample.response, question=asked)
    wanted = judge.statements(reference, question=asked)
    if not said or not wanted:
        return None
    if not passages:
        return _Judged(said, np.zeros((len(said), 0)), np.zeros((len(wanted), 0)), np.ones(len(said)), ())
    pairs = [(text, (passage,)) for text in said + wanted for passage in passages]
    claims = [Claim(text, evidence, asked) for text, evidence in pairs]
    claims += [Claim(text, (reference,), asked) for text in said]
    verdicts = ask_supported(judge, claims)
    values = np.array([np.nan if each.value is None else each.value for each in verdicts])
    by_passage = values[: len(pairs)].reshape(-1, len(passages))
    return _Judged(
        said, by_passage[: len(said)], by_passage[len(said) :], values[len(pairs) :], reasons(verdicts)
    )


def _yes(verdicts: _Verdicts, *, missing: bool) -> _Truths:
    return np.where(np.isnan(verdicts), missing, verdicts >= 0.5).astype(bool)


def _score(each: _Judged, faithful: _Truths, relevant: _Truths, sample: Sample) -> Score:
    noisy = faithful & ~_yes(each.right, missing=False)
    names = passage_names(sample.retrieved_contexts)
    said = tuple(
        Ground(text, Judgement(float(yes), "wrong, and in a passage" if yes else ""))
        for text, yes in zip(each.statements, noisy, strict=True)
    )
    where = tuple(
        Ground(name, Judgement(float(yes), "relevant" if yes else "irrelevant"))
        for name, yes in zip(names, relevant, strict=True)
    )
    return Score(float(noisy.mean()), said + where, each.missed)


NOISE_SENSITIVITY = (
    judged(
        "noise_sensitivity_relevant",
        noise_sensitivity_relevant,
        "wrong statements that a relevant passage supports / statements of the response",
        higher_is_better=False,
    ),
    judged(
        "noise_sensitivity_irrelevant",
        noise_sensitivity_irrelevant,
        "wrong statements that irrelevant passages alone support / statements of the response",
        higher_is_better=False,
    ),
)
