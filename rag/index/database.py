"""The SQLite file that is the truth of an index: its tables, and how a connection to it is made."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag.errors import IndexCorrupt, IndexFormatError

NAME = "index.db"
FORMAT = 1
APPLICATION = 0x53504E31

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE commits (id INTEGER PRIMARY KEY, action TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE segments (
  id INTEGER PRIMARY KEY AUTOINCREMENT, folder TEXT NOT NULL UNIQUE, rows INTEGER NOT NULL,
  seals TEXT NOT NULL
);
CREATE TABLE documents (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, source TEXT NOT NULL, title TEXT NOT NULL,
  digest BLOB NOT NULL, metadata TEXT NOT NULL, pages TEXT NOT NULL, sections TEXT NOT NULL,
  left_out TEXT NOT NULL, segment INTEGER NOT NULL, chunks INTEGER NOT NULL
);
CREATE TABLE texts (
  document INTEGER NOT NULL, block INTEGER NOT NULL, text BLOB NOT NULL, PRIMARY KEY (document, block)
) WITHOUT ROWID;
CREATE TABLE chunks (
  segment INTEGER NOT NULL, row INTEGER NOT NULL, document INTEGER NOT NULL,
  start INTEGER NOT NULL, end INTEGER NOT NULL, page INTEGER, section TEXT NOT NULL,
  last_page INTEGER, content BLOB NOT NULL,
  PRIMARY KEY (segment, row)
) WITHOUT ROWID;
CREATE INDEX chunks_document ON chunks (document);
CREATE INDEX chunks_content ON chunks (content);
CREATE TABLE tombstones (
  segment INTEGER NOT NULL, document INTEGER NOT NULL, PRIMARY KEY (segment, document)
) WITHOUT ROWID;
CREATE TABLE ledger (
  source TEXT PRIMARY KEY, status TEXT NOT NULL, reason TEXT NOT NULL, document_id TEXT,
  chunks INTEGER NOT NULL, stamp TEXT
) WITHOUT ROWID;
CREATE INDEX ledger_document ON ledger (document_id);
"""


def connect(path: Path) -> sqlite3.Connection:
    """A connection in which transactions are begun and ended by hand.

    Any thread may use it, one at a time. Deleted rows are overwritten with zeros.
    """
    connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables where the file is new, else see that this version can read it.

    Raises:
        IndexFormatError: the file is of a newer format, or of another program.
        IndexCorrupt: the file is damaged.
    """
    try:
        # The tables come with both numbers in one transaction: once there are any, the numbers are there.
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if not tables:
            if (path.parent / "segments").exists():
                raise IndexCorrupt(
                    f"{path} is empty, and segments are beside it; restore the index from a copy"
                )
            connection.execute("PRAGMA journal_mode = WAL")
            with transaction(connection, "IMMEDIATE"):
                if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    _create(connection)
            return
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            raise
        raise IndexCorrupt(f"{path} is damaged ({error}); restore the index from a copy") from error
    if application != APPLICATION:
        raise IndexFormatError(f"{path} is an SQLite file of another program; choose another folder")
    if version > FORMAT:
        raise IndexFormatError(
            f"{path} has format {version}, this version reads up to {FORMAT}; "
            "upgrade with pip install -U spanrag"
        )


def _create(connection: sqlite3.Connection) -> None:
    for statement in _SCHEMA.split(";"):
        if statement.strip():
            connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES ('next_number', '1')")
    connection.execute("INSERT INTO commits VALUES (0, 'create', datetime('now'))")
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")


@contextmanager
def transaction(connection: sqlite3.Connection, kind: str = "DEFERRED") -> Iterator[None]:
    """All of it becomes visible at the end, or nothing where an exception leaves it."""
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some failures of SQLite end it themselves
            connection.execute("ROLLBACK")
        raise


def read_meta(connection: sqlite3.Connection, key: str) -> str | None:
    """The value written down under `key`, None where there is none."""
    found = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return found[0] if found else None


def write_meta(connection: sqlite3.Connection, key: str, value: str) -> None:
    """Write `value` down under `key`."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def last_commit(connection: sqlite3.Connection) -> int:
    """The number of the last commit."""
    commit: int = connection.execute("SELECT max(id) FROM commits").fetchone()[0]
    return commit


def record_commit(connection: sqlite3.Connection, action: str) -> int:
    """Number the transaction under way as the next commit."""
    number = last_commit(connection) + 1
    connection.execute("INSERT INTO commits VALUES (?, ?, datetime('now'))", (number, action))
    return number
