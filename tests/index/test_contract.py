"""One suite over every place an index can live in: a folder, and Qdrant in three forms.

`edge` is Qdrant's engine in this process, `memory` the Python stand-in of its client, `server` the
one that RAG_QDRANT_URL names, such as `http://localhost:6333`.
"""

from __future__ import annotations

import os
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from fakes import HashingEncoder, document

from rag.errors import DocumentNotFound, EncoderMismatch, FilterError, IndexFormatError, IndexNotFound
from rag.index.storage import Storage
from rag.index.store import Store
from rag.pipeline import Engine
from rag.types import Document, Principal, Settings

Open = Callable[..., Engine]
SERVER = os.environ.get("RAG_QDRANT_URL")


@pytest.fixture(params=["folder", "edge", "memory", "server"])
def open_engine(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Open]:
    """Opens engines over one index; further ones over the same, as another process would."""
    opened: list[Engine] = []
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    stores = _folder if request.param == "folder" else _qdrant(request.param, tmp_path)

    def open_one(**options: Any) -> Engine:
        options.setdefault("encoder", HashingEncoder())
        monkeypatch.setattr("rag.library.Store", stores)
        opened.append(Engine(tmp_path / "index", **options))
        return opened[-1]

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Payload indexes have no effect|Local mode performs exact")
        yield open_one
        for engine in opened:
            engine.close()


def _folder(path: Path, settings: Settings | None, *, create: bool) -> Storage:
    return Store(path, settings, create=create)


def _qdrant(kind: str, folder: Path) -> Callable[..., Storage]:
    qdrant = pytest.importorskip("qdrant_client")
    from rag.index.qdrant import QdrantStore

    address, client = "qdrant://localhost:6333/index", None
    if kind == "edge":
        pytest.importorskip("qdrant_edge")
        from edge_client import EdgeClient

        client = EdgeClient(folder / "edge")
    elif kind == "memory":
        client = qdrant.QdrantClient(":memory:")
        client.close = lambda: None
    elif SERVER is None:
        pytest.skip("RAG_QDRANT_URL names no Qdrant server")
    else:
        parts = urlsplit(SERVER)
        address = f"qdrant://{parts.hostname}:{parts.port or 6333}/test-{uuid.uuid4().hex}"

    def make(path: Path, settings: Settings | None, *, create: bool) -> Storage:
        return QdrantStore(address, settings, create=create, client=client)

    return make


def sources(engine: Engine, query: str = "word", **options: Any) -> set[str]:
    return {hit.source for hit in engine.search(query, k=100, **options)}


# The trip


def test_a_citation_is_a_span_of_the_document(open_engine: Open) -> None:
    engine = open_engine()
    text = "".join(f"Rule {n} 🚋: line {n} runs\0 every {n} minutes.\n" for n in range(1200))
    rules = document(text.replace("\0", ""), "rules.txt")
    engine.add([rules, document("The canteen opens at noon.", "canteen.txt")])
    assert engine.document(rules.id) == rules
    for query in ("Rule 77 minutes", "line 1100 runs", "canteen noon"):
        for hit in engine.search(query, k=5):
            whole = engine.document(hit.chunk.document_id)
            assert whole.text[hit.chunk.start : hit.chunk.end] == hit.chunk.text
    answer = engine.ask("When does the canteen open?")
    assert answer.citations
    for citation in answer.citations:
        assert engine.document(citation.document_id).text[citation.start : citation.end] == citation.quote
    assert answer.index_commit == engine.stats().commit
    assert engine.problems() == []


def test_the_same_input_costs_nothing_twice(open_engine: Open) -> None:
    engine, encoder = open_engine(), HashingEncoder()
    documents = [document("old word", "a"), document("other word", "b")]
    engine.add(documents)
    again = open_engine(encoder=encoder)
    report = again.add(documents)
    assert (len(report.unchanged), report.chunks_embedded, encoder.embedded) == (2, 0, 0)
    report = again.add(documents, metadata={"team": "hr"})
    assert (len(report.indexed), report.chunks_embedded, encoder.embedded) == (2, 0, 0)
    assert sources(engine, where={"team": "hr"}) == {"a", "b"}
    assert again.problems() == []


def test_a_new_version_takes_the_place_of_the_old(open_engine: Open) -> None:
    engine = open_engine()
    engine.add([document("first word of it", "a"), document("a word beside it", "b")])
    engine.add(document("second word of it", "a"))
    assert {hit.chunk.text for hit in engine.search("word of it", k=9)} == {
        "second word of it",
        "a word beside it",
    }
    assert [each.source for each in engine.documents()] == ["a", "b"]
    stats = engine.stats()
    assert (stats.documents, stats.chunks) == (2, 2)
    engine.compact()
    assert engine.stats().deleted_chunks == 0
    assert engine.problems() == []


def test_deleted_is_gone(open_engine: Open) -> None:
    engine = open_engine()
    first, second = document("old word", "a"), document("other word", "b")
    engine.add([first, second])
    with pytest.raises(DocumentNotFound):
        engine.delete([first.id, "nothing"])
    assert sources(engine) == {"a", "b"}
    engine.delete(first.id)
    assert sources(engine) == sources(engine, mode="dense") == {"b"}
    with pytest.raises(DocumentNotFound):
        engine.document(first.id)
    engine.compact()
    assert [each.id for each in engine.documents()] == [second.id]
    assert engine.add(first).indexed
    assert sources(engine) == {"a", "b"}
    assert engine.problems() == []


def test_two_sources_share_a_document_until_both_left_it(open_engine: Open, tmp_path: Path) -> None:
    engine = open_engine()
    folder = tmp_path / "files"
    folder.mkdir()
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text("the same word")
    engine.add(folder)
    assert len(engine.documents()) == 1
    (folder / "a.txt").write_text("another word now")
    engine.add(folder)
    assert {(Path(hit.source).name, hit.chunk.text) for hit in engine.search("word")} == {
        ("a.txt", "another word now"),
        ("b.txt", "the same word"),
    }
    with engine._store.writer() as writer:
        assert [(Path(source).name, bool(held)) for source, held in writer.sources()] == [
            ("a.txt", True),
            ("b.txt", True),
        ]
        writer.forget_sources([str(folder / "b.txt")])
    assert {Path(each.source).name for each in engine.documents()} == {"a.txt"}
    assert engine.problems() == []


def test_an_empty_index_answers(open_engine: Open) -> None:
    engine = open_engine()
    assert engine.search("word") == []
    assert engine.ask("word?").abstained
    assert engine.documents() == [] and engine.tenants() == []
    assert engine.stats().chunks == 0
    assert engine.problems() == []


# Commits


def test_a_view_keeps_its_commit_while_others_write(open_engine: Open) -> None:
    engine, other = open_engine(), open_engine()
    engine.add([document("old word", "a"), document("other word", "b")])
    (vector,) = engine.encoder.encode(["word"])
    with engine.view() as view:
        before = (view.commit, view.lexical("word", 9).scores.tolist(), view.documents_total)
        writing = threading.Thread(
            target=lambda: (other.delete(other.documents()[0].id), other.add(document("new word here", "c")))
        )
        writing.start()
        writing.join()
        assert (view.commit, view.lexical("word", 9).scores.tolist(), view.documents_total) == before
        assert {hit.source for hit in view.hits(view.lexical("word", 9))} == {"a", "b"}
        assert {hit.source for hit in view.hits(view.dense(vector, 9))} == {"a", "b"}
    assert sources(other) == sources(engine) == {"b", "c"}


def test_commits_are_counted(open_engine: Open) -> None:
    engine = open_engine()
    first = engine.stats().commit
    engine.add(document("old word", "a"))
    second = engine.stats().commit
    engine.delete(engine.documents()[0].id)
    assert first < second < engine.stats().commit


def test_an_index_knows_how_it_was_made(open_engine: Open) -> None:
    with pytest.raises(IndexNotFound):
        open_engine(create=False)
    open_engine(settings=Settings(k1=1.2, b=0.75)).add(document("old word", "a"))
    assert open_engine(create=False).settings == Settings(k1=1.2, b=0.75)
    with pytest.raises(IndexFormatError):
        open_engine(settings=Settings())
    with pytest.raises(EncoderMismatch):
        open_engine(encoder=HashingEncoder(16)).search("word")


# Search


def test_words_meaning_and_both(open_engine: Open) -> None:
    engine = open_engine()
    engine.add([document(f"number {n} of the words {'again ' * n}", f"{n:02}") for n in range(30)])
    (vector,) = engine.encoder.encode(["words again"])
    with engine.view() as view:
        words, meaning = view.lexical("again words", 7), view.dense(vector, 7)
        for ranking in (words, meaning):
            assert len(ranking.rows) == len(set(ranking.rows.tolist())) == 7
            assert (np.diff(ranking.scores) <= 0).all()
        rows = np.union1d(words.rows, meaning.rows).astype(np.int32)
        scores = dict(zip(rows.tolist(), view.lexical_scores("again words", rows).tolist(), strict=True))
        assert [scores[row] for row in words.rows.tolist()] == pytest.approx(words.scores.tolist())
        scores = dict(zip(rows.tolist(), view.dense_scores(vector, rows).tolist(), strict=True))
        assert [scores[row] for row in meaning.rows.tolist()] == pytest.approx(meaning.scores.tolist())
        ids = view.chunk_ids(words.rows)
        assert ids == [hit.chunk.id for hit in view.hits(words)]
        assert view.lexical("absent", 5).rows.tolist() == []
        assert view.lexical_scores("absent", rows).tolist() == [0] * len(rows)
    for mode in ("lexical", "dense", "hybrid"):
        hits = engine.search("again words", k=5, mode=mode)
        assert [hit.rank for hit in hits] == [1, 2, 3, 4, 5]
        assert hits == engine.search("again words", k=5, mode=mode)


def test_ties_go_by_chunk_id(open_engine: Open) -> None:
    engine = open_engine()
    twins = [Document(f"{n:064x}", f"{n:02}", "", "equal word") for n in range(40, 0, -1)]
    engine.add(twins)
    for mode in ("lexical", "dense"):
        hits = engine.search("equal", k=5, mode=mode)
        assert [hit.chunk.document_id for hit in hits] == [f"{n:064x}" for n in range(1, 6)]


FIELDS: dict[str, dict[str, Any]] = {
    "a": {"team": "hr", "year": 2020, "ok": True, "tags": ["x", "y"], "share": 0.5},
    "b": {"team": "it", "year": 2021, "ok": False, "tags": [], "none": None},
    "c": {"team": ["hr", "it"], "year": "2020", "ok": 1, 'odd "name".$x[0]': "v"},
    "d": {"year": 2020.0, "share": -1, "years": [1, 9]},
    "e": {"team": "HR", "long": "l" * 500, "years": [4]},
}
WHERE: dict[str, tuple[dict[str, Any], str]] = {
    "equal": ({"team": "hr"}, "ac"),
    "empty": ({}, "abcde"),
    "two fields": ({"team": "hr", "year": 2020}, "a"),
    "numbers are one": ({"year": 2020}, "ad"),
    "text is no number": ({"year": "2020"}, "c"),
    "true is not 1": ({"ok": True}, "a"),
    "1 is not true": ({"ok": 1}, "c"),
    "in": ({"team": {"$in": ["it", "HR"]}}, "bce"),
    "in nothing": ({"team": {"$in": []}}, ""),
    "not in nothing": ({"team": {"$nin": []}}, "abcde"),
    "not equal": ({"team": {"$ne": "hr"}}, "bde"),
    "not in": ({"team": {"$nin": ["hr", "it"]}}, "de"),
    "null": ({"none": None}, "abcde"),
    "not null": ({"team": {"$ne": None}}, "abce"),
    "null or": ({"team": {"$in": [None, "HR"]}}, "de"),
    "there": ({"tags": {"$exists": True}}, "ab"),
    "not there": ({"tags": {"$exists": False}}, "cde"),
    "greater": ({"year": {"$gt": 2020}}, "b"),
    "at least": ({"year": {"$gte": 2020}}, "abd"),
    "less": ({"share": {"$lt": 0.5}}, "d"),
    "at most": ({"share": {"$lte": 0.5}}, "ad"),
    "range": ({"year": {"$gte": 2020, "$lt": 2021}}, "ad"),
    "range over items": ({"years": {"$gt": 3, "$lt": 8}}, "de"),
    "not": ({"year": {"$not": {"$gt": 2020}}}, "acde"),
    "or": ({"$or": [{"team": "it"}, {"share": 0.5}]}, "abc"),
    "and": ({"$and": [{"team": "it"}, {"team": "hr"}]}, "c"),
    "nor": ({"$nor": [{"team": "it"}, {"share": 0.5}]}, "de"),
    "nested": ({"$or": [{"$and": [{"ok": True}, {"$nor": [{"x": 1}]}]}, {"years": 9}]}, "ad"),
    "item": ({"tags": "y"}, "a"),
    "odd name": ({'odd "name".$x[0]': "v"}, "c"),
    "long": ({"long": "l" * 500}, "e"),
    "long but other": ({"long": "l" * 499}, ""),
    "source": ({"source": {"$in": ["a", "e"]}}, "ae"),
    "source is there": ({"source": {"$exists": True}}, "abcde"),
    "title": ({"title": {"$ne": "b"}}, "acde"),
    "number of a text": ({"source": {"$gt": 1}}, ""),
    "phrase": ({"$text": {"$search": '"some word"'}}, "c"),
    "phrase the other way": ({"$text": {"$search": '"word some"'}}, ""),
    "phrase over a stop word": ({"$text": {"$search": '"word of beta"'}}, "b"),
    "must": ({"$text": {"$search": "+beta"}}, "b"),
    "must not": ({"$text": {"$search": "word -beta"}}, "acde"),
    "must not, of a team": ({"team": "it", "$text": {"$search": '-"word of beta"'}}, "c"),
}


@pytest.fixture
def filtered(open_engine: Open) -> Engine:
    engine = open_engine()
    texts = {
        "a": "one word of alpha",
        "b": "one word of beta",
        "c": "some word c",
        "d": "d word",
        "e": "e word",
    }
    engine.add([document(texts[name], name, **fields) for name, fields in FIELDS.items()])
    return engine


def test_a_filter_holds_in_every_leg(filtered: Engine) -> None:
    for name, (where, wanted) in WHERE.items():
        for mode in ("lexical", "dense", "hybrid"):
            assert "".join(sorted(sources(filtered, where=where, mode=mode))) == wanted, (name, mode)


def test_what_is_no_filter_is_refused(open_engine: Open) -> None:
    engine = open_engine()
    wrong: list[Any] = [
        {"$what": 1},
        {"team": {"$what": 1}},
        {"team": {}},
        {"team": {"$in": "hr"}},
        {"year": {"$gt": None}},
        {"year": {"$gt": True}},
        {"year": {"$gt": float("nan")}},
        {"$or": []},
        {"$and": "x"},
        {"team": {"$exists": 1}},
        {"team": object()},
        {"$text": "x"},
        {"$or": [{"$text": {"$search": "x"}}]},
        {1: 2},
    ]
    for where in wrong:
        with pytest.raises(FilterError):
            engine.search("word", where=where)


# Tenants and readers


def test_tenants_share_nothing(open_engine: Open) -> None:
    engine = open_engine()
    same = document("a common word", "a")
    for tenant in ("one", "two"):
        report = engine.add([same, document(f"the word of {tenant}", "b")], tenant=tenant)
        assert report.chunks_embedded == 2
    assert engine.tenants() == ["one", "two"]
    one, two, nobody = (Principal(tenant=tenant, operator=True) for tenant in ("one", "two", "three"))
    assert {hit.chunk.text for hit in engine.search("word", principal=one)} == {
        "a common word",
        "the word of one",
    }
    assert sources(engine, principal=nobody) == sources(engine) == set()
    assert engine.documents() == []
    engine.delete(same.id, tenant="one")
    assert [each.source for each in engine.documents(principal=one)] == ["b"]
    assert [each.source for each in engine.documents(principal=two)] == ["a", "b"]
    assert open_engine().document(same.id, principal=two) == same
    with pytest.raises(DocumentNotFound):
        engine.document(same.id, principal=one)
    assert engine.problems() == []


def test_statistics_are_of_one_tenant(open_engine: Open) -> None:
    engine = open_engine()
    mine = [document(f"rare word {n}", f"{n}") for n in range(3)]
    engine.add(mine, tenant="mine")
    me = Principal(tenant="mine", operator=True)
    before = [(hit.chunk.id, hit.score) for hit in engine.search("rare", mode="lexical", principal=me)]
    engine.add([document(f"rare rare word {n} of many", f"{n}") for n in range(20)], tenant="other")
    after = [(hit.chunk.id, hit.score) for hit in engine.search("rare", mode="lexical", principal=me)]
    assert after == before and len(after) == 3


def test_readers_see_what_names_them(open_engine: Open) -> None:
    engine = open_engine()
    secret, open_to_all = document("secret word", "a"), document("plain word", "b")
    engine.add(secret, readers=["hr", "ann"])
    engine.add(open_to_all)
    ann, bob = Principal("ann"), Principal("bob", groups=("it",))
    boss = Principal(operator=True)
    assert sources(engine, principal=ann) == sources(engine, principal=boss) == {"a", "b"}
    assert sources(engine, principal=Principal("cid", groups=("hr",))) == {"a", "b"}
    for mode in ("lexical", "dense", "hybrid"):
        assert sources(engine, principal=bob, mode=mode) == {"b"}
    assert sources(engine) == set()
    with pytest.raises(DocumentNotFound):
        engine.document(secret.id, principal=bob)
    engine.add(secret, readers=["bob"])
    assert sources(engine, principal=bob) == {"a", "b"}
    assert sources(engine, principal=ann) == {"b"}
    engine.add(secret, readers=[])
    assert sources(engine, principal=ann) == {"a", "b"}
    assert engine.problems() == []
