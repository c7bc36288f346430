"""Questions for several things, and the lists that hold them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.generation.candidates import Candidate

MOST_ITEMS = 12

_SEVERAL = re.compile(
    r"\b(?:what|which|whose)(?: \w+){0,2} (?!(?:is|was|does|has|this|its)\b)\w{2,}(?<![sui'])s\b"
    r"|\b(?:what|which|who) (?:are|were)\b|\b(?:list|name|enumerate)\b|\bwhat (?:else|all)\b"
    r"|\border\b|\bsteps\b",
    re.IGNORECASE,
)


def asks_several(question: str) -> bool:
    """Whether `question` asks for more things than one, as `which concessions are there` does."""
    return _SEVERAL.search(question) is not None


def items_of(chosen: Candidate, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The items of the list that `chosen` is in or leads, in order; none where there is no list.

    At most `MOST_ITEMS`, the first ones. Only items that some hit holds are known.
    """
    lead = chosen.lead or chosen
    items = [
        each
        for each in candidates
        if each.lead is not None and (each.lead.start, each.lead.text) == (lead.start, lead.text)
    ]
    return sorted(items, key=lambda each: each.start)[:MOST_ITEMS] if len(items) > 1 else []
