from __future__ import annotations

import multiprocessing
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import HashingEncoder, document
from harness import check_consistent

import rag
import rag.index.backup as module
from rag.errors import IndexCorrupt, IndexNotFound, InputError, RagError
from rag.index.backup import backup, restore
from rag.pipeline import Engine
from rag.types import Principal

Open = Callable[..., Engine]


def filled(engine: Engine, commits: int = 3) -> Engine:
    """An index of several segments, tombstones, tenants and readers."""
    for at in range(commits):
        engine.add([document(f"Text {at} of document {each}. " * 30, f"{at}-{each}") for each in range(4)])
    engine.add(document("Text of a tenant.", "own"), tenant="acme", readers=["ann"])
    engine.delete(engine.documents(principal=Principal())[0].id)
    return engine


def contents(engine: Engine) -> list[object]:
    """All that two indexes of the same commit agree on."""
    found: list[object] = [engine.stats().commit]
    for tenant in engine.tenants():
        who = Principal(tenant=tenant, operator=True)
        with engine.view(who) as view:
            found += [view.document(each.id) for each in view.documents()]
        found.append(engine.search("text document 2", principal=who))
    return found


def opened(folder: Path) -> Engine:
    return Engine(folder, encoder=HashingEncoder(), create=False)


def files_of(folder: Path) -> list[Path]:
    """The files of an index, without those that SQLite and the lock make and remove."""
    passing = ("write.lock", "index.db-wal", "index.db-shm")
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in passing)


def test_what_is_restored_is_what_was_backed_up(open_engine: Open, tmp_path: Path) -> None:
    engine = filled(open_engine())
    before = contents(engine)
    assert backup(tmp_path / "index", tmp_path / "copies" / "one") == engine.stats().commit
    engine.add(document("Later text.", "later"))
    engine.compact()
    assert contents(engine) != before
    assert restore(tmp_path / "copies" / "one", tmp_path / "again") == before[0]
    for folder in (tmp_path / "copies" / "one", tmp_path / "again"):
        with opened(folder) as other:
            assert contents(other) == before
            check_consistent(other._store)
    with opened(tmp_path / "again") as other:
        other.add(document("It goes on.", "more"))
        other.compact()
        assert other.search("goes on", principal=Principal())[0].source == "more"
        check_consistent(other._store)
    with opened(tmp_path / "copies" / "one") as other:
        assert contents(other) == before, "the backup is no part of what was restored of it"


def test_segments_are_linked_and_take_no_room(open_engine: Open, tmp_path: Path) -> None:
    filled(open_engine())
    backup(tmp_path / "index", tmp_path / "copy")
    for path in (tmp_path / "copy" / "segments").rglob("*.npy"):
        assert path.samefile(tmp_path / "index" / path.relative_to(tmp_path / "copy"))


def test_segments_are_copied_where_there_are_no_links(
    open_engine: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = filled(open_engine())

    def refuse(source: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    backup(tmp_path / "index", tmp_path / "copy")
    with opened(tmp_path / "copy") as other:
        assert contents(other) == contents(engine)


@pytest.mark.parametrize("links", [True, False])
def test_a_backup_is_made_while_others_write_and_merge(
    open_engine: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    engine = filled(open_engine())
    if not links:
        monkeypatch.setattr(module, "_link_or_copy", module._copy)
    stop = threading.Event()
    failures: list[BaseException] = []

    def write() -> None:
        at = 0
        try:
            while not stop.is_set():
                at += 1
                engine.add(document(f"Written meanwhile, number {at}.", f"w{at % 5}"))
                if at % 7 == 0:
                    engine.compact()
        except RagError as error:
            if "holds an old commit" not in str(error):  # a compaction beside a backup may have to wait
                failures.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for at in range(4):
            commit = backup(tmp_path / "index", tmp_path / f"copy{at}")
            restore(tmp_path / f"copy{at}", tmp_path / f"again{at}")
            with opened(tmp_path / f"again{at}") as other:
                assert other.stats().commit == commit
                check_consistent(other._store)
    finally:
        stop.set()
        thread.join()
    assert failures == []


def test_a_merge_in_the_middle_is_no_matter(
    open_engine: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = filled(open_engine())
    taken = 0
    thread = threading.Thread(target=engine.compact)

    def slow(source: Path, target: Path, call: Callable[[Path, Path], None] = module._copy) -> None:
        nonlocal taken
        taken += 1
        if taken == 5:
            thread.start()  # its merges are done at once, and then it waits for the backup to end
            while engine.stats().segments > 2:
                time.sleep(0.01)
        call(source, target)

    monkeypatch.setattr(module, "_link_or_copy", slow)
    commit = backup(tmp_path / "index", tmp_path / "copy")
    thread.join()
    assert taken > 5
    with opened(tmp_path / "copy") as other:
        assert other.stats().commit == commit
        assert contents(other)[1:] == contents(engine)[1:]
        check_consistent(other._store)
    assert len(list((tmp_path / "copy" / "segments").iterdir())) == engine.stats().segments


def test_nothing_is_written_over(open_engine: Open, tmp_path: Path) -> None:
    filled(open_engine())
    (tmp_path / "taken").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for taken in (tmp_path / "taken", tmp_path / "index", tmp_path / "dangling"):
        with pytest.raises(InputError, match="exists already"):
            backup(tmp_path / "index", taken)
    backup(tmp_path / "index", tmp_path / "copy")
    (tmp_path / "taken" / "file").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for taken in (tmp_path / "taken", tmp_path / "index", tmp_path / "file"):
        with pytest.raises(InputError, match="no empty folder"):
            restore(tmp_path / "copy", taken)
    assert (tmp_path / "taken" / "file").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    restore(tmp_path / "copy", tmp_path / "empty")
    with opened(tmp_path / "empty") as engine:
        check_consistent(engine._store)


def test_what_is_no_index_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    for folder in (tmp_path / "plain", tmp_path / "none"):
        with pytest.raises(IndexNotFound):
            backup(folder, tmp_path / "copy")
        with pytest.raises(IndexNotFound):
            restore(folder, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_every_damage_to_a_backup_is_found_before_anything_is_written(
    open_engine: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(open_engine(), commits=1)
    monkeypatch.setattr(module, "_link_or_copy", module._copy)
    whole, copy = tmp_path / "whole", tmp_path / "copy"
    backup(tmp_path / "index", whole)
    for path in files_of(whole):
        name = path.relative_to(whole)
        size = path.stat().st_size
        for damage in ("missing", "shorter", *range(0, size, max(1, size // 4))):
            shutil.copytree(whole, copy)
            if damage == "missing":
                (copy / name).unlink()
            else:
                data = bytearray(path.read_bytes())
                if damage == "shorter":
                    del data[-1:]
                else:
                    data[damage] ^= 0x40
                (copy / name).write_bytes(data)
            with pytest.raises((IndexCorrupt, IndexNotFound)) as caught:
                restore(copy, tmp_path / "again")
            assert name.name in str(caught.value) or name.parts[0] in str(caught.value), (name, damage)
            assert not (tmp_path / "again").exists()
            shutil.rmtree(copy)


def test_a_damaged_index_is_not_backed_up(open_engine: Open, tmp_path: Path) -> None:
    engine = filled(open_engine())
    engine.close()
    victim = next((tmp_path / "index" / "segments").rglob("documents.npy"))
    data = bytearray(victim.read_bytes())
    data[-3] ^= 1
    victim.write_bytes(data)
    with pytest.raises(IndexCorrupt, match=r"documents\.npy is damaged"):
        backup(tmp_path / "index", tmp_path / "copy")
    victim.unlink()
    with pytest.raises(IndexCorrupt, match=r"documents\.npy is missing"):
        backup(tmp_path / "index", tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["index"], "nothing is left of it"


def test_a_backup_is_restored_from_where_nothing_may_be_written(open_engine: Open, tmp_path: Path) -> None:
    engine = filled(open_engine())
    backup(tmp_path / "index", tmp_path / "copy")
    before = sorted(path.name for path in (tmp_path / "copy").iterdir())
    restore(tmp_path / "copy", tmp_path / "again")
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == before
    with opened(tmp_path / "again") as other:
        assert contents(other) == contents(engine)


def test_a_plain_copy_of_the_folder_is_restored_with_its_log(open_engine: Open, tmp_path: Path) -> None:
    engine = filled(open_engine())
    engine.add(document("Only in the log.", "log"))
    shutil.copytree(tmp_path / "index", tmp_path / "copy")
    restore(tmp_path / "copy", tmp_path / "again")
    with opened(tmp_path / "again") as other:
        assert contents(other) == contents(engine)


def test_a_backup_of_an_empty_index(open_engine: Open, tmp_path: Path) -> None:
    open_engine()
    backup(tmp_path / "index", tmp_path / "copy")
    restore(tmp_path / "copy", tmp_path / "again")
    with opened(tmp_path / "again") as other:
        assert other.documents() == []
        other.add(document("A word.", "one"))


def test_every_page_of_a_copy_carries_its_checksum(open_engine: Open, tmp_path: Path) -> None:
    filled(open_engine())
    backup(tmp_path / "index", tmp_path / "copy")
    database = tmp_path / "copy" / "index.db"
    data = database.read_bytes()
    assert data[20] == 8, "bytes kept free for it at the end of each page"
    for at in range(len(data) // 4096):
        place = at * 4096 + 2048
        database.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(IndexCorrupt):
            restore(tmp_path / "copy", tmp_path / "again")


def copy_slowly(kind: str, source: Path, target: Path, at: int) -> None:
    """Back up or restore, and stand still before the `at`-th file, until killed. Runs in the child."""
    calls = 0

    def counted(call: Callable[..., None]) -> Callable[..., None]:
        def stopped(*values: object) -> None:
            nonlocal calls
            calls += 1
            if calls > at:
                (target.parent / "standing").touch()
                time.sleep(60)
            call(*values)

        return stopped

    for name in ("_take", "_copy_database", "write_head", "flush_folder"):
        setattr(module, name, counted(getattr(module, name)))
    (backup if kind == "backup" else restore)(source, target)
    (target.parent / "standing").touch()
    time.sleep(60)


@pytest.mark.parametrize("kind", ["backup", "restore"])
def test_a_kill_leaves_no_half_index_that_opens(open_engine: Open, tmp_path: Path, kind: str) -> None:
    engine = filled(open_engine(), commits=1)
    backup(tmp_path / "index", tmp_path / "copy")
    source = tmp_path / ("index" if kind == "backup" else "copy")
    context = multiprocessing.get_context("fork" if os.name == "posix" else None)
    done = 0
    for at in range(200):
        place = tmp_path / f"{kind}{at}"
        place.mkdir()
        child = context.Process(target=copy_slowly, args=(kind, source, place / "new", at))
        child.start()
        while not (place / "standing").exists():
            assert child.is_alive()
            time.sleep(0.002)
        child.kill()
        child.join()
        if (place / "new").exists():
            try:
                with opened(place / "new") as other:
                    assert contents(other) == contents(engine)
                    check_consistent(other._store)
                    done += 1
            except (IndexCorrupt, IndexNotFound):
                assert not done and kind == "restore"
        shutil.rmtree(place)
        if done > 2:
            return
    raise AssertionError("it never came to an end")


def test_the_engine_and_the_face_do_it_too(open_engine: Open, tmp_path: Path) -> None:
    engine = filled(open_engine())
    commit = engine.backup(str(tmp_path / "copy"))
    assert rag.restore(str(tmp_path / "copy"), tmp_path / "again") == commit
    with opened(tmp_path / "again") as other:
        assert contents(other) == contents(engine)
