from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from rag.errors import IndexCorrupt, IndexNotFound, RagError
from rag.index import plan
from rag.pipeline import Engine
from rag.repair import repair
from rag.types import Document, Principal, Settings
from tests.fakes import HashingEncoder, document
from tests.harness import check_consistent

Open = Callable[..., Engine]
WORDS = "harbour ferry crew timetable anchor bridge deck tide storm pilot lantern rope".split()


def shown(engine: Engine) -> list[tuple[str, str, list[tuple[str, float]]]]:
    """All that can be seen of an index: its documents with their texts, and what each word finds."""
    owner = Principal(operator=True)
    texts = [engine.document(each.id, principal=owner) for each in engine.documents(principal=owner)]
    found = [
        [(hit.chunk.id, round(hit.score, 5)) for hit in engine.search(word, k=50, principal=owner)]
        for word in WORDS
    ]
    return [(each.source, each.text) for each in texts] + found


@pytest.fixture
def whole(open_engine: Open, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An index of several segments, with graphs, updated and deleted documents."""
    monkeypatch.setattr(plan, "FEWEST_ROWS", 1)
    engine = open_engine(settings=Settings(kind="hnsw", size_tokens=16, overlap_tokens=4))
    for part in range(3):
        engine.add(
            [
                document(" ".join(random.Random(part * 9 + at).choices(WORDS, k=60)), f"{part}/{at}.txt")
                for at in range(6)
            ]
        )
    engine.add(document("An update of ferry and crew.", "0/0.txt"))
    engine.delete(next(each.id for each in engine.documents() if each.source == "1/1.txt"))
    return engine


def files_of(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("write.lock", "index.db-shm")
    )


def told(open_engine: Open) -> str:
    """What is said of a damaged index."""
    try:
        with open_engine() as engine:
            return "".join(engine.problems())
    except RagError as error:
        return str(error)


def test_a_whole_index_needs_nothing(whole: Engine, tmp_path: Path) -> None:
    before = shown(whole)
    assert repair(tmp_path / "index", HashingEncoder) == []
    assert shown(whole) == before


def test_every_file_but_the_database_can_be_lost(whole: Engine, open_engine: Open, tmp_path: Path) -> None:
    before = shown(whole)
    whole.close()
    folder = tmp_path / "index"
    for path in files_of(folder):
        if path.name.startswith("index.db") or not path.exists():
            continue
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 4
        path.write_bytes(data)
        said = repair(folder, HashingEncoder)
        assert said
        with open_engine() as engine:
            assert shown(engine) == before
            check_consistent(engine._store)
    for path in files_of(folder):
        if path.name.startswith("index.db") or not path.exists():
            continue
        path.unlink()
        assert repair(folder, HashingEncoder)
        with open_engine() as engine:
            assert shown(engine) == before


@pytest.mark.parametrize("seed", range(12))
def test_of_a_damaged_database_whole_documents_are_kept(
    whole: Engine, open_engine: Open, tmp_path: Path, seed: int
) -> None:
    owner = Principal(operator=True)
    texts = {each.source: whole.document(each.id).text for each in whole.documents(principal=owner)}
    sources: list[Document] = [document(text, source) for source, text in texts.items()]
    whole.close()
    folder = tmp_path / "index"
    path = folder / "index.db"
    data = bytearray(path.read_bytes())
    data[random.Random(seed).randrange(100, len(data))] ^= 1
    path.write_bytes(data)
    assert "index.db" in told(open_engine)
    try:
        said = repair(folder, HashingEncoder)
    except IndexCorrupt as error:
        assert "restore the index from a backup" in str(error)
        return
    assert "index.db was damaged" in said[0]
    with open_engine() as engine:
        check_consistent(engine._store)
        kept = {each.source: engine.document(each.id).text for each in engine.documents()}
        assert kept.items() <= texts.items()
        lost = texts.keys() - kept.keys()
        assert sum("is gone; add it again" in line for line in said) >= len(lost)
        engine.add(sources)
        assert {each.source for each in engine.documents()} == texts.keys()
        check_consistent(engine._store)


def test_a_log_that_lost_its_end_is_told_and_gone_on_from(open_engine: Open, tmp_path: Path) -> None:
    engine = open_engine()
    engine.add(document("ferry", "a"))
    engine.close()
    folder = tmp_path / "index"
    from rag.index.files import write_head

    write_head(folder, 7)
    with pytest.raises(IndexCorrupt, match="acknowledged"):
        open_engine()
    assert "commits 2 to 7" in repair(folder, HashingEncoder)[0]
    with open_engine() as engine:
        assert engine.stats().commit == 8
        engine.add(document("crew", "b"))
        check_consistent(engine._store)


def test_where_there_is_no_index(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFound):
        repair(tmp_path / "nothing", HashingEncoder)


def test_a_file_that_is_no_database_needs_a_backup(whole: Engine, tmp_path: Path) -> None:
    whole.close()
    path = tmp_path / "index" / "index.db"
    path.write_bytes(b"not a database at all" * 1000)
    with pytest.raises(IndexCorrupt, match=r"index\.db"):
        repair(tmp_path / "index", HashingEncoder)


def test_a_database_cut_short_below_its_log_is_told(open_engine: Open, tmp_path: Path) -> None:
    engine, other = open_engine(), open_engine()
    engine.add([document(f"ferry {at} " + "word " * 2000, f"s{at}") for at in range(9)])
    path = tmp_path / "index" / "index.db"
    data = path.read_bytes()
    assert (tmp_path / "index" / "index.db-wal").stat().st_size
    path.write_bytes(data[: len(data) * 2 // 3])
    assert any("index.db is damaged" in problem for problem in other.problems())
    path.write_bytes(data)
    assert other.problems() == []
