"""What can be refused to a program: calls of the system, of our own file functions, room, files, memory.

Each fault is a dict of plain values, so that it can be sent to a worker, and a context in which it holds.
"""

from __future__ import annotations

import functools
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Fault = dict[str, Any]

CALLS = {
    "openat": ("EMFILE", "ENOSPC", "EIO"),
    "write": ("ENOSPC", "EIO"),
    "pwrite64": ("ENOSPC", "EIO"),
    "ftruncate": ("ENOSPC", "EIO"),
    "fallocate": ("ENOSPC", "EIO"),
    "fsync": ("ENOSPC", "EIO"),
    "fdatasync": ("ENOSPC", "EIO"),
    "mkdir": ("ENOSPC", "EIO"),
    "rename": ("ENOSPC", "EIO"),
    "unlink": ("EIO",),
    "unlinkat": ("EIO",),
    "rmdir": ("EIO",),
}
"""Calls that change something, and what a disk may answer."""


@contextmanager
def refused(fault: Fault, module: str = "rag.index.files") -> Iterator[Counter[str]]:
    """Let a fault hold for as long as the context is open; it counts the calls that it may refuse.

    Raises:
        ValueError: it is no fault of this process.
    """
    counts: Counter[str] = Counter()
    match fault["kind"]:
        case "function":
            with _functions(fault, module, counts):
                yield counts
        case "size":
            with _limited("RLIMIT_FSIZE", fault["limit"]):
                yield counts
        case "files":
            with _limited("RLIMIT_NOFILE", _files_open() + fault["limit"]):
                yield counts
        case "heap":
            import apsw

            apsw.hard_heap_limit(fault["limit"])
            try:
                yield counts
            finally:
                apsw.hard_heap_limit(0)
        case _:
            raise ValueError(f"no fault of this process: {fault}")


@contextmanager
def _functions(fault: Fault, module: str, counts: Counter[str]) -> Iterator[None]:
    """Refuse the number-th call of any function of a module, or from it on all."""
    calls = 0

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            counts[function.__name__] += 1
            hit = calls == fault["number"] or (fault["forever"] and calls > fault["number"])
            if hit and not fault["behind"]:
                raise _error(fault["error"])
            result = function(*args, **options)
            if hit:
                raise _error(fault["error"])
            return result

        return call

    undo: list[Callable[[], None]] = []
    source = sys.modules[module]
    for name, thing in list(vars(source).items()):
        if getattr(thing, "__module__", "") != module or name.startswith("_") or isinstance(thing, type):
            continue
        replacement = watched(thing)
        for each in [each for path, each in sys.modules.items() if path.startswith("rag.")]:
            if getattr(each, name, None) is thing:
                setattr(each, name, replacement)
                undo.append(functools.partial(setattr, each, name, thing))
    for kind in [thing for thing in vars(source).values() if isinstance(thing, type)]:
        if kind.__module__ != module:
            continue
        for thing in list(vars(kind).values()):
            if isinstance(thing, functools.cached_property):
                undo.append(functools.partial(setattr, thing, "func", thing.func))
                thing.func = watched(thing.func)
    try:
        yield
    finally:
        for each in undo:
            each()


def _error(name: str) -> BaseException:
    from rag.errors import IndexFailed

    return MemoryError() if name == "MemoryError" else IndexFailed("refused")


@contextmanager
def _limited(name: str, limit: int) -> Iterator[None]:
    import resource

    what = getattr(resource, name)
    soft, hard = resource.getrlimit(what)
    resource.setrlimit(what, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(what, (soft, hard))


def _files_open() -> int:
    return max(int(path.name) for path in Path("/proc/self/fd").iterdir()) + 1


class Tracer:
    """strace, attached to a process to count its calls, or to refuse one of them, or from one on all."""

    def __init__(self, process: int, fault: Fault | None, log: Path):
        wanted = f"trace={','.join(CALLS)}"
        command = ["strace", "-p", str(process), "-qq", "-s", "0", "-o", str(log), "-e", "signal=none"]
        if fault is not None:
            wanted = f"trace={fault['call']}"
            when = f"{fault['number']}{'+' if fault['forever'] else ''}"
            command += ["-e", f"inject={fault['call']}:error={fault['error']}:when={when}"]
        self._log = log
        self._process = subprocess.Popen([*command, "-e", wanted], stderr=subprocess.DEVNULL)
        status = Path(f"/proc/{process}/status")
        while "TracerPid:\t0\n" in status.read_text():
            if self._process.poll() is not None:
                raise RuntimeError("strace could not attach")
            time.sleep(0.001)

    def close(self) -> Counter[str]:
        """Let go of the process, and return how often it made each call."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait()
        lines = self._log.read_text().splitlines()
        return Counter(line.partition("(")[0] for line in lines if "(" in line)
