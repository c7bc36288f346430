"""The row of a table that answers, by what it shares with the question, and in it the cell.

Rows of one table are much alike: the one that the question names may have the worse passage. So the
likelihood of the likeliest row goes to the row that holds most of the question.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping

import numpy as np

from rag.generation.evidence import FEATURES, Evidence
from rag.types import Scores, Span

OTHER_ROW = 0.25
"""What the likelihood of a row is multiplied by where another row of its table holds more of the question."""


_AMOUNT = r"[€$£]?(\d[\d,]*(?:\.\d+)?)"
_RANGE = re.compile(
    rf"(up to |below |under |over |above |more than )?{_AMOUNT}(?: ?(?:to|-|–) ?{_AMOUNT})?(?: [a-z°%]+)?"
)


def settle_rows(question: str, evidence: Evidence, likelihood: Scores) -> Scores:
    """The likelihoods, with each table's greatest at that of its rows which covers the question best.

    A row whose first cell is a range with a number of the question in it covers best of all.
    """
    coverage = evidence.features[:, FEATURES.index("coverage")].copy()
    numbers = [_number(match) for match in re.findall(r"\d[\d,]*(?:\.\d+)?", question)]
    for at, each in enumerate(evidence.candidates):
        if each.columns and any(is_between(number, _first_cell(each.text)) for number in numbers):
            coverage[at] += 1
    tables = defaultdict[tuple[int, str], list[int]](list)
    for at, each in enumerate(evidence.candidates):
        if each.columns:
            tables[each.columns.start, each.columns.text].append(at)
    settled = likelihood.copy()
    for rows in tables.values():
        best = coverage[rows] >= coverage[rows].max() - 1e-6
        settled[rows] = np.where(best, likelihood[rows], likelihood[rows] * OTHER_ROW)
        first = rows[int(np.flatnonzero(best)[0])]
        if best.sum() == 1:
            settled[first] = likelihood[rows].max()
    return settled


def is_between(number: float, cell: str) -> bool:
    """Whether `cell` is a range, such as `5,001 to 50,000` or `up to 500`, that has `number` in it."""
    match = _RANGE.fullmatch(cell.casefold())
    if match is None or not (match[1] or match[3]):
        return False
    bound = _number(match[2])
    if match[3]:
        return bound <= number <= _number(match[3])
    return number <= bound if match[1] in ("up to ", "below ", "under ") else number > bound


def _number(digits: str) -> float:
    return float(digits.replace(",", ""))


def _first_cell(row: str) -> str:
    cells = _cells(row)
    return row[cells[0].start : cells[0].end] if cells else ""


def find_cell(
    columns: str,
    row: str,
    weight: Mapping[str, float],
    terms: Callable[[str], list[str]],
    *,
    number: bool = False,
) -> Span | None:
    """The span in `row` of the cell whose column shares most with the question.

    `weight` tells the terms of the question and what each counts. A cell that itself has terms of the
    question names the row and is no answer, nor is one without a digit where a `number` is asked for.
    None where no column shares a term with the question, where two share as much, or where the row has
    other cells than the columns, or its cell is empty.
    """
    names, cells = _cells(columns), _cells(row)
    if len(names) != len(cells):
        return None
    held = [set(terms(row[cell.start : cell.end])) & weight.keys() for cell in cells]
    entity = set().union(*held)
    ranked = sorted(
        (
            (_shared(columns[name.start : name.end], weight, terms, entity), cell)
            for name, cell, own in zip(names, cells, held, strict=True)
            if not own and (not number or not len(cell) or re.search(r"\d", row[cell.start : cell.end]))
        ),
        key=lambda scored: (-scored[0], scored[1].start),
    )
    if not ranked or ranked[0][0] <= 0:
        return None
    tied = len(ranked) > 1 and ranked[1][0] == ranked[0][0]
    return None if tied or not len(ranked[0][1]) else ranked[0][1]


def _shared(
    name: str, weight: Mapping[str, float], terms: Callable[[str], list[str]], entity: set[str]
) -> float:
    return sum(weight[term] for term in sorted(set(terms(name)) & weight.keys() - entity))


def _cells(line: str) -> list[Span]:
    """The cells of a line between its outer bars, without the white space around them."""
    inner = line.strip().removesuffix("|")
    at = len(line) - len(line.lstrip())
    if inner.startswith("|"):
        inner, at = inner[1:], at + 1
    cells = []
    for part in inner.split("|"):
        start = at + len(part) - len(part.lstrip()) if part.strip() else at
        cells.append(Span(start, start + len(part.strip())))
        at += len(part) + 1
    return cells
