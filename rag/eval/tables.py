"""Question sets in tables, CSV or TSV: rows with the fields that a line of JSON would have.

The first row names the columns, as ragas names fields (`user_input`, `reference`, `reference_contexts`,
...; also `question` and `ground_truth`, its older names). The delimiter is the comma, semicolon or
tab that the first row has most of outside quotes. An empty cell is left out, and so is `NaN`, as pandas
writes one. A cell has at most 131,072 characters. Lists are written as JSON, as the
Python that ragas and pandas write, or separated:

- `references`, `reference_contexts`, `retrieved_contexts`: by `||`
- `reference_context_ids`, `retrieved_context_ids`: by `;` or `|`
- `documents`: by `;`, each a path, with `#page=3` behind it where the page is known

A text may begin with a bracket, as `[1] First, ...` does.
"""

from __future__ import annotations

import ast
import csv
import io
import itertools
import json
import re
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from rag.errors import QuestionFileError
from rag.eval.jsonl import fail

_OLDER = {"question": "user_input", "ground_truth": "reference", "ground_truths": "references"}
_TEXTS = ("references", "reference_contexts", "retrieved_contexts")
_IDS = ("reference_context_ids", "retrieved_context_ids")
_NOTHING = ("", "nan", "NaN", "<NA>")
_QUOTED = re.compile(r'"[^"]*(?:"|$)')
_NO_LIST = re.compile(r"""\[[^\[\]"']*\].*\S""", re.DOTALL)
"""A bracket that closes before the cell ends and quotes nothing: a mark in a text."""
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read_table(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield the number of the last line, from 1, and the fields of every row that is not empty.

    Raises:
        QuestionFileError: the file cannot be opened, is not UTF-8, has no column of questions, or a row
            does not fit its columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = next((line for line in file if line.strip()), "")
            file.seek(0)
            yield from _rows(file, max(",;\t", key=_QUOTED.sub("", first).count), path)
    except UnicodeDecodeError as error:
        raise QuestionFileError(f"{path} is not UTF-8 ({error.reason}): save the file as UTF-8") from error
    except OSError as error:
        raise QuestionFileError(f"cannot read {path}: {error.strerror}; check the path") from error


def _rows(file: TextIO, delimiter: str, path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    columns: list[str] = []
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            fail(path, reader.line_num, _no_row(error))
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        if not columns:
            columns = _columns(cells, path, reader.line_num)
        elif len(cells) != len(columns):
            fail(
                path,
                reader.line_num,
                f"{len(cells)} cells under {len(columns)} columns: quote cells that hold the delimiter",
            )
        else:
            try:
                filled = {name: cell for name, cell in zip(columns, cells, strict=True) if not _empty(cell)}
                yield reader.line_num, {name: _value(name, cell) for name, cell in filled.items()}
            except ValueError as error:
                raise QuestionFileError(f"{path}, line {reader.line_num}: {error}") from error


def _no_row(error: csv.Error) -> str:
    if "field limit" in str(error):
        most = csv.field_size_limit()
        return f"a cell has more than {most:,} characters, the most of a table: write the set as JSON Lines"
    return f"not a row ({error}): quote cells that hold quotes, or use JSON Lines"


def _empty(cell: str) -> bool:
    return cell.strip() in _NOTHING


def _columns(cells: Sequence[str], path: Path, line: int) -> list[str]:
    names = [cell.strip() for cell in cells]
    columns = [name if _OLDER.get(name, name) in names else _OLDER.get(name, name) for name in names]
    if "user_input" not in columns:
        fail(path, line, f"no column 'user_input' among {', '.join(names)}: name that of the questions so")
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        fail(path, line, f"two columns are named {twice!r}: rename one")
    return columns


def _value(name: str, cell: str) -> object:
    if name in (*_TEXTS, *_IDS, "documents"):
        if cell.lstrip().startswith("[") and not _NO_LIST.fullmatch(cell.strip()):
            return _list(name, cell.strip())
        if name == "documents":
            return [_document(part) for part in cell.split(";") if part.strip()]
        parts = re.split(r"[;|]", cell) if name in _IDS else cell.split("||")
        return [part.strip() for part in parts if part.strip()]
    if name == "answerable":
        if cell.strip().lower() not in _BOOLEANS:
            raise ValueError(f"{cell!r} in the column 'answerable': write true or false, or leave it empty")
        return _BOOLEANS[cell.strip().lower()]
    return cell


def _list(name: str, cell: str) -> object:
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        pass
    try:
        found: object = ast.literal_eval(cell)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(f'the column {name!r} is not a list: write it as JSON, as ["a", "b"]') from error
    if _has_adjacent_strings(cell):
        raise ValueError(
            f"the column {name!r} has strings without commas between, as numpy prints an array: "
            'turn it into a list first (array.tolist()), or write it as JSON, as ["a", "b"]'
        )
    return found


def _has_adjacent_strings(cell: str) -> bool:
    """Whether two strings stand side by side, which Python would join."""
    kinds = [
        each.type
        for each in tokenize.generate_tokens(io.StringIO(cell).readline)
        if each.type not in (tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT)
    ]
    return any(one == other == tokenize.STRING for one, other in itertools.pairwise(kinds))


def _document(part: str) -> dict[str, object]:
    source, mark, page = part.strip().partition("#page=")
    if mark and not page.isdecimal():
        raise ValueError(f"the document {part.strip()!r}: write its page as a number, as a.pdf#page=3")
    return {"source": source, "page": int(page)} if mark else {"source": source}
