"""A copy of an index that is whole: made while others write and read, and checked before it counts.

A backup is itself an index in a folder, of one commit. Its segments are links to the index's own
files where the disk is the same, which costs no room and is no second copy of their bytes: a backup
against a failing disk is made on another.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import apsw

from rag.errors import IndexCorrupt, IndexFailed, IndexLocked, IndexNotFound, InputError
from rag.index.check import find_problems
from rag.index.database import NAME, connect, explained, last_commit, one, query, transaction
from rag.index.files import (
    HEAD,
    FileSeal,
    disk,
    flush_file,
    flush_folder,
    make_folder,
    read_head,
    remove_file,
    remove_folder,
    seal,
    write_head,
)

Sealed: TypeAlias = dict[str, FileSeal]
"""What each file of a commit's segments must be, by its path in the index."""

TRIES = 10
"""So often a backup begins again where a merge removed a segment before it was copied."""


def backup(folder: Path, target: Path) -> int:
    """Copy the last commit of the index in `folder` to the new folder `target`, and return its number.

    Writers and readers go on meanwhile. Every file is compared with its seal and flushed to the
    device, and the whole gets its name last: what bears the name is complete.

    Raises:
        InputError: something is at `target` already.
        IndexNotFound: there is no index in `folder`.
        IndexCorrupt: a file of the index is damaged; it is named.
        IndexLocked: others merged segments away faster than they could be copied.
        IndexFailed: the disk refused.
    """
    target = target.absolute()
    if os.path.lexists(target):
        raise InputError(f"{target} exists already, and a backup is written over nothing; name a new folder")
    _see_index(folder)
    part = target.with_name(f"{target.name}.{uuid.uuid4().hex}.part")
    try:
        make_folder(part / "segments")
        commit = _copied(folder, part)
        with disk(target):
            part.rename(target)
        flush_folder(target.parent)
    except BaseException:
        remove_folder(part)
        raise
    return commit


def restore(backup: Path, folder: Path) -> int:
    """Make an index in the new or empty `folder` of a backup, and return the number of its commit.

    The whole backup is checked before anything is written. The database is the last to get its
    name, so that what a killed restore leaves does not open: empty it, and restore again.

    Raises:
        InputError: `folder` holds something already.
        IndexNotFound: there is no index in `backup`.
        IndexCorrupt: a file of the backup is damaged; it is named.
        IndexFailed: the disk refused.
    """
    with disk(folder):
        if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
            raise InputError(f"{folder} is no empty folder; name an empty or a new one to restore into")
    _see_index(backup)
    database = backup / NAME
    with (
        explained(database),
        closing(connect(database, frozen=_is_closed(database))) as connection,
        transaction(connection),
    ):
        problems = list(find_problems(connection, backup))
        # SQLite takes what is missing of the last page for zeros, and its checksum is not compared then.
        if not problems and database.stat().st_size % one(connection, "PRAGMA page_size")[0]:
            problems = [f"{NAME} ends within a page"]
        if problems:
            raise IndexCorrupt(f"the backup {backup} is damaged, and nothing was restored: {problems[0]}")
        commit, noted = last_commit(connection), read_head(backup)
        if noted != commit:
            raise IndexCorrupt(
                f"the backup {backup} is damaged, and nothing was restored: its {HEAD} file notes commit "
                f"{noted}, and {NAME} shows {commit}"
            )
        make_folder(folder / "segments")
        for name, wanted in _sealed(connection).items():
            _take(backup / name, folder / name, wanted, _copy)
        _flush_folders(folder)
        write_head(folder, commit)
        part = folder / f"{NAME}.part"
        _copy_database(connection, part)
    with disk(folder):
        part.rename(folder / NAME)
    flush_folder(folder)
    return commit


def _see_index(folder: Path) -> None:
    if not (folder / NAME).exists():
        raise IndexNotFound(f"no index in {folder}: it has no {NAME}; name the folder of one")


def _is_closed(database: Path) -> bool:
    """Whether all is in the database itself, which then may be read where nothing may be written."""
    log = database.with_name(f"{database.name}-wal")
    return not log.exists() or not log.stat().st_size


def _copied(folder: Path, part: Path) -> int:
    """Copy the last commit, or a later one where a segment was merged away before it was copied."""
    for last in [False] * (TRIES - 1) + [True]:
        with explained(folder / NAME), closing(connect(folder / NAME)) as connection, transaction(connection):
            commit = last_commit(connection)
            noted = read_head(folder)
            if noted is None or (noted > commit and last):
                raise IndexCorrupt(f"{folder} shows commit {commit}, and its {HEAD} file notes {noted}")
            if noted > commit:  # it was acknowledged between the two looks
                continue
            wanted = _sealed(connection)
            _drop_others(part, wanted)
            try:
                for name, sealed in wanted.items():
                    if not (part / name).exists():
                        _take(folder / name, part / name, sealed, _link_or_copy)
            except FileNotFoundError as error:
                with closing(connect(folder / NAME)) as other:
                    if last_commit(other) == commit:
                        raise IndexCorrupt(f"{error.filename} is missing") from error
                continue
            _flush_folders(part)
            _copy_database(connection, part / NAME)
            write_head(part, commit)
            return commit
    raise IndexLocked(f"segments of {folder} were merged faster than they could be copied; try again later")


def _sealed(connection: apsw.Connection) -> Sealed:
    """Every file that the commit names."""
    files: Sealed = {}
    for folder, seals in query(
        connection,
        "SELECT folder, seals FROM segments "
        "UNION ALL SELECT s.folder, v.seals FROM vectors v JOIN segments s ON s.id = v.segment",
    ):
        files |= {f"{folder}/{name}": FileSeal(*parts) for name, parts in json.loads(seals).items()}
    return files


def _drop_others(part: Path, wanted: Sealed) -> None:
    """Remove what an earlier try copied and the commit does not name."""
    for path in [path for path in part.rglob("*") if path.is_file()]:
        if path.relative_to(part).as_posix() not in wanted:
            remove_file(path)
    for path in (part / "segments").iterdir():
        if not any(path.iterdir()):
            path.rmdir()


def _take(source: Path, target: Path, wanted: FileSeal, bring: Callable[[Path, Path], None]) -> None:
    """Bring a file to its place, flushed, and see that it is the one that was sealed.

    Raises:
        FileNotFoundError: it is not there.
        IndexCorrupt: it is not what was written.
    """
    with disk(target):
        target.parent.mkdir(exist_ok=True)
    bring(source, target)
    if seal(target) != wanted:
        raise IndexCorrupt(f"{source} is damaged: its bytes are not those that were written")


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or one without links
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise IndexFailed(f"{source} cannot be copied to {target} ({error.strerror or error})") from error
    flush_file(target)


def _copy_database(connection: apsw.Connection, target: Path) -> None:
    """Copy what a connection's transaction sees, and read every page of the copy again."""
    with explained(target):
        with closing(connect(target)) as copy, copy.backup("main", connection, "main") as steps:
            steps.step(-1)
        with closing(connect(target, frozen=True)) as copy:
            for (line,) in query(copy, "PRAGMA quick_check(1)"):
                if line != "ok":
                    raise IndexCorrupt(f"{target} is damaged: {line}")
    flush_file(target)


def _flush_folders(folder: Path) -> None:
    for path in _folders(folder):
        flush_folder(path)


def _folders(folder: Path) -> Iterator[Path]:
    yield from (path for path in (folder / "segments").iterdir() if path.is_dir())
    yield from (folder / "segments", folder, folder.parent)
