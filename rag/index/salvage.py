"""What a damaged database still holds, copied whole document by whole document into a new one.

Every page of the database has a checksum, so a row is either as it was written or an error.
A document is copied where its row, all of its text and all of its passages can be read.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw

from rag.errors import IndexCorrupt, RagError
from rag.index.database import (
    NAME,
    check_size,
    connect,
    explained,
    found,
    last_commit,
    prepare,
    query,
    transaction,
)
from rag.index.files import flush_file, flush_folder, read_head, remove_file, write_head

_WHOLE = ("meta", "commits", "generations", "segments", "vectors", "forgotten")


def mend_database(folder: Path) -> list[str]:
    """Make the database and the head of an index whole again, and say what was done and what is lost.

    Nobody may write meanwhile.

    Raises:
        IndexCorrupt: too little is left to go on from; a backup is needed.
    """
    path, said = folder / NAME, []
    if not _is_whole(path):
        with explained(path):
            said += _salvage(path)
    try:
        noted = read_head(folder)
    except IndexCorrupt:
        noted = None
    connection = connect(path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        commit = last_commit(connection)
        if noted is not None and noted > commit:
            said.append(f"commits {commit + 1} to {noted} were in SQLite's log, and are lost")
            with transaction(connection, "IMMEDIATE"):  # so that no number stands for two commits
                connection.execute("INSERT INTO commits VALUES (?, 'repair', datetime('now'))", (noted + 1,))
            commit = noted + 1
    finally:
        connection.close()
    if noted != commit:
        said.append(f"head is written anew, for commit {commit}")
        remove_file(folder / "head")
        write_head(folder, commit)
    return said


def _is_whole(path: Path) -> bool:
    if not path.exists():
        raise IndexCorrupt(f"{path} is missing; restore the index from a backup")
    try:
        with explained(path):
            connection = connect(path)
            try:
                prepare(connection, path)
                check_size(connection, path)
                return query(connection, "PRAGMA integrity_check(1)") == [("ok",)]
            finally:
                connection.close()
    except RagError:
        return False


def _salvage(path: Path) -> list[str]:
    new_path = path.with_name(f"{NAME}.new")
    for suffix in ("", "-wal", "-shm"):
        remove_file(new_path.with_name(new_path.name + suffix))
    old, new = connect(path), connect(new_path)
    try:
        new.execute("PRAGMA journal_mode = DELETE")
        with explained(path):
            prepare(new, new_path, beside_segments=True)
        with transaction(new, "IMMEDIATE"):
            for table in _WHOLE:
                _copy_whole(old, new, table, path)
            lost, kept = _copy_documents(old, new)
            _copy_ledger(old, new)
            new.execute("INSERT INTO commits SELECT max(id) + 1, 'repair', datetime('now') FROM commits")
    finally:
        old.close()
        new.close()
    flush_file(new_path)
    for suffix in ("-wal", "-shm"):
        remove_file(path.with_name(path.name + suffix))
    new_path.replace(path)
    flush_folder(path.parent)
    said = [f"{NAME} was damaged; {kept} documents were copied whole into a new one"]
    said += [f"document {name} could not be read whole and is gone; add it again" for name in lost]
    return said


def _copy_whole(old: apsw.Connection, new: apsw.Connection, table: str, path: Path) -> None:
    try:
        rows = query(old, f"SELECT * FROM {table}")
    except apsw.Error as error:
        raise IndexCorrupt(
            f"{path} has lost its table {table} ({error}); restore the index from a backup"
        ) from error
    new.execute(f"DELETE FROM {table}")
    _insert(new, table, rows)


def _insert(new: apsw.Connection, table: str, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        new.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)


def _copy_documents(old: apsw.Connection, new: apsw.Connection) -> tuple[list[str], int]:
    """Copy each document that is whole; return the names of the others, and how many were copied."""
    chunks_of = defaultdict(list)
    for segment, count in query(new, "SELECT id, rows FROM segments"):
        for row in _each(old, "SELECT * FROM chunks WHERE segment = ? AND row = ?", segment, count):
            chunks_of[row[2]].append(row)
    (next_number,) = query(new, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'next_number'")[0]
    lost, kept = [], 0
    for number in range(next_number):
        try:
            document = found(old, "SELECT * FROM documents WHERE number = ?", (number,))
        except apsw.Error:
            lost.append(f"number {number}")
            continue
        if document is None:
            continue
        chunks, texts = chunks_of[number], _texts(old, number)
        if texts is None or len(chunks) != document[12] or _length(texts) < max(row[4] for row in chunks):
            lost.append(f"{document[3]} ({document[2]})")
            continue
        _insert(new, "documents", [document])
        _insert(new, "texts", texts)
        _insert(new, "chunks", chunks)
        kept += 1
    return lost, kept


def _each(old: apsw.Connection, sql: str, segment: int, count: int) -> Iterator[tuple[Any, ...]]:
    """The rows of a segment that can be read, asked for one by one."""
    for at in range(count):
        try:
            row = found(old, sql, (segment, at))
        except apsw.Error:
            continue
        if row is not None:
            yield row


def _texts(old: apsw.Connection, number: int) -> list[tuple[Any, ...]] | None:
    try:
        return query(old, "SELECT * FROM texts WHERE document = ? ORDER BY block", (number,))
    except apsw.Error:
        return None


def _length(texts: list[tuple[Any, ...]]) -> int:
    try:
        return sum(len(zlib.decompress(block).decode()) for _, _, block in texts)
    except (zlib.error, UnicodeDecodeError):
        return -1


def _copy_ledger(old: apsw.Connection, new: apsw.Connection) -> None:
    """Copy what became of sources whose document is there; each document has a source again."""
    try:
        rows = query(old, "SELECT * FROM ledger")
    except apsw.Error:
        rows = []
    kept = {(tenant, document) for tenant, document in query(new, "SELECT tenant, id FROM documents")}
    _insert(new, "ledger", [row for row in rows if row[4] is None or (row[0], row[4]) in kept])
    new.execute(
        "INSERT INTO ledger SELECT tenant, source, 'indexed', '', id, chunks, NULL FROM documents d "
        "WHERE NOT EXISTS (SELECT 1 FROM ledger l WHERE l.tenant = d.tenant AND l.document_id = d.id) "
        "AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.tenant = d.tenant AND l.source = d.source)"
    )
