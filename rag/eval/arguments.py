"""What is handed to an evaluation, seen to be what it takes, with errors that say what that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rag.errors import InputError, QuestionFileError
from rag.eval.questions import Question, question_of
from rag.protocols import Judge
from rag.types import Answer, Hit


class NotOfTheProtocol(InputError):
    """A system returns something else than its protocol says, which no next question will mend."""


_JUDGING = ("statements", "supported", "useful", "questions", "entities", "similarities")
_HOW = "docs/evaluation.md shows how"


def checked_judge(judge: Judge | None) -> Judge | None:
    """The judge, where it is one.

    Raises:
        InputError: it is something else, as a function or the name of one.
    """
    able = any(callable(getattr(judge, name, None)) for name in _JUDGING)
    if judge is None or (able and isinstance(getattr(judge, "name", None), str)):
        return judge
    raise InputError(
        f"the judge is {_told(judge)}: leave it out for the system's own, make one with "
        f"rag.language_judge(model) or rag.endpoint_judge(address, model), or give an object with a name "
        f"and {', '.join(_JUDGING)}; {_HOW}"
    )


def checked_system(kb: object, needed: Sequence[str]) -> None:
    """See that a system has the methods that are needed, of `search` and `ask`.

    Raises:
        InputError: one is missing.
    """
    missing = [name for name in needed if not callable(getattr(kb, name, None))]
    if missing:
        raise InputError(
            f"the system is {_told(kb)}, without {' and '.join(missing)}: give rag.open(...), or an object "
            f"with search(question, k=10) -> hits and ask(question) -> rag.Answer; {_HOW}"
        )


def checked_hits(hits: object) -> Sequence[Hit]:
    """What a system's `search` returned, where that is hits.

    Raises:
        NotOfTheProtocol: it is something else.
    """
    found = tuple(hits) if isinstance(hits, Iterable) and not isinstance(hits, str | Mapping) else (hits,)
    others = [each for each in found if not isinstance(each, Hit)]
    if others:
        raise NotOfTheProtocol(
            f"search returned {_told(others[0])} where rag.Hit is wanted, best first; {_HOW}"
        )
    return found


def checked_answer(answer: object) -> Answer:
    """What a system's `ask` returned, where that is an answer.

    Raises:
        NotOfTheProtocol: it is something else, as a text.
    """
    if not isinstance(answer, Answer):
        raise NotOfTheProtocol(
            f"ask returned {_told(answer)} where rag.Answer is wanted: it says whether the system abstained, "
            f"how sure it is, and what it read; {_HOW}"
        )
    return answer


def checked_questions(given: Iterable[Question | Mapping[str, object] | str]) -> tuple[Question, ...]:
    """The questions of a list: questions, mappings with the fields of a question file, or texts.

    One without an id is named for its place: `question-1`.

    Raises:
        InputError: one is something else, or has a field that is.
    """
    if isinstance(given, Mapping) or hasattr(given, "to_dict") or not isinstance(given, Iterable):
        raise InputError(
            f"the questions are {_told(given)}: give a file, or a list of rag.eval.Question, of "
            "dicts with user_input (a table's .to_dict('records')), or of texts"
        )
    return tuple(_question(each, number) for number, each in enumerate(given, 1))


def _question(item: object, number: int) -> Question:
    if isinstance(item, Question):
        return item
    fields = {"user_input": item} if isinstance(item, str) else item
    if not isinstance(fields, Mapping):
        raise InputError(
            f"question {number} is {_told(item)}: give a Question, a dict with user_input, or text"
        )
    try:
        return question_of(fields, f"question-{number}")
    except ValueError as error:
        raise QuestionFileError(f"question {number}: {error}") from error


def checked_names(names: str | Sequence[str] | None) -> Sequence[str] | None:
    """The names of metrics; a text is one name.

    Raises:
        InputError: one is no text.
    """
    if names is None or isinstance(names, str):
        return names if names is None else (names,)
    other = next((each for each in names if not isinstance(each, str)), None)
    if other is not None:
        raise InputError(f"a metric is {_told(other)}: give names, as in metrics=['faithfulness']")
    return names


def checked_folder(folder: Path, own: Iterable[str]) -> None:
    """See that a folder for results is empty, new, or has files of an evaluation, named by `own`.

    Hidden files do not count.

    Raises:
        InputError: it holds other things alone.
    """
    try:
        held = sorted(each.name for each in folder.iterdir() if not each.name.startswith("."))
    except OSError:  # it is not there yet, or no folder, which is said where it is made
        return
    if held and not set(held) & set(own):
        named = ", ".join(held[:3]) + (", …" if len(held) > 3 else "")
        raise InputError(
            f"{folder} holds other things ({named}) and nothing of an evaluation: name a new or empty folder"
        )


def _told(value: object) -> str:
    text = f" {value!r}" if isinstance(value, str) and len(value) < 40 else ""
    kind = "function" if callable(value) and hasattr(value, "__code__") else type(value).__name__
    return f"a {kind}{text}"
