"""Sentences that lean on the one before them, such as `It has 42 questions`.

Whoever reads such a sentence alone does not know of what it speaks. It is read, and quoted, together
with the sentence that introduces its pronoun.
"""

from __future__ import annotations

import re

_LEANS = re.compile(
    r"[\W_]*(?:(?:and|but|so|then|also|however|thus|hence|therefore|later|today|there|here|in turn)\b[,\s]*)?"
    r"(?:(?:for|in|on|at|from|by|since|until|after|before|during|with|under|of|to|among)\s(?:\S+\s){1,2}?"
    r"[,\s]*)?"
    r"(?:it|its|he|she|they|him|his|her|them|their|this|these|those|such|the (?:former|latter|same)|both)\b",
    re.IGNORECASE,
)
_ANSWERS_ITSELF = re.compile(
    r"[\W_]*(?:it (?:is|was|has been) (?:\w+ ){0,3}(?:that|to)\b|this \w+ (?:describes|explains|says)\b)",
    re.IGNORECASE,
)


def leans(sentence: str) -> bool:
    """Whether `sentence` begins with a pronoun, or with some words and then one, for what came before."""
    return _LEANS.match(sentence) is not None and _ANSWERS_ITSELF.match(sentence) is None
