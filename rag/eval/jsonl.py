"""JSON Lines files read with errors that name the line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from rag.errors import QuestionFileError

_WHOLE = re.compile(r"[+-]?[0-9]{1,9}")


def read_objects(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield the line number, from 1, and the object of every line of a JSON Lines file.

    Blank lines are passed over, and so is a byte order mark at the start.

    Raises:
        QuestionFileError: the file cannot be opened, or a line is not one JSON object in UTF-8.
    """
    for number, line in read_lines(path):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            fail(path, number, f"not JSON ({error}): write one JSON object a line")
        if not isinstance(value, dict):
            fail(path, number, f"a JSON {type(value).__name__}, not an object: write one {{...}} a line")
        yield number, value


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line number, from 1, and the text of every line that is not blank.

    Raises:
        QuestionFileError: the file cannot be opened, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    fail(path, number, f"not UTF-8 ({error.reason}): save the file as UTF-8")
                if text.strip():
                    yield number, text.rstrip("\r\n")
    except OSError as error:
        raise QuestionFileError(f"cannot read {path}: {error.strerror}; check the path") from error


def whole_number(text: str, path: Path, line: int) -> int:
    """Read a grade: ASCII digits, at most nine, with or without a sign.

    Raises:
        QuestionFileError: it is something else.
    """
    if not _WHOLE.fullmatch(text):
        fail(path, line, f"the grade {text!r} is not a whole number: write 0, 1, 2, ...")
    return int(text)


def fail(path: Path, line: int, what: str) -> NoReturn:
    """Raise the error of one line of a file."""
    raise QuestionFileError(f"{path}, line {line}: {what}")
