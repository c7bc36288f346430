"""The heads of tables: their cells stand closer than those of the rows below, or take several lines."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rag.ingestion.pdf_lines import Line

_ROWS = 4  # rows below a head to look at for the columns


def with_heads(lines: Sequence[Line]) -> list[Line]:
    """Cut the first row of each table at the columns of the rows below, and join what it holds of lines."""
    out: list[Line] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        taken = 1
        if (line.cells or line.loose) and not (at and lines[at - 1].cells):
            rest = next((n for n in range(at + 1, len(lines)) if lines[n].cells), len(lines))
            columns = _columns(lines[rest : rest + _ROWS], line)
            if columns:
                line = _cut(line, columns)
                joined = _joined(line, lines[at + 1 : rest], columns)
                if joined is not None:
                    line, taken = joined, rest - at
        out.append(line)
        at += taken
    return out


def _columns(rows: Sequence[Line], head: Line) -> tuple[Line, ...]:
    """Return the cells of the widest of the rows that stand directly below, if there are any."""
    near = []
    above = head
    for row in rows:
        if not row.cells or not 0 < above.bottom - row.bottom < 4 * head.height:
            break
        near.append(row.cells)
        above = row
    return max(near, key=len, default=())


def _column(cell: Line, columns: Sequence[Line]) -> int | None:
    """Return which column a cell is flush with, on the left, on the right or about the middle."""
    slack = 0.35 * cell.height
    for number, column in enumerate(columns):
        left, right = cell.left - column.left, cell.right - column.right
        if min(abs(left), abs(right), abs(left + right) / 2) < slack:
            return number
    return None


def _cut(line: Line, columns: Sequence[Line]) -> Line:
    """Split a line at those of its narrower gaps that lie between two columns."""
    lefts = {cell.left for cell in line.cells}
    cells = list(line.loose[:1])
    for last, cell in pairwise(line.loose):
        one, other = _column(last, columns), _column(cell, columns)
        if cell.left in lefts or (one is not None and other is not None and one < other):
            cells.append(cell)
        else:
            cells[-1] = cells[-1]._replace(text=f"{cells[-1].text} {cell.text}", right=cell.right)
    return line._replace(cells=tuple(cells)) if len(cells) > max(1, len(line.cells)) else line


def _joined(head: Line, pieces: Sequence[Line], columns: Sequence[Line]) -> Line | None:
    """Put the lines between a head and its rows into the cells they belong to, or return None.

    The rows must be of figures, else the first one may be longer than a line itself. The first column
    is no place for a piece: what stands there is the heading of the rows below.
    """
    figures = not any(character.isalpha() for column in columns[1:] for character in column.text)
    if not pieces or not head.cells or not figures:
        return None
    cells: dict[int, Line] = {}
    for cell in head.cells:
        column = _column(cell, columns)
        if column is None or column in cells:
            return None
        cells[column] = cell
    for piece in pieces:
        column = _column(piece, columns)
        near = abs(piece.height - head.height) < 0.12 * head.height and not (piece.hyphenated or piece.loose)
        if not column or not near:
            return None
        above = cells.get(column)
        drop = (above or head).bottom - piece.bottom
        lowest = 0.7 * head.height if above else -0.1 * head.height
        if not lowest < drop < (1.4 if above else 0.1) * head.height:
            return None
        text = f"{above.text} {piece.text}" if above else piece.text
        cells[column] = piece._replace(text=text)
    return head._replace(cells=tuple(cells[column] for column in sorted(cells)))
