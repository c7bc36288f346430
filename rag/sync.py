"""Folders -> the index, in both directions: what is new comes in, what is gone goes, what moved stays.

A plan is made first, and nothing is removed that the plan is not sure of: a file that is there but
cannot be read stays, and so does all that lies in a folder that cannot be listed or is not mounted.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from stat import S_ISDIR

from rag.errors import InputError, SyncRefused
from rag.index.documents import Known
from rag.index.storage import StorageWriter
from rag.ingestion.load import LOADERS, read_bytes
from rag.sources import HANDED_IN, source_of, stamp_of
from rag.types import AddReport, Status

FEW = 10
"""So many sources may always be removed."""

SHARE = 0.5
"""Above this share of the sources under the folders, a removal looks like a mistake."""


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """What a sync of folders does, by source.

    What failed or was left out the last time counts as `added`, or as `changed` where an older version
    of it is in the index. `moved` holds each old source with its new one: the same bytes, found under
    another name; an old one that holds other bytes now is in `changed` besides.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    moved: tuple[tuple[str, str], ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    refusal: str = ""
    """Why nothing is done unless mass deletion is allowed, `""` where nothing speaks against it."""


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync did: its plan, and what became of each file. `added` is None after a dry run."""

    plan: SyncPlan
    added: AddReport | None = None


@dataclass(frozen=True, slots=True)
class _Scope:
    """The folders, as sources, and which of them hold nothing."""

    folders: tuple[str, ...]
    empty: tuple[str, ...]
    unlisted: tuple[str, ...]

    def holds(self, source: str) -> bool:
        """Whether a source lies under one of the folders."""
        return _is_under(source, self.folders)


@dataclass(frozen=True, slots=True)
class _File:
    """A file that is there: the id its bytes give, None where they were not read."""

    path: Path
    known: Known | None
    id: str | None
    unchanged: bool


def folders_of(folders: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The folders that are named.

    Raises:
        InputError: one is a file, or none is named.
        SyncRefused: one may not be listed.
    """
    named = [folders] if isinstance(folders, str | os.PathLike) else list(folders)
    if not named or "" in named:
        raise InputError("name a folder to bring the index in line with")
    for path in map(Path, named):
        try:
            with os.scandir(path):
                pass
        except FileNotFoundError:
            continue  # it may have vanished, or its disk: the plan says what hangs on it
        except NotADirectoryError:
            raise InputError(f"{path} is a file; sync is of folders, use add for files") from None
        except OSError as error:
            raise SyncRefused(
                f"{path} cannot be listed ({error.strerror}), so nothing was changed; see its rights"
            ) from error
    return [Path(path) for path in named]


def make_plan(writer: StorageWriter, folders: Sequence[Path], files: Sequence[Path]) -> SyncPlan:
    """Compare the files under the folders with the ledger. Nothing is changed.

    A file whose stamp is the one known is not read; the others are, where they may have moved.

    Raises:
        InputError: a folder does not exist, and the index holds nothing of it.
    """
    sources, known_folders = writer.sources(), dict[Path, Path]()
    paths = {source_of(path, known_folders): path for path in files}
    scope = _scope_of(tuple(source_of(path, {}) for path in folders), paths)
    held = {source: document_id for source, document_id in sources if scope.holds(source)}
    for path, name in zip(folders, scope.folders, strict=True):
        if not path.exists() and not any(_is_under(source, (name,)) for source in held):
            raise InputError(f"{path} does not exist; name a folder")
    gone = {source: id_ for source, id_ in held.items() if source not in paths and _is_gone(source, scope)}
    gone = {source: id_ for source, id_ in gone.items() if not _was_handed_in(writer, source)}
    there = dict(_look(writer, paths, {id_ for _, id_ in sources if id_}, bool(gone)))
    moved = tuple(_moves(gone, there))
    at_new, from_old = {new for _, new in moved}, {old for old, _ in moved}
    left = {source: file for source, file in there.items() if source not in at_new and not file.unchanged}
    removed = tuple(sorted(gone.keys() - from_old))
    return SyncPlan(
        added=tuple(source for source, file in left.items() if not _document(file.known)),
        changed=tuple(source for source, file in left.items() if _document(file.known)),
        moved=moved,
        removed=removed,
        unchanged=tuple(source for source, file in there.items() if file.unchanged),
        refusal=_refusal(held, [source for source in removed if held[source]], scope),
    )


def move(writer: StorageWriter, plan: SyncPlan) -> None:
    """Commit the new sources of what moved. Nothing is embedded: a document keeps its vectors.

    They were made below the old file's name, as those of any second file of the same bytes are.
    """
    known = {old: writer.known(old) for old, _ in plan.moved}
    lines = [
        Known(replace(line.entry, source=new, status=Status.INDEXED, reason=f"moved from {old}"), None)
        for old, new in plan.moved
        if (line := known[old]) is not None
    ]
    kept = {new for _, new in plan.moved} | set(plan.changed)
    if lines:
        writer.forget_sources([old for old, _ in plan.moved if old not in kept], lines)


def remove(writer: StorageWriter, plan: SyncPlan) -> None:
    """Commit the removal of what is gone, seen once more to be gone."""
    gone = [source for source in plan.removed if _is_missing(source)]
    if gone:
        writer.forget_sources(gone)


def _scope_of(names: tuple[str, ...], paths: Mapping[str, Path]) -> _Scope:
    return _Scope(
        folders=names,
        empty=tuple(name for name in names if not any(_is_under(source, (name,)) for source in paths)),
        unlisted=tuple(source for source, path in paths.items() if path.is_dir() and not path.is_symlink()),
    )


def _is_under(source: str, folders: Sequence[str]) -> bool:
    name = os.path.normcase(source)
    return any(name.startswith(os.path.normcase(folder).rstrip(os.sep) + os.sep) for folder in folders)


def _is_gone(source: str, scope: _Scope) -> bool:
    """Whether no file is at the path any more; a folder there was listed, and is no document."""
    return not _is_under(source, scope.unlisted) and _is_missing(source)


def _is_missing(source: str) -> bool:
    try:
        return S_ISDIR(os.lstat(source).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False


def _was_handed_in(writer: StorageWriter, source: str) -> bool:
    """Whether a source is no file's, but that of a Document."""
    known = writer.known(source)
    return known is not None and known.stamp == HANDED_IN


def _look(
    writer: StorageWriter, paths: Mapping[str, Path], ids: set[str], gone: bool
) -> Iterator[tuple[str, _File]]:
    """Every file with what is known of it; a file is read where its stamp is not the one known.

    A new file is read where some source is gone or changed, as it may be that one.
    """
    new = []
    for source, path in paths.items():
        known = writer.known(source)
        stamp = _stamp(path)
        settled = known is not None and known.entry.status is not Status.FAILED
        if known is not None and settled and _is_same(known, path, stamp, ids):
            yield source, _File(path, known, known.entry.document_id, unchanged=True)
        elif known is None or not known.entry.document_id:
            new.append((source, _File(path, known, None, unchanged=False)))
        else:
            found = _id_of(path)
            same = settled and found == known.entry.document_id
            gone = gone or not same
            yield source, _File(path, known, found, unchanged=same)
    for source, file in new:
        yield source, replace(file, id=_id_of(file.path)) if gone else file


def _is_same(known: Known, path: Path, stamp: str, ids: set[str]) -> bool:
    """Whether what became of a file is so still, as far as its name and stamp tell."""
    if known.entry.status is Status.SKIPPED and path.suffix.lower() not in LOADERS:
        return True
    kept = known.entry.status is Status.SKIPPED or known.entry.document_id in ids
    return bool(stamp) and known.stamp == stamp and kept


def _document(known: Known | None) -> str | None:
    return known.entry.document_id if known else None


def _stamp(path: Path) -> str:
    try:
        return stamp_of(path)
    except OSError:
        return ""


def _id_of(path: Path) -> str | None:
    """The id of the document that a file is, None where it cannot be read: why, `add` will report."""
    try:
        return hashlib.sha256(read_bytes(path)).hexdigest()
    except (InputError, OSError):
        return None


def _moves(gone: Mapping[str, str | None], there: Mapping[str, _File]) -> Iterator[tuple[str, str]]:
    """Each source whose bytes are at another path now, and at its own no more, with that path."""
    old = defaultdict(list)
    for source, id_ in gone.items():
        old[id_].append(source)
    for source, file in there.items():
        if file.id is not None and _document(file.known) not in (None, file.id):
            old[_document(file.known)].append(source)
    for source, file in sorted(there.items()):
        if file.id is not None and not file.unchanged and _document(file.known) != file.id and old[file.id]:
            yield old[file.id].pop(0), source


def _refusal(held: Mapping[str, str | None], removed: Sequence[str], scope: _Scope) -> str:
    """Why a removal looks like a mistake."""
    mending = "allow mass deletion if that is meant"
    for folder in scope.empty:
        if any(_is_under(source, (folder,)) for source in removed):
            state = "holds no files" if Path(folder).exists() else "does not exist"
            return f"{folder} {state}, and the index has documents of it; mount it again, or {mending}"
    total = sum(1 for document_id in held.values() if document_id)
    if len(removed) > FEW and len(removed) > SHARE * total:
        return f"{len(removed)} of {total} documents' files are gone; bring them back, or {mending}"
    return ""
