"""Who sees what: tenants are as if each had an index alone, and readers see what they may."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest
from fakes import HashingEncoder, document
from harness import check_consistent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.errors import DocumentNotFound, InputError
from rag.pipeline import Engine
from rag.types import Answer, Hit, Principal, Settings

Open = Callable[..., Engine]

MODES = ("lexical", "dense", "hybrid")
OPERATOR = Principal(operator=True)
ANN, BOB = Principal("ann", groups=("hr", "staff")), Principal("bob", groups=("it", "staff"))


def sources(engine: Engine, principal: Principal | None, query: str = "word", **options: object) -> set[str]:
    """What each mode of search finds; all must find the same."""
    found = [
        {hit.source for hit in engine.search(query, k=100, mode=mode, principal=principal, **options)}
        for mode in MODES
    ]
    assert found[0] == found[1] == found[2]
    return found[0]


def sees(engine: Engine, principal: Principal | None) -> set[str]:
    """The sources of the documents one sees, by every door there is."""
    everything = engine.documents(principal=OPERATOR)
    visible = {each.source for each in engine.documents(principal=principal)}
    with engine.view(principal) as view:
        assert view.documents_total == len(visible)
        for each in everything:
            if each.source in visible:
                assert view.document(each.id).source == each.source
                view.place(each.id, 0)
            else:
                for asked in (view.document, lambda id_: view.place(id_, 0)):
                    with pytest.raises(DocumentNotFound):
                        asked(each.id)
                with pytest.raises(DocumentNotFound):
                    engine.document(each.id, principal=principal)
    assert sources(engine, principal) == visible
    assert sources(engine, principal, "+word a text") == visible, "a typed condition is no way round"
    assert sources(engine, principal, where={"$or": [{}, {"source": {"$ne": ""}}]}) == visible
    answer = engine.ask("a word of what", k=100, principal=principal)
    assert {hit.source for hit in answer.contexts} == visible
    assert {citation.source for citation in answer.citations} <= visible
    return visible


@pytest.fixture
def guarded(open_engine: Open) -> Engine:
    engine = open_engine()
    for name, readers in (("all", []), ("ann", ["ann"]), ("hr", ["hr"]), ("it", ["it", "boss"])):
        engine.add(document(f"A word of {name} in a text.", name), readers=readers)
    return engine


def test_readers_see_what_names_them_or_nobody(guarded: Engine) -> None:
    assert sees(guarded, ANN) == {"all", "ann", "hr"}
    assert sees(guarded, BOB) == {"all", "it"}
    assert sees(guarded, Principal("boss")) == {"all", "it"}
    assert sees(guarded, Principal("carl")) == {"all"}
    assert sees(guarded, Principal()) == {"all"}
    assert sees(guarded, Principal(groups=("hr", "it"))) == {"all", "hr", "it"}
    assert sees(guarded, OPERATOR) == {"all", "ann", "hr", "it"}
    check_consistent(guarded._store)


def test_nobody_sees_nothing_once_there_are_rules(open_engine: Open) -> None:
    engine = open_engine()
    engine.add(document("A word in a text.", "open"))
    assert sources(engine, None) == {"open"}
    engine.add(document("A word in another text.", "closed"), readers=["ann"])
    assert sees(engine, None) == set()
    assert engine.ask("a word", principal=None).abstained
    engine.delete(engine.documents(principal=ANN)[0].id)
    engine.compact()
    assert sees(engine, None) == set(), "that there was a rule once is not forgotten"


def test_nobody_sees_nothing_once_there_is_a_tenant(open_engine: Open) -> None:
    engine = open_engine()
    engine.add(document("A word in a text.", "open"))
    engine.add(document("A word of theirs in a text.", "theirs"), tenant="acme")
    assert engine.documents() == []
    assert sources(engine, None) == set()
    assert sees(engine, Principal()) == {"open"}


def test_a_view_that_is_open_keeps_what_it_showed(guarded: Engine) -> None:
    with guarded.view(BOB) as view:
        guarded.add(document("A word of all in a text.", "all"), readers=["ann"])
        assert {each.source for each in view.documents()} == {"all", "it"}
        ranking = view.lexical("word", 10)
        assert {hit.source for hit in view.hits(ranking)} == {"all", "it"}
    assert sees(guarded, BOB) == {"it"}


def test_readers_change_at_once_and_nothing_is_embedded(guarded: Engine, encoder: HashingEncoder) -> None:
    commit, text = guarded.stats().commit, document("A word of all in a text.", "all")
    for change, (readers, seen) in enumerate(
        [(["ann"], {"it"}), (None, {"it"}), (["it"], {"all", "it"}), (["ann"], {"it"}), ([], {"all", "it"})]
    ):
        embedded = encoder.embedded
        report = guarded.add(text, readers=readers)
        assert report.chunks_embedded == 0
        assert encoder.embedded == embedded
        assert guarded.stats().commit == commit + change + (change < 1)
        assert sees(guarded, BOB) == seen


def test_a_new_version_keeps_its_readers(open_engine: Open, tmp_path: Path) -> None:
    engine = open_engine()
    file = tmp_path / "plan.txt"
    file.write_text("A word of the plan.")
    engine.add(file, readers=["ann"])
    engine.add(document("A word of the note.", "note"), readers=["ann"])
    file.write_text("A word of the new plan.")
    engine.add(file)
    engine.add(document("A word of the new note.", "note"))
    assert sees(engine, ANN) == {str(file), "note"}
    assert sees(engine, BOB) == set()


def test_a_new_text_under_a_known_id_keeps_its_readers(open_engine: Open) -> None:
    engine = open_engine()
    first = document("A word of the note.", "note.v1")
    engine.add(first, readers=["ann"])
    second = document("A word of the new note.", "note.v2")
    engine.add(type(second)(first.id, second.source, second.title, second.text))
    assert sees(engine, BOB) == set()
    assert len(sees(engine, ANN)) == 1


def test_a_copy_of_a_closed_file_is_closed(open_engine: Open, tmp_path: Path) -> None:
    engine = open_engine()
    for name in ("closed.txt", "copy.txt"):
        (tmp_path / name).write_text("A word of the plan.")
    engine.add(tmp_path / "closed.txt", readers=["ann"])
    engine.add(tmp_path / "copy.txt")
    assert sees(engine, BOB) == set()
    (failed,) = engine.add(tmp_path / "copy.txt", tenant="", readers=[]).entries
    assert failed.status == "indexed", "the document has these readers now, by either name"
    assert len(sees(engine, BOB)) == 1


def test_two_tenants_with_the_same_file(open_engine: Open, tmp_path: Path, encoder: HashingEncoder) -> None:
    engine = open_engine()
    file = tmp_path / "same.txt"
    file.write_text("A word of both in a text.")
    for tenant in ("x", "y"):
        report = engine.add(file, tenant=tenant, metadata={"owner": tenant})
        assert [entry.reason for entry in report.entries] == [""], "that another has it does not show"
        assert report.chunks_embedded == 1, "nor by what need not be embedded"
    one, other = (engine.documents(principal=Principal(tenant=tenant))[0] for tenant in ("x", "y"))
    assert one.id == other.id
    assert (one.metadata, other.metadata) == ({"owner": "x"}, {"owner": "y"})
    engine.add(file, tenant="x", readers=["ann"])
    assert sources(engine, Principal("bob", tenant="y")) == {str(file)}
    assert sources(engine, Principal("bob", tenant="x")) == set()
    engine.delete(one.id, tenant="x")
    engine.compact()
    assert sources(engine, Principal(tenant="x", operator=True)) == set()
    assert engine.document(other.id, principal=Principal(tenant="y")).text == file.read_text()
    with pytest.raises(DocumentNotFound):
        engine.delete(other.id, tenant="x")
    check_consistent(engine._store)


def test_an_operator_is_one_of_a_tenant_alone(open_engine: Open) -> None:
    engine = open_engine()
    engine.add(document("A word of x in a text.", "x"), tenant="x", readers=["ann"])
    engine.add(document("A word of y in a text.", "y"), tenant="y")
    assert sources(engine, Principal(tenant="x", operator=True)) == {"x"}
    assert sources(engine, OPERATOR) == set()
    assert sources(engine, Principal("ann", tenant="y")) == {"y"}
    assert sources(engine, Principal("x", groups=("x", "y"))) == set(), "a tenant is no group"


STRANGE = [
    'a"b',
    "a'b",
    "[",
    '["ann"]',
    "ann,bob",
    "%",
    "ånn",
    "1",
    "null",
    "true",
    " ann",
    "ANN",
    "\n",
    "🔑",
]


def test_a_name_is_nothing_but_itself(open_engine: Open) -> None:
    engine = open_engine()
    for at, name in enumerate([*STRANGE, "ann"]):
        engine.add(document(f"A word of {at} in a text.", name), readers=[name])
        engine.add(document(f"A word of {at} in a text.", name), tenant=name)
    for name in [*STRANGE, "ann"]:
        assert sources(engine, Principal(name)) == {name}
        assert sources(engine, Principal(groups=(name,))) == {name}
        assert sources(engine, Principal(tenant=name)) == {name}
    assert sources(engine, Principal("")) == set()


def test_readers_are_names(open_engine: Open) -> None:
    engine = open_engine()
    for wrong in ("ann", "", iter(["ann"]), [""], [1], [None], ["a\0b"], ["\ud800"]):
        with pytest.raises(InputError, match="readers"):
            engine.add(document("A word.", "one"), readers=wrong)
    assert engine.documents() == []


WORDS = "word text alpha beta gamma delta report plan budget".split()
ALONE = Principal("ann", tenant="mine", groups=("hr",))

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=30).map(" ".join)
writes = st.tuples(
    st.just("add"), st.lists(st.tuples(st.integers(0, 4), texts), min_size=1, max_size=3), st.booleans()
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["mine", "theirs", "", "others"]),
        st.one_of(writes, writes, st.tuples(st.just("delete"), st.integers(0, 4), st.none())),
    ),
    min_size=1,
    max_size=14,
)


def take(engine: Engine, tenant: str, step: tuple) -> None:
    """Do one step of a tenant's."""
    action, what, closed = step
    if action == "add":
        # Each source once, and its text with its name, so that ids of one run differ.
        new = {f"d{at}": document(f"d{at} {text}", f"d{at}", size=at) for at, text in what}
        engine.add(list(new.values()), tenant=tenant, readers=["hr"] if closed else None)
    elif action == "delete":
        who = Principal(tenant=tenant, operator=True)
        ids = [each.id for each in engine.documents(principal=who) if each.source == f"d{what}"]
        engine.delete(ids, tenant=tenant)


def asked(engine: Engine) -> Iterator[list[Hit] | Answer]:
    """All that one tenant's member is told."""
    queries = ["alpha report", "word", '"word text"', "+plan budget", "gamma -delta"]
    for who, mode, query in product((ALONE, Principal(tenant="mine")), MODES, queries):
        for where in (None, {"size": {"$lte": 2}}):
            yield engine.search(query, k=5, mode=mode, where=where, principal=who)
    answer = engine.ask("what of the alpha report", principal=ALONE)
    yield [answer.text, answer.citations, answer.contexts, answer.confidence]
    yield engine.documents(principal=ALONE)


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import faiss

    monkeypatch.setattr("rag.index.plan.FEWEST_ROWS", 1)  # a graph over few rows is a graph too
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    yield
    faiss.omp_set_num_threads(before)


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
@settings(deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))
@given(steps=steps, compact=st.booleans())
def test_other_tenants_change_nothing(
    one_thread: None,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    steps: list,
    compact: bool,
) -> None:
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    place = tmp_path_factory.mktemp("access")
    options = {"encoder": HashingEncoder(), "settings": Settings(kind=kind, size_tokens=12, overlap_tokens=2)}
    with Engine(place / "shared", **options) as shared, Engine(place / "alone", **options) as alone:
        # That there are tenants is known to both: it is a rule of the index.
        for engine in (shared, alone):
            engine.add(document("First word text.", "first"), tenant="mine")
        for tenant, step in steps:
            take(shared, tenant, step)
            if tenant == "mine":
                take(alone, tenant, step)
        if compact:
            for engine in (shared, alone):
                engine.compact()
        with shared.view(ALONE) as view:
            assert {segment.plan.kind for segment in view.snapshot.segments} <= {kind}
        for found, wanted in zip(asked(shared), asked(alone), strict=True):
            assert repr(found) == repr(wanted)
            assert found == wanted
        check_consistent(shared._store)


def test_merges_of_others_change_nothing(
    one_thread: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    options = {"encoder": HashingEncoder(), "settings": Settings(kind="hnsw")}
    with Engine(tmp_path / "shared", **options) as shared, Engine(tmp_path / "alone", **options) as alone:
        for at in range(9):
            for tenant in ("theirs", "mine", "") if at % 2 else ("", "mine", "mine", "theirs"):
                step = ("add", [(at, f"word {WORDS[at]} text of {tenant}"), (at + 20, "plan")], False)
                take(shared, tenant, step)
                if tenant == "mine":
                    take(alone, tenant, step)
        assert shared.stats().segments < 27
        for found, wanted in zip(asked(shared), asked(alone), strict=True):
            assert repr(found) == repr(wanted)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system has no /proc")
def test_many_tenants_need_few_open_files(tmp_path: Path) -> None:
    with Engine(tmp_path / "index", encoder=HashingEncoder()) as engine:
        for at in range(12):
            engine.add(document(f"word {at}", "a"), tenant=f"t{at}")
        before = len(list(Path("/proc/self/fd").iterdir()))
        for at in range(12):
            assert engine.search("word", principal=Principal(tenant=f"t{at}"))
        assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2


def test_what_was_opened_of_a_tenant_goes_and_comes_back(
    open_engine: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.index.store.KEPT_TENANTS", 2)
    engine = open_engine()
    for at in range(4):
        engine.add(document(f"word {at}", "a"), tenant=f"t{at}")
    for at in (0, 1, 2, 3, 0, 3):
        (hit,) = engine.search("word", principal=Principal(tenant=f"t{at}"))
        assert hit.chunk.text == f"word {at}"
    assert list(engine._store._snapshots) == ["t0", "t3"]
