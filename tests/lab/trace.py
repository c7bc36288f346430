"""Run a program under strace, and read what it asked of the files below one folder."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CHANGES = (
    "open openat creat write pwrite64 writev pwritev pwritev2 ftruncate truncate fallocate rename renameat "
    "renameat2 unlink unlinkat rmdir mkdir mkdirat link linkat symlink symlinkat fsync fdatasync "
    "copy_file_range sendfile"
).split()
PLACES = "lseek dup dup2 dup3 fcntl close mmap".split()
"""Calls that change no file, and say where the next one writes, or that a file may change without a call."""

_LINE = re.compile(r"^(\d+)\s+(.*)$")
_CALL = re.compile(r"^(\w+)\((.*)\)\s+= (-?\w+)(<[^>]*>)?")
_PART = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?|<([^>]*)>|([^",<\s]+)|(,)')
_UNFINISHED = " <unfinished ...>"


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that succeeded: each argument is a word, and where it has them a path or bytes."""

    name: str
    words: tuple[str, ...]
    paths: tuple[str, ...]
    data: tuple[bytes, ...]
    result: int


def why_not() -> str:
    """Why nothing can be traced here, `""` where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed (apt-get install strace)"
    try:
        tried = subprocess.run(
            ["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "true"], capture_output=True, check=False
        )
    except OSError as error:
        return f"strace cannot run: {error}"
    return "" if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.decode()[:200]}"


def run_traced(
    command: Sequence[str], root: Path, environment: Mapping[str, str], *, timeout_s: float = 600
) -> list[Call]:
    """Run `command` to its end and return its calls on what lies below `root`, in their order.

    `root` must be absolute and free of links, and the command must name files by whole paths.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        tracer = ["strace", "-f", "--seccomp-bpf", "-y", "-xx", "-s", str(1 << 26), "-e", "signal=none"]
        tracer += ["-e", f"trace={','.join([*CHANGES, *PLACES])}", "-o", str(log), "--", *command]
        done = subprocess.run(
            tracer, env=dict(environment), cwd="/", capture_output=True, timeout=timeout_s, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"the traced program ended with {done.returncode}: {done.stderr.decode()[-3000:]}"
            )
        with log.open() as lines:
            return list(read_calls(lines, root))


def read_calls(lines: Iterator[str], root: Path) -> Iterator[Call]:
    """The calls in the log of strace (-f -y -xx) that name something below `root`."""
    mark = "".join(f"\\x{byte:02x}" for byte in str(root).encode())
    cut: dict[str, str] = {}
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue
        process, text = match[1], match[2].rstrip()
        if text.endswith(_UNFINISHED):
            cut[process] = text.removesuffix(_UNFINISHED)
            continue
        if text.startswith("<... "):
            text = cut.pop(process) + text.partition(" resumed>")[2]
        if mark in text:
            call = _read_call(text)
            if call is not None:
                yield call


def _read_call(text: str) -> Call | None:
    found = _CALL.match(text)
    if found is None or found[3].startswith("-") or found[3] == "?":
        return None
    words, paths, data = [""], [], []
    for quoted, more, path, word, comma in _PART.findall(found[2]):
        if more:
            raise RuntimeError("strace cut a buffer short")
        if comma:
            words.append("")
        elif path:
            paths.append(_bytes(path).decode())
        elif word:
            words[-1] += word.removesuffix("(deleted)")
        else:
            data.append(_bytes(quoted))
    if found[4]:
        paths.append(_bytes(found[4][1:-1]).decode())
    return Call(found[1], tuple(words), tuple(paths), tuple(data), int(found[3], 0))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
