"""Judgments and runs in the formats of TREC, read with errors that name the line.

A line of judgments (qrels) has four columns: query, iteration (not used), document, grade. A line of a
run has six: query, `Q0` (not used), document, rank (not used, as in trec_eval: the scores decide),
score, and the run's name. Columns are parted by blanks or tabs, of ASCII alone: an id may hold any other
space. Numbers are of ASCII digits, and scores finite.

Source: the formats are trec_eval's (https://github.com/usnistgov/trec_eval).
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from rag.errors import QuestionFileError
from rag.eval.collections import QRELS_HEADER, read_qrels
from rag.eval.jsonl import fail, read_lines, whole_number

_COLUMN = re.compile(r"[^ \t\n\r\f\v]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def read_judgments(path: str | Path) -> dict[str, dict[str, int]]:
    """Read judgments, of TREC or of BEIR, told by their first line: query id to document id to grade.

    Raises:
        QuestionFileError: the file cannot be read, holds no judgment, or a line is not one.
    """
    path = Path(path)
    _, first = next(read_lines(path), (1, ""))
    return read_qrels(path) if tuple(first.split("\t")) == QRELS_HEADER else read_trec_qrels(path)


def read_trec_qrels(path: str | Path) -> dict[str, dict[str, int]]:
    """Read four-column judgments: query id to document id to grade, in the order of the file.

    Raises:
        QuestionFileError: the file cannot be read, holds no judgment, or a line is not one.
    """
    path = Path(path)
    qrels: dict[str, dict[str, int]] = {}
    for number, line in read_lines(path):
        columns = _COLUMN.findall(line)
        if len(columns) != 4:
            fail(path, number, f"{len(columns)} columns: write query, 0, document and grade")
        query, _, document, grade = columns
        if document in qrels.get(query, ()):
            fail(path, number, f"document {document!r} is judged twice for query {query!r}: drop one")
        qrels.setdefault(query, {})[document] = whole_number(grade, path, number)
    if not qrels:
        raise QuestionFileError(f"{path} holds no judgments: write query, 0, document and grade on each line")
    return qrels


def read_trec_run(path: str | Path) -> dict[str, dict[str, float]]:
    """Read a six-column run: query id to document id to score, in the order of the file.

    Raises:
        QuestionFileError: the file cannot be read, holds no result, or a line is not one.
    """
    path = Path(path)
    run: dict[str, dict[str, float]] = {}
    for number, line in read_lines(path):
        columns = _COLUMN.findall(line)
        if len(columns) != 6:
            fail(path, number, f"{len(columns)} columns: write query, Q0, document, rank, score and run name")
        query, _, document, _, score, _ = columns
        if document in run.get(query, ()):
            fail(path, number, f"document {document!r} comes twice for query {query!r}: drop one")
        run.setdefault(query, {})[document] = _score(score, path, number)
    if not run:
        raise QuestionFileError(
            f"{path} holds no results: write query, Q0, document, rank, score and run name on each line"
        )
    return run


def _score(text: str, path: Path, line: int) -> float:
    if not _NUMBER.fullmatch(text):
        fail(path, line, f"the score {text!r} is not a number: write it as 12.5 or 1.25e1")
    if not math.isfinite(score := float(text)):
        fail(path, line, f"the score {text!r} is too large to rank by: mend the run")
    return score
