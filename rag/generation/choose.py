"""Which sentences stand in an answer, and how many."""

from __future__ import annotations

import re

import numpy as np

from rag.generation.evidence import Evidence
from rag.types import Scores

MOST_SHORT = 3
"""A question for one fact needs no more sentences than this, even where several could hold it."""

NEARLY = 0.5
"""The share of the best candidate's likelihood that another one needs to stand beside it."""

NEARLY_OPEN = 0.3
"""The same for an open question, which one sentence seldom answers."""

SAME = 0.95
"""Two candidates whose vectors are this close say the same."""

_OPEN = re.compile(
    r"\bwhy\b|\bhow\b(?! (?:many|much|long|far|often|old|tall|big|high|large|heavy|fast|deep|wide|thick)\b)"
    r"|\bwhat(?:'s)? (?:is|are|was|were|does|do|did|happens|happened|kinds?|causes?|makes?)\b"
    r"|\b(?:explain|describe|meaning|differences?|list|summary|purpose|role|reasons?|types?|events|history)\b"
)
_ASKING = re.compile(r"\b(?:who|whom|whose|what|when|where|which|why|how)\b")


def is_open(question: str, evidence: Evidence) -> bool:
    """Whether an explanation is asked for, or a topic named, and not one fact."""
    lower = question.lower()
    return evidence.asked is None and (_OPEN.search(lower) is not None or _ASKING.search(lower) is None)


def choose(question: str, evidence: Evidence, likelihood: Scores, most: int) -> list[int]:
    """The numbers of the best candidate and of those about as likely that say something else, best first."""
    open_ended = is_open(question, evidence)
    most = most if open_ended else min(most, MOST_SHORT)
    nearly = NEARLY_OPEN if open_ended else NEARLY
    order = np.argsort(-likelihood, kind="stable")
    chosen = [int(order[0])]
    for at in order[1:]:
        if len(chosen) == most or likelihood[at] < nearly * likelihood[order[0]]:
            break
        if (evidence.vectors[chosen] @ evidence.vectors[at]).max() < SAME:
            chosen.append(int(at))
    return chosen
