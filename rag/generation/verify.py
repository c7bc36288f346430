"""Whether passages prove a claim: its facts, its words and their sense, in one calibrated number.

The evidence is cut into windows of a few sentences. How many of the claim's words one of them holds, how
well each of the claim's tokens is matched there in sense, and which facts are missing go into a
logistic model, whose output is a probability. Where the encoder that the matching rests on is not
installed, a second logistic model does without. Both were fitted by `scripts/fit_verifier.py`;
`docs/verifier.md` says on what, how well they do, and what else was tried.

Source: Laban et al., SummaC, 2022 (windows and their best); Kamoi et al., WiCE, 2023 (evidence in chunks);
Zhang et al., BERTScore, 2020; Platt, Probabilistic Outputs for Support Vector Machines, 1999.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from rag.errors import EncoderNotFound
from rag.generation.alignment import Aligned, Alignment
from rag.generation.facts import Checked, check_facts
from rag.generation.windows import sentences_of, windows
from rag.generation.wording import content_list
from rag.protocols import Verifier
from rag.types import Claim, Support

Analyze: TypeAlias = Callable[[str], list[str]]
Reader: TypeAlias = Callable[[Sequence[tuple[str, Sequence[str]]]], list[Aligned]]
"""From claims, each with the windows of its evidence, to how well it is matched in the best of them."""

THRESHOLD = 0.42
"""The probability from which a claim counts as proven: of those that are about best on training data
(F1 within .01 of the best), the strictest."""

WORDS = ("covered", "covered_at_once", "missing_facts", "missing_names", "reversed", "personal")
SENSE = ("matched", "worst_matched")

WORD_WEIGHTS = np.array([3.05, 1.31, -1.72, -0.52, -3.6, -1.66])
WORD_BIAS = -2.87
WEIGHTS = np.array([1.9, 0.5, -1.76, -0.47, -3.61, -1.5, 2.59, 0.68])
BIAS = -3.82

GRAVE = 0.2
"""The most that a claim with a grave fault, such as a missing number, is given."""

_TOGETHER = 3  # sentences
_PERSONAL = re.compile(r"\b(?:i|i'm|i've|i'd|my|me|yeah|oh|wow|lol|haha)\b|\?", re.IGNORECASE)


def default_verifier(analyze: Analyze, find_model: Callable[[], Path] | None = None) -> Verifier:
    """The verifier that is shipped. Nothing is loaded until it is first called.

    Args:
        analyze: Turns text into terms, as the index does.
        find_model: Says in which folder the bundled encoder lies, or raises `EncoderNotFound`; None
            does without.
    """
    return _Shipped(analyze, find_model)


class _Shipped:
    """A `Verifier` that looks for its model when it is first needed, and may be used from several threads."""

    def __init__(self, analyze: Analyze, find_model: Callable[[], Path] | None) -> None:
        self._analyze = analyze
        self._find_model = find_model
        self._loading = threading.Lock()

    @property
    def name(self) -> str:
        """Which of the two models judges: that of words, or that with the encoder of this digest."""
        with self._loading:
            reader = self._reader
        return f"shipped with encoder {reader.digest}" if reader else "shipped without encoder"

    def __call__(self, claims: Sequence[Claim]) -> list[Support]:
        if not claims:
            return []
        checked = [check_facts(each.text, each.evidence, known=(each.question,)) for each in claims]
        with self._loading:
            reader = self._reader
        measured = features(claims, checked, self._analyze, reader)
        weights, bias = (WORD_WEIGHTS, WORD_BIAS) if reader is None else (WEIGHTS, BIAS)
        probabilities = 1 / (1 + np.exp(-(measured @ weights + bias)))
        return [support(float(p), facts) for p, facts in zip(probabilities, checked, strict=True)]

    @cached_property
    def _reader(self) -> Alignment | None:
        if self._find_model is None:
            return None
        try:
            return Alignment(self._find_model())
        except EncoderNotFound:
            return None


def support(probability: float, checked: Checked) -> Support:
    """The verdict. A grave fault rules a claim out; a missing name is one where the claim is not likely."""
    if checked.grave:
        return Support(min(probability, GRAVE), checked.faults)
    return Support(probability, () if probability >= THRESHOLD else checked.faults)


def features(
    claims: Sequence[Claim], checked: Sequence[Checked], analyze: Analyze, reader: Reader | None
) -> npt.NDArray[np.float64]:
    """What speaks for each claim, in the order of `WORDS` and, with a reader, `SENSE`: float64 (n, 8)."""
    rows = [_word_features(claim, facts, analyze) for claim, facts in zip(claims, checked, strict=True)]
    measured = np.array(rows, np.float64).reshape(len(claims), len(WORDS))
    if reader is None:
        return measured
    aligned = reader([(claim.text, windows(claim, analyze)) for claim in claims])
    sense = np.array([(each.mean, each.worst) for each in aligned]).reshape(len(claims), len(SENSE))
    return np.hstack([measured, sense])


def _word_features(claim: Claim, checked: Checked, analyze: Analyze) -> list[float]:
    """The share of its words in all evidence and in three sentences, and what is missing or only felt."""
    own = set(content_list(claim.text, analyze))
    held = [own.intersection(content_list(text, analyze)) for text in sentences_of(claim.evidence)]
    near = [set().union(*held[at : at + _TOGETHER]) for at in range(len(held))]
    total = max(1, len(own))
    personal = len(_PERSONAL.findall(claim.text)) - len(_PERSONAL.findall("\n".join(claim.evidence)))
    missing = len(checked.missing_numbers) + len(checked.missing_dates) + len(checked.missing_quotes)
    return [
        len(set().union(*held)) / total,
        max((len(words) for words in near), default=0) / total,
        min(2, missing),
        min(2, len(checked.missing_names)),
        min(1, len(checked.reversed)),
        min(2, max(0, personal)),
    ]
