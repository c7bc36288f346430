"""Perform one step of the script under a fault, and see what the store is like when the fault is gone."""

from __future__ import annotations

import json
import mmap
import os
import shutil
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from lab.faults import Fault, Tracer, refused
from lab.script import Disagreement, State, Step, perform, script, states
from lab.worker import AFTERWARDS

Make = Callable[..., Any]
TIMEOUT_S = 60
GO, DONE, LIFTED = range(3)


def lay_snapshots(make: Make, folder: str) -> dict[str, Any]:
    """Perform the script, and keep the index as it is before each step. It also loads all libraries."""
    steps, root = script(), Path(folder)
    live = root / "live" / "index"
    for number, step in enumerate(steps):
        (root / str(number)).mkdir(parents=True)
        if live.exists():
            shutil.copytree(live, root / str(number) / "index")
        subject = make(live, create=number == 0)
        if step.action != "open":
            perform(step, subject)
        subject.read()
        subject.close()
    return {"steps": len(steps)}


def endure(make: Make, folder: str, number: int, fault: Fault | None) -> dict[str, Any]:
    """What became of a step under a fault, in a child process that may die of it.

    With no fault the answer has under `calls` how often each system call was made.
    """
    root = Path(folder, "run", str(os.getpid()))
    shutil.copytree(Path(folder, str(number)), root)
    flags = mmap.mmap(-1, 16)
    process = os.fork()
    if process == 0:
        result: dict[str, Any]
        try:
            result = _perform_under(make, root / "index", number, fault, flags)
        except BaseException:
            result = {"wrong": traceback.format_exc()[-2000:]}
        (root / "result").write_text(json.dumps(result))
        os._exit(0)
    traced = fault is None or fault["kind"] == "call"
    calls: dict[str, int] = {}
    if traced:
        _wait(process, flags, GO)
        tracer = Tracer(process, fault, root / "log")
        flags[LIFTED] = 1  # the child goes on
        _wait(process, flags, DONE)
        calls = tracer.close()
        flags[LIFTED] = 2
    end = time.monotonic() + TIMEOUT_S
    while os.waitpid(process, os.WNOHANG) == (0, 0):
        if time.monotonic() > end:
            os.kill(process, signal.SIGKILL)
        time.sleep(0.001)
    written = root / "result"
    result = json.loads(written.read_text()) if written.exists() else {"wrong": "the process died or hung"}
    shutil.rmtree(root)
    return result | {"calls": calls}


def _wait(process: int, flags: mmap.mmap, flag: int) -> None:
    end = time.monotonic() + TIMEOUT_S
    while not flags[flag] and time.monotonic() < end and Path(f"/proc/{process}/stat").exists():
        time.sleep(0.001)


def _perform_under(
    make: Make, folder: Path, number: int, fault: Fault | None, flags: mmap.mmap
) -> dict[str, Any]:
    steps = script()
    step, shown = steps[number], states(steps)
    before, after = shown[number - 1] if number else {}, shown[number]
    subject = None if step.action == "open" else make(folder, create=False)
    result: dict[str, Any] = {"outcome": "done"}
    ours = fault is not None and fault["kind"] != "call"
    if not ours:
        flags[GO] = 1
        while flags[LIFTED] != 1:
            time.sleep(0.001)
    try:
        with refused(fault) if ours and fault else nullcontext() as counts:
            subject = _do(make, folder, step, number, subject)
    except Exception as error:
        result["outcome"] = type(error).__name__
        result["typed"] = _is_typed(error)
        result["message"] = str(error)[:500]
        if not result["typed"]:
            result["where"] = traceback.format_exc()[-2000:]
    if ours:
        result["functions"] = sum((counts or {}).values())
    else:
        flags[DONE] = 1
        while flags[LIFTED] != 2:
            time.sleep(0.001)
    allowed = [after] if result["outcome"] == "done" else [before, after]
    try:
        _see_that_all_is_well(make, folder, step, number, subject, allowed)
    except Disagreement as error:
        result["wrong"] = str(error)[:2000]
    except Exception:
        result["wrong"] = traceback.format_exc()[-2000:]
    return result


def _do(make: Make, folder: Path, step: Step, number: int, subject: Any) -> Any:
    if step.action == "open":
        return make(folder, create=number == 0)
    perform(step, subject)
    return subject


def _see_that_all_is_well(
    make: Make, folder: Path, step: Step, number: int, subject: Any, allowed: list[State]
) -> None:
    """See the last commit, do the step again, write once more, open once more: as if nothing had been."""
    after = allowed[-1]
    if subject is not None:
        _expect(subject.read(), allowed, "behind the fault")
    subject = _do(make, folder, step, number, subject)
    _expect(subject.read(), [after], "when the step was done again")
    subject.add(dict([AFTERWARDS]))
    _expect(subject.read(), [after | dict([AFTERWARDS])], "behind the next write")
    subject.close()
    subject = make(folder, create=False)
    _expect(subject.read(), [after | dict([AFTERWARDS])], "when it was opened again")
    subject.close()


def _expect(seen: State, allowed: list[State], when: str) -> None:
    if seen not in allowed:
        raise Disagreement(f"{when} it shows {seen}, not one of {allowed}")


def _is_typed(error: Exception) -> bool:
    from rag.errors import RagError

    return isinstance(error, RagError | MemoryError)
