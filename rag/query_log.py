"""The query log: what was asked and how it went, a line an answer, for an evaluation later. Off by default.

It holds no text of documents, so that what is deleted from the index is gone from here too: places and
ids of passages only, and no answer's words unless they are asked for. Questions are redacted, names of
people are keyed hashes, and the files are the owner's alone.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

from rag.errors import AnswerNotFound, InputError
from rag.eval.watching.records import ANSWER, FEEDBACK, log_files
from rag.redaction import LONGEST, PATTERNS, REDACTED, redact
from rag.types import Answer, Principal

Questions: TypeAlias = Literal["redacted", "hashed", "plain"]

LONGEST_WAIT_S = 5.0
"""Then a record is lost rather than an answer held up."""
LONGEST_COMMENT = 1_000

__all__ = ["PATTERNS", "REDACTED", "QueryLog", "check_key"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class QueryLog:
    """A log that several threads and processes may write to.

    Args:
        path: The file, in JSON Lines. It and what it is rotated to are readable by their owner alone.
        questions: Keep them `redacted`, only as hashes (`hashed`), or as they are (`plain`).
        patterns: Regular expressions of what is redacted, beside the name of who asks.
        answers: Whether the words of answers are kept. They quote documents, and outlive a delete.
        comments: Whether comments of feedback are kept, redacted as questions are.
        max_bytes: How large the file grows before it is rotated.
        files: How many older files are kept; what is older is deleted.

    Raises:
        InputError: A pattern does not parse, or a bound is out of range.
    """

    path: Path
    questions: Questions = "redacted"
    patterns: Sequence[str] = PATTERNS
    answers: bool = False
    comments: bool = False
    max_bytes: int = 50_000_000
    files: int = 4
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.questions not in ("redacted", "hashed", "plain"):
            raise InputError(f"questions are redacted, hashed or plain, not {self.questions!r}")
        if self.max_bytes < 1 or self.files < 0:
            raise InputError("max_bytes is 1 or more, and files 0 or more")
        try:
            for pattern in self.patterns:
                re.compile(pattern)
        except re.error as error:
            raise InputError(f"{pattern!r} is no regular expression: {error}") from error

    def write(self, answer: Answer, principal: Principal | None, key: bytes) -> None:
        """Append a record of an answer. A failure goes to the program's log, and the answer goes on.

        `key` is a secret of the index, by which people and questions are hashed.

        Raises:
            InputError: The key is empty.
        """
        check_key(key)
        try:
            self._append(self._record(answer, principal, key))
        except (OSError, ValueError) as error:  # a ValueError is a number that JSON does not have
            log.error("the query log %s cannot be written: %s", self.path, error)

    def rate(
        self, answer_id: str, rating: int, comment: str, principal: Principal | None, key: bytes
    ) -> None:
        """Append what somebody thought of an answer that they were given, an operator of any of the tenant.

        Raises:
            InputError: The rating is not 1 or -1, the comment is too long, the key is empty, or the log
                cannot be written.
            AnswerNotFound: The log has no answer of that id that they may rate.
        """
        check_key(key)
        if rating not in (1, -1) or isinstance(rating, bool):
            raise InputError(f"a rating is 1 or -1, not {rating!r}")
        if len(comment) > LONGEST_COMMENT:
            raise InputError(f"a comment has at most {LONGEST_COMMENT:,} characters, not {len(comment):,}")
        tenant = principal.tenant if principal else ""
        to = None if principal and principal.operator else _name_hash(principal, key)
        if not answer_id or not self._has(answer_id, tenant, to):
            raise AnswerNotFound(f"no answer {answer_id!r} in the query log; rate one that was given")
        record = {
            "type": FEEDBACK,
            "time": _now(),
            "answer_id": answer_id,
            "rating": rating,
            "tenant": tenant,
            "principal": _name_hash(principal, key),
        }
        if self.comments and comment:
            record["comment"] = redact(comment, self.patterns, principal.name if principal else "")
        try:
            self._append(record)
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {error.strerror}") from error

    def _has(self, answer_id: str, tenant: str, to: str | None) -> bool:
        """Whether the log has an answer that was given `to` this person, anybody of the tenant for None.

        The newest file is looked at first, and a line without the id is not parsed.
        """
        written = json.dumps(answer_id).encode()
        for file in reversed(log_files(self.path)):
            try:
                with file.open("rb") as lines:
                    found = [line for line in lines if written in line]
            except FileNotFoundError:
                continue  # rotated meanwhile
            if any(_is_answer(line, answer_id, tenant, to) for line in found):
                return True
        return False

    def _record(self, answer: Answer, principal: Principal | None, key: bytes) -> dict[str, object]:
        record: dict[str, object] = {
            "type": ANSWER,
            "id": answer.seal,
            "time": _now(),
            "question": self._question(answer.question, principal),
            "question_hash": _keyed(key, "question", " ".join(answer.question.casefold().split())),
            "words": len(answer.question.split()),
            "tenant": principal.tenant if principal else "",
            "principal": _name_hash(principal, key),
            "mode": answer.request.mode if answer.request else "ask",
            "commit": answer.index_commit,
            "model": answer.model,
            "abstained": answer.abstained,
            "confidence": float(answer.confidence),
            "citations": [
                {"document_id": each.document_id, "start": each.start, "end": each.end}
                for each in answer.citations
            ],
            "support": [float(each.support) for each in answer.sentences],
            "hits": [{"chunk_id": hit.chunk.id, "score": float(hit.score)} for hit in answer.contexts],
            "timings_ms": dict(answer.timings_ms),
        }
        return record | ({"response": answer.text} if self.answers else {})

    def _question(self, question: str, principal: Principal | None) -> str:
        if self.questions == "hashed":
            return ""
        if self.questions == "plain":
            return question[:LONGEST]
        return redact(question, self.patterns, principal.name if principal else "")

    def _append(self, record: Mapping[str, object]) -> None:
        line = json.dumps(record, ensure_ascii=True, allow_nan=False).encode() + b"\n"
        with self._lock, _locked(self.path):
            self._rotate(len(line))
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                # what a crash cut short stays one bad line and does not swallow the next
                if _ends_amid(self.path):
                    line = b"\n" + line
                os.write(file, line)
            finally:
                os.close(file)

    def _rotate(self, more: int) -> None:
        if not self.path.is_file() or self.path.stat().st_size + more <= self.max_bytes:
            return
        if not self.files:
            self.path.unlink()
            return
        for number in range(self.files, 0, -1):
            older = self.path if number == 1 else self.path.with_name(f"{self.path.name}.{number - 1}")
            if older.exists():
                older.replace(self.path.with_name(f"{self.path.name}.{number}"))


def check_key(key: bytes) -> None:
    """See that there is a secret: without one anybody could try names and questions against the hashes.

    Raises:
        InputError: It is empty.
    """
    if not key:
        raise InputError(
            "the index is from before there were seals and has no secret to hash names by: make a new index "
            "of its documents with `rag add`, or open this one without a query log"
        )


def _is_answer(line: bytes, answer_id: str, tenant: str, to: str | None) -> bool:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(row, dict)
        and (row.get("type"), row.get("id"), row.get("tenant")) == (ANSWER, answer_id, tenant)
        and (to is None or row.get("principal") == to)
    )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the log against other processes; the lock is a file of its own, for the log itself is renamed."""
    from filelock import FileLock

    with FileLock(path.with_name(f".{path.name}.lock"), timeout=LONGEST_WAIT_S, mode=0o600):
        yield


def _ends_amid(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _name_hash(principal: Principal | None, key: bytes) -> str:
    return _keyed(key, "principal", f"{principal.tenant}\0{principal.name}") if principal else ""


def _keyed(key: bytes, what: str, text: str) -> str:
    """A hash that only the index can make, so that nobody can try names or questions against it."""
    return hmac.digest(key, f"{what}\0{text}".encode(errors="replace"), hashlib.sha256).hex()[:32]
