"""What tells people taken out of a text: addresses, numbers, and the name of who asks.

Every quantifier is bounded, so that no text takes longer than its length.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

REDACTED = "[redacted]"
LONGEST = 4_000
"""Characters that are kept of a text."""

_YEAR = r"(?:1[5-9]\d\d|20\d\d)"
_HARMLESS = "|".join(
    (
        rf"{_YEAR}[-/.]\d{{1,2}}[-/.]\d{{1,2}}",  # 2024-01-15
        rf"(?:\d{{1,2}}[-/.] ?){{1,2}}{_YEAR}",  # 15.01.2024
        _YEAR,
        r"[1-9]\d{0,2}(?:\.\d{3}){1,6}",  # 10.000.000
        r"\d{1,3}\.\d{1,2}",  # 1.5
    )
)
_LISTED = rf"(?:{_HARMLESS})(?: ?[-/] ?(?:{_HARMLESS})){{0,8}}(?: \d\d(?=:\d\d))?"
"""Dates, years and figures, also several with `-` or `/` between: 2019-2020."""

PATTERNS = (
    r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}",  # e-mail addresses
    # telephone numbers, and others in groups, where the group is not all dates and figures
    rf"(?<!\w)(?<!\d[.,/-])(?!{_LISTED}(?!\w|[ ()/.-]{{1,9}}\d))\+?\(?\d[\d ()/.-]{{6,62}}\d(?!\w)",
    r"\d{6,}",  # numbers of accounts, cards and people
)
"""What is taken out of questions: e-mail addresses, telephone numbers, and runs of six digits and more."""
_LONGEST_MATCH = 640


def redact(text: str, patterns: Sequence[str] = PATTERNS, name: str = "") -> str:
    """The first 4,000 characters of a text without what `patterns` match, and without a name and its parts.

    Of a longer text, twice as much is looked at, and its end left out: something may have been cut there.
    """
    seen = text[: 2 * LONGEST]
    for pattern in patterns:
        seen = re.sub(pattern, REDACTED, seen)
    for part in {name, *re.split(r"[\W_\d]+", name)}:
        if len(part) > 2:
            seen = re.sub(rf"(?<!\w){re.escape(part)}(?!\w)", REDACTED, seen, flags=re.IGNORECASE)
    if len(text) > 2 * LONGEST:
        seen = seen[: max(0, len(seen) - _LONGEST_MATCH)]
    return seen[:LONGEST]
