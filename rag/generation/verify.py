"""Whether passages prove a claim: words, facts and a small model of entailment, in one calibrated number.

The evidence is cut into windows of a few sentences. A model that reads claim and window together says how
likely the one follows from the other; a logistic model over the best windows, the words that claim
and evidence share, and the facts that are missing makes of it one probability. Where the
encoder that the model of entailment rests on is not installed, a second logistic
model does without. All were fitted by `scripts/fit_verifier.py`; `docs/verifier.md` says on what,
and how well it does.

Source: Laban et al., SummaC, 2022 (windows and their best); Kamoi et al., WiCE, 2023 (chunks of evidence);
Platt, Probabilistic Outputs for Support Vector Machines, 1999.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from rag.errors import EncoderNotFound
from rag.generation.entailment import WEIGHTS as FILE
from rag.generation.entailment import Entailment
from rag.generation.facts import Checked, check_facts
from rag.generation.windows import sentences_of, windows
from rag.generation.wording import content_list
from rag.protocols import Verifier
from rag.types import Claim, Support

Analyze: TypeAlias = Callable[[str], list[str]]
Judge: TypeAlias = Callable[[Sequence[tuple[str, str]]], npt.NDArray[np.float32]]
"""From pairs of evidence and claim to one logit each, float32 (n,): above 0, the claim rather follows."""

THRESHOLD = 0.5
"""The probability from which a claim counts as proven; fitted on training data."""

WORDS = (
    "covered",
    "covered_at_once",
    "in_order",
    "missing_facts",
    "missing_names",
    "reversed",
    "personal",
    "length",
)
READ = ("best_window", "gathered")
"""The judge's logits of the window that it believes most, and of the sentences that together say most."""

WORD_WEIGHTS = np.array([-0.182, 2.702, 0.383, -1.408, -0.269, -3.645, -1.547, -0.109])
WORD_BIAS = -1.248
WEIGHTS = np.zeros(len(WORDS) + len(READ))
BIAS = 0.0

GRAVE = 0.2
"""The most that a claim with a grave fault, such as a missing number, is given."""

_PERSONAL = re.compile(r"\b(?:i|i'm|i've|my|me|we|you|your|yeah|oh|wow|lol)\b|\?", re.IGNORECASE)


def default_verifier(analyze: Analyze, find_model: Callable[[], Path] | None = None) -> Verifier:
    """The verifier that is shipped. Nothing is loaded until it is first called.

    Args:
        analyze: Turns text into terms, as the index does.
        find_model: Says in which folder the bundled encoder lies, or raises `EncoderNotFound`; None
            does without.
    """
    return _Shipped(analyze, find_model)


class _Shipped:
    """A `Verifier` that looks for its model when it is first needed."""

    def __init__(self, analyze: Analyze, find_model: Callable[[], Path] | None) -> None:
        self._analyze = analyze
        self._find_model = find_model
        self._loading = threading.Lock()

    def __call__(self, claims: Sequence[Claim]) -> list[Support]:
        if not claims:
            return []
        checked = [check_facts(each.text, each.evidence, known=(each.question,)) for each in claims]
        with self._loading:
            judge = self._judge
        measured = features(claims, checked, self._analyze, judge)
        weights, bias = (WORD_WEIGHTS, WORD_BIAS) if judge is None else (WEIGHTS, BIAS)
        probabilities = 1 / (1 + np.exp(-(measured @ weights + bias)))
        return [_support(float(p), facts) for p, facts in zip(probabilities, checked, strict=True)]

    @cached_property
    def _judge(self) -> Judge | None:
        if self._find_model is None or not files("rag.generation").joinpath(FILE).is_file():
            return None
        try:
            return Entailment(self._find_model())
        except EncoderNotFound:
            return None


def _support(probability: float, checked: Checked) -> Support:
    """A grave fault rules a claim out. A missing name is a fault only where the claim is not likely."""
    if checked.grave:
        return Support(min(probability, GRAVE), checked.faults)
    return Support(probability, () if probability >= THRESHOLD else checked.faults)


def features(
    claims: Sequence[Claim], checked: Sequence[Checked], analyze: Analyze, judge: Judge | None
) -> npt.NDArray[np.float64]:
    """What speaks for each claim, in the order of `WORDS` and, with a judge, `READ`: float64 (n, 8 or 10)."""
    rows = [word_features(claim, facts, analyze) for claim, facts in zip(claims, checked, strict=True)]
    measured = np.array(rows).reshape(len(claims), len(WORDS))
    if judge is None:
        return measured
    shown = [windows(claim, analyze) for claim in claims]
    pairs = [(text, claim.text) for claim, texts in zip(claims, shown, strict=True) for text in texts]
    logits = np.asarray(judge(pairs), np.float64)
    ends = np.cumsum([len(texts) for texts in shown])
    read = [[part.max(), part[-1]] for part in np.split(logits, ends[:-1])]
    return np.hstack([measured, np.array(read).reshape(len(claims), len(READ))])


def word_features(claim: Claim, checked: Checked, analyze: Analyze) -> npt.NDArray[np.float64]:
    """What words and facts say for a claim, in the order of `WORDS`: float64 (8,)."""
    said = content_list(claim.text, analyze)
    own = set(said)
    sentences = [content_list(text, analyze) for text in sentences_of(claim.evidence)]
    total = max(1, len(own))
    everywhere = own & {word for words in sentences for word in words}
    trios = [set().union(*sentences[at : at + 3]) for at in range(max(1, len(sentences) - 2))]
    at_once = max((len(own & trio) for trio in trios), default=0)
    pairs = {pair for words in sentences for pair in _pairs(words, 4)}
    wanted = list(_pairs(said, 1))
    in_order = sum(pair in pairs for pair in wanted) / max(1, len(wanted))
    personal = len(_PERSONAL.findall(claim.text)) - len(_PERSONAL.findall("\n".join(claim.evidence)))
    return np.array(
        [
            len(everywhere) / total,
            at_once / total,
            in_order,
            min(2, len(checked.missing_numbers) + len(checked.missing_dates) + len(checked.missing_quotes)),
            min(2, len(checked.missing_names)),
            min(1, len(checked.reversed)),
            min(2, max(0, personal)),
            np.log1p(len(own)),
        ]
    )


def _pairs(words: Sequence[str], reach: int) -> set[tuple[str, str]]:
    """The pairs of words at most `reach` apart, in order."""
    return {(one, other) for at, one in enumerate(words) for other in words[at + 1 : at + 1 + reach]}
