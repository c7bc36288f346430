"""Source code -> terms: identifiers whole, and the words that they are made of.

`getHTTPResponse_2` gives `gethttpresponse_2` and `get`, `http`, `respons`, `2`.
Words go the way of `english`, so that a question finds the code it is about.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from unicodedata import normalize

from rag.index.analyzer import Analyzer, analyzer, english

_IDENTIFIER = re.compile(r"\w+")
_SMALL = r"[^\W\d_A-Z]"
_PART = re.compile(rf"[A-Z]{{2,}}s(?!{_SMALL})|[A-Z]+(?!{_SMALL})|[A-Z]?{_SMALL}+|\d+")


class CodeAnalyzer:
    """The Analyzer of source code and of text about it.

    >>> CodeAnalyzer()("the parseURL(x)")
    ['parseurl', 'pars', 'url', 'x']
    """

    name = "code"

    def __reduce__(self) -> tuple[Callable[[str], Analyzer], tuple[str]]:
        return analyzer, (self.name,)

    def __call__(self, text: str) -> list[str]:
        """The terms of `text` in order, repeated as often as they occur."""
        terms: list[str] = []
        for identifier in _IDENTIFIER.findall(_normal(text)):
            parts = _PART.findall(identifier)
            if len(parts) > 1:
                terms.append(identifier.lower())
            terms += english(" ".join(parts))
        return terms

    def positions(self, text: str) -> list[str | None]:
        """The parts of identifiers at their places; what is whole has none beside them.

        So the phrase "parse url" is in `parseURL` and in `parse_url`.
        """
        return english.positions(" ".join(_PART.findall(_normal(text))))


def _normal(text: str) -> str:
    return text if text.isascii() else normalize("NFKC", text)
