"""Question sets as they come: JSON Lines, or a test collection in the BEIR layout."""

from __future__ import annotations

from pathlib import Path

from rag.errors import InputError
from rag.eval.collections import read_collection
from rag.eval.questions import Place, Question, read_questions


def read_question_set(path: str | Path, split: str = "") -> tuple[Question, ...]:
    """Read a question file, or the queries that a BEIR folder judges in a split, `test` by default.

    The gold places of a query are its relevant documents, by their ids: a document of the index is one
    where its source, or its id, is that.

    Raises:
        QuestionFileError: the file or folder cannot be read or does not parse.
        InputError: no question has that split.
    """
    path = Path(path)
    if path.is_dir():
        return _of_collection(path, split or "test")
    found = read_questions(path)
    if not split:
        return found
    chosen = tuple(question for question in found if question.split == split)
    if not chosen:
        splits = ", ".join(sorted({question.split or "none" for question in found}))
        raise InputError(f"no question of {path} has the split {split!r}: there are {splits}")
    return chosen


def _of_collection(folder: Path, split: str) -> tuple[Question, ...]:
    collection = read_collection(folder, split)
    return tuple(
        Question(
            query,
            text,
            documents=tuple(Place(name) for name, grade in collection.qrels[query].items() if grade > 0),
            split=split,
        )
        for query, text in collection.queries.items()
    )
