from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from fakes import HashingEncoder, document
from harness import check_consistent

from rag import intake, sources
from rag.errors import EncoderNotFound, InputError
from rag.ingestion.load import LOADERS
from rag.pipeline import Engine
from rag.types import AddReport, Chunk, Document, Span, Status, Vectors

Open = Callable[..., Engine]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    return folder


def write(path: Path, text: str) -> Path:
    """Write a file and say where."""
    path.write_text(text)
    return path


@pytest.fixture(autouse=True)
def old_files_are_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    # A file written this moment is read again the next time, as it may change unseen: here none does.
    monkeypatch.setattr(sources, "JUST_NOW_S", -3600.0)


def statuses(report: AddReport) -> dict[str, str]:
    return {Path(entry.source).name: entry.status.value for entry in report.entries}


def texts(engine: Engine, query: str = "word") -> dict[str, str]:
    return {Path(hit.source).name: hit.chunk.text for hit in engine.search(query, k=100)}


@pytest.mark.parametrize("believed", [True, False])
def test_the_same_folder_costs_nothing_twice(
    open_engine: Open, folder: Path, encoder: HashingEncoder, monkeypatch: pytest.MonkeyPatch, believed: bool
) -> None:
    if not believed:
        monkeypatch.setattr(sources, "JUST_NOW_S", 3600.0)
    for name in "abc":
        write(folder / f"{name}.txt", f"A word of {name}.")
    engine = open_engine()
    report = engine.add(folder)
    assert statuses(report) == {f"{name}.txt": "indexed" for name in "abc"}
    assert report.chunks == report.chunks_embedded == encoder.embedded == 3
    commit = engine.stats().commit
    again = engine.add(folder)
    assert statuses(again) == {f"{name}.txt": "unchanged" for name in "abc"}
    assert (again.chunks, again.chunks_embedded, encoder.embedded) == (3, 0, 3)
    assert engine.stats().commit == commit
    os.utime(folder / "a.txt", (1, 1))
    assert engine.add(folder).chunks_embedded == 0
    assert set(statuses(open_engine().add(folder)).values()) == {"unchanged"}


def test_metadata_alone_embeds_nothing(open_engine: Open, folder: Path, encoder: HashingEncoder) -> None:
    write(folder / "a.txt", "A word.")
    engine = open_engine()
    engine.add(folder, metadata={"team": "hr"})
    report = engine.add(folder, metadata={"team": "it", "tags": ("x", "y")})
    assert statuses(report) == {"a.txt": "indexed"}
    assert (report.chunks_embedded, encoder.embedded) == (0, 1)
    assert engine.documents()[0].metadata == {"team": "it", "tags": ["x", "y"]}
    assert len(engine.search("word", where={"team": "it", "tags": "y"})) == 1
    assert engine.search("word", where={"team": "hr"}) == []
    assert statuses(engine.add(folder, metadata={"tags": ("x", "y")})) == {"a.txt": "unchanged"}
    assert statuses(engine.add(folder, metadata={"team": None})) == {"a.txt": "indexed"}
    assert statuses(engine.add(folder, metadata={"more": None})) == {"a.txt": "indexed"}
    assert len(engine.search("word", where={"more": {"$exists": True}})) == 1


def test_a_new_version_keeps_the_access_rules_of_the_old(open_engine: Open, folder: Path) -> None:
    path = write(folder / "a.txt", "The old word.")
    write(folder / "b.txt", "Another word.")
    engine = open_engine()
    engine.add(path, metadata={"secret": True, "year": 2023})
    engine.add(folder / "b.txt")
    write(path, "The new word.")
    engine.add(folder)
    assert {hit.chunk.text for hit in engine.search("word", where={"secret": {"$ne": True}})} == {
        "Another word."
    }
    assert [hit.chunk.text for hit in engine.search("word", where={"secret": True})] == ["The new word."]
    write(path, "The newest word.")
    engine.add(path, metadata={"year": 2024})
    assert [each.metadata for each in engine.documents()] == [{"secret": True, "year": 2024}, {}]


def test_metadata_that_is_none_is_refused_before_anything_is_read(open_engine: Open, folder: Path) -> None:
    write(folder / "a.txt", "A word.")
    engine = open_engine()
    with pytest.raises(InputError, match="team"):
        engine.add(folder, metadata={"team": {"a": 1}})
    assert engine.documents() == []


def test_only_what_changed_is_embedded(open_engine: Open, encoder: HashingEncoder) -> None:
    engine = open_engine(chunker=by_line)
    engine.add(Document("1", "a", "", "first\nsecond\nthird"))
    report = engine.add(Document("2", "a", "", "first\nchanged\nthird\nfirst"))
    assert (report.chunks, report.chunks_embedded) == (4, 1)
    assert [each.id for each in engine.documents()] == ["2"]
    check_consistent(engine._store)


def by_line(document: Document) -> list[Chunk]:
    chunks, at = [], 0
    for line in document.text.split("\n"):
        chunks.append(Chunk(document.id, Span(at, at + len(line)), line))
        at += len(line) + 1
    return chunks


class Watching(HashingEncoder):
    """Looks into the index from beside while it embeds."""

    look: Callable[[], object]

    def encode(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        if not query:
            self.look()
        return super().encode(texts, query=query)


def test_the_old_version_is_shown_until_the_new_one_is_in(open_engine: Open, folder: Path) -> None:
    watching = Watching()
    seen = []
    watching.look = lambda: None
    engine, beside = open_engine(encoder=watching), open_engine()
    path = write(folder / "a.txt", "The old word.")
    engine.add(folder)
    write(path, "The new word.")
    watching.look = lambda: seen.append(texts(beside))
    assert statuses(engine.add(folder)) == {"a.txt": "indexed"}
    assert seen == [{"a.txt": "The old word."}]
    assert texts(beside) == {"a.txt": "The new word."}
    check_consistent(engine._store)


def test_an_update_that_fails_leaves_the_old_version_and_is_tried_again(
    open_engine: Open, folder: Path
) -> None:
    path = write(folder / "a.txt", "The old word.")
    engine = open_engine()
    engine.add(folder)
    write(path, "")
    for _ in range(2):
        report = engine.add(folder)
        assert statuses(report) == {"a.txt": "failed"}
        assert report.failed[0].reason
        assert report.failed[0].document_id == engine.documents()[0].id
        assert texts(engine) == {"a.txt": "The old word."}
    write(path, "The old word.")
    report = engine.add(folder)
    assert statuses(report) == {"a.txt": "unchanged"}
    assert engine.add(folder).entries[0].reason == ""
    write(path, "The new word.")
    assert statuses(engine.add(folder)) == {"a.txt": "indexed"}
    assert texts(engine) == {"a.txt": "The new word."}
    check_consistent(engine._store)


def test_the_ledger_forgets_the_reason_of_a_failure_that_is_over(open_engine: Open, folder: Path) -> None:
    path = write(folder / "a.txt", "A word.")
    engine = open_engine()
    engine.add(folder)
    write(path, "")
    engine.add(folder)
    write(path, "A word.")
    engine.add(folder)
    with engine._store.writer() as writer:
        entry = writer.known(str(path)).entry
    assert (entry.status, entry.reason) == (Status.INDEXED, "")


def test_one_bad_file_never_stops_a_batch(open_engine: Open, folder: Path) -> None:
    write(folder / "good.txt", "A good word.")
    write(folder / "zgood.txt", "Another good word.")
    (folder / "empty.txt").write_text("")
    (folder / "blank.txt").write_text(" \n\n ")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    (folder / "broken.docx").write_bytes(b"PK\3\4 nothing")
    (folder / "song.mp3").write_bytes(b"ID3")
    (folder / "loop.txt").symlink_to(folder / "loop.txt")
    (folder / "dangling.txt").symlink_to(folder / "nowhere.txt")
    os.mkfifo(folder / "pipe.txt")
    (Path(os.fsdecode(os.fsencode(folder) + b"/bad\xff.txt"))).write_text("A word under a bad name.")
    engine = open_engine()
    for word in ("indexed", "unchanged"):
        report = engine.add(folder)
        found = statuses(report)
        assert len(report.entries) == 11
        assert found.pop("good.txt") == found.pop("zgood.txt") == word
        assert found.pop("bad\\udcff.txt") == word
        assert found.pop("song.mp3") == "skipped"
        assert set(found.values()) == {"failed"}
        assert len(found) == 7
        assert all(entry.reason for entry in (*report.failed, *report.skipped))
    assert {"good.txt", "zgood.txt"} < set(texts(engine))
    check_consistent(engine._store)


def test_nothing_is_read_of_what_no_loader_takes(open_engine: Open, folder: Path) -> None:
    with (folder / "huge.bin").open("wb") as file:
        file.truncate(1 << 40)
    with (folder / "huge.txt").open("wb") as file:
        file.truncate(1 << 40)
    report = open_engine().add(folder)
    assert statuses(report) == {"huge.bin": "skipped", "huge.txt": "failed"}
    assert "limit" in report.failed[0].reason


def test_a_loader_that_breaks_is_the_fault_of_its_file(
    open_engine: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "a.txt", "A word.")
    write(folder / "b.md", "Another word.")

    def broken(data: bytes, source: str) -> Document:
        raise RecursionError("too deep")

    engine = open_engine()
    with monkeypatch.context() as patched:
        patched.setitem(LOADERS, ".md", broken)
        report = engine.add(folder)
    assert statuses(report) == {"a.txt": "indexed", "b.md": "failed"}
    assert "too deep" in report.failed[0].reason
    assert statuses(engine.add(folder)) == {"a.txt": "unchanged", "b.md": "indexed"}


def test_an_encoder_that_is_missing_is_no_fault_of_the_files(open_engine: Open, folder: Path) -> None:
    write(folder / "a.txt", "A word.")
    engine = open_engine(encoder="./no-such-folder")
    with pytest.raises(EncoderNotFound):
        engine.add(folder)
    assert engine.stats().commit == 0


def test_an_encoder_that_breaks_off_leaves_what_was_committed(open_engine: Open) -> None:
    class Breaking(HashingEncoder):
        def encode(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
            if any("poison" in text for text in texts):
                raise MemoryError
            return super().encode(texts, query=query)

    engine = open_engine(encoder=Breaking())
    engine.add(document("A word.", "a"))
    with pytest.raises(MemoryError):
        engine.add([document("A new word.", "a"), document("poison word", "b")])
    assert texts(engine) == {"a": "A word."}
    engine.add(document("A new word.", "a"))
    assert texts(engine) == {"a": "A new word."}
    check_consistent(engine._store)


@pytest.mark.parametrize("wrong", ["text", "document", "beyond"])
def test_a_chunk_that_is_not_its_span_is_refused(open_engine: Open, wrong: str) -> None:
    def careless(document: Document) -> list[Chunk]:
        span = Span(0, len(document.text) + (wrong == "beyond"))
        name = "other" if wrong == "document" else document.id
        return [Chunk(name, span, "something" if wrong == "text" else document.text)]

    report = open_engine(chunker=careless).add(document("A word.", "a"))
    assert [entry.status for entry in report.entries] == [Status.FAILED]


# The same bytes under several names


def test_the_same_bytes_under_two_names_are_one_document(
    open_engine: Open, folder: Path, encoder: HashingEncoder
) -> None:
    for name in ("b.txt", "a.txt", "c.md"):
        write(folder / name, "A word.")
    engine = open_engine()
    report = engine.add(folder)
    assert statuses(report) == {"a.txt": "indexed", "b.txt": "indexed", "c.md": "indexed"}
    assert "same bytes" in report.entries[1].reason
    assert (len(engine.documents()), encoder.embedded, engine.stats().commit) == (1, 1, 1)
    assert set(statuses(engine.add(folder)).values()) == {"unchanged"}
    check_consistent(engine._store)
    write(folder / "a.txt", "Another word.")
    engine.add(folder)
    assert texts(engine) == {"a.txt": "Another word.", "b.txt": "A word."}
    check_consistent(engine._store)
    write(folder / "b.txt", "Another word.")
    write(folder / "c.md", "Another word.")
    engine.add(folder)
    assert texts(engine) == {"a.txt": "Another word."}
    check_consistent(engine._store)
    engine.delete(engine.documents()[0].id)
    assert engine.search("word") == []
    check_consistent(engine._store)
    assert set(statuses(engine.add(folder)).values()) == {"indexed"}
    assert len(engine.documents()) == 1


def test_files_that_change_places_are_both_kept(
    open_engine: Open, folder: Path, encoder: HashingEncoder
) -> None:
    one, two = write(folder / "a.txt", "First word."), write(folder / "b.txt", "Second word.")
    engine = open_engine()
    engine.add(folder)
    write(one, "Second word.")
    write(two, "First word.")
    report = engine.add(folder)
    assert texts(engine) == {"a.txt": "Second word.", "b.txt": "First word."}
    assert report.chunks_embedded == 0
    check_consistent(engine._store)


def test_a_log_that_is_rotated_keeps_its_text(open_engine: Open, folder: Path) -> None:
    log = write(folder / "a.txt", "Word of yesterday.")
    engine = open_engine()
    engine.add(folder)
    log.rename(folder / "a.old.txt")
    write(log, "Word of today.")
    for order in (["a.old.txt", "a.txt"], ["a.txt", "a.old.txt"]):
        engine.add([folder / name for name in order])
        assert texts(engine) == {"a.txt": "Word of today.", "a.old.txt": "Word of yesterday."}
        check_consistent(engine._store)
        write(log, "Word of yesterday.")
        write(folder / "a.old.txt", "Word of today.")
        engine.add([folder / name for name in order])
        log.write_text("Word of today.")
        (folder / "a.old.txt").write_text("Word of yesterday.")


def test_the_same_bytes_with_other_metadata_are_not_let_in_silently(open_engine: Open, folder: Path) -> None:
    one, two = write(folder / "a.txt", "A word."), write(folder / "b.txt", "A word.")
    engine = open_engine()
    engine.add(one, metadata={"team": "hr"})
    report = engine.add(two, metadata={"team": "it"})
    assert [entry.status for entry in report.entries] == [Status.FAILED]
    assert "metadata" in report.failed[0].reason
    assert engine.search("word", where={"team": "it"}) == []
    assert len(engine.search("word", where={"team": "hr"})) == 1
    check_consistent(engine._store)


def test_two_documents_of_one_source_do_not_lose_one_silently(open_engine: Open) -> None:
    engine = open_engine()
    report = engine.add([document("first word", "a"), document("second word", "a")])
    assert [entry.status.value for entry in report.entries] == ["indexed", "failed"]
    assert texts(engine) == {"a": "first word"}
    engine.add(document("second word", "a"))
    assert texts(engine) == {"a": "second word"}
    check_consistent(engine._store)


def test_a_document_of_the_same_id_takes_the_place_of_the_old(open_engine: Open) -> None:
    engine = open_engine()
    engine.add(Document("id", "a", "", "old word"))
    report = engine.add(Document("id", "a", "", "new word"))
    assert [entry.status.value for entry in report.entries] == ["indexed"]
    assert texts(engine) == {"a": "new word"}
    engine.add(Document("id", "elsewhere", "", "newest word"))
    assert texts(engine) == {"elsewhere": "newest word"}
    check_consistent(engine._store)


@pytest.mark.parametrize("field", ["id", "source", "title", "text"])
@pytest.mark.parametrize("bad", ["\ud800", "\0"])
def test_text_that_is_none_stops_nothing(open_engine: Open, field: str, bad: str) -> None:
    parts = {"id": "x", "source": "x", "title": "x", "text": "a word"}
    parts[field] += bad
    engine = open_engine()
    report = engine.add([Document(**parts), document("good word", "good")])
    assert len(report.entries) == 2
    assert "good" in texts(engine)
    if bad == "\ud800":
        assert len(report.failed) == 1
    check_consistent(engine._store)


def test_batches_are_commits_of_their_own(open_engine: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "BATCH_CHUNKS", 4)
    monkeypatch.setattr(intake, "EMBED_AT_ONCE", 3)
    calls: list[tuple[str, int, int]] = []
    engine = open_engine()
    report = engine.add(
        [document(f"word {at}", f"s{at}") for at in range(10)], progress=lambda *call: calls.append(call)
    )
    assert (report.chunks, report.chunks_embedded, engine.stats().commit) == (10, 10, 3)
    assert calls[0] == ("read", 0, 10)
    assert ("read", 10, 10) in calls
    assert all(0 <= done <= total for _, done, total in calls)
    check_consistent(engine._store)


def test_vectors_of_another_type_are_stored_as_float32(open_engine: Open) -> None:
    class Double(HashingEncoder):
        def encode(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
            return super().encode(texts, query=query).astype(np.float64)

    engine = open_engine(encoder=Double())
    engine.add(document("A word.", "a"))
    with engine.view() as view:
        assert view.snapshot.segments[0].vectors.dtype == np.float32
    assert len(engine.search("word")) == 1


def test_a_path_that_is_not_there_is_refused(open_engine: Open, folder: Path) -> None:
    write(folder / "a.txt", "A word.")
    engine = open_engine()
    with pytest.raises(InputError, match=r"nothing\.txt"):
        engine.add([folder, folder / "nothing.txt"])
    assert engine.stats().commit == 0


def test_a_file_written_this_moment_is_read_again(
    open_engine: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "JUST_NOW_S", 2.0)
    path = write(folder / "a.txt", "word 1")
    engine = open_engine()
    engine.add(path)
    before = path.stat()
    path.write_text("word 2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert time.time() - path.stat().st_ctime < 2
    engine.add(path)
    assert texts(engine) == {"a.txt": "word 2"}


def test_front_matter_does_not_loosen_a_rule_that_was_given(open_engine, tmp_path):
    path = tmp_path / "salaries.md"
    path.write_text("The salaries of the board are secret.\n")
    kb = open_engine()
    kb.add(path, metadata={"team": "board"})
    path.write_text("---\nteam: all\n---\nThe salaries of the board are secret.\n")
    kb.add(path)
    assert kb.search("salaries", where={"team": "all"}) == []
    assert kb.search("salaries", where={"team": "board"})


def test_two_documents_of_one_id_in_one_run_are_not_both_indexed(open_engine):
    kb = open_engine()
    report = kb.add([Document("1", "a", "t", "Alpha text"), Document("1", "b", "t", "Beta text")])
    assert [entry.status for entry in report.entries] == ["indexed", "failed"]
    assert kb.document("1").text == "Alpha text"


def test_a_chunker_that_loses_text_is_refused(open_engine):
    kb = open_engine(chunker=lambda document: [Chunk(document.id, Span(0, 3), document.text[:3])])
    (entry,) = kb.add(Document("1", "a", "t", "Alpha text")).failed
    assert "no chunk holds" in entry.reason


def test_an_encoder_that_is_not_what_it_says_is_refused(open_engine):
    class Wrong(HashingEncoder):
        def encode(self, texts, *, query=False):
            return super().encode(texts, query=query)[:, :-1]

    kb = open_engine(encoder=Wrong())
    with pytest.raises(InputError, match="mend the encoder"):
        kb.add(Document("1", "a", "t", "Alpha text"))
    assert kb.stats().chunks == 0


def test_an_index_does_not_take_its_own_files(open_engine, tmp_path):
    (tmp_path / "a.txt").write_text("Alpha text")
    kb = open_engine()
    kb.add(Document("1", "b", "t", "Beta text"))
    assert [Path(entry.source).name for entry in kb.add(tmp_path).entries] == ["a.txt"]


@pytest.mark.parametrize("field", ["source", "title", "document_id"])
def test_metadata_may_not_hide_behind_a_field_of_every_document(open_engine, field):
    with pytest.raises(InputError, match=field):
        open_engine().add(Document("1", "a", "t", "Alpha"), metadata={field: "vault"})


@pytest.mark.parametrize("source", ["", None, b"x", 5])
def test_nothing_to_add_is_said(open_engine, source):
    with pytest.raises(InputError, match="nothing to add"):
        open_engine().add(source)
