"""ROUGE-L: the longest common subsequence of words of a response and a reference."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.eval.metrics.porter import porter_stem

_NO_WORD = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Rouge:
    """Precision, recall and their harmonic mean, each 0..1; all 0 where either side has no word."""

    precision: float
    recall: float
    f: float


def rouge_tokens(text: str) -> list[str]:
    """The runs of a-z and 0-9 in lower case, those of more than three characters stemmed."""
    words = _NO_WORD.sub(" ", text.lower()).split()
    return [porter_stem(word) if len(word) > 3 else word for word in words]


def rouge_l(response: str, reference: str) -> Rouge:
    """The longest common subsequence over the words of the response, over those of the reference, and F1.

    Words and stems are those of the package rouge-score. A text in another script than Latin has no
    words here.

    Source: Lin 2004, ROUGE: A Package for Automatic Evaluation of Summaries (ROUGE-L, sentence level).
    """
    from rapidfuzz.distance import LCSseq

    words, gold = rouge_tokens(response), rouge_tokens(reference)
    if not words or not gold:
        return Rouge(0.0, 0.0, 0.0)
    numbers = {word: at for at, word in enumerate(dict.fromkeys(words + gold))}
    common = LCSseq.similarity([numbers[word] for word in words], [numbers[word] for word in gold])
    return Rouge(common / len(words), common / len(gold), 2 * common / (len(words) + len(gold)))


def best_rouge_l(response: str, references: Sequence[str]) -> Rouge:
    """ROUGE-L with the reference of highest F, the first of equals; all 0 without one."""
    scores = (rouge_l(response, reference) for reference in references)
    return max(scores, key=lambda score: score.f, default=Rouge(0.0, 0.0, 0.0))
