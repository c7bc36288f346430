"""The marks of an answer: `[2]`, `[2, 5]`. The one place that reads, removes and writes them.

What only resembles a mark (other brackets, digits of other scripts, `[^2]`, `[2†source]`, `[2-5]`) is
never read as one, and is removed like one that points nowhere: a reader would take it for a proof.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from rag.types import Sentence

MARK = re.compile(r"\[[0-9]{1,6}(?:\s{0,3},\s{0,3}[0-9]{1,6}){0,99}\]")
"""A mark, and nothing that only resembles one."""

_OPEN, _CLOSE = "\\[［【〔⟦〚❲﹝", "\\]］】〕⟧〛❳﹞"
_RESEMBLING = re.compile(
    rf"[{_OPEN}]\s{{0,3}}[\^#†]?\s{{0,3}}\d[\d\s,;:，、–—-]{{0,999}}(?:†[^{_OPEN}{_CLOSE}]{{0,99}})?[{_CLOSE}]"
)
_UNFINISHED = re.compile(rf"(?<!\s)\s*[{_OPEN}][\d\s,]*\Z")
_BRACKETS = re.compile(rf"[{_OPEN}{_CLOSE}]")
_NUMBER = re.compile(r"[0-9]+")
_ITEM = re.compile(r"(?:[-*+•]|\d{1,3}[.)])\s+")
_OWN_LINE = re.compile(rf"\||.* \| |{_ITEM.pattern}|(?:Changed|The same|Only in the (?:first|second)): “")


def own(text: str) -> str:
    """The text as an answer shows it: flat, and a mark of its document's own in brackets that are none.

    Round brackets would make a link of `[word][1]`.
    """
    return MARK.sub(lambda mark: f"⟨{mark[0][1:-1]}⟩", flat(text))


def flat(text: str) -> str:
    """The text with every run of white space as one space, and none around it."""
    return " ".join(text.split())


def numbers_in(text: str) -> list[int]:
    """The numbers of all marks in the text, each once, in the order of their first use."""
    found = (int(number) for mark in MARK.finditer(text) for number in _NUMBER.findall(mark[0]))
    return list(dict.fromkeys(found))


def has_marks(text: str) -> bool:
    """Whether there is a mark in the text, or what resembles one."""
    return _RESEMBLING.search(text) is not None


def without_marks(text: str, keep: Collection[int] = ()) -> str:
    """The text without marks and what resembles them, but for the numbers in `keep`.

    What is left of the brackets around a mark cannot become one: where it would, all brackets go, and
    all marks.
    """
    cleaned = _cleaned(_UNFINISHED.sub("", text), keep)
    if _cleaned(cleaned, keep) == cleaned:
        return cleaned
    return _BRACKETS.sub("", _cleaned(text, ()))


def _cleaned(text: str, keep: Collection[int]) -> str:
    """The text with each mark reduced to the numbers in `keep`, and removed with the space before it."""
    pieces, at = [], 0
    for mark in _RESEMBLING.finditer(text):
        kept = mark_of([number for number in numbers_in(mark[0]) if number in keep])
        before = text[at : mark.start()]
        pieces += [before if kept else before.rstrip(" "), kept]
        at = mark.end()
    return "".join([*pieces, text[at:]])


def mark_of(numbers: Sequence[int]) -> str:
    """The mark of these numbers, `[2, 5]`; nothing where there are none."""
    return f"[{', '.join(map(str, numbers))}]" if numbers else ""


def composed(sentences: Sequence[Sentence]) -> str:
    """The text of an answer: its sentences, each with its mark; rows and items on lines of their own."""
    before = None
    text = ""
    for sentence in sentences:
        text += appended(sentence, before)
        before = sentence
    return text


def appended(sentence: Sentence, before: Sentence | None) -> str:
    """What a sentence adds to the text of an answer behind the one before it, None for the first."""
    pair = [own(each.text) for each in (before, sentence) if each]
    gap = "" if before is None else "\n" if any(map(_OWN_LINE.match, pair)) else " "
    return f"{gap}{pair[-1]} {mark_of(sentence.citations)}".rstrip(" ")


def says(text: str, sentences: Sequence[Sentence]) -> bool:
    """Whether a text is the sentences in their order, behind each the marks of what it cites, and no more.

    The sign of a list's item may stand before a sentence.
    """
    rest = flat(text)
    for sentence in sentences:
        body = own(sentence.text)
        item = _ITEM.match(rest)
        if item and not rest.startswith(body):
            rest = rest[item.end() :]
        if not rest.startswith(body):
            return False
        rest = rest[len(body) :].lstrip()
        cited: set[int] = set()
        while mark := MARK.match(rest):
            cited.update(numbers_in(mark[0]))
            rest = rest[mark.end() :].lstrip()
        if cited != set(sentence.citations):
            return False
    return not rest
