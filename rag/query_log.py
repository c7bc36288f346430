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
from rag.eval.watching.records import ANSWER, FEEDBACK, log_files, read_log
from rag.types import Answer, Principal

Questions: TypeAlias = Literal["redacted", "hashed", "plain"]

LONGEST_WAIT_S = 5.0
"""Then a record is lost rather than an answer held up."""
REDACTED = "[redacted]"
LONGEST_COMMENT = 1_000
LONGEST_QUESTION = 4_000
PATTERNS = (
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",  # e-mail addresses
    r"(?<!\w)\+?\(?\d[\d ()/.-]{6,}\d(?!\w)",  # telephone numbers, and others in groups
    r"\d{6,}",  # numbers of accounts, cards and people
)
"""What is taken out of questions: e-mail addresses, telephone numbers, and runs of six digits and more."""

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
        """
        try:
            self._append(self._record(answer, principal, key))
        except OSError as error:
            log.error("the query log %s cannot be written: %s", self.path, error)

    def rate(
        self, answer_id: str, rating: int, comment: str, principal: Principal | None, key: bytes
    ) -> None:
        """Append what somebody thought of an answer that their tenant was given.

        Raises:
            InputError: The rating is not 1 or -1, the comment is too long, or the log cannot be written.
            AnswerNotFound: The log has no answer of that id for the tenant.
        """
        if rating not in (1, -1) or isinstance(rating, bool):
            raise InputError(f"a rating is 1 or -1, not {rating!r}")
        if len(comment) > LONGEST_COMMENT:
            raise InputError(f"a comment has at most {LONGEST_COMMENT:,} characters, not {len(comment):,}")
        tenant = principal.tenant if principal else ""
        if not answer_id or not self._has(answer_id, tenant):
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
            record["comment"] = self._redacted(comment, principal)
        try:
            self._append(record)
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {error.strerror}") from error

    def _has(self, answer_id: str, tenant: str) -> bool:
        if not log_files(self.path):
            return False
        return any(each.id == answer_id for each in read_log(self.path, tenant).answers)

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
        kept = question if self.questions == "plain" else self._redacted(question, principal)
        return kept[:LONGEST_QUESTION]

    def _redacted(self, text: str, principal: Principal | None) -> str:
        for pattern in self.patterns:
            text = re.sub(pattern, REDACTED, text)
        name = principal.name if principal else ""
        for part in {name, *re.split(r"[\W_\d]+", name)}:
            if len(part) > 2:
                text = re.sub(rf"(?<!\w){re.escape(part)}(?!\w)", REDACTED, text, flags=re.IGNORECASE)
        return text

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
