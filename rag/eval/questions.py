"""Question sets with the field names of ragas, and where the answers stand.

They are read from JSON Lines (also what ragas writes of a dataset), from tables, and from test
collections in the BEIR layout. Only `user_input` is required. `documents` lists gold places as
`{"source": "pdfs/a.pdf", "page": 3, "start": 120, "end": 180}`, pages from 1 and
offsets in characters of the document's text, where `page`, and `start` with
`end`, may be left out or null.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypeVar

from rag.errors import QuestionFileError
from rag.eval.collections import is_judgments, read_split
from rag.eval.jsonl import read_objects
from rag.eval.tables import read_table
from rag.types import Span

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer stands: a document, and where known the page (from 1) and the characters."""

    source: str
    page: int | None = None
    span: Span | None = None

    def is_in(self, source: str, document_id: str) -> bool:
        """Whether the place is in the document of that source and id.

        `pdfs/a.pdf` is in `/home/me/pdfs/a.pdf`: the parts of its path must be the
        last parts of the document's, upper and lower case told apart. A place may
        name the document's id instead.
        """
        wanted, parts = path_parts(self.source), path_parts(source)
        return self.source == document_id or (bool(wanted) and parts[-len(wanted) :] == wanted)


@dataclass(frozen=True, slots=True)
class Question:
    """A question with what is known of its answer.

    `reference` is the gold answer, `references` all accepted ones. `answerable` is
    None where the file does not say. `extra` holds the fields of the line that are
    not named here.
    """

    id: str
    user_input: str
    reference: str | None = None
    references: tuple[str, ...] = ()
    reference_contexts: tuple[str, ...] = ()
    reference_context_ids: tuple[str, ...] = ()
    documents: tuple[Place, ...] = ()
    answerable: bool | None = None
    kind: str = ""
    split: str = ""
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def answers(self) -> tuple[str, ...]:
        """Every accepted answer, once."""
        first = (self.reference,) if self.reference is not None else ()
        return tuple(dict.fromkeys(first + self.references))


def read_questions(path: str | Path) -> tuple[Question, ...]:
    """Read a question set, told by what it is.

    - A folder is a test collection in the BEIR layout, of which the split `test` is read, or the only one
      there is; its file `qrels/<split>.tsv` names another split. The questions are the queries; ids and
      documents are the corpus ids of the relevant documents, reference contexts their texts.
    - A file whose name ends in `.csv` or `.tsv` is a table (`rag.eval.tables`).
    - Any other is JSON Lines. A question without `id` is named for its line: `line-7`.

    Raises:
        QuestionFileError: the file cannot be read or holds no question, or a line is not one;
            the message names the line and the field.
    """
    path = Path(path)
    questions: dict[str, Question] = {}
    for number, row in _rows(path):
        try:
            question = question_of(row, f"line-{number}")
            if question.id in questions:
                raise ValueError(f"the id {question.id!r} comes twice: give each question its own")
        except ValueError as error:
            raise QuestionFileError(f"{path}, line {number}: {error}") from error
        questions[question.id] = question
    if not questions:
        raise QuestionFileError(f'{path} is empty: write one question a line, as {{"user_input": "..."}}')
    return tuple(questions.values())


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    if path.is_dir() or is_judgments(path):
        return enumerate(read_split(path), 1)
    if _is_trec(path):
        raise QuestionFileError(
            f"{path} looks like TREC judgments, not questions: add --run FILE to score a run against them"
        )
    return read_table(path) if path.suffix.lower() in (".csv", ".tsv") else read_objects(path)


def _is_trec(path: Path) -> bool:
    """Whether the first line is of judgments as TREC has them: query, 0, document, grade."""
    try:
        with path.open("rb") as file:
            columns = file.readline(1_000).split()
    except OSError:
        return False
    return len(columns) == 4 and columns[3].lstrip(b"-").isdigit() and not columns[0].startswith(b"{")


def question_of(row: Mapping[str, object], name: str) -> Question:
    """The question of a line's fields; `name` is its id where it has none.

    Raises:
        ValueError: a field is not what it has to be.
    """
    if isinstance(row.get("user_input"), list):
        raise ValueError("'user_input' is a conversation: write its last question as a string")
    user_input = _optional(row, "user_input", str)
    if user_input is None or not user_input.strip():
        raise ValueError('no question: write it as "user_input": "..."')
    return Question(
        id=_optional({"id": _named(row.get("id"))}, "id", str) or name,
        user_input=user_input,
        reference=_optional(row, "reference", str),
        references=_strings(row, "references"),
        reference_contexts=_strings(row, "reference_contexts"),
        reference_context_ids=_strings(_with_names(row, "reference_context_ids"), "reference_context_ids"),
        documents=tuple(_place(item) for item in _optional(row, "documents", list) or ()),
        answerable=_optional(row, "answerable", bool),
        kind=_optional(row, "kind", str) or _optional(row, "synthesizer_name", str) or "",
        split=_optional(row, "split", str) or "",
        extra={name: value for name, value in row.items() if name not in _FIELDS},
    )


def _with_names(row: Mapping[str, object], name: str) -> Mapping[str, object]:
    """The row with the numbers in that list, which ragas allows as ids, as strings."""
    values = row.get(name)
    return {name: [_named(value) for value in values] if isinstance(values, list) else values}


def _named(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_FIELDS = frozenset(Question.__dataclass_fields__) - {"extra"}


def _place(item: object) -> Place:
    if not isinstance(item, dict):
        raise ValueError(
            'an entry of \'documents\' is not an object: write it as {"source": "a.pdf", "page": 3}'
        )
    source = _optional(item, "source", str)
    if not source:
        raise ValueError("an entry of 'documents' has no 'source': name the document's path or id")
    page, start, end = (_optional(item, name, int) for name in ("page", "start", "end"))
    if page is not None and page < 1:
        raise ValueError(f"page {page} of {source!r}: pages count from 1")
    if (start is None) != (end is None):
        raise ValueError(f"a place in {source!r} has only one of 'start' and 'end': give both or neither")
    if start is None or end is None:
        return Place(source, page)
    if not 0 <= start < end:
        raise ValueError(
            f"a place in {source!r} has start {start} and end {end}: offsets count from 0, and 'end' is the "
            "one behind the last character, so greater than 'start'"
        )
    return Place(source, page, Span(start, end))


_JSON_NAMES = {str: "a string", bool: "true or false", int: "a whole number", list: "a list"}


def _optional(row: Mapping[str, object], name: str, kind: type[_T]) -> _T | None:
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, kind) and type(value) is kind:  # true is an int to isinstance
        return value
    raise ValueError(f"the field {name!r} must be {_JSON_NAMES[kind]}, or left out")


def _strings(row: Mapping[str, object], name: str) -> tuple[str, ...]:
    values = _optional(row, name, list) or []
    if not all(isinstance(value, str) for value in values):
        raise ValueError(f"the field {name!r} must be a list of strings, or left out")
    return tuple(values)


def path_parts(source: str) -> tuple[str, ...]:
    """The parts of a document's path, by the last of which a place names it."""
    return PurePosixPath(source.replace("\\", "/")).parts
