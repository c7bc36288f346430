"""How well one view of an index is searched, and the least effort that does it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag.errors import InputError
from rag.index.quality import Quality, first_sentences, measure_view, tune_view
from rag.index.tune import Tuned
from rag.index.view import View
from rag.protocols import Encoder
from rag.reembed import SAMPLED
from rag.types import Vectors


def measure(view: View, encoder: Encoder, questions: Sequence[str]) -> Quality:
    """Recall and speed of a dense search for `questions`, or for first sentences where there are none."""
    return measure_view(view, _queries(view, encoder, questions))


def tune(view: View, encoder: Encoder, questions: Sequence[str], recall: float) -> dict[str, Tuned]:
    """The least effort of each kind of structure that finds `recall` of the ten nearest passages.

    Raises:
        InputError: `recall` is not in 0..1, or there is nothing to ask.
    """
    queries = _queries(view, encoder, questions)
    if not 0 < recall <= 1 or not len(queries):
        raise InputError(
            f"recall is in 0..1 and something must be asked, not {recall} of {len(queries)} questions"
        )
    return tune_view(view, queries, recall)


def _queries(view: View, encoder: Encoder, questions: Sequence[str]) -> Vectors:
    asked = list(questions) or first_sentences(view.sample(SAMPLED))
    if not asked:
        return np.empty((0, encoder.fingerprint.dimension), np.float32)
    return encoder.encode(asked, query=True)
