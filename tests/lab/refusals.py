"""Refuse a store every call it makes, once and for ever, and tell how it took it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from lab.faults import CALLS, Fault
from lab.pool import Pool, Worker
from lab.script import script

SIZES = (0, 1, 100, 511, 1024, 4096, 5000, 8192, 12_000, 20_000, 32_768, 65_536, 100_000)
HEAPS = (50_000, 100_000, 150_000, 200_000, 300_000, 400_000, 600_000, 1_000_000)

Trial = tuple[int, Fault]
"""A step of the script by its number, and what is refused meanwhile."""


@dataclass(slots=True)
class Tally:
    """The count of trials by what was refused, and of what became of the step; and each thing wrong."""

    trials: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    untyped: list[tuple[Trial, dict[str, Any]]] = field(default_factory=list)
    wrong: list[tuple[Trial, dict[str, Any]]] = field(default_factory=list)

    def take(self, trial: Trial, answer: dict[str, Any]) -> None:
        """Count one."""
        self.trials += 1
        fault = trial[1]
        how = "for ever" if fault.get("forever", True) else "once"
        self.refused[f"{fault.get('error') or fault['kind']} {how}"] += 1
        self.outcomes[answer.get("outcome", "died")] += 1
        if not answer.get("typed", True):
            self.untyped.append((trial, answer))
        if "wrong" in answer or "died" in answer:
            self.wrong.append((trial, answer))


def system_trials(pool: Pool, folder: str) -> Iterator[Trial]:
    """A trial for every system call of every step that changes something, each error, once and for ever."""
    for number, calls in _asked_of_every_step(pool, folder, None):
        for call, count in sorted(calls["calls"].items()):
            for at in range(1, count + 1):
                for error in CALLS[call]:
                    for forever in (False, True):
                        kind = {"kind": "call", "call": call, "number": at, "error": error}
                        yield number, kind | {"forever": forever}


def own_trials(pool: Pool, folder: str) -> Iterator[Trial]:
    """A trial for every call of our own file functions, before and behind it, and for limits of all kinds."""
    counting: Fault = {"kind": "function", "number": -1, "error": "EIO", "behind": False, "forever": False}
    for number, answer in _asked_of_every_step(pool, folder, counting):
        for at in range(1, answer["functions"] + 1):
            for error in ("MemoryError", "IndexFailed"):
                for behind, forever in ((False, False), (True, False), (False, True)):
                    yield (
                        number,
                        counting | {"number": at, "error": error, "behind": behind, "forever": forever},
                    )
        for limit in SIZES:
            yield number, {"kind": "size", "limit": limit}
        for limit in HEAPS:
            yield number, {"kind": "heap", "limit": limit}
        for limit in range(16):
            yield number, {"kind": "files", "limit": limit}


def _asked_of_every_step(
    pool: Pool, folder: str, fault: Fault | None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The answer of each step under `fault`, but for those that do the same as another."""
    steps = script()
    alike = {at for at, step in enumerate(steps) if step.action == "add" and steps[at - 1].action == "add"}
    numbers = [at for at in range(len(steps)) if at not in alike or at + 1 not in alike]
    asked = ((number, fault) for number in numbers)
    yield from zip(numbers, pool.run(asked, _asking(folder)), strict=True)


def _asking(folder: str) -> Any:
    def one(trial: tuple[int, Fault | None], worker: Worker) -> dict[str, Any]:
        return worker.ask(
            {"task": "lab.endure:endure", "folder": folder, "number": trial[0], "fault": trial[1]}
        )

    return one


def refuse(trials: Sequence[Trial], pool: Pool, folder: str, most: int | None, choose: Random) -> Tally:
    """Perform trials, or `most` of them drawn at random."""
    if most is not None and most < len(trials):
        trials = choose.sample(trials, most)
    tally, asking = Tally(), _asking(folder)
    for trial, answer in zip(trials, pool.run(trials, asking), strict=True):
        tally.take(trial, answer)
    return tally


def prepare(pool: Pool, folder: str) -> None:
    """Lay the snapshots that trials begin with, and let every worker load what it needs."""
    for number, worker in enumerate(pool.workers):
        where = folder if number == 0 else f"{folder}/only-to-load-{number}"
        made = worker.ask({"task": "lab.endure:lay_snapshots", "folder": where})
        if "steps" not in made:
            raise RuntimeError(f"the script does not run: {made}")
