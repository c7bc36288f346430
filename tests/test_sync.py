from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import HashingEncoder, document
from harness import check_consistent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag import sources
from rag.errors import InputError, SyncRefused
from rag.index.writer import Writer
from rag.pipeline import Engine
from rag.sync import SyncPlan
from rag.types import Principal

Open = Callable[..., Engine]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.txt", "b.txt", "sub/c.txt", "sub/d.txt"):
        (folder / name).write_text(f"A word of {name}.")
    return folder


@pytest.fixture(autouse=True)
def old_files_are_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "JUST_NOW_S", -3600.0)


def shown(engine: Engine) -> dict[str, str]:
    """The text of every document by its source."""
    with engine.view() as view:
        return {each.source: view.document(each.id).text for each in view.documents()}


def texts_below(folder: Path) -> dict[str, str]:
    """What is to be shown, by a walk of one's own."""
    return {str(path): path.read_text() for path in folder.rglob("*.txt")}


def names(plan: SyncPlan) -> dict[str, list[str]]:
    """The plan by file names, without what is empty."""
    parts = {
        "added": plan.added,
        "changed": plan.changed,
        "removed": plan.removed,
        "unchanged": plan.unchanged,
        "moved": [" > ".join(Path(each).name for each in pair) for pair in plan.moved],
    }
    return {part: [Path(each).name for each in sources] for part, sources in parts.items() if sources}


def test_a_sync_brings_in_and_takes_out(open_engine: Open, folder: Path, encoder: HashingEncoder) -> None:
    engine = open_engine()
    assert names(engine.sync(folder).plan) == {"added": ["a.txt", "b.txt", "c.txt", "d.txt"]}
    embedded = encoder.embedded
    (folder / "a.txt").unlink()
    (folder / "b.txt").write_text("Another word.")
    (folder / "sub/c.txt").rename(folder / "moved.txt")
    (folder / "new.txt").write_text("A new word.")
    expected = {
        "added": ["new.txt"],
        "changed": ["b.txt"],
        "removed": ["a.txt"],
        "unchanged": ["d.txt"],
        "moved": ["c.txt > moved.txt"],
    }
    before = engine.stats(), shown(engine)
    dry = engine.sync(folder, dry_run=True)
    assert names(dry.plan) == expected
    assert dry.added is None
    assert (engine.stats(), shown(engine)) == before
    assert engine.sync(folder).plan == dry.plan
    assert shown(engine) == texts_below(folder)
    assert encoder.embedded == embedded + 2
    check_consistent(engine._store)
    commit = engine.stats().commit
    assert names(engine.sync(folder).plan) == {"unchanged": ["b.txt", "moved.txt", "new.txt", "d.txt"]}
    assert engine.stats().commit == commit


def test_unchanged_files_are_not_read(
    open_engine: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine()
    engine.sync(folder)

    def refuse(path: Path) -> bytes:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr("rag.sync.read_bytes", refuse)
    monkeypatch.setattr("rag.intake.read_bytes", refuse)
    assert len(engine.sync(folder, dry_run=True).plan.unchanged) == 4
    assert len(engine.sync(folder).plan.unchanged) == 4


def test_a_touched_file_is_unchanged(open_engine: Open, folder: Path) -> None:
    engine = open_engine()
    engine.sync(folder)
    os.utime(folder / "a.txt", (1, 1))
    assert len(engine.sync(folder).plan.unchanged) == 4


def test_what_moved_keeps_its_fields_and_vectors(
    open_engine: Open, folder: Path, encoder: HashingEncoder
) -> None:
    engine = open_engine()
    engine.add(folder / "a.txt", metadata={"team": "hr"}, readers=["ann"])
    engine.sync(folder)
    embedded, commit = encoder.embedded, engine.stats().commit
    (folder / "a.txt").rename(folder / "sub/z.txt")
    shown_to_ann = Principal("ann")
    engine.sync(folder)
    (hit,) = engine.search("word", where={"team": "hr"}, principal=shown_to_ann)
    assert hit.source == str(folder / "sub/z.txt")
    assert str(folder / "sub/z.txt") not in {
        hit.source for hit in engine.search("word", principal=Principal("bob"))
    }
    assert encoder.embedded == embedded
    assert engine.stats().commit <= commit + 2  # the move, and the stamp of the new file


def test_files_change_places(open_engine: Open, folder: Path, encoder: HashingEncoder) -> None:
    engine = open_engine()
    engine.sync(folder)
    embedded = encoder.embedded
    (folder / "b.txt").rename(folder / "kept.txt")
    (folder / "a.txt").rename(folder / "b.txt")
    (folder / "sub/c.txt").rename(folder / "x")
    (folder / "sub/d.txt").rename(folder / "sub/c.txt")
    (folder / "x").rename(folder / "sub/d.txt")
    plan = engine.sync(folder).plan
    moves = ["a.txt > b.txt", "b.txt > kept.txt", "d.txt > c.txt", "c.txt > d.txt"]
    assert names(plan) == {"moved": moves}
    assert shown(engine) == texts_below(folder)
    assert encoder.embedded == embedded
    check_consistent(engine._store)


def test_a_name_may_be_given_to_new_text_when_its_old_text_moves(
    open_engine: Open, folder: Path, encoder: HashingEncoder
) -> None:
    engine = open_engine()
    engine.sync(folder)
    embedded = encoder.embedded
    (folder / "a.txt").rename(folder / "old.txt")
    (folder / "a.txt").write_text("Fresh words.")
    plan = engine.sync(folder).plan
    assert names(plan) == {
        "changed": ["a.txt"],
        "moved": ["a.txt > old.txt"],
        "unchanged": ["b.txt", "c.txt", "d.txt"],
    }
    assert shown(engine) == texts_below(folder)
    assert encoder.embedded == embedded + 1


def test_one_of_two_files_of_the_same_bytes_goes(open_engine: Open, folder: Path) -> None:
    shutil.copy(folder / "a.txt", folder / "same.txt")
    engine = open_engine()
    engine.sync(folder)
    (folder / "a.txt").unlink()
    assert names(engine.sync(folder).plan)["removed"] == ["a.txt"]
    assert shown(engine) == texts_below(folder)


def test_only_what_lies_under_the_folders_goes(open_engine: Open, folder: Path, tmp_path: Path) -> None:
    engine = open_engine()
    engine.add(folder)
    engine.add([document("Handed in.", "guide"), document("Too.", str(folder / "sub" / "no-file.txt"))])
    twin = tmp_path / "docs2"
    shutil.copytree(folder / "sub", twin)
    (twin / "c.txt").write_text("Other words.")
    engine.add(twin / "c.txt")
    for gone in (folder / "a.txt", folder / "sub/c.txt", twin / "c.txt"):
        gone.unlink()
    assert names(engine.sync(folder / "sub").plan) == {"removed": ["c.txt"], "unchanged": ["d.txt"]}
    left = {"a.txt", "b.txt", "d.txt", "guide", "no-file.txt"}
    assert {Path(source).name for source in shown(engine)} == left | {"c.txt"}
    assert str(twin / "c.txt") in shown(engine)
    engine.sync([folder, twin], allow_mass_deletion=True)
    assert {Path(source).name for source in shown(engine)} == left - {"a.txt"}


def test_hidden_files_that_were_named_stay(open_engine: Open, folder: Path) -> None:
    (folder / ".secret.txt").write_text("A word.")
    engine = open_engine()
    engine.add(folder / ".secret.txt")
    engine.sync(folder)
    assert str(folder / ".secret.txt") in shown(engine)


def test_another_tenants_files_stay(open_engine: Open, folder: Path) -> None:
    engine = open_engine()
    for tenant in ("x", "y"):
        engine.sync(folder, tenant=tenant)
    (folder / "a.txt").unlink()
    assert names(engine.sync(folder, tenant="x").plan)["removed"] == ["a.txt"]
    assert len(engine.documents(principal=Principal(tenant="x"))) == 3
    assert len(engine.documents(principal=Principal(tenant="y"))) == 4


@pytest.mark.parametrize("state", ["empty", "vanished"])
def test_a_folder_that_is_not_mounted_removes_nothing(open_engine: Open, folder: Path, state: str) -> None:
    engine = open_engine()
    engine.sync(folder)
    before = shown(engine)
    shutil.rmtree(folder)
    if state == "empty":
        folder.mkdir()
    assert names(engine.sync(folder, dry_run=True).plan) == {"removed": ["a.txt", "b.txt", "c.txt", "d.txt"]}
    with pytest.raises(SyncRefused, match="mount it again, or allow mass deletion"):
        engine.sync(folder)
    assert shown(engine) == before
    engine.sync(folder, allow_mass_deletion=True)
    assert shown(engine) == {}


def test_a_mass_deletion_is_refused(open_engine: Open, folder: Path) -> None:
    for at in range(16):
        (folder / f"{at}.txt").write_text(f"Number {at}.")
    engine = open_engine()
    engine.sync(folder)
    for at in range(10):
        (folder / f"{at}.txt").unlink()
    (folder / "a.txt").write_text("Changed as well.")
    assert len(engine.sync(folder).plan.removed) == 10, "so few may go, and half may"
    for at in range(10, 16):
        (folder / f"{at}.txt").unlink()
    for at in range(100, 112):
        (folder / f"{at}.txt").write_text(f"Number {at}.")
    engine.sync(folder)
    for at in range(100, 111):
        (folder / f"{at}.txt").unlink()
    before = shown(engine)
    assert "11 of 16" in engine.sync(folder, dry_run=True).plan.refusal
    with pytest.raises(SyncRefused, match="11 of 16 documents' files are gone"):
        engine.sync(folder)
    assert shown(engine) == before
    engine.sync(folder, allow_mass_deletion=True)
    assert shown(engine) == texts_below(folder)


def test_what_cannot_be_read_stays(open_engine: Open, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_engine()
    engine.sync(folder)
    before = shown(engine)
    (folder / "a.txt").write_text("Changed, and locked.")
    closed = {str(folder / "sub"), str(folder / "a.txt")}

    def of_closed(call: Callable[[Path], object]) -> Callable[[Path], object]:
        def asked(path: Path) -> object:
            if str(path) in closed:
                raise PermissionError(13, "Permission denied", str(path))
            return call(path)

        return asked

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", of_closed(os.scandir))
        patch.setattr(Path, "read_bytes", of_closed(Path.read_bytes))
        report = engine.sync(folder)
        assert report.plan.removed == ()
        assert {Path(each.source).name for each in report.added.failed} == {"a.txt", "sub"}
        assert shown(engine) == before
        closed.add(str(folder))
        with pytest.raises(SyncRefused, match="cannot be listed"):
            engine.sync(folder)
    assert engine.sync(folder).plan.removed == (str(folder / "sub"),), "the line of the folder alone"
    assert shown(engine) == texts_below(folder)
    check_consistent(engine._store)


def test_a_link_to_a_folder_outside_is_named(open_engine: Open, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/e.txt").write_text("Behind the link.")
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "circle").symlink_to(folder)
    engine = open_engine()
    (failed,) = engine.sync(folder).added.failed
    assert f"{folder / 'link'} is a link to a folder" in failed.reason
    (folder / "a.txt").unlink()
    assert names(engine.sync(folder).plan)["removed"] == ["a.txt"]


def test_relative_and_linked_folders_are_the_same(
    open_engine: Open, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engine = open_engine()
    engine.sync(folder)
    (tmp_path / "way").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    for other in ("docs", "./docs/../docs/", "way", Path("docs"), [folder, "docs/sub"]):
        assert len(engine.sync(other).plan.unchanged) == 4


def test_metadata_reaches_what_is_unchanged(open_engine: Open, folder: Path, encoder: HashingEncoder) -> None:
    engine = open_engine()
    engine.sync(folder)
    embedded = encoder.embedded
    engine.sync(folder, metadata={"team": "hr"})
    assert len(engine.search("word", where={"team": "hr"})) == 4
    assert encoder.embedded == embedded


def test_what_failed_is_tried_again(open_engine: Open, folder: Path) -> None:
    (folder / "bad.pdf").write_bytes(b"no PDF")
    (folder / "photo.xyz").write_bytes(b"no document")
    engine = open_engine()
    engine.sync(folder)
    plan = engine.sync(folder).plan
    assert names(plan)["added"] == ["bad.pdf"]
    assert "photo.xyz" in names(plan)["unchanged"]


def test_the_index_may_live_in_its_folder(open_engine: Open, tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("A word.")
    engine = open_engine()
    assert names(engine.sync(tmp_path).plan) == {"added": ["one.txt"]}


def test_names_that_are_no_folders_are_refused(open_engine: Open, folder: Path) -> None:
    engine = open_engine()
    for wrong, reason in (
        (folder / "a.txt", "is a file"),
        (folder / "none", "does not exist"),
        ("", "name a folder"),
        ([], "name a folder"),
    ):
        with pytest.raises(InputError, match=reason):
            engine.sync(wrong)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("calls", range(4))
def test_a_sync_that_was_broken_off_is_ended_by_the_next(
    open_engine: Open, folder: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    engine = open_engine()
    engine.sync(folder)
    before = shown(engine)
    (folder / "a.txt").rename(folder / "moved.txt")
    (folder / "b.txt").unlink()
    (folder / "sub/c.txt").write_text("Changed.")
    (folder / "new.txt").write_text("New.")
    done = 0
    with monkeypatch.context() as patch:
        for name in ("add", "forget_sources"):

            def broken(self: Writer, *values: object, call: object = getattr(Writer, name)) -> int:
                nonlocal done
                done += 1
                if done > calls:
                    raise Killed
                return call(self, *values)

            patch.setattr(Writer, name, broken)
        if calls < 3:
            with pytest.raises(Killed):
                engine.sync(folder)
        else:
            engine.sync(folder)
    missing = set(before.values()) - set(shown(engine).values())
    assert missing <= {before[str(folder / "b.txt")], before[str(folder / "sub/c.txt")]}
    engine.sync(folder)
    assert shown(engine) == texts_below(folder)
    check_consistent(engine._store)


def sync_without_end(index: Path, folder: Path) -> None:
    with Engine(index, encoder=HashingEncoder()) as engine:
        at = 0
        while True:
            at += 1
            (folder / "turn.txt").write_text(f"Turn {at}.")
            (folder / f"moves{at - 1}.txt").rename(folder / f"moves{at}.txt")
            engine.sync(folder)


def test_a_killed_sync_is_ended_by_the_next(open_engine: Open, folder: Path, tmp_path: Path) -> None:
    (folder / "moves0.txt").write_text("What moves.")
    engine = open_engine()
    context = multiprocessing.get_context("fork" if os.name == "posix" else None)
    for wait in (0.05, 0.11, 0.2):
        child = context.Process(target=sync_without_end, args=(tmp_path / "index", folder))
        child.start()
        time.sleep(wait)
        child.kill()
        child.join()
        (folder / "turn.txt").write_text("The last turn.")
        if (moved := next(folder.glob("moves*.txt"))).name != "moves0.txt":
            moved.rename(folder / "moves0.txt")
        engine.sync(folder)
        assert shown(engine) == texts_below(folder)
        check_consistent(engine._store)


actions = st.lists(
    st.tuples(st.sampled_from(["write", "remove", "move"]), st.integers(0, 5), st.integers(0, 5)),
    max_size=12,
)


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(runs=st.lists(actions, min_size=1, max_size=3))
def test_the_index_is_as_the_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, runs: list
) -> None:
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    place = tmp_path_factory.mktemp("sync")
    folder = place / "docs"
    folder.mkdir()
    with Engine(place / "index", encoder=HashingEncoder()) as engine:
        for run in runs:
            for action, one, other in run:
                path = folder / f"f{one}.txt"
                if action == "write":
                    path.write_text(f"Text {other}.")
                elif action == "remove":
                    path.unlink(missing_ok=True)
                elif path.exists():
                    path.rename(folder / f"f{other}.txt")
            held = set(shown(engine).values())
            encoder = engine.encoder
            before = encoder.embedded
            plan = engine.sync(folder, allow_mass_deletion=True).plan
            files = texts_below(folder)
            assert sorted(shown(engine).values()) == sorted(set(files.values()))
            assert shown(engine).items() <= files.items()
            assert encoder.embedded - before <= len(set(files.values()) - held)
            parts = [plan.added, plan.changed, plan.unchanged, [new for _, new in plan.moved]]
            assert sorted(source for part in parts for source in part) == sorted(files)
        check_consistent(engine._store)
