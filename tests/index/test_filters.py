from __future__ import annotations

from collections.abc import Callable, Mapping

import apsw
import pytest
from fakes import document
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import FilterError
from rag.index.database import connect, prepare
from rag.index.documents import metadata_json
from rag.index.filters import compile_filter
from rag.pipeline import Engine
from rag.types import Filter

FIELDS = [
    "team",
    "a.b",
    "",
    "$",
    "[0]",
    "$.team",
    'say "hi"',
    "it's",
    "back\\slash",
    "new\nline",
    "é日",
    "x" * 300,
]
FIELDS += [
    "'; DROP TABLE documents; --",
    'a"]',
    "*",
    "%",
    "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
]

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3)
SCALAR = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), TEXT,
    st.sampled_from([0.5, -1.0, 2.0, 1e300, 2**53 + 1, 0.1]),
    st.sampled_from(["a", "b", "1", "true", "null", ""]),
)  # fmt: skip
METADATA = st.dictionaries(
    st.sampled_from(FIELDS), st.one_of(SCALAR, st.lists(SCALAR, max_size=3)), max_size=6
)
NAME = st.sampled_from([name for name in FIELDS if not name.startswith("$")])
ORDERED = st.one_of(
    st.integers(-3, 3), st.sampled_from([0.5, -1.0, 2.0]), st.sampled_from(["a", "b", "1", ""])
)
OPERATION = st.one_of(
    st.tuples(st.sampled_from(["$eq", "$ne"]), SCALAR),
    st.tuples(st.sampled_from(["$in", "$nin"]), st.lists(SCALAR, max_size=3)),
    st.tuples(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), ORDERED),
    st.tuples(st.just("$exists"), st.booleans()),
)
OPERATIONS = st.recursive(
    st.lists(OPERATION, min_size=1, max_size=2).map(dict),
    lambda inner: st.fixed_dictionaries({"$not": inner}),
    max_leaves=3,
)
FILTER = st.recursive(
    st.dictionaries(NAME, st.one_of(SCALAR, OPERATIONS), max_size=2),
    lambda inner: st.dictionaries(
        st.sampled_from(["$and", "$or", "$nor"]),
        st.lists(inner, min_size=1, max_size=3),
        min_size=1,
        max_size=2,
    ),
    max_leaves=6,
)


def kind(value: object) -> str:
    """MongoDB's bracket of a value: values of two brackets are never equal, nor one above the other."""
    if value is None or isinstance(value, bool):
        return f"{value}"
    return "text" if isinstance(value, str) else "number"


def same(one: object, other: object) -> bool:
    return kind(one) == kind(other) and one == other


def matches(metadata: Mapping[str, object], where: Filter) -> bool:
    """MongoDB's documented meaning of a query over flat documents."""
    for name, wanted in where.items():
        if name == "$and":
            passed = all(matches(metadata, part) for part in wanted)
        elif name == "$or":
            passed = any(matches(metadata, part) for part in wanted)
        elif name == "$nor":
            passed = not any(matches(metadata, part) for part in wanted)
        else:
            passed = field_matches(metadata, name, wanted)
        if not passed:
            return False
    return True


def field_matches(metadata: Mapping[str, object], name: str, wanted: object) -> bool:
    if not isinstance(wanted, Mapping):
        wanted = {"$eq": wanted}
    there = name in metadata
    value = metadata.get(name)
    items = (value if isinstance(value, list) else [value]) if there else []

    def equals(target: object) -> bool:
        return any(same(item, target) for item in items) or (target is None and not there)

    for operator, target in wanted.items():
        passed = {
            "$eq": equals,
            "$ne": lambda t: not equals(t),
            "$in": lambda t: any(equals(each) for each in t),
            "$nin": lambda t: not any(equals(each) for each in t),
            "$gt": lambda t: any(kind(i) == kind(t) and i > t for i in items),
            "$gte": lambda t: any(kind(i) == kind(t) and i >= t for i in items),
            "$lt": lambda t: any(kind(i) == kind(t) and i < t for i in items),
            "$lte": lambda t: any(kind(i) == kind(t) and i <= t for i in items),
            "$exists": lambda t: there == t,
            "$not": lambda t: not field_matches(metadata, name, t),
        }[operator](target)
        if not passed:
            return False
    return True


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> apsw.Connection:
    path = tmp_path_factory.mktemp("filters") / "index.db"
    connection = connect(path)
    prepare(connection, path)
    yield connection
    connection.close()


def passing(table: apsw.Connection, collection: list[Mapping[str, object]], where: Filter) -> list[int]:
    table.execute("DELETE FROM documents")
    table.executemany(
        "INSERT INTO documents VALUES (?, '', ?, ?, ?, x'', ?, '', '', '', '', 0, 0)",
        [(at, f"id{at}", f"source{at}", "5", metadata_json(each)) for at, each in enumerate(collection)],
    )
    condition = compile_filter(where)
    rows = table.execute(
        f"SELECT number FROM documents WHERE {condition.sql} ORDER BY number", condition.values
    )
    return [number for (number,) in rows]


@settings(max_examples=150, deadline=None)
@given(collection=st.lists(METADATA, min_size=1, max_size=8), where=FILTER)
def test_means_what_mongodb_documents(
    table: apsw.Connection, collection: list[Mapping[str, object]], where: Filter
) -> None:
    assert passing(table, collection, where) == [
        at for at, each in enumerate(collection) if matches(each, where)
    ]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"a": None}, [0, 1, 4]),  # missing, null, a list that holds null; not the empty list
        ({"a": {"$ne": None}}, [2, 3, 5, 6, 7]),
        ({"a": True}, [5]),
        ({"a": 1}, [3, 6]),
        ({"a": {"$in": [True, None]}}, [0, 1, 4, 5]),
        ({"a": {"$gt": 0}}, [3, 6]),
        ({"a": {"$not": {"$gt": 0}}}, [0, 1, 2, 4, 5, 7]),
        ({"a": {"$exists": True}}, [1, 2, 3, 4, 5, 6, 7]),
        ({"a": "1"}, [7]),
        ({"a": {"$in": []}}, []),
        ({"a": {"$nin": []}}, [0, 1, 2, 3, 4, 5, 6, 7]),
        ({}, [0, 1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_missing_null_lists_and_booleans(table: apsw.Connection, where: Filter, expected: list[int]) -> None:
    collection = [
        {},
        {"a": None},
        {"a": []},
        {"a": 1},
        {"a": [None, "x"]},
        {"a": True},
        {"a": [0, 1.0]},
        {"a": "1"},
    ]
    assert passing(table, collection, where) == expected


@pytest.mark.parametrize("field", FIELDS)
def test_a_name_is_only_a_name(table: apsw.Connection, field: str) -> None:
    collection = [{field: "x"}, {"other": "x"}, {field: ["y", "x"]}, {}]
    if field.startswith("$"):
        with pytest.raises(FilterError):
            passing(table, collection, {field: "x"})
        return
    assert passing(table, collection, {field: "x"}) == [0, 2]
    assert passing(table, collection, {field: {"$exists": False}}) == [1, 3]
    assert passing(table, collection, {field: {"$gte": "y"}}) == [2]


def test_the_columns_are_text(table: apsw.Connection) -> None:
    collection = [{}, {}]
    assert passing(table, collection, {"title": "5"}) == [0, 1]
    assert passing(table, collection, {"title": 5}) == []
    assert passing(table, collection, {"title": {"$gte": 5}}) == []
    assert passing(table, collection, {"title": {"$in": [5, None]}}) == []
    assert passing(table, collection, {"title": None}) == []
    assert passing(table, collection, {"title": {"$ne": None}}) == [0, 1]
    assert passing(table, collection, {"title": {"$exists": False}}) == []
    assert passing(table, collection, {"document_id": {"$in": ["id1", "nothing"]}}) == [1]
    assert passing(table, collection, {"source": {"$gt": "source0"}}) == [1]


def deep(levels: int, operator: str) -> Filter:
    where: Filter = {"a": 1}
    for _ in range(levels):
        where = {operator: [where]}
    return where


def deep_not(levels: int) -> Filter:
    inner: Filter = {"$gt": 1}
    for _ in range(levels):
        inner = {"$not": inner}
    return {"a": inner}


CYCLE: dict[str, object] = {}
CYCLE["$and"] = [CYCLE]

NO_FILTERS = [
    [],
    "",
    "team",
    0,
    [{"a": 1}],
    {1: 2},
    {None: 1},
    {"$where": "1"},
    {"$and": []},
    {"$or": {}},
    {"$and": [1]},
    {"$not": {"a": 1}},
    {"a": {}},
    {"a": {"$gtt": 1}},
    {"a": {"b": 1}},
    {"a": {"$gt": None}},
    {"a": {"$gt": True}},
    {"a": [1]},
    {"a": {"$in": "ab"}},
    {"a": {"$in": [[1]]}},
    {"a": {"$nin": 1}},
    {"a": {"$exists": 1}},
    {"a": {"$not": 1}},
    {"a": {"$not": {}}},
    {"a": object()},
    {"a": float("nan")},
    {"a": {"$lt": float("inf")}},
    {"a": "\0"},
    {"a": "\ud800"},
    {"a": {"$in": ["\ud800"]}},
    {"\ud800": 1},
    {"a": b"x"},
    {"a": {1: 2}},
    CYCLE,
    deep(100_000, "$and"),
    deep(3_000, "$nor"),
    deep(400, "$or"),
    deep_not(100_000),
    deep_not(2_000),
    {"$or": [{"a": at} for at in range(50_000)]},
    {f"f{at}": at for at in range(40_000)},
]


@pytest.mark.parametrize("where", NO_FILTERS, ids=range(len(NO_FILTERS)))
def test_what_is_no_filter_is_refused(shared_engine: Engine, where: object) -> None:
    with pytest.raises(FilterError) as refused:
        shared_engine.search("word", where=where)
    assert len(str(refused.value)) < 100_000


@pytest.fixture(scope="module")
def shared_engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    from fakes import HashingEncoder

    with Engine(tmp_path_factory.mktemp("filters") / "index", encoder=HashingEncoder()) as engine:
        engine.add([document("a word here", "one", a=1), document("another word", "two")])
        yield engine


def test_a_long_list_of_values_is_no_trouble(shared_engine: Engine) -> None:
    hits = shared_engine.search("word", where={"a": {"$in": list(range(100_000))}})
    assert [hit.source for hit in hits] == ["one"]


@pytest.mark.parametrize(
    "metadata", [{"a": float("nan")}, {"a": float("inf")}, {1: "a"}, {"a": {}}, {"a": "\0"}, {"\ud800": 1}]
)
def test_metadata_that_would_spoil_filters_fails_alone(
    open_engine: Callable[[], Engine], metadata: Mapping[str, object]
) -> None:
    engine = open_engine()
    bad = document("bad words", "bad")
    object.__setattr__(bad, "metadata", metadata)
    report = engine.add([document("good words", "good", a=1), bad])
    assert [entry.source for entry in report.failed] == ["bad"]
    assert [hit.source for hit in engine.search("words", where={"a": 1})] == ["good"]
