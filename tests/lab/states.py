"""What a kill or a power cut may leave at every moment of a trace."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.disk import SECTOR, Disk, Pending, Tree, Write
from lab.replay import Replay
from lab.trace import Call

NEWEST = 8
"""So many of the things pending are left out, or let through alone, one by one."""


@dataclass(slots=True)
class CrashState:
    """What is on the disk after a crash behind the `call`-th call, and which steps were begun and done."""

    tree: Tree
    call: int
    kind: str
    begun: int
    done: int


def crash_states(
    calls: Sequence[Call], root: Path, disk: Disk, choose: random.Random, randoms: int, share: float = 1.0
) -> Iterator[CrashState]:
    """Every distinct state that a crash may leave of `disk`: at each call a kill and many power cuts.

    `randoms` power cuts a call are drawn at random; others are of each of the things that became pending
    last, which is there alone, or missing alone. Of all of them `share` come out.
    """
    replay = Replay(root, disk)
    seen: set[tuple[int, ...]] = set()
    for at, _ in enumerate(replay.steps(calls)):
        told = [int(mark.partition(":")[2]) for mark in replay.marks if mark.startswith("done:")]
        begun = [int(mark.partition(":")[2]) for mark in replay.marks if mark.startswith("begun:")]
        done_step, begun_step = max(told, default=-1), max(begun, default=-1)
        for kind, make in _kinds(replay.disk, choose, randoms):
            if share < 1 and choose.random() >= share:
                continue
            tree = make()
            key = _key(tree, begun_step, done_step)
            if key not in seen:
                seen.add(key)
                yield CrashState(tree, at, kind, begun_step, done_step)


def _kinds(disk: Disk, choose: random.Random, randoms: int) -> Iterator[tuple[str, Callable[[], Tree]]]:
    yield "kill", disk.now
    pending = disk.pending()
    if not pending:
        return
    yield "cut: nothing pending", disk.sure
    yield "cut: names, not bytes", lambda: disk.after(lambda each: not isinstance(each[0], Write))
    yield "cut: names and lengths", lambda: disk.after(lambda each: _length(each, b"\0"))
    yield "cut: bytes, not names", lambda: disk.after(lambda each: isinstance(each[0], Write))
    if len(pending) > 2:
        for one, _ in pending[-NEWEST:]:
            yield "cut: one missing", lambda one=one: disk.after(lambda each: each[0] is not one)
            yield "cut: one alone", lambda one=one: disk.after(lambda each: each[0] is one)
    for _ in range(randoms):
        odds = choose.choice([0.2, 0.5, 0.8])
        yield "cut: random", lambda odds=odds: disk.after(lambda each: _torn(each, odds, choose))


def _length(each: Pending, filler: bytes) -> list[Write] | bool:
    """A name, or of a write only how long it made its file, with `filler` where its bytes were to be."""
    write, sure = each
    if not isinstance(write, Write):
        return True
    if write.data is None:
        return [write]
    start, end = max(write.at, sure), write.at + len(write.data)
    return [Write(start, filler * (end - start))] if end > start else []


def _torn(each: Pending, odds: float, choose: random.Random) -> list[Write] | bool:
    """A name that came through or not; of a write the sectors that did.

    Where a lost sector is beyond the sure end of its file, there are zeros or what the disk held before.
    """
    write, sure = each
    if not isinstance(write, Write) or write.data is None:
        return choose.random() < odds
    parts = []
    at, end = write.at, write.at + len(write.data)
    while at < end:
        stop = min(end, at - at % SECTOR + SECTOR)
        part = Write(at, write.data[at - write.at : stop - write.at])
        if choose.random() < odds:
            parts.append(part)
        elif choose.random() < 0.5:
            parts += _length((part, sure), choose.choice([b"\0", b"\xa5"])) or []
        at = stop
    return parts


def _key(tree: Tree, *more: int) -> tuple[int, ...]:
    """What two states share when they are the same. Bytes keep their hash, so most of this is looked up."""
    return hash(frozenset(tree.items())), len(tree), *more


def lay_out(tree: Tree, folder: Path) -> None:
    """Make `tree` real in a new folder."""
    folder.mkdir(parents=True)
    for path, content in sorted(tree.items()):
        if content is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(content)
