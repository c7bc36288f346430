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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from rag.generation.facts import Checked, check_facts
from rag.generation.wording import content_list
from rag.protocols import Verifier
from rag.sentences import sentence_spans
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
WORD_WEIGHTS = np.array([-0.182, 2.702, 0.383, -1.408, -0.269, -3.645, -1.547, -0.109])
WORD_BIAS = -1.248

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

    def verify(claims: Sequence[Claim]) -> list[Support]:
        return [_by_words(claim, analyze) for claim in claims]

    return verify


def _by_words(claim: Claim, analyze: Analyze) -> Support:
    checked = check_facts(claim.text, claim.evidence, known=(claim.question,))
    measured = word_features(claim, checked, analyze)
    probability = float(1 / (1 + np.exp(-(measured @ WORD_WEIGHTS + WORD_BIAS))))
    return _support(probability, checked)


def _support(probability: float, checked: Checked) -> Support:
    """A grave fault rules a claim out. A missing name is a fault only where the claim is not likely."""
    if checked.grave:
        return Support(min(probability, GRAVE), checked.faults)
    return Support(probability, () if probability >= THRESHOLD else checked.faults)


def sentences_of(evidence: Sequence[str]) -> list[str]:
    """The sentences of all passages, in order."""
    return [text[span.start : span.end] for text in evidence for span in sentence_spans(text)]


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
