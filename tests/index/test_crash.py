from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from crash import Tally as Kills
from crash import finish, kill_and_look, readers
from lab.crashes import Tally, check_model, first_crashes, inject, scratch, second_crashes, traced
from lab.disk import Change, Disk, File, Folder, Write
from lab.pool import Pool
from lab.trace import why_not

KILLS = 8
STORE, CARELESS = "lab.store:Store", "lab.store:Careless"
STATES = 100

posix = pytest.mark.skipif("sys.platform == 'win32'", reason="there is no SIGKILL on Windows")
tracing = pytest.mark.skipif(bool(why_not()), reason=why_not() or "all is there")


@posix
def test_a_writer_that_is_killed_leaves_its_last_commit(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    tally = Kills()
    with readers(tmp_path / "index", 2, tally):
        for seed in range(KILLS):
            kill_and_look(tmp_path / "index", tmp_path / "docs", seed, tally)
    finish(tmp_path / "index")
    assert tally.reopened == tally.states_exact == tally.searches_ok == KILLS
    assert tally.calls_done > 0
    assert tally.in_a_call > 0
    assert tally.views_read > KILLS


@pytest.fixture
def root() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        yield Path(folder)


@tracing
def test_whatever_a_crash_leaves_shows_what_was_acknowledged(root: Path) -> None:
    choose = random.Random(1)
    calls = traced(STORE, "run", root)
    assert check_model(calls, root, {}) > 500
    tally, right = Tally(), []
    with Pool(STORE) as pool:
        cases = list(first_crashes(calls, root, choose, share=0.06))
        for verdict in inject(choose.sample(cases, STATES), pool):
            tally.take(verdict)
            right.append(verdict)
        assert not tally.wrong, str(tally.wrong[0])
        again = list(second_crashes(STORE, calls, root, choose.sample(right, 8), choose, share=0.06))
        for verdict in inject(choose.sample(again, STATES), pool):
            tally.take(verdict)
    assert not tally.wrong, str(tally.wrong[0])
    assert tally.states == 2 * STATES
    assert len(tally.kinds) > 10


@tracing
def test_a_store_that_asks_for_no_certainty_is_caught(root: Path) -> None:
    calls = traced(CARELESS, "run", root)
    cases = first_crashes(calls, root, random.Random(2), share=0.05)
    tally = Tally()
    with Pool(STORE) as pool:
        for verdict in inject(islice(cases, 40), pool):
            tally.take(verdict)
    assert tally.wrong


# The model of the disk


def test_what_was_not_synced_may_be_lost_and_what_was_may_not() -> None:
    disk = Disk({"old": b"1"})
    old, new = disk.node("old"), File()
    assert isinstance(old, File)
    old.put(Write(1, b"23"))
    disk.name(("new", new))
    new.put(Write(0, b"x"))
    assert disk.now() == {"old": b"123", "new": b"x"}
    assert disk.sure() == {"old": b"1"}
    new.sync()
    assert disk.sure() == {"old": b"1"}
    disk.root.sync()
    assert disk.sure() == {"old": b"1", "new": b"x"}
    old.sync()
    assert disk.sure() == disk.now()
    assert disk.pending() == []


def test_a_rename_is_whole_or_absent() -> None:
    disk = Disk({"a": b"1", "b": b"2"})
    disk.name(("a", None), ("b", disk.node("a")))
    seen = [disk.after(lambda each, came=came: came) for came in (False, True)]
    assert seen == [{"a": b"1", "b": b"2"}, {"b": b"1"}]


def test_what_stands_in_a_folder_is_lost_with_its_name() -> None:
    disk = Disk()
    folder, file = Folder(), File()
    disk.name(("folder", folder))
    disk.name(("folder/file", file))
    file.put(Write(0, b"x"))
    for node in (folder, file):
        node.sync()
    assert disk.sure() == {}
    made = [each for each, _ in disk.pending()]
    assert [type(each) for each in made] == [Change]
    assert disk.after(lambda each: True) == disk.now() == {"folder": None, "folder/file": b"x"}


def test_a_name_that_was_removed_may_come_back_with_what_was_sure() -> None:
    disk = Disk({"file": b"sure"})
    file = disk.node("file")
    assert isinstance(file, File)
    file.put(Write(0, b"lost"))
    disk.name(("file", None))
    assert disk.now() == {}
    assert disk.sure() == {"file": b"sure"}
    assert disk.after(lambda each: isinstance(each[0], Write)) == {"file": b"lost"}
