"""What a run has found out so far, kept line by line, so that it can go on where it was interrupted.

A line holds what one question brought in one go: a part of its row, and for each piece of that the
key of all that the piece depends on. A piece is taken up again only by its key, so a journal may be
shared by runs with other metrics or settings, and what is stale in it is never used.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from rag.errors import InputError
from rag.eval.report import Row
from rag.eval.sample import Score

if TYPE_CHECKING:
    from pydantic import TypeAdapter

JOURNAL = "journal.jsonl"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of what one question needs: its search, its answer, and each score; `""` for what it does not.

    `scores` are by the metric's name.
    """

    search: str = ""
    ask: str = ""
    scores: Mapping[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[str]:
        return (key for key in (self.search, self.ask, *self.scores.values()) if key)


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a journal: the keys of what was found out, and the row that holds it, empty elsewhere."""

    keys: Keys
    row: Row


@dataclass(frozen=True, slots=True)
class Known:
    """What a journal knows: for each key the row that holds the piece of it."""

    searches: Mapping[str, Row]
    answers: Mapping[str, Row]
    scores: Mapping[str, Row]

    def score(self, metric: str, key: str) -> Score | None:
        """The score under a key that is in `scores`; None where the question does not bear on the metric."""
        row = self.scores[key]
        value = row.scores.get(metric)
        return None if value is None else row.judged.get(metric) or Score(value)


NOTHING = Known({}, {}, {})


class Journal:
    """A journal open for writing. Each entry is on the disk when `add` returns."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def add(self, entry: Entry) -> None:
        """Append an entry.

        Raises:
            OSError: the disk refused it.
        """
        plain = _entries().dump_python(entry, mode="json", warnings=False)
        # ASCII alone: text may hold half a surrogate pair, which UTF-8 cannot; a number may be numpy's
        line = json.dumps(plain, ensure_ascii=True, separators=(",", ":"), default=float) + "\n"
        self._file.write(line.encode("ascii"))
        self._file.flush()
        os.fsync(self._file.fileno())


@contextmanager
def open_journal(folder: Path, *, resume: bool) -> Iterator[Journal]:
    """A folder's journal, for one run at a time; without `resume` it begins anew.

    A last line that was cut off, as by a kill, is dropped.

    Raises:
        InputError: another run is writing to the folder.
        OSError: the disk refuses it.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise InputError(
            f"another evaluation is writing to {folder}; wait for it, or name another folder"
        ) from error
    try:
        with (folder / JOURNAL).open("ab" if resume else "wb") as file:
            file.truncate(_whole_bytes(folder / JOURNAL))
            yield Journal(file)
    finally:
        lock.release()


def read_journal(folder: Path, wanted: Collection[str]) -> Known:
    """Read what a folder's journal knows of the wanted keys; the last entry of a key counts.

    A line that is no entry, as one cut off, is passed over: what it held is found out again.
    """
    path = folder / JOURNAL
    known = Known({}, {}, {})
    if not path.is_file():
        return known
    with path.open("rb") as file:
        for line in file:
            entry = _entry(line, wanted)
            if entry is None:
                continue
            kept = ((known.searches, [entry.keys.search]), (known.answers, [entry.keys.ask]))
            for pieces, keys in (*kept, (known.scores, [*entry.keys.scores.values()])):
                assert isinstance(pieces, dict)
                pieces.update({key: entry.row for key in keys if key in wanted})
    return known


def _entry(line: bytes, wanted: Collection[str]) -> Entry | None:
    try:
        plain = json.loads(line)
        keys = plain["keys"]
        if not any(key in wanted for key in (keys["search"], keys["ask"], *keys["scores"].values())):
            return None
        entry: Entry = _entries().validate_python(plain)
        return entry
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


@functools.cache
def _entries() -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(Entry)


def _whole_bytes(path: Path) -> int:
    """How many bytes of a file are whole lines."""
    size = path.stat().st_size
    with path.open("rb") as file:
        end = size
        while end:
            start = max(0, end - 65_536)
            file.seek(start)
            at = file.read(end - start).rfind(b"\n")
            if at >= 0:
                return start + at + 1
            end = start
    return 0
