"""What a model made of a prompt's beginning, kept so that it is not read again.

A state is found by the model, the runtime and the very tokens that it stands for, within one
partition (a tenant): another partition's states are neither found nor touched. States in memory are
bounded in bytes; those in a folder too, where one is given, and are sealed, so that a damaged or
foreign file is thrown away and never handed to native code.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_MAGIC = b"ragstate1\n"
_SUFFIX = ".state"


class StateStore:
    """States by partition and tokens, in memory and, where `folder` is given, on disk.

    Args:
        model: What made the states: a model's digest and all that changes what its states mean.
        memory_bytes: How much may be held in memory; the longest unused goes first.
        folder: Where states outlive the process; readable by its user alone. None: nowhere.
        disk_bytes: How much may be held there.
    """

    def __init__(
        self,
        model: str,
        *,
        memory_bytes: int = 512 << 20,
        folder: str | Path | None = None,
        disk_bytes: int = 4 << 30,
    ) -> None:
        self._model = model
        self._memory_bytes, self._disk_bytes = memory_bytes, disk_bytes
        self._folder = Path(folder) if folder else None
        self._held: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, partition: str, tokens: Sequence[int]) -> bytes | None:
        """The state after `tokens`, None where there is none that is whole."""
        key = self._key(partition, tokens)
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        state = self._read(key)
        if state is not None:
            self._hold(key, state)
        return state

    def has(self, partition: str, tokens: Sequence[int]) -> bool:
        """Whether a state after `tokens` is held, in memory or by its file's name."""
        key = self._key(partition, tokens)
        with self._lock:
            held = key in self._held
        path = self._path(key)
        return held or (path is not None and path.exists())

    def put(self, partition: str, tokens: Sequence[int], state: bytes) -> None:
        """Keep the state after `tokens`. One that is larger than the bound is not kept."""
        key = self._key(partition, tokens)
        self._hold(key, state)
        self._write(key, state)

    def forget(self, partition: str | None = None) -> None:
        """Drop all states, or a partition's, on disk too: words of documents can be read out of them."""
        where = None if partition is None else self._key(partition, ())[0]
        with self._lock:
            for key in [key for key in self._held if where in (None, key[0])]:
                self._size -= len(self._held.pop(key))
        # What a process that died was writing goes as well.
        for path in self._folder.glob(f"{where or '*'}/*") if self._folder else ():
            _remove(path)

    def _key(self, partition: str, tokens: Sequence[int]) -> tuple[str, str]:
        where = hashlib.sha256(b"partition\0" + partition.encode("utf-8", "surrogatepass")).hexdigest()
        seen = hashlib.sha256(f"{where}\0{self._model}\0".encode())
        seen.update(np.asarray(tokens, np.int32).tobytes())
        return where, seen.hexdigest()

    def _hold(self, key: tuple[str, str], state: bytes) -> None:
        with self._lock:
            if len(state) > self._memory_bytes:
                return
            self._size += len(state) - len(self._held.pop(key, b""))
            self._held[key] = state
            while self._size > self._memory_bytes:
                _, dropped = self._held.popitem(last=False)
                self._size -= len(dropped)

    def _path(self, key: tuple[str, str]) -> Path | None:
        return self._folder / key[0] / f"{key[1]}{_SUFFIX}" if self._folder else None

    def _read(self, key: tuple[str, str]) -> bytes | None:
        """The state in a file whose seal holds. Any other is removed."""
        path = self._path(key)
        if path is None:
            return None
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError:
            _remove(path)
            return None
        state = _unsealed(data, key)
        if state is None:
            _remove(path)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return state

    def _write(self, key: tuple[str, str], state: bytes) -> None:
        """Write the file whole or not at all. A disk that refuses costs speed only."""
        path = self._path(key)
        if path is None or len(state) > self._disk_bytes:
            return
        with contextlib.suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".new", delete=False) as file:
                try:
                    file.write(_sealed(state, key))
                    file.flush()
                    Path(file.name).replace(path)
                except OSError:
                    _remove(Path(file.name))
                    raise
            self._trim()

    def _trim(self) -> None:
        """Remove the files that were longest unused until the rest is within the bound."""
        assert self._folder is not None
        found = []
        for path in self._folder.glob(f"*/*{_SUFFIX}"):
            with contextlib.suppress(OSError):
                about = path.stat()
                found.append((about.st_mtime_ns, about.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found, key=lambda each: (each[0], str(each[2]))):
            if total <= self._disk_bytes:
                break
            _remove(path)
            total -= size


def _sealed(state: bytes, key: tuple[str, str]) -> bytes:
    """The bytes of a file: whose it is, how long, the checksum of all of it, the state."""
    about = _MAGIC + bytes.fromhex(key[0]) + bytes.fromhex(key[1]) + struct.pack("<Q", len(state))
    return about + hashlib.sha256(about + state).digest() + state


def _unsealed(data: bytes, key: tuple[str, str]) -> bytes | None:
    length = len(_MAGIC) + 64 + 8
    about, seal, state = data[:length], data[length : length + 32], data[length + 32 :]
    mine = _MAGIC + bytes.fromhex(key[0]) + bytes.fromhex(key[1]) + struct.pack("<Q", len(state))
    whole = about == mine and hashlib.sha256(about + state).digest() == seal
    return state if whole else None


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
