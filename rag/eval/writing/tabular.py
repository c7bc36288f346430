"""Questions of tables and lists: a cell, the greater of two cells, cells of two documents, all items."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from itertools import combinations

from rag.eval.writing.clauses import parse_lead
from rag.eval.writing.draft import Draft, Evidence, Kind
from rag.eval.writing.statements import Listing, Table, TableRow
from rag.types import Span

_NUMBER = re.compile(r"[€$£]?\d[\d,]*(?:\.\d+)?")
_RANGE = re.compile(r"\d+ to \d+|^(?:up to|less than|more than|below|above|over|under) \d")
_EMPTY = frozenset(("", "-", "–", "—", "n/a", "none", "yes", "no", "x", "✓"))
_ATTRIBUTE = re.compile(
    r"(?:\w+ ){0,3}(?:length|width|height|depth|draught|speed|price|fee|cost|limit|population|area|volume"
    r"|weight|date|name|address|code|title|author|owner|status|version|colou?r|size|type|number|rate|capacity|age"
    r"|temperature|pressure|power|salary|allowance|total|description|manager|director)",
    re.IGNORECASE,
)
MOST_PAIRS = 12
"""Comparisons drafted of one table at most: of its rows there are many pairs."""


def ask_table(table: Table) -> Iterator[Draft]:
    """Yield a question for every cell that says something, and for pairs of numbers in one column."""
    for at in range(1, len(table.columns.cells)):
        for row in table.rows:
            if says_something(row.cells[at]):
                yield _ask_cell(table, row, at)
    for at, column in enumerate(table.columns.cells):
        if at == 0 or not is_measured(column):
            continue
        valued = [(row, value) for row in table.rows if (value := _value(row.cells[at])) is not None]
        for (one, first), (other, second) in list(combinations(valued, 2))[:MOST_PAIRS]:
            if first != second:
                yield _ask_greater(table, at, one, other, first > second)


def ask_tables(tables: Sequence[Table]) -> Iterator[Draft]:
    """Yield questions that need a row of one document and a row of another about the same thing."""
    named = defaultdict[str, list[tuple[Table, TableRow]]](list)
    for table in tables:
        for row in table.rows:
            named[row_name(row.cells[0]).casefold()].append((table, row))
    for rows in named.values():
        for (table, row), (other_table, other) in combinations(rows[:6], 2):
            if table.document_id == other_table.document_id:
                continue
            for at, name in enumerate(table.columns.cells[1:3], 1):
                for other_at, other_name in enumerate(other_table.columns.cells[1:3], 1):
                    filled = says_something(row.cells[at]) and says_something(other.cells[other_at])
                    if filled and name.casefold() != other_name.casefold():
                        yield _ask_both(table, row, at, other_table, other, other_at)


def cell_question(column: str, row: str, value: str, first: str) -> str:
    """What is asked of a cell, by the name of its column; `first` is the name of the first column."""
    name, _, unit = column.partition(", ")
    if not row[0].isupper() or _RANGE.search(row):
        return f"What is listed under “{column}” where “{first or 'the first column'}” is “{row}”?"
    if _ATTRIBUTE.fullmatch(name):
        measured = f", in {unit}," if unit and len(unit) < 12 else ""
        return f"What is the {_small(name)}{measured} of {row}?"
    countable = name.endswith("s") and not name.endswith("ss") and len(name.split()) <= 2 and not unit
    if countable and re.fullmatch(r"\d[\d,]*", value):
        return f"How many {_small(name)} does {row} have?"
    return f"What is listed under “{column}” for {row}?"


def greater_question(column: str, one: str, other: str) -> str:
    """What is asked of two cells of one column."""
    return f"Which has the higher figure under “{column}”: {one} or {other}?"


def is_figure(cell: str) -> bool:
    """Whether a cell is a number, and can be more or less than another."""
    return _value(cell) is not None


def says_something(cell: str) -> bool:
    """Whether a cell has a value that can be asked for: none that is empty, or only yes or no."""
    return cell.casefold() not in _EMPTY and len(cell.split()) <= 8 and bool(re.search(r"\w", cell))


def row_name(cell: str) -> str:
    """What a row is about, without a prefix that only some tables give: `MV Dunlin` is Dunlin."""
    return re.sub(r"^(?:[A-Z]{2} )(?=[A-Z][a-z])", "", cell)


def ask_listing(listing: Listing, common: Set[str]) -> Draft | None:
    """The question that a list answers; None where its lead is not understood."""
    question = parse_lead(listing.lead, common)
    if question is None:
        return None
    answer = "; ".join(listing.items)
    evidence = (Evidence(listing.document_id, listing.span, ""),)
    return Draft(
        question,
        answer,
        Kind.LIST,
        evidence,
        f"{listing.lead}: {answer}",
        answers=(", ".join(listing.items),),
    )


def _ask_cell(table: Table, row: TableRow, at: int) -> Draft:
    column, value = table.columns.cells[at], row.cells[at]
    question = cell_question(column, row.cells[0], value, table.columns.cells[0])
    front = f"{row.cells[0]}, {column}: "
    hole = Span(len(front), len(front) + len(value))
    names = (row.cells[0], column, table.columns.cells[0])
    return Draft(question, value, Kind.TABLE, _places(table, row), f"{front}{value}", hole, names=names)


def _ask_greater(table: Table, at: int, one: TableRow, other: TableRow, first: bool) -> Draft:
    column = table.columns.cells[at]
    greater = one if first else other
    question = greater_question(column, one.cells[0], other.cells[0])
    statement = f"{one.cells[0]}, {column}: {one.cells[at]}. {other.cells[0]}, {column}: {other.cells[at]}"
    names = (one.cells[0], other.cells[0], column)
    return Draft(
        question, greater.cells[0], Kind.COMPARISON, _places(table, one, other), statement, names=names
    )


def _ask_both(
    table: Table, row: TableRow, at: int, other_table: Table, other: TableRow, other_at: int
) -> Draft:
    name = row_name(row.cells[0])
    columns = table.columns.cells[at], other_table.columns.cells[other_at]
    values = row.cells[at], other.cells[other_at]
    question = f"What is listed for {name} under “{columns[0]}”, and what under “{columns[1]}”?"
    statement = f"{name}, {columns[0]}: {values[0]}. {name}, {columns[1]}: {values[1]}"
    evidence = (*_places(table, row), *_places(other_table, other))
    answer = f"{values[0]}; {values[1]}"
    return Draft(question, answer, Kind.MULTI_DOCUMENT, evidence, statement, names=(name, *columns))


def _places(table: Table, *rows: TableRow) -> tuple[Evidence, ...]:
    return tuple(Evidence(table.document_id, row.span, "") for row in (*rows, table.columns))


def is_measured(column: str) -> bool:
    """Whether figures in a column can be more or less than each other: an extension or a year cannot."""
    name, _, unit = column.partition(", ")
    if re.search(r"\b(?:year|built|extension|number|code|no|id|page|date|version)\b", name, re.IGNORECASE):
        return False
    return bool(unit or _ATTRIBUTE.fullmatch(name) or name.endswith("s"))


def _value(cell: str) -> float | None:
    return float(cell.strip("€$£").replace(",", "")) if _NUMBER.fullmatch(cell) else None


def _small(name: str) -> str:
    return name[0].lower() + name[1:] if name[1:2].islower() else name
