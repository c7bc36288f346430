"""A model of a disk: what calls have changed, what of it is sure to outlast a power cut, what may.

A write is sure once its file was synced; a name (made, renamed, removed) once its folder was. Until then
the disk may hold any part of what is pending, in any order, a write torn between sectors of 512 bytes.
A rename is whole or absent. That is what POSIX promises; most file systems promise more.

Source: T. S. Pillai et al., All File Systems Are Not Created Equal, OSDI 2014 (ALICE).
"""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

SECTOR = 512
_serials = itertools.count()

Tree = dict[str, bytes | None]
"""What lies below the root by its relative path: the bytes of a file, None for a folder."""


@dataclass(eq=False, slots=True)
class Write:
    """Bytes for a place in a file; with `data` None a new length, `at`."""

    at: int
    data: bytes | None
    serial: int = field(default_factory=_serials.__next__)


@dataclass(eq=False, slots=True)
class Change:
    """New meanings of names, all at once; a node of None removes the name."""

    names: tuple[tuple[Folder, str, File | Folder | None], ...]
    serial: int = field(default_factory=_serials.__next__)


Pending = tuple[Write | Change, int]
"""Something that is not yet sure; of a write also how long its file surely is."""


@dataclass(eq=False, slots=True)
class File:
    now: bytes = b""
    sure: bytes = b""
    pending: list[Write] = field(default_factory=list)

    def put(self, write: Write) -> None:
        self.now = applied(self.now, write)
        self.pending.append(write)

    def sync(self) -> None:
        self.sure = self.now
        self.pending = []


@dataclass(eq=False, slots=True)
class Folder:
    now: dict[str, File | Folder] = field(default_factory=dict)
    sure: dict[str, File | Folder] = field(default_factory=dict)
    pending: list[Change] = field(default_factory=list)

    def sync(self) -> None:
        while self.pending:
            change = self.pending[0]
            others = {id(folder): folder for folder, _, _ in change.names}
            for folder in others.values():  # a name that goes from folder to folder takes what came before it
                before = folder.pending[: folder.pending.index(change)]
                assert folder is self or not before, "the model does not order changes across folders"
            for folder, name, node in change.names:
                rename(folder.sure, name, node)
            for folder in others.values():
                folder.pending.remove(change)


def rename(names: dict[str, File | Folder], name: str, node: File | Folder | None) -> None:
    """Give a name its meaning, or take it away."""
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


def applied(content: bytes, write: Write) -> bytes:
    """A file's bytes after a write; where it begins behind their end, zeros come between."""
    if write.data is None:
        return content[: write.at].ljust(write.at, b"\0")
    return content[: write.at].ljust(write.at, b"\0") + write.data + content[write.at + len(write.data) :]


class Disk:
    """A root folder and all below it."""

    def __init__(self, tree: Mapping[str, bytes | None] | None = None):
        """A disk on which `tree` is sure."""
        self.root = Folder()
        for path, content in sorted((tree or {}).items()):
            folder, name = self._above(path)
            node = Folder() if content is None else File(content, content)
            folder.now[name] = folder.sure[name] = node

    def node(self, path: str) -> File | Folder | None:
        """What stands at a relative path now."""
        node: File | Folder | None = self.root
        for part in path.split("/") if path not in ("", ".") else ():
            node = node.now.get(part) if isinstance(node, Folder) else None
        return node

    def _above(self, path: str) -> tuple[Folder, str]:
        folder = self.node(posixpath.dirname(path))
        assert isinstance(folder, Folder), f"no folder above {path}"
        return folder, posixpath.basename(path)

    def name(self, *meanings: tuple[str, File | Folder | None]) -> None:
        """Let names mean something else from now on, all at once."""
        change = Change(tuple((*self._above(path), node) for path, node in meanings))
        for folder, name, node in change.names:
            rename(folder.now, name, node)
        for folder in {id(folder): folder for folder, _, _ in change.names}.values():
            folder.pending.append(change)

    def now(self) -> Tree:
        """What a program sees, and so what a kill leaves."""
        return dict(_walk(self.root, lambda folder: folder.now, lambda file: file.now))

    def sure(self) -> Tree:
        """What a power cut leaves at least."""
        return dict(_walk(self.root, lambda folder: folder.sure, lambda file: file.sure))

    def pending(self) -> list[Pending]:
        """What a power cut may leave or take, oldest first, of all that can still be seen."""
        found: dict[int, Pending] = {}
        seen: set[int] = set()
        left: list[File | Folder] = [self.root]
        while left:
            node = left.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, File):
                found.update((id(each), (each, len(node.sure))) for each in node.pending)
            else:
                found.update((id(each), (each, 0)) for each in node.pending)
                left += [*node.now.values(), *node.sure.values()]
                left += [new for change in node.pending for _, _, new in change.names if new is not None]
        return sorted(found.values(), key=lambda each: each[0].serial)

    def after(self, fate: Callable[[Pending], list[Write] | bool]) -> Tree:
        """What a power cut leaves where `fate` tells of everything pending whether it came through.

        Of a write it may give the writes that came through in its place.
        """
        decided: dict[int, list[Write] | bool] = {id(each[0]): fate(each) for each in self.pending()}

        def names(folder: Folder) -> dict[str, File | Folder]:
            result = dict(folder.sure)
            for change in folder.pending:
                if decided[id(change)]:
                    for where, name, node in change.names:
                        if where is folder:
                            rename(result, name, node)
            return result

        def content(file: File) -> bytes:
            result = file.sure
            for write in file.pending:
                told = decided[id(write)]
                for part in [write] if told is True else told or []:
                    result = applied(result, part)
            return result

        return dict(_walk(self.root, names, content))


def _walk(
    folder: Folder,
    names: Callable[[Folder], Mapping[str, File | Folder]],
    content: Callable[[File], bytes],
    above: str = "",
) -> Iterator[tuple[str, bytes | None]]:
    for name, node in names(folder).items():
        if isinstance(node, File):
            yield above + name, content(node)
        else:
            yield above + name, None
            yield from _walk(node, names, content, f"{above}{name}/")
