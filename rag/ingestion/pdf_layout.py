"""From lines to blocks: columns, running headers and footers, headings and paragraphs."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import TypeAlias

from rag.ingestion.pdf_lines import Line

_DIGITS = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)?")
_ROMAN = re.compile(r"[ivxlc]{1,7}|[IVXLC]{1,7}")
_ITEM = re.compile(r"(?:[•●▪◦‣■□–—*·o]|\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,5})[.)])\s")
_STICKS_TO_NEXT = re.compile(r"[$€£¥(]+(?:\s*\()?")
_STICKS_TO_LAST = re.compile(r"[)%]+")
_CURRENCY = re.compile(r"(?<=[\d)%—]) (?=[$€£¥] ?[\d(—])")
_PAGE_NUMBER = re.compile(r"\W*(?:page )?#(?: (?:of|/) #|/#)?\W*", re.IGNORECASE)
_EDGE_LINES = 3  # a running header or footer is among the outermost lines of its page
_MARGIN = 0.07  # of the height of a page, above and below, where hardly anything but running lines stands
_COLUMN_STEP = 60  # points from one column's left edge to the next, at least
_LONGEST_HEADING = 120
_GAP = 1.25  # leadings from a line that ends a sentence to the next, at least, where a paragraph begins
_WIDE_GAP = 1.5  # the same behind any other line, where the second may only begin with a raised mark
_ENDS = ".:;!?)\"'”’"
_TENS = frozenset("twenty thirty forty fifty sixty seventy eighty ninety".split())
_UNITS = frozenset(
    "one two three four five six seven eight nine "
    "first second third fourth fifth sixth seventh eighth ninth".split()
)


Key: TypeAlias = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Part:
    """A block, or the piece of it on one page. `continues` joins it to the part before.

    `size` is the height of its type where it looks like a heading, else 0.
    """

    text: str
    page: int
    size: float = 0.0
    continues: bool = False


def furniture(pages: Sequence[Sequence[Line]], sheets: Sequence[tuple[float, float]]) -> dict[Key, list[str]]:
    """Find what stands at the same place at the edge of many pages, digits aside.

    `sheets` are the bottom and the top of each page. Of two pages, both must have it, no larger than
    their text, in the margin: elsewhere twice is no rule yet.

    Returns the key of each such line, with the texts that it took.
    """
    few = len(pages) < 3
    body = body_height(pages) if few else 0.0
    seen: dict[Key, list[str]] = {}
    for page, (lines, sheet) in enumerate(zip(pages, sheets, strict=True), 1):
        edges = [
            (key, line.text)
            for line, key in _edges(lines, page)
            if not few or (line.height < 1.05 * body and _in_margin(line, sheet))
        ]
        for key, text in dict(edges).items():
            seen.setdefault(key, []).append(text)
    least = 2 if few else max(3, len(pages) // 10)
    return {key: texts for key, texts in seen.items() if len(texts) >= least}


def _edges(lines: Sequence[Line], page: int) -> Iterator[tuple[Line, Key]]:
    """Yield the lines that may be furniture: masked text and height are what repeats.

    The number of a page is the outermost line, at any height, and counts with the pages. A line of
    cells must be outermost, too: else it would be the head of a table that goes on for pages.
    """
    ordered = sorted((line for line in lines if line.height), key=lambda line: line.bottom)
    for side in (ordered, ordered[::-1]):
        for place, line in enumerate(side[:_EDGE_LINES]):
            masked = _DIGITS.sub("#", line.text)
            if place == 0 and is_page_number(line.text):
                number = _DIGITS.search(line.text)
                yield line, ("#", int(number.group()[:9]) - page if number else 0)
            elif any(map(str.isalpha, masked)) and (place == 0 or not line.cells):
                yield line, (masked, round(line.bottom / 4))


def _in_margin(line: Line, sheet: tuple[float, float]) -> bool:
    bottom, top = sheet
    margin = _MARGIN * (top - bottom)
    return line.bottom + line.height < bottom + margin or line.bottom > top - margin


def is_page_number(text: str) -> bool:
    """Whether a line is `7`, `- 7 -`, `vii`, `Page 7 of 12` or the like."""
    return bool(_ROMAN.fullmatch(text) or _PAGE_NUMBER.fullmatch(_DIGITS.sub("#", text)))


def without(lines: Sequence[Line], page: int, running: dict[Key, list[str]]) -> list[Line]:
    """Drop the running headers and footers from a page."""
    dropped = {id(line) for line, key in _edges(lines, page) if key in running} if running else set()
    return [line for line in lines if id(line) not in dropped]


def in_reading_order(lines: Sequence[Line]) -> list[Line]:
    """Put the left column before the right, where the file interleaves two columns of prose."""
    gutter = _gutter(lines)
    if gutter is None:
        return list(lines)
    ordered: list[Line] = []
    left: list[Line] = []
    right: list[Line] = []
    for line in _split_at(lines, gutter):
        if line.height and line.right <= gutter:
            left.append(line)
        elif line.height and line.left >= gutter - 2:
            right.append(line)
        else:
            ordered += [*left, *right, line]
            left, right = [], []
    return [*ordered, *left, *right]


def _split_at(lines: Sequence[Line], gutter: float) -> Iterator[Line]:
    for line in lines:
        left = [cell for cell in line.cells if cell.right <= gutter]
        right = [cell for cell in line.cells if cell.left >= gutter - 2]
        if left and right and len(left) + len(right) == len(line.cells):
            yield _rejoined(line, left)
            yield _rejoined(line, right)._replace(hyphenated=line.hyphenated)
        else:
            yield line


def _rejoined(line: Line, cells: list[Line]) -> Line:
    text = " ".join(cell.text for cell in cells)
    ends = text.endswith("-") and len(text) > 2 and text[-2].isalpha()
    return line._replace(
        text=text[:-1] if ends else text,
        left=cells[0].left,
        right=cells[-1].right,
        hyphenated=ends,
        cells=tuple(cells) if len(cells) > 1 else (),
        loose=(),
    )


def _gutter(lines: Sequence[Line]) -> float | None:
    """Return the left edge of the right column, if there are two columns of prose that alternate."""
    parts = [part for line in lines if line.height for part in (line.cells or (line,))]
    if len(parts) < 12:
        return None
    start = min(part.left for part in parts)
    width = max(part.right for part in parts) - start
    edges = Counter(
        round(part.left) for part in parts if start + 0.3 * width < part.left < start + 0.7 * width
    )
    if not edges:
        return None
    edge, count = edges.most_common(1)[0]
    if count < 5:
        return None
    gutter = edge - 1.0
    sides = [part.left >= gutter - 2 for part in parts if part.right <= gutter or part.left >= gutter - 2]
    switches = sum(one != other for one, other in pairwise(sides))
    left = [part for part in parts if part.right <= gutter]
    right = [part for part in parts if part.left >= gutter - 2]
    prose = all(len(side) >= 5 and median(len(part.text) for part in side) >= 20 for side in (left, right))
    return gutter if prose and switches >= 5 else None


def body_height(pages: Sequence[Sequence[Line]]) -> float:
    """Return the height of type that most characters of the document have."""
    heights: Counter[float] = Counter()
    for lines in pages:
        for line in lines:
            heights[round(line.height, 1)] += len(line.text)
    heights.pop(0.0, None)
    return heights.most_common(1)[0][0] if heights else 0.0


class Vocabulary:
    """The words of a document, which tell a compound from a word that a line end broke in two."""

    def __init__(self, pages: Sequence[Sequence[Line]]) -> None:
        self._words: set[str] = set()
        if any(line.hyphenated for lines in pages for line in lines):
            broken = False
            for lines in pages:
                for line in lines:
                    words = _WORD.findall(line.text.lower())
                    self._words.update(words[broken : len(words) - line.hyphenated])
                    broken = line.hyphenated

    def hyphen(self, before: str, after: str) -> str:
        """Return what goes between two halves: nothing, or the hyphen of a compound."""
        first = _WORD.findall(before.lower()[-40:])
        second = _WORD.match(after.lower()[:40])
        if not first or second is None or not after[0].isalpha():
            return "-"
        head, tail = first[-1], second.group()
        if f"{head}-{tail}" in self._words or (head in _TENS and tail in _UNITS):
            return "-"
        if head + tail in self._words:
            return ""
        both = min(len(head), len(tail)) > 3 and head in self._words and tail in self._words
        return "-" if both or not after[0].islower() else ""


def parts_of(lines: Sequence[Line], page: int, body: float, vocabulary: Vocabulary) -> list[Part]:
    """Join the lines of a page, in reading order, into paragraphs, headings, items and table rows."""
    margins = _Margins(lines)
    parts: list[Part] = []
    previous: Line | None = None
    first_left = leading = 0.0
    for line in lines:
        heading = _heading_size(line, body)
        text = _row(line.cells) if line.cells else line.text
        if previous is not None and _continues(
            previous, line, margins, first_left, leading or margins.leading(line), parts[-1].size, heading
        ):
            last = parts[-1]
            leading = max(leading, previous.bottom - line.bottom)
            glue = vocabulary.hyphen(previous.text, text) if previous.hyphenated else " "
            parts[-1] = replace(last, text=f"{last.text}{glue}{text}", size=last.size if heading else 0.0)
        else:
            if previous is not None and previous.hyphenated:
                parts[-1] = replace(parts[-1], text=parts[-1].text + "-")
            parts.append(Part(text, page, heading))
            first_left, leading = line.left, 0.0
        previous = line
    if previous is not None and previous.hyphenated:
        parts[-1] = replace(parts[-1], text=parts[-1].text + "-")
    return parts


def _row(cells: Sequence[Line]) -> str:
    row: list[str] = []
    for cell in cells:
        if row and (
            (_STICKS_TO_NEXT.fullmatch(row[-1].rpartition(" ")[2]) and not cell.text[0].isalpha())
            or _STICKS_TO_LAST.fullmatch(cell.text)
        ):
            row[-1] += " " + cell.text
        else:
            row.append(cell.text)
    return " | ".join(_CURRENCY.sub(" | ", cell) for cell in row)


class _Margins:
    """How far to the right the lines reach that start in the same column, and how far apart they are."""

    def __init__(self, lines: Sequence[Line]) -> None:
        lefts = Counter(round(line.left) for line in lines if line.height)
        common = sorted(left for left, count in lefts.items() if count >= 3) or sorted(lefts)[:1]
        self._lefts = [
            left
            for number, left in enumerate(common)
            if number == 0 or left - common[number - 1] > _COLUMN_STEP
        ]
        self._rights = [0.0] * (len(self._lefts) + 1)
        self._leadings = _leadings(lines)
        for line in lines:
            if line.height:
                column = self._column(line)
                self._rights[column] = max(self._rights[column], line.right)

    def _column(self, line: Line) -> int:
        return bisect_right(self._lefts, line.left + 3)

    def right(self, line: Line) -> float:
        return self._rights[self._column(line)]

    def leading(self, line: Line) -> float:
        """Return the commonest distance between two lines of this height, or 0 where none is common."""
        return self._leadings.get(round(line.height), 0.0)


def _leadings(lines: Sequence[Line]) -> dict[int, float]:
    steps: dict[int, Counter[float]] = {}
    for previous, line in pairwise(lines):
        height, step = round(line.height), round(previous.bottom - line.bottom, 1)
        prose = not (previous.cells or line.cells) and round(previous.height) == height
        if prose and 0.6 * line.height < step < 1.75 * line.height:
            steps.setdefault(height, Counter())[step] += 1
    commonest = {height: counts.most_common(1)[0] for height, counts in steps.items()}
    return {height: step for height, (step, count) in commonest.items() if count >= 3}


def _continues(
    previous: Line,
    line: Line,
    margins: _Margins,
    first_left: float,
    leading: float,
    previous_heading: float,
    heading: float,
) -> bool:
    """Whether `line` goes on with the block that `previous` stands in, whose lines are `leading` apart."""
    if previous.hyphenated:
        return True
    if previous.cells or line.cells or not previous.height or not line.height or _ITEM.match(line.text):
        return False
    if abs(previous.height - line.height) > 0.12 * line.height:
        return False
    step = previous.bottom - line.bottom
    if not 0.6 * line.height < step < 1.75 * line.height:
        return False
    if bool(previous_heading) != bool(heading) and previous.bold != line.bold and previous_heading:
        return False
    if previous_heading and heading:
        return step < 1.5 * line.height and previous.bold == line.bold
    if line.bold and not previous.bold and not previous_heading and previous.text[-1] in ".:;!?":
        return False
    wide = previous.right - previous.left
    lower = line.text[0].islower() and previous.text[-1] not in ".:;!?" and wide > 15 * line.height
    indented = line.left > previous.left + 0.8 * line.height and line.left > first_left + 0.8 * line.height
    if indented and not _ITEM.match(previous.text):
        return lower and step < 1.4 * line.height
    if lower:
        return True
    if leading and step > (_GAP if previous.text[-1] in _ENDS else _WIDE_GAP) * leading:
        return False
    word = line.text.split(" ", 1)[0]
    advance = (line.right - line.left) / max(1, len(line.text))
    full = previous.right + (len(word) + 1) * advance > margins.right(previous) - 0.5 * line.height
    return full and wide > 8 * line.height


def _heading_size(line: Line, body: float) -> float:
    """Return the height of a line that looks like a heading, else 0."""
    text = line.text
    if line.cells or not line.height or not body or len(text) > _LONGEST_HEADING or line.hyphenated:
        return 0.0
    large = line.height > 1.12 * body or (line.bold and line.height > 0.95 * body)
    if not large or text[-1] in ".,;:" or text[0].islower():
        return 0.0
    letters = sum(map(str.isalpha, text))
    return round(line.height, 1) if letters >= 3 and 2 * letters >= len(text) else 0.0
