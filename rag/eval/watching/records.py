"""What a query log keeps of each answer and of what people thought of it, read back for an evaluation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rag.errors import InputError

ANSWER, FEEDBACK = "answer", "feedback"


@dataclass(frozen=True, slots=True)
class Cited:
    """A place that an answer cited: its text is left in the index, so that a delete takes it away."""

    document_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class LoggedAnswer:
    """An answer as the log keeps it. `id` is the answer's seal.

    `question` is redacted, or `""` where only its `question_hash` was kept; `principal` is a keyed hash.
    `support` is that of each sentence. `hits` are ids of passages with their scores. `response` is `""`
    unless texts of answers were asked for.
    """

    id: str
    time: datetime
    question: str
    question_hash: str
    words: int
    tenant: str
    principal: str
    mode: str
    commit: int
    model: str
    abstained: bool
    confidence: float
    citations: tuple[Cited, ...]
    support: tuple[float, ...]
    hits: Mapping[str, float]
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    response: str = ""


@dataclass(frozen=True, slots=True)
class Rating:
    """What one person thought of an answer: 1 for good, -1 for bad; `comment` is `""` unless kept."""

    answer_id: str
    time: datetime
    rating: int
    tenant: str
    principal: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """The records of one tenant, oldest first. `damaged` lines could not be read and were passed over."""

    answers: tuple[LoggedAnswer, ...]
    ratings: tuple[Rating, ...]
    damaged: int = 0


def log_files(path: Path) -> list[Path]:
    """The files of a log that there are, oldest first: `log.2`, `log.1`, `log`."""
    rotated = [each for each in path.parent.glob(f"{path.name}.*") if each.suffix[1:].isdigit()]
    return [*sorted(rotated, key=lambda each: -int(each.suffix[1:])), *([path] if path.is_file() else [])]


def read_log(path: Path, tenant: str) -> Log:
    """Read the records of one tenant from a query log and its older files.

    A line that cannot be read, as one that a crash cut short, is passed over and counted.

    Raises:
        InputError: There is no log, or it cannot be opened.
    """
    files = log_files(path)
    if not files:
        raise InputError(f"there is no query log at {path}; `rag serve --query-log FILE` keeps one")
    answers, ratings, damaged = list[LoggedAnswer](), list[Rating](), 0
    for row in _rows(files):
        if row is None:
            damaged += 1
        elif row.get("tenant") == tenant:
            try:
                if row.get("type") == ANSWER:
                    answers.append(_answer(row))
                elif row.get("type") == FEEDBACK:
                    ratings.append(_rating(row))
            except (KeyError, TypeError, ValueError, AttributeError):
                damaged += 1
    return Log(
        tuple(sorted(answers, key=lambda each: each.time)),
        tuple(sorted(ratings, key=lambda each: each.time)),
        damaged,
    )


def _rows(files: Iterable[Path]) -> Iterator[dict[str, object] | None]:
    for file in files:
        try:
            with file.open("rb") as lines:
                for line in lines:
                    if not line.strip():
                        continue
                    try:
                        row = json.loads(line)
                    except (ValueError, RecursionError):
                        row = None
                    yield row if isinstance(row, dict) else None
        except FileNotFoundError:
            continue  # the log was rotated meanwhile
        except OSError as error:
            raise InputError(f"cannot read {file}: {error.strerror}; check who may read it") from error


def _answer(row: Mapping[str, object]) -> LoggedAnswer:
    citations = _list(row["citations"])
    hits = _list(row["hits"])
    return LoggedAnswer(
        id=str(row["id"]),
        time=_time(row["time"]),
        question=str(row["question"] or ""),
        question_hash=str(row["question_hash"]),
        words=int(str(row["words"])),
        tenant=str(row["tenant"]),
        principal=str(row["principal"]),
        mode=str(row["mode"]),
        commit=int(str(row["commit"])),
        model=str(row["model"]),
        abstained=row["abstained"] is True,
        confidence=float(str(row["confidence"])),
        citations=tuple(Cited(str(c["document_id"]), int(c["start"]), int(c["end"])) for c in citations),
        support=tuple(float(str(each)) for each in _plain_list(row["support"])),
        hits={str(hit["chunk_id"]): float(hit["score"]) for hit in hits},
        timings_ms=dict(row["timings_ms"]),  # type: ignore[call-overload] # a TypeError is a damaged line
        response=str(row.get("response") or ""),
    )


def _rating(row: Mapping[str, object]) -> Rating:
    rating = row["rating"]
    if rating not in (1, -1):
        raise ValueError(f"a rating is 1 or -1, not {rating!r}")
    return Rating(
        str(row["answer_id"]),
        _time(row["time"]),
        int(str(rating)),
        str(row["tenant"]),
        str(row["principal"]),
        str(row.get("comment") or ""),
    )


def _time(value: object) -> datetime:
    found = datetime.fromisoformat(str(value))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _list(value: object) -> list[Mapping[str, str]]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _plain_list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value
