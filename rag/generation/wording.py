"""The words of a text as checks compare them: plain, without those that say nothing by themselves."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

MARK = re.compile(r"\s?\[\d+(?:\s*,\s*\d+)*\]")
"""A citation's mark, `[1]` or `[1, 2]`."""

WORD = re.compile(r"[^\W_]+(?:[’'-][^\W_]+)*")

FUNCTION = frozenset(
    "the a an of in on at to for and or but nor by with from as is are was were be been being it its this "
    "that these those he she they his her their our your my we you i there here has have had do does did "
    "will would can could may might must shall should than then so if when while where which who whom "
    "whose what how also into onto over under about after before between during through per via such any "
    "some all each every both more most other only very".split()
)


def plain(text: str) -> str:
    """In small letters and without accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()


def words(text: str) -> list[str]:
    """The words of `text`, plain, in order."""
    return WORD.findall(plain(text).replace("’", "'"))


def content_list(text: str, analyze: Callable[[str], list[str]]) -> list[str]:
    """The terms of `text`, by `analyze`, in order and without function words and marks."""
    return analyze(" ".join(word for word in words(MARK.sub("", text)) if word not in FUNCTION))


def content_words(text: str) -> set[str]:
    """The stems of the words of `text` that are no function words."""
    return {stem(word) for word in words(MARK.sub("", text)) if word not in FUNCTION}


def stem(word: str) -> str:
    """The word without its commonest endings."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
