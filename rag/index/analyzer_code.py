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
        return [term for term in self.positions(text) if term is not None]

    def positions(self, text: str) -> list[str | None]:
        """The same terms at their places, None where a stop word was left out.

        The words of an identifier stand behind it, so the phrase "parse url" is in `parseURL`
        and in `parse_url`.
        """
        places: list[str | None] = []
        for identifier in _IDENTIFIER.findall(text if text.isascii() else normalize("NFKC", text)):
            parts = _PART.findall(identifier)
            if len(parts) > 1:
                places.append(identifier.lower())
            places += english.positions(" ".join(parts))
        return places
