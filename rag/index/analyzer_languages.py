"""Text -> terms for the languages that Snowball stems, and for any other.

Text is brought to Unicode's NFKC (ligatures, full-width letters and split accents
become one form) and lower case. Snowball's stemmers fold what their language
writes in two ways themselves: `ß` and `ss`, `ä` and `ae`, `ё` and `е`, the forms
of the Arabic alef. There are no stop words: BM25's idf makes little of a word
that is everywhere, and a list of 232 to 263 German ones gained nothing on XQuAD.

Source: M. F. Porter, Snowball: A language for stemming algorithms, 2001;
Unicode Standard Annex #15, Normalization Forms.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from unicodedata import category, normalize

from rag.errors import InputError
from rag.index.analyzer import Analyzer, WordAnalyzer, analyzer, word_pattern
from rag.index.analyzer import words as ascii_words

CODES = {
    "ar": "arabic",
    "hy": "armenian",
    "eu": "basque",
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "nl": "dutch",
    "eo": "esperanto",
    "et": "estonian",
    "fi": "finnish",
    "fr": "french",
    "de": "german",
    "el": "greek",
    "hi": "hindi",
    "hu": "hungarian",
    "id": "indonesian",
    "ga": "irish",
    "it": "italian",
    "lt": "lithuanian",
    "ne": "nepali",
    "nb": "norwegian",
    "nn": "norwegian",
    "no": "norwegian",
    "fa": "persian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "st": "sesotho",
    "es": "spanish",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
"""ISO 639-1 code -> Snowball's name. Which of them there are hangs on the installed release."""

_LAST_MARK = 0x1F000  # behind it lie pictures and rare ideographs
_TURKISH_CAPITALS = str.maketrans({"I": "ı", "İ": "i"})
_CATALAN_ELISION = re.compile("[dlmnst]'(?=.)")


@cache
def _word() -> re.Pattern[str]:
    """Words with every mark that Unicode has: vowels of Indic scripts, points of Hebrew and Arabic."""
    marks = [at for at in range(_LAST_MARK) if category(chr(at)) in ("Mn", "Mc", "Me")]
    starts = [at for at, before in zip(marks, [-2, *marks], strict=False) if at != before + 1]
    ends = [at for at, after in zip(marks, [*marks[1:], -2], strict=True) if at != after - 1]
    return word_pattern("".join(f"{chr(a)}-{chr(b)}" for a, b in zip(starts, ends, strict=True)))


def words(text: str) -> list[str]:
    """The words of `text` in NFKC, without soft hyphens. An ideograph is a word of its own."""
    if text.isascii():
        return ascii_words(text)
    return _word().findall(normalize("NFKC", text).replace("\u00ad", ""))


def _lower(word: str) -> str:
    """A word in lower case and NFKC, its apostrophes straight; `""` where it is underscores alone."""
    lower = word.lower()
    if not lower.isascii():
        lower = normalize("NFKC", lower).replace("’", "'")
    return lower if lower.strip("_") else ""


simple = WordAnalyzer("simple", words, _lower)
"""The words of a text of any language, in lower case and NFKC, not stemmed."""


def _before_stemming(language: str) -> Callable[[str], str]:
    """What a word of the language goes through before the stemmer, where that does not do it itself."""
    match language:
        case "turkish":
            return lambda word: _lower(word.translate(_TURKISH_CAPITALS))
        case "catalan":
            return lambda word: _CATALAN_ELISION.sub("", _lower(word), count=1)
        case _:
            return _lower


def snowball(language: str) -> Analyzer:
    """The analyzer of a language that Snowball stems, by Snowball's name or ISO 639-1 code.

    Raises:
        InputError: Snowball has no stemmer for it.
    """
    import Stemmer

    # Snowball's English stemmer is not the one that `english` has
    names = sorted(set(Stemmer.algorithms()) - {"english", "porter"})
    name = CODES.get(language, language)
    if name not in names:
        known = ", ".join(["english", *names])
        codes = ", ".join(["en", *(code for code, of in CODES.items() if of in names)])
        raise InputError(
            f"no analyzer for {language!r}: name a language ({known}) or its code ({codes}), "
            "or simple (any language), cjk (Chinese, Japanese, Korean) or code (source code)"
        )
    if name != language:
        return analyzer(name)
    stem, lower = Stemmer.Stemmer(name, 0).stemWord, _before_stemming(name)
    # a stemmer may leave nothing of a word, which is a word all the same
    return WordAnalyzer(name, words, lambda word: stem(lower(word)) or lower(word))
