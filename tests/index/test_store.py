from __future__ import annotations

import multiprocessing
import sqlite3
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import HashingEncoder, document
from harness import check_consistent

from rag.errors import (
    DocumentNotFound,
    EncoderMismatch,
    IndexClosed,
    IndexCorrupt,
    IndexFormatError,
    IndexLocked,
    IndexNotFound,
)
from rag.index import database, desk, plan
from rag.pipeline import Engine
from rag.types import Document, Settings

Open = Callable[..., Engine]


def sources(engine: Engine, query: str = "word", **options: object) -> set[str]:
    return {hit.source for hit in engine.search(query, k=100, **options)}


def contents(folder: Path) -> bytes:
    """Every byte under an index, and the stored texts once more, unpacked."""
    raw = b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    connection = database.connect(folder / "index.db")
    texts = [zlib.decompress(block) for (block,) in connection.execute("SELECT text FROM texts")]
    connection.close()
    return raw + b"".join(texts)


# Views


def test_a_view_keeps_its_commit_while_others_write(open_engine: Open) -> None:
    engine, other = open_engine(), open_engine()
    engine.add([document("old word", "a"), document("other word", "b")])
    with engine.view() as view:
        before = (view.commit, view.lexical("word", 9).scores.tolist())
        writing = threading.Thread(
            target=lambda: (other.delete(other.documents()[0].id), other.add(document("new word here", "c")))
        )
        writing.start()
        writing.join()
        assert (view.commit, view.lexical("word", 9).scores.tolist()) == before
        assert {hit.source for hit in view.hits(view.lexical("word", 9))} == {"a", "b"}
        assert len(view.hits(view.dense(engine.encoder.encode(["word"])[0], 9))) == 2
        assert sources(other) == sources(engine) == {"b", "c"}
    assert sources(engine) == {"b", "c"}


def _search_until(path: Path, stop: object, problems: object) -> None:
    with Engine(path, encoder=HashingEncoder(), create=False) as engine:
        while not stop.is_set():
            try:
                found = {
                    (hit.source, hit.chunk.text) for hit in engine.search("generation", k=50, mode="lexical")
                }
                ages = {text.split()[1] for _, text in found}
                if len(found) != 3 or len(ages) != 1:
                    problems.put(repr(found))
            except Exception as error:
                problems.put(repr(error))


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_readers_see_whole_commits_only(open_engine: Open, tmp_path: Path, kind: str) -> None:
    engine = open_engine()

    def write(age: int) -> None:
        engine.add([document(f"generation {age} of {name}", name) for name in "abc"])

    write(0)
    context = multiprocessing.get_context("spawn")
    stop, problems = context.Event(), context.Queue()
    start = threading.Thread if kind == "thread" else context.Process
    reader = start(target=_search_until, args=(tmp_path / "index", stop, problems))
    reader.start()
    for age in range(1, 13):
        write(age)
        if age % 3 == 0:
            engine.compact()
    stop.set()
    reader.join()
    assert problems.empty(), problems.get()
    check_consistent(engine._store)


def test_a_segment_that_took_the_place_of_another_is_not_mistaken_for_it(open_engine: Open) -> None:
    engine, reader = open_engine(), open_engine()
    engine.add(document("first word", "a"))
    assert sources(reader) == {"a"}
    engine.delete(engine.documents()[0].id)
    engine.compact()
    engine.add([document("second thing", "b"), document("third thing", "c")])
    assert sources(reader, "second", mode="lexical") == {"b"}
    assert sources(reader, "first", mode="lexical") == set()


def test_compaction_under_an_open_view_says_that_text_is_left(
    open_engine: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, reader = open_engine(), open_engine()
    engine.add([document("secret word", "a"), document("plain word", "b")])
    monkeypatch.setattr(database, "BUSY_MS", 100)
    slow = open_engine()
    with reader.view() as view:
        slow.delete(engine.documents()[0].id)
        with pytest.raises(IndexLocked, match="deleted text is still on disk"):
            slow.compact()
        assert len(view.lexical("word", 5).rows) == 2
    slow.compact()
    check_consistent(engine._store)


# Deleting


@pytest.fixture
def small_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs over few rows too, which would be scanned."""
    monkeypatch.setattr(plan, "FEWEST_ROWS", 1)


@pytest.mark.usefixtures("small_graphs")
@pytest.mark.parametrize("settings", [None, Settings(kind="hnsw")], ids=["flat", "hnsw"])
def test_deleted_text_is_in_no_file_after_compaction(
    open_engine: Open, tmp_path: Path, settings: Settings | None
) -> None:
    engine = open_engine(settings=settings)
    secret = document("the zyxqvut clause\n" * 400, "hidden-zyxqvut.txt", owner="zyxqvut")
    engine.add([secret, document("plain words", "b")])
    engine.add(document("more words", "c"))
    assert b"zyxqvut" in contents(tmp_path / "index")
    engine.delete(secret.id)
    assert sources(engine, "zyxqvut", mode="lexical") == set()
    assert "hidden-zyxqvut.txt" not in sources(engine, "zyxqvut", mode="dense")
    with pytest.raises(DocumentNotFound):
        engine.document(secret.id)
    engine.compact()
    assert b"zyxqvut" not in contents(tmp_path / "index")
    assert engine.stats().segments == 1
    check_consistent(engine._store)


def test_replaced_text_is_in_no_file_after_compaction(open_engine: Open, tmp_path: Path) -> None:
    engine = open_engine()
    engine.add(document("zyxqvut was here", "a"))
    engine.add(document("something else is", "a"))
    engine.compact()
    assert b"zyxqvut" not in contents(tmp_path / "index")
    check_consistent(engine._store)


def test_everything_can_be_deleted(open_engine: Open) -> None:
    engine = open_engine()
    engine.add([document(f"word {at}", f"s{at}") for at in range(5)])
    engine.delete([each.id for each in engine.documents()])
    assert engine.search("word") == []
    engine.compact()
    assert (engine.stats().documents, engine.stats().chunks, engine.stats().segments) == (0, 0, 0)
    assert engine.search("word") == []
    engine.compact()
    engine.add(document("word again", "s"))
    assert sources(engine) == {"s"}
    check_consistent(engine._store)


def test_deleting_what_is_not_there_deletes_nothing(open_engine: Open) -> None:
    engine = open_engine()
    engine.add(document("word", "a"))
    known = engine.documents()[0].id
    with pytest.raises(DocumentNotFound):
        engine.delete([known, "nothing"])
    assert sources(engine) == {"a"}


@pytest.mark.usefixtures("small_graphs")
@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_no_deleted_row_comes_out_of_a_search(open_engine: Open, kind: str) -> None:
    engine = open_engine(settings=Settings(kind=kind))
    engine.add([document(f"word number {at}", f"s{at}", even=at % 2 == 0) for at in range(60)])
    gone = [each.id for each in engine.documents()[:30]]
    engine.delete(gone)
    kept = {each.source for each in engine.documents()}
    for mode in ("dense", "lexical", "hybrid"):
        assert sources(engine, "word number 7", mode=mode) == kept
        even = sources(engine, "word number 7", mode=mode, where={"even": True})
        assert even == {source for source in kept if int(source[1:]) % 2 == 0}
    reopened = open_engine()
    assert sources(reopened, "word number 7", mode="dense") == kept
    engine.compact()
    assert sources(engine, "word number 7", mode="dense") == kept
    check_consistent(engine._store)


# Segments


def test_many_small_adds_keep_few_segments_and_copy_little(
    open_engine: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine()
    copied: list[int] = []
    from rag.index.segments import SegmentWriter

    merge = SegmentWriter._merge

    def counted(writer: SegmentWriter, numbers: list[int]) -> None:
        copied.append(
            sum(
                rows
                for (rows,) in writer._desk.connection.execute(
                    f"SELECT rows FROM segments WHERE id IN ({','.join('?' * len(numbers))})", numbers
                )
            )
        )
        merge(writer, numbers)

    monkeypatch.setattr(SegmentWriter, "_merge", counted)
    for at in range(72):
        engine.add(document(f"word {at}", f"s{at}"))
    assert engine.stats().segments <= 7 * 2 + 1
    assert sum(copied) <= 2 * 72  # each row as often as the index grew eightfold
    assert len(sources(engine, mode="lexical")) == 72
    check_consistent(engine._store)
    before = [(hit.chunk.id, hit.score) for hit in engine.search("word 7", k=50)]
    engine.compact()
    after = [(hit.chunk.id, hit.score) for hit in engine.search("word 7", k=50)]
    assert [name for name, _ in after] == [name for name, _ in before]
    assert [score for _, score in after] == pytest.approx([score for _, score in before], rel=1e-5)
    check_consistent(engine._store)


@pytest.mark.parametrize("mode", ["lexical", "dense", "hybrid"])
def test_ties_come_in_the_order_of_their_chunk_ids_whatever_the_segments(
    open_engine: Open, mode: str
) -> None:
    engine = open_engine()
    for at in range(5):
        names = [f"{(7 * at + part) % 30:02}" for part in range(2)]
        engine.add([Document(name, name, "", "same word") for name in names])
    ids = [hit.chunk.id for hit in engine.search("same word", k=30, mode=mode)]
    assert ids == sorted(ids)
    for k in (1, 3, 7):
        assert [hit.chunk.id for hit in engine.search("same word", k=k, mode=mode)] == ids[:k]
    engine.compact()
    assert [hit.chunk.id for hit in engine.search("same word", k=30, mode=mode)] == ids


# Opening


def test_what_is_reopened_is_what_was_closed(open_engine: Open) -> None:
    engine = open_engine(settings=Settings(size_tokens=20, overlap_tokens=5, k1=1.2))
    text = "First sentence of it. " * 30
    engine.add(document(text, "a", team="hr"))
    hits = engine.search("sentence", k=5)
    engine.close()
    again = open_engine()
    assert again.settings == Settings(size_tokens=20, overlap_tokens=5, k1=1.2)
    assert again.search("sentence", k=5) == hits
    found = again.document(again.documents()[0].id)
    assert (found.text, found.metadata, found.source) == (text, {"team": "hr"}, "a")
    with pytest.raises(IndexFormatError, match="was made with"):
        open_engine(settings=Settings())


def test_a_long_document_of_many_blocks_keeps_its_offsets(open_engine: Open) -> None:
    engine = open_engine()
    text = "".join(f"Zeile {at} läuft 😀 weiter.\n" for at in range(3000))
    engine.add(document(text, "a"))
    check_consistent(engine._store)
    for hit in engine.search("Zeile 1500", k=20):
        assert text[hit.chunk.start : hit.chunk.end] == hit.chunk.text


def test_another_encoder_is_refused_and_changes_nothing(open_engine: Open) -> None:
    engine = open_engine()
    engine.add(document("word", "a"))
    commit = engine.stats().commit
    other = open_engine(encoder=HashingEncoder(name="another"))
    for use in (
        lambda: other.search("word"),
        lambda: other.ask("word"),
        lambda: other.add(document("new word", "b")),
        lambda: other.add(Path(__file__).parent.parent.parent / "README.md"),
    ):
        with pytest.raises(EncoderMismatch, match="another"):
            use()
    assert engine.stats().commit == commit
    assert sources(other, mode="lexical") == {"a"}


def test_two_encoders_that_met_an_empty_index_do_not_both_write_to_it(open_engine: Open) -> None:
    one, two = open_engine(), open_engine(encoder=HashingEncoder(name="another"))
    assert one.encoder and two.encoder
    one.add(document("word", "a"))
    with pytest.raises(EncoderMismatch):
        two.add(document("new word", "b"))
    assert sources(one) == {"a"}
    check_consistent(one._store)


def test_no_index_where_none_is(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFound):
        Engine(tmp_path / "nothing", create=False)
    assert not (tmp_path / "nothing").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "diary.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("full", "file"):
        with pytest.raises(IndexNotFound):
            Engine(tmp_path / name)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["diary.txt"]


def _open_index(path: Path) -> None:
    Engine(path).close()


def test_processes_that_make_one_index_at_once_make_one(tmp_path: Path) -> None:
    threads = [threading.Thread(target=_open_index, args=(tmp_path / "index",)) for _ in range(8)]
    failed: list[object] = []
    hook, threading.excepthook = threading.excepthook, lambda args: failed.append(args.exc_value)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        threading.excepthook = hook
    assert failed == []
    with Engine(tmp_path / "index") as engine:
        assert engine.stats().commit == 0


def test_a_newer_format_and_a_stranger_are_refused(open_engine: Open, tmp_path: Path) -> None:
    open_engine().close()
    connection = database.connect(tmp_path / "index" / "index.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(IndexFormatError, match="upgrade"):
        open_engine()
    stranger = tmp_path / "stranger" / "index.db"
    stranger.parent.mkdir()
    connection = sqlite3.connect(stranger)
    connection.execute("CREATE TABLE mine (a)")
    connection.close()
    before = stranger.read_bytes()
    with pytest.raises(IndexFormatError, match="another program"):
        Engine(stranger.parent)
    assert stranger.read_bytes() == before


# Closing


def test_closing(open_engine: Open) -> None:
    engine = open_engine()
    engine.add(document("word", "a"))
    with engine.view() as view:
        engine.close()
        assert len(view.lexical("word", 5).rows) == 1
    engine.close()
    for use in (
        lambda: engine.search("word"),
        lambda: engine.add(document("b", "b")),
        lambda: engine.delete("a"),
        engine.compact,
        engine.stats,
        engine.documents,
        lambda: engine.document("a"),
    ):
        with pytest.raises(IndexClosed, match=r"rag\.open"):
            use()


# Locks

HOLD = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_process_writes_at_a_time(
    open_engine: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine()
    engine.add(document("word", "a"))
    monkeypatch.setattr(desk, "LOCK_WAIT_S", 0.05)
    command = [sys.executable, "-c", HOLD, str(tmp_path / "index" / "write.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        for write in (lambda: engine.add(document("b", "b")), engine.compact, lambda: engine.delete("x")):
            with pytest.raises(IndexLocked, match="another process writes"):
                write()
        assert sources(engine) == {"a"}
        holder.kill()
    engine.add(document("word b", "b"))
    assert sources(engine) == {"a", "b"}


# Damage


@pytest.mark.usefixtures("small_graphs")
@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_a_changed_byte_of_a_segment_is_found(open_engine: Open, tmp_path: Path, kind: str) -> None:
    open_engine(settings=Settings(kind=kind)).add([document(f"word {at}", f"s{at}") for at in range(5)])
    files = sorted((tmp_path / "index" / "segments").rglob("*.*"))
    assert len(files) == 13 + (kind == "hnsw")
    for path in files:
        good = path.read_bytes()
        for bad in (
            bytes([good[0] ^ 1]) + good[1:],
            good[:-1] + bytes([good[-1] ^ 128]),
            good[:-1],
            good + b"x",
            b"",
        ):
            path.write_bytes(bad)
            with pytest.raises(IndexCorrupt, match=path.name):
                open_engine().search("word")
        path.unlink()
        with pytest.raises(IndexCorrupt, match=path.name):
            open_engine().search("word")
        path.write_bytes(good)
    assert len(open_engine().search("word")) == 5


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 0.9])
def test_a_truncated_database_is_found_and_left_alone(
    open_engine: Open, tmp_path: Path, share: float
) -> None:
    engine = open_engine()
    engine.add([document(f"word {at} " * 300, f"s{at}") for at in range(9)])
    engine.close()
    path = tmp_path / "index" / "index.db"
    good = path.read_bytes()
    path.write_bytes(good[: int(len(good) * share)])
    with pytest.raises(IndexCorrupt, match=r"index\.db"):
        open_engine().search("word")
    assert list((tmp_path / "index" / "segments").iterdir())
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    with pytest.raises(IndexCorrupt, match=r"index\.db"):
        open_engine().search("word")


def test_a_folder_that_no_commit_names_is_swept(open_engine: Open, tmp_path: Path) -> None:
    engine = open_engine()
    engine.add(document("word", "a"))
    left = tmp_path / "index" / "segments" / "left"
    left.mkdir()
    (left / "vectors.npy").write_bytes(b"half of it")
    engine.add(document("word b", "b"))
    assert not left.exists()
    assert sources(engine) == {"a", "b"}


def test_a_failed_commit_leaves_the_one_before(open_engine: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_engine()
    engine.add(document("old word", "a"))

    def fail(*_: object) -> int:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(desk, "record_commit", fail)
        for write in (
            lambda: engine.add(document("new word", "a")),
            lambda: engine.delete(engine.documents()[0].id),
        ):
            with pytest.raises(MemoryError):
                write()
    assert [hit.chunk.text for hit in engine.search("word")] == ["old word"]
    check_consistent(engine._store)
    engine.add(document("new word", "a"))
    assert [hit.chunk.text for hit in engine.search("word")] == ["new word"]
    check_consistent(engine._store)


def test_statistics(open_engine: Open, tmp_path: Path) -> None:
    engine = open_engine()
    assert engine.stats().documents == engine.stats().chunks == engine.stats().commit == 0
    engine.add([document("word", "a"), document("word word", "b")])
    engine.delete(engine.documents()[0].id)
    stats = engine.stats()
    assert (stats.documents, stats.chunks, stats.deleted_chunks, stats.segments) == (1, 1, 1, 1)
    assert stats.encoder == "hashing"
    assert stats.bytes == sum(
        path.stat().st_size for path in (tmp_path / "index").rglob("*") if path.is_file()
    )
