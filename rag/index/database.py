"""The SQLite file that is the truth of an index: its tables, and how a connection to it is made.

SQLite is taken from `apsw`, which brings the extension `cksumvfs`: every page carries a checksum
that is compared whenever the page is read, so a flipped bit is an error and never an answer.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import apsw

from rag.errors import IndexCorrupt, IndexFailed, IndexFormatError, IndexLocked, RagError
from rag.index.files import MENDING

NAME = "index.db"
FORMAT = 2
APPLICATION = 0x53504E31
BUSY_MS = 30_000
_CHECKSUM_BYTES = 8

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE commits (id INTEGER PRIMARY KEY, action TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE generations (id INTEGER PRIMARY KEY AUTOINCREMENT, fingerprint TEXT NOT NULL UNIQUE);
CREATE TABLE segments (
  id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, folder TEXT NOT NULL UNIQUE,
  rows INTEGER NOT NULL, seals TEXT NOT NULL
);
CREATE INDEX segments_tenant ON segments (tenant);
CREATE TABLE vectors (
  segment INTEGER NOT NULL, generation INTEGER NOT NULL, missing INTEGER NOT NULL, seals TEXT NOT NULL,
  plan TEXT, PRIMARY KEY (segment, generation)
) WITHOUT ROWID;
CREATE TABLE documents (
  number INTEGER PRIMARY KEY, tenant TEXT NOT NULL, id TEXT NOT NULL, source TEXT NOT NULL,
  title TEXT NOT NULL, digest BLOB NOT NULL, metadata TEXT NOT NULL, readers TEXT NOT NULL,
  pages TEXT NOT NULL, sections TEXT NOT NULL, left_out TEXT NOT NULL,
  segment INTEGER NOT NULL, chunks INTEGER NOT NULL, UNIQUE (tenant, id)
);
CREATE INDEX documents_guarded ON documents (tenant) WHERE readers <> '';
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
  tenant TEXT NOT NULL, source TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
  document_id TEXT, chunks INTEGER NOT NULL, stamp TEXT, PRIMARY KEY (tenant, source)
) WITHOUT ROWID;
CREATE INDEX ledger_document ON ledger (tenant, document_id);
CREATE TABLE forgotten (
  mark BLOB PRIMARY KEY, deleted INTEGER NOT NULL, wiped INTEGER, at TEXT NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Condition:
    """A piece of SQL that is true or false of a row, and the values of its question marks."""

    sql: str
    values: tuple[str, ...] = ()


@cache
def _checksums() -> str:
    """The name of the VFS that checks pages, made known to SQLite once a process."""
    import apsw.sqlite_extra

    connection = apsw.Connection(":memory:")
    apsw.sqlite_extra.load(connection, "cksumvfs")
    connection.close()
    return "cksmvfs"


def connect(path: Path, *, frozen: bool = False) -> apsw.Connection:
    """A connection in which transactions are begun and ended by hand.

    Any thread may use it, one at a time. Deleted rows are overwritten with zeros. A `frozen`
    database is only read, and nothing is written beside it: nobody may write to it meanwhile.
    """
    if frozen:
        name, flags = f"file:{quote(path.absolute().as_posix())}?immutable=1", apsw.SQLITE_OPEN_READONLY
        connection = apsw.Connection(name, flags | apsw.SQLITE_OPEN_URI, vfs=_checksums())
    else:
        connection = apsw.Connection(str(path), vfs=_checksums())
    try:
        connection.set_busy_timeout(BUSY_MS)
        connection.reserve_bytes("main", _CHECKSUM_BYTES)
        for switch in ("synchronous = FULL", "secure_delete = ON", "cell_size_check = ON"):
            connection.execute(f"PRAGMA {switch}")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Say in the package's own errors what SQLite found wrong with the file at `path`.

    Raises:
        IndexLocked: another process holds it.
        IndexCorrupt: it is damaged.
        IndexFailed: the disk refused.
    """
    try:
        yield
    except (apsw.BusyError, apsw.LockedError) as error:
        raise IndexLocked(f"{path} is locked by another process; try again") from error
    except (apsw.CorruptError, apsw.NotADBError, apsw.FormatError) as error:
        raise IndexCorrupt(f"{path} is damaged ({error}); {MENDING}") from error
    except apsw.IOError as error:
        if getattr(error, "extendedresult", 0) in _DAMAGE:
            raise IndexCorrupt(f"{path} is damaged ({error}); {MENDING}") from error
        raise IndexFailed(f"{path}: {error}; {REFUSED}") from error
    except (apsw.FullError, apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError) as error:
        raise IndexFailed(f"{path}: {error}; {REFUSED}") from error
    except apsw.NoMemError as error:
        raise MemoryError(f"{path}: {error}") from error
    except apsw.Error as error:
        raise IndexFailed(f"{path}: SQLite refused ({error}); `rag doctor` looks for damage") from error


_DAMAGE = (apsw.SQLITE_IOERR_DATA, apsw.SQLITE_IOERR_CORRUPTFS, apsw.SQLITE_IOERR_SHORT_READ)
REFUSED = "see that its disk has room and may be written"


@contextmanager
def decoding() -> Iterator[None]:
    """Tell what does not read as what it is: pages of the file that changed places have right checksums.

    Raises:
        IndexCorrupt: a value is not of its kind.
    """
    try:
        yield
    except RagError:
        raise
    except (TypeError, ValueError, KeyError, zlib.error) as error:
        raise IndexCorrupt(f"{NAME} is damaged: a row is not what it is ({error}); {MENDING}") from error


def prepare(connection: apsw.Connection, path: Path, *, beside_segments: bool = False) -> None:
    """Make the tables where the file is new, else see that this version can read it.

    A new one `beside_segments` is a mistake, except where it is to take the place of a damaged one.

    Raises:
        IndexFormatError: the file is of another format, or of another program.
        IndexCorrupt: the file is damaged.
    """
    # The tables come with both numbers in one transaction: once there are any, the numbers are there.
    (tables,) = one(connection, "SELECT count(*) FROM sqlite_master")
    (application,) = one(connection, "PRAGMA application_id")
    (version,) = one(connection, "PRAGMA user_version")
    if not tables:
        if (path.parent / "segments").exists() and not beside_segments:
            raise IndexCorrupt(f"{path} is empty, and segments are beside it; {MENDING}")
        if not beside_segments:
            connection.execute("PRAGMA journal_mode = WAL")
        with transaction(connection, "IMMEDIATE"):
            if not one(connection, "SELECT count(*) FROM sqlite_master")[0]:
                _create(connection)
        return
    if application != APPLICATION:
        raise IndexFormatError(f"{path} is an SQLite file of another program; choose another folder")
    if version > FORMAT:
        raise IndexFormatError(
            f"{path} has format {version}, this version reads up to {FORMAT}; "
            "upgrade with pip install -U spanrag"
        )
    if version < FORMAT:
        raise IndexFormatError(
            f"{path} has format {version} of an early version; add the documents to a new index"
        )


CHECKED_WHOLE = 64 << 20
"""A database of so many bytes or less is looked at whole when it is opened: it takes 2 ms a MiB."""


def check_structure(connection: apsw.Connection, path: Path) -> None:
    """See that rows, pages and indexes fit together, where the file is not too large for that.

    A page's checksum does not say which page it is of, so two that changed places are told by this alone.

    Raises:
        IndexCorrupt: they do not fit.
    """
    if path.stat().st_size <= CHECKED_WHOLE:
        found = query(connection, "PRAGMA integrity_check(1)")
        if found != [("ok",)]:
            raise IndexCorrupt(f"{path} is damaged: {found[0][0]}; {MENDING}")


def check_size(connection: apsw.Connection, path: Path) -> None:
    """See that the file is as long as its pages: a checksum is of a whole page, and a missing one has none.

    While the log holds pages that the file lacks, nothing can be said. Call it outside of a transaction.

    Raises:
        IndexCorrupt: it is longer, or shorter.
    """
    for _ in range(3):  # another may be writing
        before = one(connection, "PRAGMA wal_checkpoint(NOOP)")
        _, logged, brought_in = before
        wanted = one(connection, "PRAGMA page_count")[0] * one(connection, "PRAGMA page_size")[0]
        size = path.stat().st_size
        if logged != brought_in or size == wanted:
            return
        if one(connection, "PRAGMA wal_checkpoint(NOOP)") == before:
            raise IndexCorrupt(f"{path} is damaged: it has {size} bytes, and its pages {wanted}; {MENDING}")


def _create(connection: apsw.Connection) -> None:
    for statement in _SCHEMA.split(";"):
        if statement.strip():
            connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES ('next_number', '1')")
    connection.execute("INSERT INTO commits VALUES (0, 'create', datetime('now'))")
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")


@contextmanager
def transaction(connection: apsw.Connection, kind: str = "DEFERRED") -> Iterator[None]:
    """All of it becomes visible at the end, or nothing where an exception leaves it."""
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        if connection.in_transaction:
            connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some failures of SQLite end it themselves
            connection.execute("ROLLBACK")
        raise


def found(connection: apsw.Connection, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
    """The first row that a query gives, None where it gives none."""
    row: tuple[Any, ...] | None = connection.execute(sql, values).fetchone()
    return row


def query(connection: apsw.Connection, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """All rows that a query gives."""
    every: list[tuple[Any, ...]] = connection.execute(sql, values).fetchall()
    return every


def one(connection: apsw.Connection, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...]:
    """The row of a query that gives one.

    Raises:
        IndexCorrupt: it gives none.
    """
    row = found(connection, sql, values)
    if row is None:
        raise IndexCorrupt(f"{NAME} lacks a row that belongs to another ({sql}); {MENDING}")
    return row


def read_meta(connection: apsw.Connection, key: str) -> str | None:
    """The value written down under `key`, None where there is none."""
    row = found(connection, "SELECT value FROM meta WHERE key = ?", (key,))
    return row[0] if row else None


def write_meta(connection: apsw.Connection, key: str, value: str) -> None:
    """Write `value` down under `key`."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def last_commit(connection: apsw.Connection) -> int:
    """The number of the last commit."""
    commit: int = one(connection, "SELECT max(id) FROM commits")[0]
    return commit


def record_commit(connection: apsw.Connection, action: str) -> int:
    """Number the transaction under way as the next commit."""
    number = last_commit(connection) + 1
    connection.execute("INSERT INTO commits VALUES (?, ?, datetime('now'))", (number, action))
    return number
