"""Names, numbers and dates of a text, told by how they are written; no model."""

from __future__ import annotations

import re

_MONTHS = ("january february march april may june july august september october november december").split()
_MONTH = rf"(?P<m>{'|'.join(f'{month[:3]}(?:{month[3:]})?' for month in _MONTHS)})\.?"
_DATES = (
    re.compile(rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?{_MONTH},? (?P<y>\d{{4}})\b", re.IGNORECASE),
    re.compile(rf"\b{_MONTH} (?P<d>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y>\d{{4}})\b", re.IGNORECASE),
    re.compile(r"\b(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})\b"),
    re.compile(rf"\b{_MONTH},? (?P<y>\d{{4}})\b", re.IGNORECASE),
)
_TITLE = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|Prof)\b\.? (?=[A-ZÀ-Þ])")
_INITIALS = re.compile(r"(?<![\w.])((?:[A-Z]\.){2,}|[A-Z]\.(?= [A-ZÀ-Þ]))(?= ?(\w*))")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,:]\d+)*(?:\s?%)?")
_NAME = re.compile(
    r"(?<![\w-])[A-ZÀ-Þ][\w’'&-]*(?:\.[A-Z])*"
    r"(?:[ ](?:of the |of |the |de |van |von |der |du |la )?[A-ZÀ-Þ0-9][\w’'&-]*)*"
)
_STARTERS = frozenset(
    "a an the this that these those there it its he she we they you i his her our their your my in on at by "
    "for from with as if when while after before since until although though because however but and or so "
    "yet then thus hence also moreover furthermore what who why how where which is are was were do does did "
    "can could will would should may might must has have had no not yes all any each both some many most "
    "such one two three to of other another during under over here according additionally overall".split()
)


def entities_of(text: str) -> list[str]:
    """The names, numbers and dates of a text, each once, in its order within each kind.

    A name is a run of capitalised words; one that only begins a sentence counts where it is no common
    opening word and is not in lower case elsewhere in the text; a title before it is no part of it. Dates
    are given as 2024-03-12 or 2024-03, numbers without separators of thousands and initials without dots,
    so that equal ones are equal texts.
    """
    dates: list[str] = []
    rest = text
    for pattern in _DATES:
        dates += [_iso(found) for found in pattern.finditer(rest)]
        rest = pattern.sub(" ", rest)
    rest = _undotted(_TITLE.sub("", rest))
    names = [name for found in _NAME.finditer(rest) if (name := _name(found, rest))]
    numbers = [_plain(found.group()) for found in _NUMBER.finditer(rest)]
    return list(dict.fromkeys([*names, *dates, *numbers]))


def _undotted(text: str) -> str:
    """The text with `J. F. Kennedy` as `J F Kennedy` and `U.S.` as `US`, but for dots that end a sentence."""

    def letters(found: re.Match[str]) -> str:
        ends = not found[2] or found[2].lower() in _STARTERS
        return found[1].replace(".", "") + ("." if ends else "")

    return _INITIALS.sub(letters, text)


def _name(found: re.Match[str], text: str) -> str:
    words = found.group().split()
    while words and words[0].lower() in _STARTERS:
        words = words[1:]
    if not words or (len(words) == 1 and words[0].lower() in _MONTHS):
        return ""
    name = re.sub(r"['’]s?$", "", " ".join(words))
    opens = re.search(r"(?:^|[.!?:\n]\s*|[-*•]\s+)$", text[: found.start()]) is not None
    if opens and len(words) == 1 and name[1:].islower():
        # a common word that begins a sentence, or a name that does: the rest of the text may tell
        return "" if re.search(rf"\b{re.escape(name.lower())}\b", text) else name
    return name


def _iso(found: re.Match[str]) -> str:
    month = found["m"].lower()
    number = int(month) if month.isdigit() else 1 + [each[:3] for each in _MONTHS].index(month[:3])
    day = found.groupdict().get("d")
    return f"{found['y']}-{number:02}" + (f"-{int(day):02}" if day else "")


def _plain(number: str) -> str:
    return re.sub(r",(?=\d{3}(?:\D|$))", "", number).replace(" ", "")
