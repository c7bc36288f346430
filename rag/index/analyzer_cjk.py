"""Chinese, Japanese and Korean text -> pairs of neighbouring characters, the way Lucene's CJKAnalyzer does.

A run of Han, kana and Hangul gives each two neighbours in it as a term, and itself
where it is one character long. What stands between runs goes the way of `simple`,
Lucene's English stop words left out. Lucene keeps Hangul with Latin letters
attached as one word; here the run ends where the script does, so that "GPU" is
found in a Korean sentence.

Source: Apache Lucene, CJKAnalyzer; J. Y. Nie, J. Gao, J. Zhang and M. Zhou, On
the use of words and n-grams for Chinese information retrieval, IRAL 2000.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from unicodedata import normalize

from rag.index.analyzer import STOP_WORDS, Analyzer, analyzer
from rag.index.analyzer_languages import simple

_CHARACTER = (
    "\u1100-\u11ff\ua960-\ua97f\uac00-\ud7ff"  # Hangul
    "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\U0001aff0-\U0001b16f"  # kana
    "\u3005\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
)
_RUN = re.compile(rf"([{_CHARACTER}]+)")


class CjkAnalyzer:
    """The Analyzer of Chinese, Japanese and Korean.

    >>> CjkAnalyzer()("東京都のGPU")
    ['東京', '京都', '都の', 'gpu']
    """

    name = "cjk"

    def __reduce__(self) -> tuple[Callable[[str], Analyzer], tuple[str]]:
        return analyzer, (self.name,)

    def __call__(self, text: str) -> list[str]:
        """The terms of `text` in order, repeated as often as they occur."""
        return [term for term in self.positions(text) if term is not None]

    def positions(self, text: str) -> list[str | None]:
        """The same terms at their places, None where a stop word was left out.

        A run of n characters takes n places, as if each character were a word: the last
        one is None, for no pair begins there.
        """
        if text.isascii():
            return _between(text)
        places: list[str | None] = []
        for at, part in enumerate(_RUN.split(normalize("NFKC", text))):
            if at % 2 == 0:
                places += _between(part)
            elif len(part) == 1:
                places.append(part)
            else:
                places += [first + second for first, second in pairwise(part)]
                places.append(None)
        return places


def _between(text: str) -> list[str | None]:
    return [None if term in STOP_WORDS else term for term in simple.positions(text)]
