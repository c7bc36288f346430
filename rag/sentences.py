"""Sentences as exact spans: hard breaks by the shape of the lines, the rest by the full stops.

A blank line, a heading, a list item, a table row and a form feed end a sentence. Any other newline
is either a soft wrap or the end of a block, and the text does not say which. Two signs tell:

- the next line goes on in lower case after a line of some length, or
- the next word would not have fitted: a wrapped paragraph (lines between blank lines, none wider
  than a screen) breaks exactly where its width ends. Text with one block per line has lines
  wider than that, or short ones, and so keeps its newlines as breaks.

Well-kept splitters were tried: sentencex (fast, good) aborts on U+2028 and is native code; pysbd,
segtok and syntok are unkept. Hence these rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from rag.types import Span

_CLOSERS = "\"'”’»›)\\]}*_`"
_STOP = re.compile(
    rf"(?<![.!?…।؟۔])[.!?…।؟۔]++[{_CLOSERS}]*+(?:\s?\[\d+(?:,\s?\d+)*\])*(?=\s)|[。！？｡]+[。！？｡”’」』）]*",
)
_NEXT_WORD = re.compile(r"[^\w\s.!?…]*(\w+)")
_ITEM = re.compile(r"(?:[-*+•●▪◦‣–—]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)]|#{1,6}|>|\|)(?:\s|$)")
_ALONE = re.compile(r"#{1,6}\s|\||[-=*_]{3,}\s*$|```|~~~|.* \| ")

_SHORTEST_WRAP = 40  # characters; shorter lines are headings, cells or verses
_WIDEST_WRAP = 120  # characters; a wider line is a whole paragraph

_TITLES = frozenset(
    "mr mrs ms dr prof sen rep gen gov lt col sgt capt cmdr hon rev fr messrs mme mlle st mt ft "
    "e.g i.e eg ie vs cf viz approx ca z.b d.h u.a bzw resp".split(),
)
_BEFORE_NUMBERS = frozenset(
    "no nos nr fig figs eq eqs sec art vol vols p pp ch tab ref para app ex col ser reg cl bd abb "
    "jan feb mar apr jun jul aug sep sept oct nov dec".split(),
)
_SHORTENED = frozenset(
    "inc ltd corp co llc plc bros jr sr etc al dept univ assn est ave blvd rd bldg ed eds trans ph.d m.d "
    "b.a m.a gmbh cie intl govt mgr dist div".split(),
)
_STARTERS = frozenset(
    "the a an this that these those there it its he she we they you i his her our their your my "
    "in on at by for from with as if when while after before since until although though because "
    "however but and or so yet then thus hence also moreover furthermore what who why how where which "
    "is are was were do does did can could will would should may might must has have had no not "
    "all any each both some many most such one two net total during under over see to of".split(),
)


def sentence_spans(text: str) -> list[Span]:
    """Split `text` into sentences, as spans in order.

    The spans are disjoint, begin and end at a character that is not white space, and together hold
    every such character. Headings, list items and table rows are sentences of their own.
    """
    cuts = sorted({0, len(text), *_hard_cuts(text), *_soft_cuts(text)})
    spans = []
    for start, end in pairwise(cuts):
        piece = text[start:end]
        inner = piece.lstrip()
        if inner:
            begin = end - len(inner)
            spans.append(Span(begin, begin + len(inner.rstrip())))
    return spans


def _hard_cuts(text: str) -> Iterator[int]:
    """Yield the offset behind each newline (or form feed) that ends a block."""
    for at, part in _parts(text, "\f"):
        yield at
        lines = list(_parts(part, "\n"))
        widths = _paragraph_widths(lines)
        for number in range(len(lines) - 1):
            line, following = lines[number][1], lines[number + 1][1]
            if not _is_wrap(line.strip(), following.strip(), widths[number]):
                yield at + lines[number + 1][0]


def _parts(text: str, separator: str) -> Iterator[tuple[int, str]]:
    offset = 0
    for part in text.split(separator):
        yield offset, part
        offset += len(part) + 1


def _paragraph_widths(lines: list[tuple[int, str]]) -> list[int]:
    """Give each line the width of the widest line between the blank lines around it."""
    widths = [0] * len(lines)
    first = widest = 0
    for number, (_, line) in enumerate(lines):
        width = len(line.rstrip())
        widest = max(widest, width)
        if width == 0 or number == len(lines) - 1:
            widths[first : number + 1] = [widest] * (number + 1 - first)
            first, widest = number + 1, 0
    return widths


def _is_wrap(line: str, following: str, width: int) -> bool:
    if len(line) < _SHORTEST_WRAP or not following:
        return False
    if _ITEM.match(following) or _ALONE.match(following) or _ALONE.match(line):
        return False
    if following[0].islower() and line[-1] not in ".:;!?":
        return True
    word = following.split(None, 1)[0]
    return width <= _WIDEST_WRAP and len(line) + 1 + len(word) > width


def _soft_cuts(text: str) -> Iterator[int]:
    """Yield the offset behind each full stop that ends a sentence."""
    for stop in _STOP.finditer(text):
        end = stop.end()
        if text[stop.start()] in "。！？｡" or _ends_sentence(text, stop.start(), stop.group(), end):
            yield end


def _ends_sentence(text: str, at: int, stop: str, end: int) -> bool:
    begin = _skip_space(text, end)
    following = _NEXT_WORD.match(text, begin)
    if following is None:
        return text[begin : begin + 1] not in {".", "!", "?", "…"}
    next_word = following.group(1)
    if next_word[0].islower():
        return False
    if stop[0] != "." or stop.startswith(".."):
        return True
    line_start = max(text.rfind("\n", max(0, at - 40), at) + 1, at - 40, 0)
    words = text[line_start:at].split()
    if not words:
        return True
    word = words[-1].lstrip("\"'“‘«([{*_")
    if len(words) == 1 and _ITEM.match(word + ". ") and (line_start == 0 or text[line_start - 1] == "\n"):
        return False  # the number of a list item
    return _closes(word, next_word)


def _closes(word: str, next_word: str) -> bool:
    """Whether a full stop behind `word` and before `next_word`, not in lower case, ends a sentence."""
    lower = word.lower()
    if lower in _TITLES:
        return False
    if lower in _BEFORE_NUMBERS and next_word[0].isdigit():
        return False
    initial = len(word) == 1 and word.isupper()
    dotted = "." in word and all(len(letter) <= 1 for letter in lower.split("."))
    if initial or dotted or lower in _SHORTENED:
        return next_word.lower() in _STARTERS and next_word[0].isalpha()
    return True


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
