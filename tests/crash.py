"""Kill a writer at a random moment, open its index again, and see whether it is what was acknowledged.

A child process adds, updates, deletes and compacts without end. Before each call it says what will be
visible when the call is done, and behind it that it is. After SIGKILL the index must show the last
state that was done or the one that was being made: nothing else, and no mixture.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from fakes import HashingEncoder
from harness import check_consistent

from rag.pipeline import Engine

FILES = 12
LONGEST_S = 0.5

State = dict[str, str]
"""The text of each document by the name of its file."""


@dataclass
class Tally:
    """What became of a number of kills."""

    kills: int = 0
    in_a_call: int = 0
    calls_done: int = 0
    reopened: int = 0
    states_exact: int = 0
    searches_ok: int = 0


def visible(engine: Engine) -> State:
    """What the last commit of an index shows."""
    with engine.view() as view:
        return {Path(each.source).name: view.document(each.id).text for each in view.documents()}


def write_without_end(index: Path, folder: Path, seed: int, acknowledge: Connection) -> None:
    """Change the index at random, and tell of it. Runs in the child, until it is killed."""
    choose = random.Random(seed)
    with Engine(index, encoder=HashingEncoder()) as engine:
        state = visible(engine)
        acknowledge.send(("done", "open", state))
        for number in range(1_000_000):
            names = sorted(choose.sample(range(FILES), choose.randint(1, 4)))
            action = choose.choice(["add", "add", "add", "delete", "compact"])
            present = [name for name in (f"f{at}.txt" for at in names) if name in state]
            if action == "add":
                texts = {f"f{at}.txt": _text(at, f"{seed}x{number}", choose) for at in names}
                for name, text in texts.items():
                    (folder / name).write_text(text)
                state = state | texts
                acknowledge.send(("begun", action, state))
                report = engine.add([folder / name for name in texts])
                assert len(report.indexed) == len(texts), report
            elif action == "delete" and present:
                ids = [each.id for each in engine.documents() if Path(each.source).name in present]
                state = {name: text for name, text in state.items() if name not in present}
                acknowledge.send(("begun", action, state))
                engine.delete(ids)
            else:
                acknowledge.send(("begun", "compact", state))
                engine.compact()
            acknowledge.send(("done", action, state))


def _text(at: int, version: str, choose: random.Random) -> str:
    sentences = choose.randint(1, 40)
    return f"File f{at} in version v{version}.\n" + "Some more words of it.\n" * sentences


def kill_and_look(index: Path, folder: Path, seed: int, tally: Tally) -> None:
    """Let a child write, kill it after a moment, and look at what it left."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fakes", "harness", "rag.pipeline"])
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=write_without_end, args=(index, folder, seed, sending), daemon=True)
    child.start()
    sending.close()
    told = [receiving.recv()]
    end = time.monotonic() + random.Random(seed).uniform(0, LONGEST_S)
    while receiving.poll(max(0.0, end - time.monotonic())):
        told.append(receiving.recv())
        if time.monotonic() > end:
            break
    assert child.exitcode is None, f"the writer ended by itself with {child.exitcode}"
    child.kill()
    child.join()
    try:
        while True:
            told.append(receiving.recv())
    except (
        EOFError,
        OSError,
    ):  # the kill may have cut a message short; then its call had not begun, or was done
        receiving.close()
    tally.kills += 1
    tally.calls_done += sum(kind == "done" for kind, _, _ in told) - 1
    tally.in_a_call += told[-1][0] == "begun"
    done = next(state for kind, _, state in reversed(told) if kind == "done")
    _look(index, [done, told[-1][2]], tally)


def _look(index: Path, allowed: list[State], tally: Tally) -> None:
    with Engine(index, encoder=HashingEncoder(), create=False) as engine:
        check_consistent(engine._store)
        tally.reopened += 1
        state = visible(engine)
        assert state in allowed, f"shown {sorted(state.items())}, not one of {allowed}"
        tally.states_exact += 1
        for mode in ("lexical", "dense", "hybrid"):
            hits = engine.search("file version words", k=1000, mode=mode)
            assert {Path(hit.source).name for hit in hits} == set(state), mode
            for hit in hits:
                assert state[Path(hit.source).name][hit.chunk.start : hit.chunk.end] == hit.chunk.text
        tally.searches_ok += 1


def finish(index: Path) -> None:
    """See that nothing which a kill left stays behind a compaction."""
    with Engine(index, encoder=HashingEncoder(), create=False) as engine:
        engine.compact()
        check_consistent(engine._store)
        segments = index / "segments"
        left = len(list(segments.iterdir())) if segments.exists() else 0
        assert left == engine.stats().segments <= 1
