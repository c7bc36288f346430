"""Kill a writer at a random moment while others read, and see whether the index is what was acknowledged.

A child process adds, updates, deletes and compacts without end. Before each call it
says what will be visible when the call is done, and behind it that it is. After SIGKILL the index must
show the last state that was done or the one that was being made: nothing else, and no mixture. Readers
stay open over many kills; whatever one of them sees must be a state that was announced, each newer than
the one before.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

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
    views_read: int = 0
    announced: set[str] = field(default_factory=set)


def context() -> ForkServerContext:
    """Processes that begin with all that they need."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["fakes", "harness", "rag.pipeline"])
    return made


def visible(engine: Engine) -> State:
    """What the last commit of an index shows."""
    with engine.view() as view:
        return {Path(each.source).name: view.document(each.id).text for each in view.documents()}


def mark(state: State) -> str:
    """A name for a state."""
    return hashlib.sha256(repr(sorted(state.items())).encode()).hexdigest()[:16]


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


def read_until(index: Path, stop: Any, tell: Connection) -> None:
    """Look at the index again and again, whole, and tell at the end what was seen, or what went wrong."""
    seen: list[tuple[int, str]] = []
    views = 0
    try:
        with Engine(index, encoder=HashingEncoder(), create=False) as engine:
            while not stop.is_set():
                with engine.view() as view:
                    state = {Path(each.source).name: view.document(each.id).text for each in view.documents()}
                    for mode in ("lexical", "dense") if state else ():
                        hits = engine.retriever(view, mode)("file version words", k=1000)
                        assert {Path(hit.source).name for hit in hits} == set(state), mode
                        for hit in hits:
                            text = state[Path(hit.source).name]
                            assert text[hit.chunk.start : hit.chunk.end] == hit.chunk.text
                    views += 1
                    if not seen or seen[-1] != (view.commit, mark(state)):
                        seen.append((view.commit, mark(state)))
                time.sleep(0.02)  # there may be fewer cores than processes
    except Exception as error:
        tell.send(f"{type(error).__name__}: {error}")
    else:
        tell.send((views, seen))


@contextmanager
def readers(index: Path, count: int, tally: Tally) -> Iterator[None]:
    """Let `count` processes read for as long as the context is open; then see that they saw what was so."""
    Engine(index, encoder=HashingEncoder()).close()
    tally.announced.add(mark({}))
    made = context()
    stop = made.Event()
    pipes = [made.Pipe(duplex=False) for _ in range(count)]
    children = [
        made.Process(target=read_until, args=(index, stop, sending), daemon=True) for _, sending in pipes
    ]
    for child in children:
        child.start()
    try:
        yield
    finally:
        stop.set()
        told = [receiving.recv() for receiving, _ in pipes]
        for child in children:
            child.join()
    for each in told:
        assert not isinstance(each, str), f"a reader failed: {each}"
        views, seen = each
        tally.views_read += views
        commits = [commit for commit, _ in seen]
        assert commits == sorted(set(commits)), "a reader saw an older commit behind a newer, or one change"
        assert {state for _, state in seen} <= tally.announced, "a reader saw a state that never was"


def kill_and_look(index: Path, folder: Path, seed: int, tally: Tally) -> None:
    """Let a child write, kill it after a moment, and look at what it left."""
    made = context()
    receiving, sending = made.Pipe(duplex=False)
    child = made.Process(target=write_without_end, args=(index, folder, seed, sending), daemon=True)
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
    except (EOFError, OSError):
        receiving.close()  # the kill may have cut a message short; then its call had not begun, or was done
    tally.kills += 1
    tally.calls_done += sum(kind == "done" for kind, _, _ in told) - 1
    tally.in_a_call += told[-1][0] == "begun"
    tally.announced |= {mark(state) for _, _, state in told}
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
