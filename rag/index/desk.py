"""The right to write to a store, and what a commit is: one transaction, noted in the head once it is made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import apsw

from rag.errors import IndexFailed, IndexLocked
from rag.index.database import record_commit, transaction
from rag.index.files import write_head
from rag.types import Settings

LOCK_WAIT_S = 10.0


@contextmanager
def write_lock(folder: Path) -> Iterator[None]:
    """The right to write to the store in `folder`, held by one at a time; it ends with the process.

    Raises:
        IndexLocked: another has held it for longer than one waits.
        IndexFailed: the disk refused.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / "write.lock", timeout=LOCK_WAIT_S, thread_local=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise IndexLocked(
            f"another process writes to the index in {folder}; wait until it is done, then try again"
        ) from error
    except OSError as error:
        raise IndexFailed(f"{folder / 'write.lock'} cannot be locked ({error}); see its rights") from error
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a writer works: the store's folder, and a connection to its database."""

    connection: apsw.Connection
    folder: Path
    settings: Settings

    @contextmanager
    def commit(self, action: str) -> Iterator[int]:
        """A transaction that is a commit; it is acknowledged once the head says so too."""
        with transaction(self.connection, "IMMEDIATE"):
            number = record_commit(self.connection, action)
            yield number
        try:
            write_head(self.folder, number)
        except IndexFailed as error:
            raise IndexFailed(f"commit {number} was made and is seen, but {error}") from error
        with suppress(apsw.Error):  # the commit is made, and the next one brings its log in
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
