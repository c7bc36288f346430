"""Replay traced calls on the model of a disk."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.disk import Disk, File, Folder, Write
from lab.trace import Call

MARKS = "marks"
"""The file below the root, and not on the disk, by which the program says how far it is."""


@dataclass(eq=False, slots=True)
class _Open:
    node: File | Folder
    at: int
    appends: bool


class Replay:
    """A disk that follows a trace. `marks` are the words written so far to the file of that name."""

    def __init__(self, root: Path, disk: Disk, ignore: Sequence[str] = ("-shm",)):
        """Follow calls below `root`; a file whose name ends with one of `ignore` is not on the disk."""
        self._root = str(root)
        self._ignore = tuple(ignore)
        self._open: dict[int, _Open] = {}
        self._marks = File()
        self.disk = disk
        self.marks: list[str] = []

    def steps(self, calls: Sequence[Call]) -> Iterator[Call]:
        """Apply each call, and yield it where it changed the disk, or synced something, or was a mark."""
        for call in calls:
            if self._apply(call):
                yield call

    def _apply(self, call: Call) -> bool:
        does = getattr(self, f"_{_SAME.get(call.name, call.name)}", None)
        if does is None:
            raise NotImplementedError(f"the model of the disk does not know {call}")
        return bool(does(call))

    def _path(self, call: Call, number: int = 0) -> str | None:
        """The path of a call's number-th name, relative to the root; None where it lies outside."""
        name = call.data[number].decode()
        if not name.startswith("/"):
            name = posixpath.join(call.paths[number], name)
        name = posixpath.normpath(name)
        inside = name.startswith(f"{self._root}/") and not name.endswith(self._ignore)
        return name[len(self._root) + 1 :] if inside else None

    def _openat(self, call: Call) -> bool:
        name, path = call.data[0].decode(), self._path(call)
        flags = next(word for word in call.words if "O_" in word).split("|")
        if path is None or "O_TMPFILE" in flags:
            assert path is None or "O_TMPFILE" not in flags, "the model does not know O_TMPFILE"
            self._open.pop(call.result, None)
            if posixpath.normpath(name) == self._root:
                self._open[call.result] = _Open(self.disk.root, 0, False)
            return False
        if path == MARKS:
            self._open[call.result] = _Open(self._marks, 0, True)
            return False
        node, changed = self.disk.node(path), False
        if node is None:
            assert "O_CREAT" in flags, f"{path} was opened and is not in the model"
            node, changed = File(), True
            self.disk.name((path, node))
        elif "O_TRUNC" in flags and isinstance(node, File):
            node.put(Write(0, None))
            changed = True
        self._open[call.result] = _Open(node, 0, "O_APPEND" in flags)
        return changed

    def _of(self, call: Call) -> _Open | None:
        return self._open.get(int(call.words[0]))

    def _write(self, call: Call) -> bool:
        handle = self._of(call)
        if handle is None:
            return False
        data = b"".join(call.data)[: call.result]
        assert len(data) == call.result and isinstance(handle.node, File), call.name
        if handle.node is self._marks:
            self.marks += data.decode().split()
            return True
        at = len(handle.node.now) if handle.appends else handle.at
        handle.node.put(Write(at, data))
        handle.at = at + len(data)
        return True

    def _pwrite64(self, call: Call) -> bool:
        handle = self._of(call)
        if handle is None:
            return False
        assert isinstance(handle.node, File)
        at = int(call.words[-2] if call.name == "pwritev2" else call.words[-1])
        data = b"".join(call.data)[: call.result]
        assert len(data) == call.result
        handle.node.put(Write(at, data))
        return True

    def _sendfile(self, call: Call) -> bool:
        target, source = self._of(call), self._open.get(int(call.words[1]))
        if target is None:
            return False
        assert source is not None and isinstance(source.node, File) and isinstance(target.node, File), call
        target.node.put(Write(target.at, source.node.now[source.at : source.at + call.result]))
        target.at += call.result
        source.at += call.result
        return call.result > 0

    def _ftruncate(self, call: Call) -> bool:
        handle = self._of(call)
        if handle is None:
            return False
        assert isinstance(handle.node, File)
        handle.node.put(Write(int(call.words[1]), None))
        return True

    def _fallocate(self, call: Call) -> bool:
        handle = self._of(call)
        if handle is None:
            return False
        assert isinstance(handle.node, File) and call.words[1] == "0", call
        end = int(call.words[2]) + int(call.words[3])
        if end > len(handle.node.now):
            handle.node.put(Write(end, None))
        return True

    def _fsync(self, call: Call) -> bool:
        handle = self._of(call)
        if handle is not None:
            handle.node.sync()
        return handle is not None

    def _renameat2(self, call: Call) -> bool:
        old, new = self._path(call), self._path(call, 1)
        if old is None and new is None:
            return False
        assert old is not None and new is not None and "RENAME_EXCHANGE" not in call.words[-1], call
        self.disk.name((old, None), (new, self.disk.node(old)))
        return True

    def _linkat(self, call: Call) -> bool:
        old, new = self._path(call), self._path(call, 1)
        if new is None:
            return False
        assert old is not None
        self.disk.name((new, self.disk.node(old)))
        return True

    def _unlinkat(self, call: Call) -> bool:
        path = self._path(call)
        if path is None:
            return False
        self.disk.name((path, None))
        return True

    def _mkdirat(self, call: Call) -> bool:
        path = self._path(call)
        if path is None:
            return False
        self.disk.name((path, Folder()))
        return True

    def _lseek(self, call: Call) -> bool:
        handle = self._of(call)
        if handle is not None:
            handle.at = call.result
        return False

    def _dup(self, call: Call) -> bool:
        handle = self._of(call)
        if handle is not None and (call.name != "fcntl" or call.words[1].startswith("F_DUPFD")):
            self._open[call.result] = handle
        return False

    def _close(self, call: Call) -> bool:
        self._open.pop(int(call.words[0]), None)
        return False

    def _mmap(self, call: Call) -> bool:
        shared = "MAP_SHARED" in call.words[3] and "PROT_WRITE" in call.words[2]
        ours = call.paths and call.paths[0].startswith(f"{self._root}/")
        assert not (shared and ours and not call.paths[0].endswith(self._ignore)), (
            f"written without a call: {call}"
        )
        return False


_SAME = {
    "open": "openat",
    "writev": "write",
    "pwritev": "pwrite64",
    "pwritev2": "pwrite64",
    "fdatasync": "fsync",
    "rename": "renameat2",
    "renameat": "renameat2",
    "unlink": "unlinkat",
    "rmdir": "unlinkat",
    "mkdir": "mkdirat",
    "link": "linkat",
    "dup2": "dup",
    "dup3": "dup",
    "fcntl": "dup",
}
