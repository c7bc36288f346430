"""Text -> terms. `english` cuts the way Lucene's EnglishAnalyzer does; `analyzer` names the others.

Words by the rules of Unicode's UAX #29 as far as they touch letters and digits,
possessive `'s` off, lower case, 33 stop words out, Porter's stem.

Source: M. F. Porter, An algorithm for suffix stripping, Program 14(3), 1980;
Unicode Standard Annex #29, Text Segmentation; Apache Lucene, EnglishAnalyzer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Protocol

STOP_WORDS = frozenset(
    "a an and are as at be but by for if in into is it no not of on or such "
    "that the their then there these they this to was will with".split()
)

_IDEOGRAPH = "\u3040-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_MARK = "\u0300-\u036f\u0900-\u0903\u093a-\u094f"
_MEASURED = re.compile(r"(?:[aeiou]|(?<=[^aeiou])y)[^aeiou]")
"""A vowel and a consonant behind it: Porter's measure of the text is above 0."""

_MOST_TERMS = 2**18
_LONGEST_KEPT = 64


class Analyzer(Protocol):
    """Turns text into terms. A text and a query about it must go through the same one."""

    @property
    def name(self) -> str:
        """The name by which `analyzer` gives it."""
        ...

    def __call__(self, text: str) -> list[str]:
        """The terms of `text` in order, repeated as often as they occur."""
        ...

    def positions(self, text: str) -> list[str | None]:
        """The same terms at their places, None where a word was left out."""
        ...


def word_pattern(mark: str) -> re.Pattern[str]:
    """What finds the words of a text, `mark` being the inside of a class of the marks that continue one."""
    letter = rf"[^\W\d_{_IDEOGRAPH}]"
    run = rf"[^\W{_IDEOGRAPH}]++(?:[{mark}]++[^\W{_IDEOGRAPH}]*+)*+"
    joined_letters = rf"(?:(?<={letter})|(?<={letter}[{mark}]))[.'’:·](?={letter})"
    joined_digits = r"(?<=\d)[.,;'’](?=\d)"
    return re.compile(rf"[{_IDEOGRAPH}]|{run}(?:(?:{joined_letters}|{joined_digits}){run})*+")


_WORD = word_pattern(_MARK)
_ASCII_WORD = re.compile(
    r"\w++(?:(?:(?<=[a-zA-Z])[.':](?=[a-zA-Z])|(?<=\d)[.,;'](?=\d))\w++)*+", re.ASCII
)  # the same words where the text is ASCII, found in two thirds of the time


def words(text: str) -> list[str]:
    """The words of `text`, as they stand. An ideograph is a word of its own."""
    return (_ASCII_WORD if text.isascii() else _WORD).findall(text)


class _Terms(dict[str, str | None]):
    """The term of each word that was met, None for none. It is emptied when it has grown too large."""

    def __init__(self, make: Callable[[str], str]):
        super().__init__()
        self._make = make
        self._lock = Lock()  # a stemmer serves one thread at a time

    def __missing__(self, word: str) -> str | None:
        with self._lock:
            term = self._make(word) or None
            if len(self) >= _MOST_TERMS:
                self.clear()
            if len(word) <= _LONGEST_KEPT:
                self[word] = term
        return term


class WordAnalyzer:
    """An Analyzer that cuts text into words and turns each into a term, or `""` to leave it out."""

    def __init__(self, name: str, cut: Callable[[str], list[str]], term: Callable[[str], str]):
        self.name = name
        self._cut = cut
        self._term = _Terms(term).__getitem__

    def __repr__(self) -> str:
        return f"analyzer({self.name!r})"

    def __reduce__(self) -> tuple[Callable[[str], Analyzer], tuple[str]]:
        return analyzer, (self.name,)

    def __call__(self, text: str) -> list[str]:
        """The terms of `text` in order, repeated as often as they occur."""
        return list(filter(None, map(self._term, self._cut(text))))

    def positions(self, text: str) -> list[str | None]:
        """The same terms at their places, None where a word was left out."""
        return list(map(self._term, self._cut(text)))


@cache
def _porter() -> Callable[[str], str]:
    import Stemmer

    stem: Callable[[str], str] = Stemmer.Stemmer("porter", 0).stemWord
    return stem


def _stem(word: str) -> str:
    """Porter's stem with the three departures of his own program, which Lucene has and Snowball has not."""
    if len(word) <= 2:
        return word
    stem = _porter()(word)
    if stem.endswith("bli") and _MEASURED.search(stem[:-3]):
        return _porter()(stem[:-1] + "e")
    if stem.endswith("logi") and _MEASURED.search(stem[:-4]):
        return stem[:-1]
    return stem


def _english_term(word: str) -> str:
    """The term of a word, `""` for a stop word."""
    term = word.removesuffix("'s").removesuffix("’s").removesuffix("'S").removesuffix("’S").lower()
    if term in STOP_WORDS or not term.strip("_"):
        return ""
    return _stem(term)


english = WordAnalyzer("english", words, _english_term)
"""The terms of an English text.

>>> english("The cats' owners weren't in the U.S.A.")
['cat', 'owner', "weren't", 'u.s.a']
>>> english.positions("The cats of Rome")
[None, 'cat', None, 'rome']
"""


@cache
def analyzer(language: str) -> Analyzer:
    """The analyzer of a language, by its English name or ISO 639 code; or `simple`, `cjk` or `code`.

    `english` (`en`) is Lucene's. The other languages are those of the installed
    Snowball stemmers: words are brought to Unicode's NFKC and lower case and stemmed;
    they have no stop words, which idf weighs down instead. `cjk` cuts Chinese,
    Japanese and Korean into pairs of characters; `code` takes identifiers apart and
    keeps them whole too; `simple` neither stems nor stops, and fits any language.

    Raises:
        InputError: there is none of that name; the message names those that there are.
    """
    from rag.index.analyzer_cjk import CjkAnalyzer
    from rag.index.analyzer_code import CodeAnalyzer
    from rag.index.analyzer_languages import simple, snowball

    name = language.strip().lower()
    match name:
        case "english" | "en":
            return english
        case "simple":
            return simple
        case "cjk":
            return CjkAnalyzer()
        case "code":
            return CodeAnalyzer()
        case _:
            return snowball(name)
