"""Whether a question can be read without the sentences around the one that it is of."""

from __future__ import annotations

import re

from rag.eval.writing.clauses import DETERMINERS, POINTING, PREPOSITIONS
from rag.eval.writing.verbs import AUXILIARIES

FEWEST_TELLING = 2
"""Words that a question without a name has at least, those left out that every question has."""
_OTHER_PREPOSITIONS = PREPOSITIONS - {"up", "off", "out", "down"}
_UNTELLING = (
    AUXILIARIES
    | PREPOSITIONS
    | DETERMINERS
    | frozenset(
        "what who whom when where how many much do does did year time be been have and or that".split()
    )
)
_ONE_NOUN = re.compile(
    r"\b(?:does|do|did|is|are|was|were|can|may|must|will|would|has|had|who \w+) the \w+"
    r"(?: (?:have|called|take|last|happen|end|start|be|consist|contain|open|close|in|on|at)\b|$)"
)
"""A bare noun that only the sentences around it explain: how long does the walk take?"""


def reads_well(question: str, answer: str) -> bool:
    """Whether a question ends, says what it is about, and asks for something that it does not say itself."""
    words = question.lower().rstrip("?").split()
    telling = {word for word in re.findall(r"[\w’'-]+", question) if word.lower() not in _UNTELLING}
    named = any(word[0].isupper() or word[0].isdigit() for word in telling)
    if not named and (len(telling) < FEWEST_TELLING or _ONE_NOUN.search(question)):
        return False
    last = words[-1].strip(",")
    if last in DETERMINERS - {"all"} or last in ("and", "or", "not", "only", "than", "that"):
        return False
    if last in _OTHER_PREPOSITIONS and not re.match(r"what (?:do|does|did|is|are) ", question.lower()):
        return False
    if POINTING & {word.strip(",.’'\"“”()") for word in words}:
        return False
    if answer.split()[0].lower() in ("that", "this", "these", "those", "it", "so", "not", "to"):
        return False
    if answer.split()[-1].lower() in PREPOSITIONS | DETERMINERS | {"similar", "and", "or", "just", "not"}:
        return False
    inside = f" {' '.join(words)} "
    return (
        (3 if named else 4) <= len(words) <= 30
        and f" {answer.lower()} " not in inside
        and len(answer.split()) <= 25
    )
