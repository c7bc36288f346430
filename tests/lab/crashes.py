"""Crash a store at every call it makes, and tell what became of what it had acknowledged."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from lab.disk import Disk, Tree
from lab.pool import Pool, Worker, environment
from lab.replay import Replay
from lab.script import State, script, states
from lab.states import CrashState, crash_states, lay_out
from lab.trace import Call, run_traced
from lab.worker import AFTERWARDS


@dataclass(frozen=True, slots=True)
class Case:
    """A crash state and what an index may show of it: first what was acknowledged, then what was begun.

    With `create` nothing was acknowledged yet, not even that there is an index.
    """

    state: CrashState
    allowed: tuple[State, ...]
    create: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a crash state: `right`, or what is wrong with it; and what was shown, if anything."""

    case: Case
    what: str
    detail: str = ""
    lost: int = 0
    shown: State | None = None

    def __str__(self) -> str:
        state = self.case.state
        return f"{self.what} ({state.kind} behind call {state.call}, in step {state.begun}): {self.detail}"


@dataclass(slots=True)
class Tally:
    """The count of crash states by kind, and by verdict of a kill or a power cut, and each thing wrong."""

    states: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    documents_lost: int = 0
    wrong: list[Verdict] = field(default_factory=list)

    def take(self, verdict: Verdict) -> None:
        """Count one."""
        self.states += 1
        self.kinds[verdict.case.state.kind] += 1
        self.verdicts[verdict.what, "power cut" if "cut" in verdict.case.state.kind else "kill"] += 1
        self.documents_lost += verdict.lost
        if verdict.what != "right":
            self.wrong.append(verdict)


def scratch() -> str:
    """Where folders are made in memory, if anywhere: there are ten thousand."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else tempfile.gettempdir()


def traced(subject: str, task: str, root: Path, *more: Path, python: str = sys.executable) -> list[Call]:
    """The calls below `root` that a subject makes over a task of `lab.worker`."""
    command = [python, "-m", "lab.worker", subject, task, *map(str, more or [root])]
    return run_traced(command, root, environment())


def check_model(calls: Sequence[Call], root: Path, before: Tree) -> int:
    """See that the model ends with what is on the real disk, and return how often that changed."""
    replay = Replay(root, Disk(before))
    steps = sum(1 for _ in replay.steps(calls))
    real: Tree = {
        str(path.relative_to(root)): None if path.is_dir() else path.read_bytes()
        for path in root.rglob("*")
        if path.name != "marks" and not path.name.endswith("-shm")
    }
    model = replay.disk.now()
    assert model.keys() == real.keys(), f"on one disk only: {model.keys() ^ real.keys()}"
    wrong = [path for path in real if real[path] != model[path]]
    assert not wrong, f"the model of the disk has other bytes in {wrong}"
    return steps


def first_crashes(
    calls: Sequence[Call], root: Path, choose: Random, *, randoms: int = 4, share: float = 1.0
) -> Iterator[Case]:
    """What crashes may leave of the script, by its trace."""
    shown = states(script())
    for state in crash_states(calls, root, Disk(), choose, randoms, share):
        acknowledged = shown[state.done] if state.done >= 0 else {}
        begun = shown[state.begun] if state.begun >= 0 else {}
        yield Case(state, (acknowledged, begun), create=state.done < 0)


def second_crashes(
    subject: str,
    calls: Sequence[Call],
    root: Path,
    first: Sequence[Verdict],
    choose: Random,
    *,
    randoms: int = 4,
    share: float = 1.0,
    python: str = sys.executable,
) -> Iterator[Case]:
    """What crashes may leave while the index is opened and written to behind each of the `first`.

    Behind a power cut all of the disk is sure. Behind a kill it is as unsure as it was, and what was
    shown then may still be lost, unless it was acknowledged, or is by the write that follows.
    """
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        roots = [Path(folder, str(number)) for number in range(len(first))]
        for verdict, each in zip(first, roots, strict=True):
            lay_out(verdict.case.state.tree, each)
        recovery = traced(subject, "recover", Path(folder), *roots, python=python)
        for verdict, each in zip(first, roots, strict=True):
            state, seen = verdict.case.state, verdict.shown
            assert seen is not None
            killed = state.kind.endswith("kill")
            disk = _disk_at(calls, root, state.call) if killed else Disk(state.tree)
            before = verdict.case.allowed if killed else (seen,)
            after = seen | dict([AFTERWARDS])
            for again in crash_states(recovery, each, disk, choose, randoms, share):
                again.kind = f"{state.kind}, then {again.kind}"
                allowed = (after,) if again.done == 1 else (*before, after) if again.begun == 1 else before
                yield Case(again, allowed, create=verdict.case.create and again.done < 0)


def _disk_at(calls: Sequence[Call], root: Path, call: int) -> Disk:
    replay = Replay(root, Disk())
    for _ in islice(replay.steps(calls), call + 1):
        pass
    return replay.disk


def judge(case: Case, answer: dict[str, Any]) -> Verdict:
    """Compare what an index shows after a crash with what it may."""
    acknowledged, problem = case.allowed[0], answer.get("error", "") + answer.get("where", "")
    seen: State | None = answer.get("state")
    if "died" in answer or (seen is None and problem):
        return Verdict(case, "unopenable", answer.get("died", problem), len(acknowledged))
    if seen is None:
        return Verdict(case, "half visible", answer["disagreement"])
    lost = sum(seen.get(name) not in [state.get(name) for state in case.allowed] for name in acknowledged)
    if lost:
        return Verdict(case, "lost", f"shows {sorted(seen)} of {sorted(acknowledged)}", lost, seen)
    if seen not in case.allowed:
        return Verdict(case, "half visible", f"shows {seen}, not one of {case.allowed}", 0, seen)
    if "after" not in answer:
        return Verdict(case, "not writable", answer.get("disagreement", problem), 0, seen)
    if answer["after"] != seen | dict([AFTERWARDS]):
        return Verdict(case, "half visible", f"after one more write {answer['after']}", 0, seen)
    return Verdict(case, "right", "", 0, seen)


def inject(cases: Iterable[Case], pool: Pool) -> Iterator[Verdict]:
    """Make every crash state real, and judge what the index shows of it and whether it can be written to."""
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        yield from pool.run(enumerate(cases), _looking_in(Path(folder)))


def _looking_in(folder: Path) -> Callable[[tuple[int, Case], Worker], Verdict]:
    def one(job: tuple[int, Case], worker: Worker) -> Verdict:
        number, case = job
        root = folder / str(number)
        lay_out(case.state.tree, root)
        answer = worker.ask(
            {"task": "look", "folder": str(root / "index"), "create": case.create, "write": True}
        )
        shutil.rmtree(root)
        return judge(case, answer)

    return one
