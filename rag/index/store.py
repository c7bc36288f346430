"""The index on disk: an SQLite file that is the truth, and segments that it names.

Any number of processes read it while one writes. A reader sees the last commit
there was when its view began, and keeps it; see `writer` for how a commit is made.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rag.errors import (
    EncoderMismatch,
    IndexClosed,
    IndexCorrupt,
    IndexFormatError,
    IndexLocked,
    IndexNotFound,
)
from rag.index.analyzer import english
from rag.index.database import NAME, connect, last_commit, prepare, read_meta, transaction, write_meta
from rag.index.files import folder_bytes
from rag.index.view import Snapshot, View, read_snapshot
from rag.index.writer import Writer
from rag.types import Fingerprint, Settings, Stats

LOCK_WAIT_S = 10.0


class Store:
    """An index in a folder. Any number of processes may read it while one writes."""

    def __init__(self, folder: Path, settings: Settings | None = None, *, create: bool = True):
        """Open the index in `folder`, or make one there.

        Raises:
            IndexNotFound: there is none, and `create` is false, or the folder holds other files.
            IndexFormatError: it is of a newer format, or was made with other `settings`.
            IndexCorrupt: it is damaged.
        """
        database = folder / NAME
        if not database.exists():
            if not create:
                raise IndexNotFound(f"no index in {folder}; make one with `rag add PATH --index {folder}`")
            if folder.exists() and (not folder.is_dir() or _others(folder)):
                raise IndexNotFound(f"{folder} holds other files and no index; name an empty or a new folder")
            folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._database = database
        self._idle: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        self._closed = False
        self._snapshot: Snapshot | None = None
        with self._connection() as connection:
            prepare(connection, database)
            self.settings = _agree_on_settings(connection, settings)

    def close(self) -> None:
        """Let go of the files. A closed store answers nothing more; closing twice is no error."""
        with self._guard:
            self._closed = True
            idle, self._idle = self._idle, []
            self._snapshot = None
        for connection in idle:
            connection.close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection of one's own, kept for the next who asks."""
        connection = self._take_idle()
        try:
            if connection is None:
                connection = connect(self._database)
            yield connection
        except sqlite3.DatabaseError as error:
            if connection is not None:
                connection.close()
            if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                raise IndexLocked(f"{self._database} is locked by another process; try again") from error
            damaged = getattr(error, "sqlite_errorcode", 0) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
            advice = (
                "restore the index from a copy"
                if damaged
                else "see that its disk has room and can be written"
            )
            raise IndexCorrupt(f"{self._database}: {error}; {advice}") from error
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        self._put_back(connection)

    def _take_idle(self) -> sqlite3.Connection | None:
        with self._guard:
            if self._closed:
                raise IndexClosed(f"the index in {self.folder} was closed; open it again with rag.open")
            return self._idle.pop() if self._idle else None

    def _put_back(self, connection: sqlite3.Connection) -> None:
        with self._guard:
            if self._closed:
                connection.close()
            else:
                self._idle.append(connection)

    @contextmanager
    def view(self) -> Iterator[View]:
        """The last commit, to be searched for as long as the context is open.

        Raises:
            IndexCorrupt: a segment is missing or damaged.
        """
        with self._connection() as connection:
            snapshot = self._begin(connection)
            try:
                yield View(connection, snapshot, self.settings, english)
            finally:
                if connection.in_transaction:  # some failures of SQLite end it themselves
                    connection.execute("ROLLBACK")

    def _begin(self, connection: sqlite3.Connection) -> Snapshot:
        """Begin a read transaction whose segments are all open.

        A compaction may remove a segment between the two; then the next commit is shown.
        """
        while True:
            connection.execute("BEGIN")
            commit = last_commit(connection)
            try:
                snapshot = read_snapshot(connection, self.folder, self.settings, self._snapshot)
            except BaseException as error:
                connection.execute("ROLLBACK")
                if isinstance(error, IndexCorrupt) and last_commit(connection) > commit:
                    continue
                raise
            self._snapshot = snapshot
            return snapshot

    def stats(self) -> Stats:
        """The size of the index at its last commit."""
        with self.view() as view, self._connection() as connection:
            snapshot = view.snapshot
            documents = view.documents_total
            fingerprint = read_meta(connection, "fingerprint")
        return Stats(
            documents=documents,
            chunks=snapshot.rows_live,
            segments=len(snapshot.segments),
            bytes=folder_bytes(self.folder),
            commit=snapshot.commit,
            deleted_chunks=snapshot.rows - snapshot.rows_live,
            kind=self.settings.kind,
            encoder=json.loads(fingerprint)["name"] if fingerprint else "",
        )

    def check_encoder(self, fingerprint: Fingerprint) -> None:
        """See that vectors of this encoder may be compared with those in the index.

        Raises:
            EncoderMismatch: the index was made with another encoder.
        """
        with self._connection() as connection:
            known = read_meta(connection, "fingerprint")
        if known is not None and json.loads(known) != asdict(fingerprint):
            made_with = Fingerprint(**json.loads(known))
            raise EncoderMismatch(
                f"the index in {self.folder} was made with {made_with}, and this encoder is {fingerprint}; "
                "open it with the first, or add the documents to a new index with the second"
            )

    @contextmanager
    def writer(self) -> Iterator[Writer]:
        """The right to write, held by one process and thread at a time; it ends with the process.

        Raises:
            IndexLocked: another has held it for longer than one waits.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / "write.lock", timeout=LOCK_WAIT_S, thread_local=False)
        try:
            lock.acquire()
        except Timeout as error:
            raise IndexLocked(
                f"another process writes to the index in {self.folder}; wait until it is done, then try again"
            ) from error
        try:
            with self._connection() as connection:
                writer = Writer(connection, self.folder, self.settings)
                writer.sweep()
                yield writer
        finally:
            lock.release()


def _others(folder: Path) -> bool:
    """Whether a folder holds anything but a database, which another process may have begun meanwhile."""
    return any(not path.name.startswith(NAME) for path in folder.iterdir())


def _agree_on_settings(connection: sqlite3.Connection, wanted: Settings | None) -> Settings:
    """The settings of the index: those written down in it, or `wanted` where it is new."""
    known = read_meta(connection, "settings")
    if known is None:
        with transaction(connection, "IMMEDIATE"):
            known = read_meta(connection, "settings")  # another may have made the index meanwhile
            if known is None:
                known = json.dumps(asdict(wanted or Settings()))
                write_meta(connection, "settings", known)
    settings = Settings(**json.loads(known))
    if wanted is not None and wanted != settings:
        raise IndexFormatError(
            f"the index was made with {settings}, and was opened with {wanted}; "
            "open it without settings, or make a new index"
        )
    return settings
