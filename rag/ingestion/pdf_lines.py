"""The lines of a PDF page, as pdfium reads them, with just enough geometry to lay them out.

A call into pdfium costs microseconds, a page thousands of characters: the box of the first and the
last character of a line tell most, and only wide lines are probed for the gaps between cells.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from rag.ingestion.blocks import clean

_BREAK = re.compile("\r\n|[\r\n\ufffe]")
_SPACES = re.compile(r"\s+")
_BOLD = re.compile(rb"bold|black|heavy|medi|CMBX|SFBX", re.IGNORECASE)
_HYPHENATED = "\ufffe"  # how pdfium writes a hyphen at the end of a line, newline included
_WIDE = 0.52  # width of a line over height x characters; prose has about 0.43
_CELL_GAP = 1.1  # line heights between two cells, at least, where one begins or ends in a figure
_PROSE_GAP = 2.0  # the same between words, which justified lines set far apart, too
_LOOSE_GAP = 0.7  # the same where the rows of a table have one below
_SAMPLES = 6  # lines of a page to look at for a gutter


class Line(NamedTuple):
    """A line, or one column's part of it; in points, `bottom` upwards, (0, 0, 0, 0) where unknown.

    `cells` are the parts between wide gaps; `loose` are more of them, between gaps that are as wide
    as between cells only where they stand over one. `hyphenated` says that its last word goes on in
    the next line.
    """

    text: str
    left: float = 0.0
    right: float = 0.0
    bottom: float = 0.0
    height: float = 0.0
    hyphenated: bool = False
    bold: bool = False
    cells: tuple[Line, ...] = ()
    loose: tuple[Line, ...] = ()


def page_lines(page: Any, text_page: Any) -> list[Line]:
    """Read the lines of a pypdfium2 page in the order of its content."""
    reader = _Reader(page, text_page)
    return list(reader.lines())


def bottom_and_top(page: Any) -> tuple[float, float]:
    """Return where a pypdfium2 page begins and ends, on the scale of `Line.bottom`."""
    left, bottom, right, top = page.get_bbox()
    ends: tuple[float, float] = ((bottom, top), (-right, -left), (-top, -bottom), (left, right))[
        page.get_rotation() // 90
    ]
    return ends


class _Reader:
    def __init__(self, page: Any, text_page: Any) -> None:
        import pypdfium2.raw as pdfium  # type: ignore[import-untyped]

        self._handle = text_page.raw
        self._box = pdfium.FS_RECTF()
        self._box_pointer = ctypes.byref(self._box)
        self._get_box = pdfium.FPDFText_GetLooseCharBox
        self._get_index = pdfium.FPDFText_GetCharIndexFromTextIndex
        self._get_weight = pdfium.FPDFText_GetFontWeight
        self._get_font = pdfium.FPDFText_GetFontInfo
        self._font_name = ctypes.create_string_buffer(128)
        self._rotation = pdfium.FPDFPage_GetRotation(page.raw)
        characters = pdfium.FPDFText_CountChars(self._handle)
        buffer = (ctypes.c_ushort * (characters + 1))()
        units = (
            max(0, pdfium.FPDFText_GetText(self._handle, 0, characters, buffer) - 1) if characters > 0 else 0
        )
        self._text = bytes(buffer)[: 2 * units].decode("utf-16-le", "replace")
        self._aligned = units == characters
        self._measurable = len(self._text) == units  # else characters beyond the basic plane shift offsets

    def lines(self) -> Iterator[Line]:
        text = self._text
        pieces = []
        start = 0
        for match in _BREAK.finditer(text):
            pieces.append((start, match.start(), match.group() == _HYPHENATED))
            start = match.end()
        pieces.append((start, len(text), False))
        measured = [line for piece in pieces if (line := self._line(*piece))]
        if self._has_gutter(measured):
            measured = [
                (line if line.cells else self._with_cells(line, at, _CELL_GAP), at) for line, at in measured
            ]
        yield from (line for line, _ in measured)

    def _line(self, start: int, end: int, hyphenated: bool) -> tuple[Line, int] | None:
        raw = self._text[start:end]
        text = raw.strip()
        if not text:
            return None
        start += len(raw) - len(raw.lstrip())
        spaced = " ".join(clean(text).split())
        if not spaced:
            return None
        first = last = None
        if self._measurable:
            first, last = self._measure(start), self._measure(start + len(text) - 1)
        if first is None or last is None:
            return Line(spaced, hyphenated=hyphenated), start
        height = max(first[3] - first[2], last[3] - last[2])
        titled = len(text) < 120 and (text[0].isupper() or text[-1].isalpha()) and text[-1] not in ".,;:"
        bold = titled and self._is_bold(start)
        line = Line(spaced, first[0], last[1], first[2], height, hyphenated, bold)
        if line.right - line.left > _WIDE * height * len(text):
            line = self._with_cells(line, start, _PROSE_GAP)
        return line, start

    def _measure(self, index: int) -> tuple[float, float, float, float] | None:
        """Return left, right, bottom and top of a character as the reader sees the page."""
        if not self._aligned:
            index = self._get_index(self._handle, index)
        if index < 0 or not self._get_box(self._handle, index, self._box_pointer):
            return None
        box = self._box
        if self._rotation == 0:
            return box.left, box.right, box.bottom, box.top
        if self._rotation == 1:
            return box.bottom, box.top, -box.right, -box.left
        if self._rotation == 2:
            return -box.right, -box.left, -box.top, -box.bottom
        return -box.top, -box.bottom, box.left, box.right

    def _is_bold(self, index: int) -> bool:
        if not self._aligned:
            index = self._get_index(self._handle, index)
        flags = ctypes.c_int()
        size = self._get_font(self._handle, index, self._font_name, 128, ctypes.byref(flags))
        name = self._font_name.value if 0 < size <= 128 else b""
        return _BOLD.search(name) is not None or self._get_weight(self._handle, index) >= 650

    def _with_cells(self, line: Line, start: int, prose_gap: float) -> Line:
        """Probe each space of a line, and split it where the gap is as wide as between cells.

        `prose_gap` is that width between words, in line heights; beside figures less will do.
        """
        end = _BREAK.search(self._text, start)
        raw = self._text[start : end.start() if end else len(self._text)].rstrip()
        gaps: list[tuple[int, int, float, float, bool]] = []
        for space in _SPACES.finditer(raw):
            before, after = self._measure(start + space.start() - 1), self._measure(start + space.end())
            gap = abs(after[0] - before[1]) if before and after else 0.0
            if before and after and gap > _LOOSE_GAP * line.height:
                beside = raw[space.start() - 1] + raw[space.end()]
                prose = beside.isalpha() or beside[0] in ".,;:"
                wide = gap > (prose_gap if prose else _CELL_GAP) * line.height
                gaps.append((space.start(), space.end(), before[1], after[0], wide))
        cells = self._cells(line, raw, [gap for gap in gaps if gap[-1]])
        loose = () if len(cells) > len(gaps) else self._cells(line, raw, gaps)
        return line._replace(cells=cells, loose=loose)

    def _cells(
        self, line: Line, raw: str, gaps: list[tuple[int, int, float, float, bool]]
    ) -> tuple[Line, ...]:
        """Split a line at gaps: the end and the start of the cells beside, as offsets and in points."""
        if not gaps:
            return ()
        cells: list[Line] = []
        start, left = 0, line.left
        for end, following, right, next_left, _ in gaps:
            cells.append(self._cell(line, raw[start:end], left, right))
            start, left = following, next_left
        cells.append(self._cell(line, raw[start:], left, line.right)._replace(hyphenated=line.hyphenated))
        return tuple(cell for cell in cells if cell.text)

    def _cell(self, line: Line, raw: str, left: float, right: float) -> Line:
        return Line(" ".join(clean(raw).split()), left, right, line.bottom, line.height)

    def _has_gutter(self, measured: list[tuple[Line, int]]) -> bool:
        """Look at some long lines for a gap near the middle: two columns that the file interleaves."""
        long = [(line, at) for line, at in measured if len(line.text) > 50 and line.height and not line.cells]
        sample = long[:: max(1, len(long) // _SAMPLES)][:_SAMPLES]
        gaps = 0
        for line, at in sample:
            middle = at + len(line.text) // 2
            for space in _SPACES.finditer(self._text, middle - 14, middle + 14):
                before, after = self._measure(space.start() - 1), self._measure(space.end())
                if before and after and after[0] - before[1] > _CELL_GAP * line.height:
                    gaps += 1
                    break
        return len(sample) >= 3 and 2 * gaps >= len(sample)
