from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import HashingEncoder

import rag
from rag.errors import DocumentNotFound, FilterError, IndexClosed, InputError
from rag.pipeline import Engine

Open = Callable[..., Engine]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "leave.md").write_text(
        "# Leave\n\nParental leave lasts sixteen weeks.\n\n## Notice\n\nThe notice period is four weeks.\n"
    )
    (folder / "ferry.txt").write_text("The ferry sails at seven. The crew boards at six.\n")
    return folder


def test_the_whole_trip(tmp_path: Path, folder: Path) -> None:
    with rag.open(tmp_path / "index", encoder=HashingEncoder()) as kb:
        report = kb.add(folder, metadata={"team": "hr"})
        assert len(report.indexed) == 2
        assert report.chunks == report.chunks_embedded == kb.stats().chunks
        assert report.unchanged == report.skipped == report.failed == ()
        (first, *_) = hits = kb.search("notice period", k=10, where={"team": "hr"})
        assert "notice period" in first.chunk.text
        assert Path(first.source).name == "leave.md"
        assert {hit.rank for hit in hits} == set(range(1, len(hits) + 1))
        for hit in hits:
            text = kb.document(hit.chunk.document_id).text
            assert text[hit.chunk.span.start : hit.chunk.span.end] == hit.chunk.text
        answer = kb.ask("How long is the notice period?")
        assert not answer.abstained
        assert answer.index_commit == kb.stats().commit
        assert 0 <= answer.confidence <= 1
        for citation in answer.citations:
            text = kb.document(citation.document_id).text
            assert text[citation.start : citation.end] == citation.quote
        marks = {number for sentence in answer.sentences for number in sentence.citations}
        assert marks <= {citation.number for citation in answer.citations}
        assert [(Path(each.source).name, each.metadata["team"]) for each in kb.documents()] == [
            ("ferry.txt", "hr"),
            ("leave.md", "hr"),
        ]
        kb.delete(first.chunk.document_id)
        with pytest.raises(DocumentNotFound):
            kb.document(first.chunk.document_id)
        assert {Path(hit.source).name for hit in kb.search("notice period")} == {"ferry.txt"}
        kb.compact()
        assert (kb.stats().documents, kb.stats().segments, kb.stats().deleted_chunks) == (1, 1, 0)
    with pytest.raises(IndexClosed):
        kb.search("notice")


def test_what_cannot_be_asked(open_engine: Open, folder: Path) -> None:
    engine = open_engine()
    engine.add(folder)
    commit = engine.stats().commit
    for use in (
        lambda: engine.search(""),
        lambda: engine.search(" \n"),
        lambda: engine.ask(""),
        lambda: engine.search("ferry", k=0),
        lambda: engine.search("ferry", k=-1),
        lambda: engine.ask("ferry", k=0),
        lambda: engine.search("ferry", mode="magic"),
        lambda: engine.add("/no/such/file"),
    ):
        with pytest.raises(InputError):
            use()
    for use in (engine.search, engine.ask):
        with pytest.raises(FilterError):
            use("ferry", where="team")
    with pytest.raises(DocumentNotFound):
        engine.document("nothing")
    assert engine.stats().commit == commit


@pytest.mark.parametrize(
    "query", ["\ud800", "\0", "'\"; --", "ferry " * 5000, "日本", "the of", "🚢", "AND OR NOT *"]
)
def test_any_text_can_be_asked(open_engine: Open, folder: Path, query: str) -> None:
    engine = open_engine()
    engine.add(folder)
    for mode in ("lexical", "dense", "hybrid"):
        engine.search(query, mode=mode)
    engine.ask(query)


def test_ask_reads_nothing_outside_the_filter(open_engine: Open, folder: Path) -> None:
    engine = open_engine()
    engine.add(folder / "leave.md", metadata={"team": "hr"})
    engine.add(folder / "ferry.txt", metadata={"team": "crew"})
    answer = engine.ask("How long is the notice period?", where={"team": "crew"})
    assert {Path(hit.source).name for hit in answer.contexts} <= {"ferry.txt"}
    assert {Path(citation.source).name for citation in answer.citations} <= {"ferry.txt"}
    assert engine.ask("How long is the notice period?", where={"team": "nobody"}).abstained


def test_an_empty_index_abstains(open_engine: Open) -> None:
    answer = open_engine().ask("Who?")
    assert answer.abstained
    assert answer.citations == answer.contexts == ()


def test_many_threads_share_an_engine(open_engine: Open, folder: Path) -> None:
    engine = open_engine()
    engine.add(folder)
    expected = engine.search("notice period")
    wrong: list[object] = []

    def ask() -> None:
        for _ in range(10):
            try:
                if engine.search("notice period") != expected:
                    wrong.append("other hits")
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_reranker_has_the_last_word(open_engine: Open, folder: Path) -> None:
    import numpy as np

    def shortest(query: str, texts: list[str]) -> np.ndarray:
        return np.array([-len(text) for text in texts], np.float32)

    engine = open_engine(reranker=shortest)
    engine.add(folder)
    lengths = [len(hit.chunk.text) for hit in engine.search("notice period ferry")]
    assert lengths == sorted(lengths)
    with_it, without = (engine.search("notice period ferry", rerank=flag) for flag in (True, False))
    assert all(hit.scores.rerank is not None for hit in with_it)
    assert all(hit.scores.rerank is None for hit in without)


def test_an_address_is_no_folder() -> None:
    with pytest.raises(InputError, match="qdrant://host:port/name"):
        rag.open("redis://localhost:6333/name")
