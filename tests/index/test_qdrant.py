from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import apsw
import numpy as np
import pytest
from fakes import HashingEncoder, document
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.errors import (
    EncoderMismatch,
    FilterError,
    IndexClosed,
    IndexFailed,
    IndexFormatError,
    IndexLocked,
    InputError,
)
from rag.index.documents import Passage
from rag.index.filters import compile_filter as compile_sql
from rag.index.qdrant import QdrantStore
from rag.index.qdrant_address import Address
from rag.index.qdrant_filter import all_of, compile_filter, facts, match, numbers
from rag.index.qdrant_lease import Lease, read_manifest
from rag.index.qdrant_points import FOREVER, MANIFEST
from rag.index.qdrant_remote import Point, Remote
from rag.index.qdrant_retry import TRIES
from rag.index.qdrant_sparse import average_length, chunk_vector, query_vector
from rag.index.store import Store
from rag.pipeline import Engine
from rag.retrieval.fusion import Leg, reciprocal_rank
from rag.types import Principal, Settings

qdrant_client = pytest.importorskip("qdrant_client")
models = pytest.importorskip("qdrant_client.models")
edge_client = pytest.importorskip("edge_client", reason="qdrant-edge-py is not installed")

ADDRESS = "qdrant://host:6333/index"
CHUNKS, DOCUMENTS = "index-1", "index-documents"
OPERATOR = Principal(operator=True)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Payload indexes have no effect|Local mode performs exact")
        yield


@pytest.fixture
def client(tmp_path: Path) -> Any:
    return edge_client.EdgeClient(tmp_path / "edge")


def in_memory() -> Any:
    client = qdrant_client.QdrantClient(":memory:")
    client.close = lambda: None
    return client


def engine(client: Any, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Engine:
    def store(path: Path, settings: Settings | None, *, create: bool) -> QdrantStore:
        return QdrantStore(ADDRESS, settings, create=create, client=client)

    options.setdefault("encoder", HashingEncoder())
    with monkeypatch.context() as patch:
        patch.setattr("rag.library.Store", store)
        return Engine("index", **options)


def free_lease(client: Any) -> None:
    """What a minute does."""
    points = models.Filter(must=[models.HasIdCondition(has_id=[MANIFEST])])
    client.set_payload(DOCUMENTS, payload={"expires": 0.0}, points=points, wait=True, ordering=None)


# What is asked of the server


def test_an_address_is_read() -> None:
    assert Address.parse("qdrant://h/name") == Address("h", 6333, "name")
    full = Address.parse("qdrants://k%40y@h.example:7000/a-b_c.1?grpc=6334&shards=6&replicas=2")
    assert full == Address("h.example", 7000, "a-b_c.1", True, "k@y", 6334, 6, 2)
    assert "k@y" not in repr(full) + str(full)


@pytest.mark.parametrize(
    "wrong",
    [
        "index",
        "http://host/name",
        "qdrant://host",
        "qdrant:///name",
        "qdrant://host/a/b",
        "qdrant://host:x/name",
        "qdrant://host/na me",
        "qdrant://host/other-documents",
        "qdrant://host/other-2",
        "qdrant://host/name?shards=0",
        "qdrant://host/name?what=1",
        "qdrant://host/name?shards=many",
    ],
)
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(InputError, match="qdrant://host:6333/name"):
        QdrantStore(wrong)


class Refusing(BaseHTTPRequestHandler):
    status = 503
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        body = json.dumps({"status": {"error": "not now"}}).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def refusing() -> Iterator[tuple[str, type[Refusing]]]:
    handler = type("Handler", (Refusing,), {"asked": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"qdrant://127.0.0.1:{server.server_port}/index", handler
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again_and_not_for_ever(
    refusing: tuple[str, type[Refusing]], monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    address, handler = refusing
    handler.status = status
    waits: list[float] = []
    monkeypatch.setattr(Remote.__init__, "__defaults__", (waits.append,))
    with pytest.raises(IndexFailed, match=f"{TRIES} times"):
        QdrantStore(address)
    assert len(handler.asked) == TRIES
    assert waits == sorted(waits) and len(waits) == TRIES - 1 and 1 < sum(waits) < 60


def test_no_server_is_an_error_that_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Remote.__init__, "__defaults__", (lambda seconds: None,))
    with pytest.raises(IndexFailed, match=r"qdrant://127.0.0.1:9/index was asked"):
        QdrantStore("qdrant://127.0.0.1:9/index")


def test_a_refused_key_is_not_tried_again_nor_told(refusing: tuple[str, type[Refusing]]) -> None:
    address, handler = refusing
    handler.status = 403
    with (
        warnings.catch_warnings(action="ignore"),
        pytest.raises(IndexFailed, match="refused") as raised,
    ):
        QdrantStore(address.replace("://", "://s3cret@"))
    assert len(handler.asked) == 1
    assert "s3cret" not in str(raised.value)


def test_a_passing_failure_passes(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Flaky:
        def __init__(self) -> None:
            self.calls = 0

        def __getattr__(self, name: str) -> Any:
            def called(*args: Any, **options: Any) -> Any:
                self.calls += 1
                if self.calls % 3 == 0:
                    raise qdrant_client.http.exceptions.ResponseHandlingException(OSError("reset"))
                return getattr(client, name)(*args, **options)

            return called

    waits: list[float] = []
    monkeypatch.setattr(Remote.__init__, "__defaults__", (waits.append,))
    shaky = engine(Flaky(), monkeypatch)
    shaky.add([document(f"word {n}", f"{n}") for n in range(3)])
    assert len(shaky.search("word")) == 3
    assert len(waits) > 5


def test_an_old_server_is_refused(client: Any) -> None:
    client.info = lambda: models.VersionInfo(title="qdrant", version="1.18.2")
    with pytest.raises(IndexFormatError, match=r"1\.18\.2.*1\.19"):
        QdrantStore(ADDRESS, client=client)


def test_a_newer_format_is_refused(client: Any) -> None:
    store = QdrantStore(ADDRESS, client=client)
    store._remote.set_payload(DOCUMENTS, {"must": [{"has_id": [MANIFEST]}]}, {"format": 99})
    with pytest.raises(IndexFormatError, match="format 99"):
        QdrantStore(ADDRESS, client=client)


def test_a_closed_store_says_so(client: Any) -> None:
    store = QdrantStore(ADDRESS, client=client)
    store.close()
    store.close()
    with pytest.raises(IndexClosed), store.view():
        pass
    with pytest.raises(IndexClosed):
        store.stats()


# Filters

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, -2.0, "", "x", "y", "1", "true", 'q"', "x" * 300]),
)
NAMES = st.sampled_from(["a", "b", 'n "1".[x]', "source", "ü"])
METADATA = st.dictionaries(
    st.sampled_from(["a", "b", 'n "1".[x]', "ü"]), VALUES | st.lists(VALUES, max_size=3), max_size=4
)
NUMBERS = st.integers(-3, 3) | st.sampled_from([0.5, -0.5])
OPERATIONS = st.one_of(
    st.fixed_dictionaries({}, optional={"$gt": NUMBERS, "$gte": NUMBERS, "$lt": NUMBERS, "$lte": NUMBERS}),
    st.fixed_dictionaries({}, optional={"$eq": VALUES, "$ne": VALUES, "$exists": st.booleans()}),
    st.fixed_dictionaries({}, optional={"$in": st.lists(VALUES, max_size=3), "$nin": st.lists(VALUES)}),
).filter(bool)
CLAUSES = st.dictionaries(
    NAMES, VALUES | OPERATIONS | st.builds(lambda o: {"$not": o}, OPERATIONS), max_size=3
)
FILTERS = st.recursive(
    CLAUSES,
    lambda inner: st.dictionaries(
        st.sampled_from(["$and", "$or", "$nor"]), st.lists(inner, min_size=1, max_size=3), max_size=2
    ),
    max_leaves=5,
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(METADATA, min_size=8, max_size=8), st.lists(FILTERS, min_size=8, max_size=8))
def test_filters_mean_what_they_mean_in_a_folder(
    tmp_path: Path, shard: Remote, documents: list[dict[str, Any]], filters: list[dict[str, Any]]
) -> None:
    shard.delete("filters", all_of([]))
    table = apsw.Connection(":memory:")
    table.execute("CREATE TABLE documents (id TEXT, source TEXT, title TEXT, metadata TEXT)")
    points = []
    for at, fields in enumerate(documents):
        columns = {"document_id": f"d{at}", "source": "x" if at % 2 else "y", "title": ""}
        table.execute("INSERT INTO documents VALUES (?, ?, ?, ?)", (*columns.values(), json.dumps(fields)))
        payload = {"id": f"d{at}", "facts": facts(fields, columns), "numbers": numbers(fields)}
        points.append(Point(f"00000000-0000-0000-0000-{at:012}", payload))
    shard.put("filters", points)
    for where in filters:
        condition = compile_sql(where)
        found = table.execute(f"SELECT id FROM documents WHERE {condition.sql}", condition.values).fetchall()
        wanted = sorted(document_id for (document_id,) in found)
        got = sorted(point.payload["id"] for point in shard.scroll("filters", compile_filter(where)))
        assert got == wanted, where
    table.close()


@pytest.fixture
def shard(client: Any) -> Remote:
    remote = Remote(client, Address.parse(ADDRESS))
    remote.make_collection("filters", {"facts": {"type": "keyword"}})
    return remote


@pytest.mark.parametrize("name", ["$gt", "$gte", "$lt", "$lte"])
def test_an_order_of_texts_is_refused_by_its_operator(name: str) -> None:
    with pytest.raises(FilterError, match=f"\\{name}.*no order of texts"):
        compile_filter({"$or": [{"day": {name: "2024-01-31"}}]})


def test_a_filter_of_endless_depth_is_refused() -> None:
    where: dict[str, Any] = {"a": 1}
    for _ in range(2000):
        where = {"$or": [where]}
    with pytest.raises(FilterError, match="deeper"):
        compile_filter(where)


# BM25


def test_scores_are_those_of_a_folder_where_the_average_length_agrees(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "rail tram ticket fare depot driver night line stop zone".split()
    rng = np.random.default_rng(7)
    documents = [
        document(" ".join(rng.choice(words, rng.integers(3, 60))), f"{n:03}.txt") for n in range(120)
    ]
    how = Settings(title_boost=2.0)
    with (
        engine(client, monkeypatch, settings=how) as server,
        Engine(tmp_path / "index", encoder=HashingEncoder(), settings=how) as folder,
    ):
        folder.add(documents)
        with folder.view() as view:
            lengths = np.concatenate([s.lengths + 2.0 * s.title_lengths for s in view.snapshot.segments])
        monkeypatch.setattr("rag.index.qdrant_writer.average_length", lambda *_: float(lengths.mean()))
        server.add(documents[:70])
        server.add(documents)
        server.delete(documents[0].id)
        folder.delete(documents[0].id)
        monkeypatch.undo()
        mean = float(lengths[1:].mean())
        assert mean == pytest.approx(float(lengths.mean()), rel=0.02)
        for query in ("tram fare", "night night line", "001 depot", "absent", "zone stop driver rail"):
            ours, theirs = (
                [(h.chunk.id, h.score) for h in each.search(query, k=20, mode="lexical")]
                for each in (server, folder)
            )
            assert [score for _, score in ours] == pytest.approx([score for _, score in theirs], rel=0.01)
            ours, theirs = (
                [(h.chunk.id, h.score) for h in each.search(query, k=20, mode="dense")]
                for each in (server, folder)
            )
            assert [name for name, _ in ours] == [name for name, _ in theirs]
            assert [score for _, score in ours] == pytest.approx([score for _, score in theirs], abs=1e-6)


def test_sparse_vectors_are_bm25() -> None:
    how = Settings(k1=1.2, b=0.75, title_boost=3.0)
    vector = chunk_vector((["cat", None], ["cat", "sat", None, "sat"]), 10.0, how)
    norm = 1.2 * (1 - 0.75 + 0.75 * 6 / 10)
    assert vector["indices"] == sorted(vector["indices"])
    assert sorted(vector["values"]) == pytest.approx([2 / (2 + norm), 4 / (4 + norm)])
    query = query_vector(["cat", "cat", "dog"])
    assert sorted(query["values"]) == [1.0, 2.0]
    (both,) = set(query["indices"]) & set(vector["indices"])
    assert query["values"][query["indices"].index(both)] == 2.0
    assert chunk_vector(([], []), 10.0, how) == {"indices": [], "values": []}


def test_the_average_length_is_not_spoilt_by_a_small_beginning() -> None:
    how = Settings(size_tokens=200)
    assert average_length([([], ["one"])], how) == pytest.approx(98.5, abs=0.1)
    many = [([], ["word"] * 160)] * 5000
    assert average_length(many, how) == pytest.approx(160, rel=0.01)


def test_the_server_fuses_by_reciprocal_rank(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    words = "rail tram ticket fare depot driver night line stop zone".split()
    with engine(client, monkeypatch) as server:
        server.add([document(" ".join(rng.choice(words, 9 + n)) + f" {n}", f"{n}") for n in range(60)])
        (vector,) = server.encoder.encode(["night tram"], query=True)
        with server._store.view() as view:
            fused = view.fused("night tram", vector, 10, depth=200)
            legs = [view.lexical("night tram", 200), view.dense(vector, 200)]
            rows = np.unique(np.concatenate([leg.rows for leg in legs]))
            ranks = []
            for leg in legs:
                rank = np.zeros(len(rows), np.int32)
                rank[np.searchsorted(rows, leg.rows)] = np.arange(1, len(leg.rows) + 1)
                ranks.append(Leg(np.zeros(len(rows), np.float32), rank))
            best = np.sort(reciprocal_rank(60)(*ranks))[::-1][:10]
            assert len(fused.rows) == 10
            # Qdrant counts ranks from 0 where we count from 1, and orders equal scores by itself.
            assert fused.scores == pytest.approx(best, rel=0.02)


# Commits


class Dies:
    """A client whose process is killed at its n-th change, before or after the server made it."""

    CHANGES = ("upsert", "set_payload", "delete", "create_collection", "update_collection_aliases")

    def __init__(self, client: Any, after: int, made: bool) -> None:
        self._client, self._left, self._made = client, after, made

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if name not in self.CHANGES:
            if self._left < 0:
                raise KeyboardInterrupt
            return method

        def changed(*args: Any, **options: Any) -> Any:
            self._left -= 1
            if self._left < -1 or (self._left == -1 and not self._made):
                raise KeyboardInterrupt
            answer = method(*args, **options)
            if self._left == -1:
                raise KeyboardInterrupt
            return answer

        return changed


def begin(engine: Engine) -> None:
    engine.add([document("first word of a", "a"), document("first word of b", "b")])


def change(engine: Engine) -> None:
    with engine._store.writer() as writer:
        held = writer.known("b")
    assert held is not None
    engine.add(
        [document("second word of a", "a"), document("first word of b", "b"), document("word of c", "c")],
        metadata={"team": "hr"},
    )


def shown(engine: Engine) -> Any:
    documents = [
        (each.source, engine.document(each.id).text, dict(each.metadata)) for each in engine.documents()
    ]
    hits = [
        sorted((h.source, h.chunk.text) for h in engine.search("word", mode=m)) for m in ("lexical", "dense")
    ]
    inside = sorted(h.source for h in engine.search("word", where={"team": "hr"}))
    stats = engine.stats()
    return documents, hits, inside, stats.documents, stats.chunks


def points(client: Any) -> list[int]:
    return [client.count(name, count_filter=None, exact=True).count for name in (CHUNKS, DOCUMENTS)]


def test_a_killed_writer_changes_nothing_wherever_it_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    clean = in_memory()
    first = engine(clean, monkeypatch)
    begin(first)
    before = shown(first)
    change(first)
    after = shown(first)
    assert before != after
    first.compact()
    wanted = points(clean)
    seen = []
    for killed in range(100):
        for made in (False, True):
            client = in_memory()
            begin(engine(client, monkeypatch))
            try:
                change(engine(Dies(client, killed, made), monkeypatch))
            except KeyboardInterrupt:
                pass
            else:
                assert killed > 10 and seen.count(before) > 10 and seen.count(after) > 1
                return
            free_lease(client)
            fresh = engine(client, monkeypatch)
            seen.append(shown(fresh))
            assert seen[-1] in (before, after), (killed, made)
            assert fresh.problems() == []
            change(fresh)
            assert shown(fresh) == after
            fresh.compact()
            assert (points(client), fresh.problems()) == (wanted, [])
    raise AssertionError("it was always killed")


def test_a_writer_believed_dead_can_show_nothing(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = engine(client, monkeypatch), engine(client, monkeypatch)
    begin(one)
    with pytest.raises(IndexLocked, match="took over"), one._store.writer() as late, late._commit() as number:
        free_lease(client)
        other.add(document("word of c", "c"))
        # It wakes up, and goes on writing under the number that it took.
        copied = next(late._remote.scroll(CHUNKS, match_all(), vectors=True))
        late._remote.put(
            CHUNKS,
            [
                Point(
                    "00000000-0000-0000-0000-000000000001", {**copied.payload, "since": number}, copied.dense
                )
            ],
        )
        ended = all_of([match("source", "b")])
        late._remote.set_payload(CHUNKS, ended, {"until": number})
    assert {hit.source for hit in other.search("word", mode="dense")} == {"a", "b", "c"}
    assert len(other.search("word", mode="dense")) == 3
    assert other.problems() == []
    other.add(document("word of d", "d"))
    assert len(other.search("word", mode="dense")) == 4
    other.compact()
    assert len(other.search("word", mode="dense")) == 4
    assert other.problems() == []


def test_a_commit_that_is_shown_is_no_error_though_the_lease_ended(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = engine(client, monkeypatch), engine(client, monkeypatch)
    begin(one)

    def taken_over(remote: Remote, documents: str) -> Any:
        monkeypatch.undo()
        free_lease(client)
        other.add(document("word of c", "c"))
        return read_manifest(remote, documents)

    with one._store.writer() as writer, writer._commit() as number:
        monkeypatch.setattr("rag.index.qdrant_writer.read_manifest", taken_over)
    assert number < one.stats().commit
    assert {hit.source for hit in one.search("word")} == {"a", "b", "c"}


def match_all() -> Any:
    return all_of([])


def test_one_writes_at_a_time(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.index.qdrant_lease.LOCK_WAIT_S", 0.0)
    one, other = engine(client, monkeypatch), engine(client, monkeypatch)
    begin(one)
    with one._store.writer(), pytest.raises(IndexLocked, match="another process writes"):
        other.delete(one.documents()[0].id)
    other.delete(one.documents()[0].id)
    assert len(one.documents()) == 1


def test_a_held_lease_is_renewed_and_one_of_the_dead_ends(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.index.qdrant_lease.LEASE_S", 0.3)
    store = QdrantStore(ADDRESS, client=client)
    with store.writer() as writer:
        threading.Event().wait(0.7)
        assert not Lease(store._remote, DOCUMENTS).take()
        assert writer.known("a") is None
    dead, next_one = (Lease(store._remote, DOCUMENTS) for _ in range(2))
    assert dead.take() and not next_one.take()
    threading.Event().wait(0.4)
    assert next_one.take()
    dead.give_back()
    assert not dead.take()


def test_readers_of_the_last_minutes_keep_what_was_replaced(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = engine(client, monkeypatch)
    begin(server)
    with server.view() as view:
        server.add(document("second word of a", "a"))
        assert len(view.hits(view.lexical("first", 5))) == 2
        monkeypatch.setattr("rag.index.qdrant_writer.KEEP_S", -1.0)
        server.add(document("third word of a", "a"))
        assert server.stats().deleted_chunks == 0
        assert len(view.lexical("first", 5).rows) == 1
    with server.view() as view:
        found = view.lexical("third", 5)
        server.delete([each.id for each in server.documents()])
        server.compact()
        with pytest.raises(IndexFailed, match="search again"):
            view.hits(found)


def test_problems_are_found(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = engine(client, monkeypatch)
    begin(server)
    first, second = server.documents()
    remote = server._store._remote
    remote.delete(CHUNKS, match_document(first.id))
    remote.delete(DOCUMENTS, all_of([match_document(second.id), match("kind", "text")]))
    problems = server.problems()
    assert len(problems) == 2
    assert any(first.id in line and "0 of its 1 passages" in line for line in problems)
    assert any(second.id in line and "characters" in line for line in problems)


def match_document(document_id: str) -> Any:
    return all_of([match("document_id", document_id)])


# The change of the encoder


def test_another_encoder_takes_over_at_once(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.index.qdrant_remote.PAGE", 2)
    old, new = HashingEncoder(24), HashingEncoder(32, "other")
    server = engine(client, monkeypatch, encoder=old)
    server.add([document(f"word number {n}", f"{n}", team="hr", year=n) for n in range(9)], tenant="t")
    them = Principal(tenant="t", operator=True)
    gone, changed, *_ = server.documents(principal=them)
    embedded: list[str] = []

    def embed(passages: Sequence[Passage]) -> Any:
        texts = [passage.chunk.text for passage in passages]
        if not embedded:  # others write meanwhile
            server.delete(gone.id, tenant="t")
            server.add(server.document(changed.id, principal=them), tenant="t", metadata={"team": "it"})
            server.add(document("word number 99", "99"), tenant="t")
        assert aliases(client) == {"index": "index-1"}
        assert len(server.search("word", principal=them)) == 9
        embedded.extend(texts)
        return new.encode(texts)

    commit = server._store.change_encoder(new.fingerprint, embed)
    assert aliases(client) == {"index": "index-2"}
    assert {"word number 99", "word number 7"} <= set(embedded)
    assert server.stats().commit == commit and server.stats().encoder == "other"
    with pytest.raises(EncoderMismatch):
        server.search("word", principal=them)
    after = engine(client, monkeypatch, encoder=new)
    hits = after.search("word number 3", principal=them, mode="dense")
    assert len(hits) == 9 and hits[0].source == "3" and hits[0].score == pytest.approx(1, abs=1e-5)
    assert [h.source for h in after.search("word", principal=them, where={"team": "it"})] == [changed.source]
    assert {h.source for h in after.search("word", principal=them, where={"year": {"$gte": 7}})} == {"7", "8"}
    assert len(after.search("word", principal=them, mode="lexical")) == 9
    assert after.problems() == []
    before = len(embedded)
    assert (
        server._store.change_encoder(old.fingerprint, lambda p: old.encode([e.chunk.text for e in p]))
        > commit
    )
    assert len(embedded) == before and len(server.search("word", principal=them)) == 9
    assert server.problems() == []


def test_passages_without_vectors_are_not_served(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = engine(client, monkeypatch)
    begin(server)
    with server._store.writer() as writer:
        generation = writer.generation(HashingEncoder(32, "other").fingerprint)
        assert generation == writer.generation(HashingEncoder(32, "other").fingerprint) == 2
        with pytest.raises(EncoderMismatch, match="embed them first"):
            writer.serve(generation)
    assert len(server.search("word")) == 2


def aliases(client: Any) -> dict[str, str]:
    return {each.alias_name: each.collection_name for each in client.get_aliases().aliases}


def test_what_lies_where(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = engine(client, monkeypatch)
    text = "word " * 5000
    server.add(document(text, "a", team="hr", year=2020), tenant="t", readers=["ann"])
    remote = server._store._remote
    chunk = next(remote.scroll(CHUNKS, all_of([]), vectors=True))
    assert "text" not in chunk.payload
    assert len(chunk.dense) == 24 and chunk.sparse["indices"]
    assert chunk.payload["tenant"] == "t" and chunk.payload["readers"] == ["ann"]
    assert '["team", "hr"]' in chunk.payload["facts"] and chunk.payload["numbers"] == {"year": [2020]}
    blocks = list(remote.scroll(DOCUMENTS, all_of([match("kind", "text")])))
    assert sum(len(each.payload["text"]) for each in blocks) == len(text) and len(blocks) == 4
    assert {each.payload["until"] for each in blocks} == {FOREVER}


def test_stores_are_of_one_shape(client: Any, tmp_path: Path) -> None:
    """What the pipeline may call of the one it may call of the other."""

    def shape(thing: object) -> set[str]:
        return {name for name in dir(thing) if not name.startswith("_")}

    from rag.index.storage import Storage, StorageView, StorageWriter

    folder, server = Store(tmp_path / "index"), QdrantStore(ADDRESS, client=client)
    for store in (folder, server):
        assert shape(Storage) <= shape(store)
        with store.view() as view, store.writer() as writer:
            assert shape(StorageView) <= shape(view)
            assert shape(StorageWriter) <= shape(writer)
        store.close()
