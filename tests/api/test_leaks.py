"""Two tenants in one index: what a door answers to one is what it would were the other not there."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fakes import HashingEncoder
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.testclient import TestClient
from typer.testing import CliRunner

from rag.api.access import trusted_headers
from rag.api.app import create_app
from rag.api.cli import app
from rag.api.mcp import create_mcp
from rag.api.settings import DoorSettings
from rag.pipeline import Engine
from rag.protocols import Encoder
from rag.types import Principal

HEADERS = DoorSettings(principal_header="x-user", tenant_header="x-tenant", groups_header="x-groups")
ANN = {"x-user": "ann", "x-tenant": "acme", "x-groups": "staff, sales"}
BOSS = {"x-user": "eve", "x-tenant": "acme", "x-groups": "board"}
EVERYONE = "# Kiosk\n\nThe kiosk of Acme opens at nine. Its till holds forty crowns.\n"
BOARD = "# Mergerplan\n\nAcme will buy the brewery Quaffwell in autumn for nine crowns.\n"
OTHERS = "# Zanzibarplan\n\nGlobex opens a kiosk in Xanadu at nine. Its till holds forty thousand crowns.\n"
THEIRS = ("Zanzibarplan", "Xanadu", "Globex", "globex", "zz-own", "wombat", "thousand")
SECRET = ("Mergerplan", "Quaffwell", "mm-board", "brewery")


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return HashingEncoder()


class Two(NamedTuple):
    alone: Path
    together: Path
    ids: dict[str, str]


@pytest.fixture(scope="module")
def two(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Two:
    """An index of Acme alone, one of Acme and Globex, and the ids of the three documents."""
    folder = tmp_path_factory.mktemp("tenants")
    texts = {"aa-kiosk.md": EVERYONE, "mm-board.md": BOARD, "zz-own.md": OTHERS}
    for name, text in texts.items():
        (folder / name).write_text(text)
    ids = {}
    for name in ("alone", "together"):
        with Engine(folder / name, encoder=encoder) as engine:
            entries = engine.add(folder / "aa-kiosk.md", tenant="acme").entries
            entries += engine.add(folder / "mm-board.md", tenant="acme", readers=["board"]).entries
            if name == "together":
                given = {"tenant": "globex", "metadata": {"animal": "wombat"}, "readers": ["ann", "board"]}
                entries += engine.add(folder / "zz-own.md", **given).entries
        ids = {Path(entry.source).stem: entry.document_id or "" for entry in entries}
    return Two(folder / "alone", folder / "together", ids)


QUERIES = [
    "kiosk till crowns",
    "Xanadu",
    "Globex opens a kiosk",
    "Quaffwell",
    '"opens at nine"',
    "+Xanadu",
    "-kiosk",
]
FILTERS: list[Any] = [
    None,
    {"animal": "wombat"},
    {"tenant": "globex"},
    {"readers": {"$exists": True}},
    {"$or": [{"tenant": "globex"}, {"title": {"$gte": ""}}]},
    {"$nor": [{"title": "Kiosk"}]},
    {"source": {"$gte": "/"}},
    {"$text": {"$search": "Xanadu"}},
    {"animal": {"$near": 1}},
]


def requests_of(ids: dict[str, str]) -> Iterator[tuple[str, str, dict[str, Any] | None]]:
    for query in QUERIES:
        for mode in ("hybrid", "dense", "lexical"):
            yield "POST", "/v1/search", {"query": query, "mode": mode, "k": 50}
        yield "POST", "/v1/search", {"query": query, "syntax": False}
        yield "POST", "/v1/query", {"question": query}
        yield "POST", "/v1/query", {"question": query, "stream": True, "steps": 3}
        yield "POST", "/v1/summarise", {"about": query}
        said = [{"role": "user", "content": "What of Xanadu?"}, {"role": "user", "content": query}]
        yield "POST", "/v1/chat/completions", {"messages": said}
    for where in FILTERS:
        yield "POST", "/v1/search", {"query": "kiosk", "where": where}
        yield "POST", "/v1/query", {"question": "When does the kiosk open?", "where": where}
    for field in ("tenant", "principal", "groups", "readers", "operator"):
        yield "POST", "/v1/search", {"query": "kiosk", field: "globex"}
        yield "POST", "/v1/query", {"question": "kiosk", field: "globex"}
    yield "GET", "/v1/documents", None
    yield "GET", "/v1/documents?tenant=globex&principal=ann&operator=true", None
    for document in (*ids.values(), "0" * 64, "zz-own.md"):
        yield "GET", f"/v1/documents/{document}", None
        yield "POST", "/v1/summarise", {"document_id": document}
        yield "POST", "/v1/compare", {"first_id": ids["aa-kiosk"], "second_id": document}
    yield "GET", "/v1/nothing", None
    yield "GET", "/readyz", None
    yield "GET", "/openapi.json", None


def without_clocks(value: Any) -> Any:
    """A response without what times, commits and the secret of the index do to it, and what was sent."""
    if isinstance(value, dict):
        dropped = ("timings_ms", "index_commit", "seal", "answer_id", "request", "created")
        kept = {k: v for k, v in value.items() if k not in dropped and not str(v).startswith("chatcmpl-")}
        return {k: without_clocks(v) for k, v in kept.items()}
    return [without_clocks(each) for each in value] if isinstance(value, list) else value


def transcript(index: Path, ids: dict[str, str], headers: dict[str, str]) -> list[Any]:
    """Every request's status and body."""
    told = []
    with (
        Engine(index, create=False) as engine,
        TestClient(create_app(engine, HEADERS), raise_server_exceptions=False) as client,
    ):
        for method, path, body in requests_of(ids):
            response = client.request(method, path, json=body, headers=headers)
            streamed = response.headers["content-type"].startswith("text/event-stream")
            lines = [line.removeprefix("data: ") for line in response.text.split("\n") if "data: " in line]
            found = [json.loads(line) for line in lines] if streamed else response.json()
            told.append((method, path, body, response.status_code, without_clocks(found)))
    return told


def answers(told: list[Any]) -> str:
    """What was answered, without what was asked: a query and a path come back as they were sent.

    So do the words of a question in what was searched for.
    """
    kept = []
    for _, path, body, _, found in told:
        text = re.sub(r'"queries": \[.*?\]', "", json.dumps(found))
        for asked in [*(body or {}).values(), path.rsplit("/", 1)[-1]]:
            text = text.replace(json.dumps(asked).strip('"'), "")
        kept.append(text)
    return "\n".join(kept)


def test_over_http_one_tenant_is_as_if_the_other_were_not_there(two: Two) -> None:
    together = transcript(two.together, two.ids, ANN)
    assert together == transcript(two.alone, two.ids, ANN)
    statuses = {(path, status) for _, path, _, status, _ in together}
    assert (f"/v1/documents/{two.ids['aa-kiosk']}", 200) in statuses
    assert (f"/v1/documents/{two.ids['mm-board']}", 404) in statuses
    assert (f"/v1/documents/{two.ids['zz-own']}", 404) in statuses
    told = answers(together)
    assert "Its till holds forty crowns." in told
    assert [word for word in (*THEIRS, *SECRET) if word in told] == []
    assert two.ids["zz-own"] not in told
    assert two.ids["mm-board"] not in told


def test_over_http_who_is_let_read_reads(two: Two) -> None:
    together = transcript(two.together, two.ids, BOSS)
    assert together == transcript(two.alone, two.ids, BOSS)
    told = answers(together)
    assert all(word in told for word in SECRET)
    assert [word for word in THEIRS if word in told] == []


def test_what_one_may_not_read_is_answered_as_what_is_not_there(two: Two) -> None:
    with Engine(two.together, create=False) as engine, TestClient(create_app(engine, HEADERS)) as client:
        hidden, other, none = (
            client.get(f"/v1/documents/{document}", headers=ANN)
            for document in (two.ids["mm-board"], two.ids["zz-own"], "0" * 64)
        )
    unknown = json.loads(none.text.replace("0" * 64, "X"))
    assert unknown["status"] == 404
    assert json.loads(hidden.text.replace(two.ids["mm-board"], "X")) == unknown
    assert json.loads(other.text.replace(two.ids["zz-own"], "X")) == unknown
    assert hidden.headers.keys() == other.headers.keys() == none.headers.keys()


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("x-user", "ann")],
        [("x-tenant", "acme")],
        [("x-user", " "), ("x-tenant", "acme")],
        [("x-user", "ann"), ("x-user", "eve"), ("x-tenant", "acme")],
        [("x-user", "ann"), ("x-tenant", "acme"), ("x-tenant", "globex")],
        [("x-user", "ann"), ("x-tenant", "acme"), ("x-groups", "staff"), ("x-groups", "board")],
    ],
)
def test_a_request_of_which_the_proxy_does_not_say_who_asks_is_refused(
    two: Two, headers: list[tuple[str, Any]]
) -> None:
    with Engine(two.together, create=False) as engine, TestClient(create_app(engine, HEADERS)) as client:
        for method, path, body in (
            ("POST", "/v1/search", {"query": "kiosk"}),
            ("POST", "/v1/query", {"question": "When does the kiosk open?"}),
            ("POST", "/v1/summarise", {"document_id": two.ids["aa-kiosk"]}),
            ("GET", "/v1/documents", None),
            ("GET", f"/v1/documents/{two.ids['aa-kiosk']}", None),
        ):
            response = client.request(method, path, json=body, headers=headers)
            assert response.status_code == 403, path
            assert response.headers["content-type"] == "application/problem+json"
            assert "kiosk" not in response.text.lower()


def test_names_are_read_as_utf_8_and_nothing_else() -> None:
    principal_of = trusted_headers(HEADERS)
    assert principal_of is not None

    def said(name: bytes) -> Principal | None:
        return principal_of(Request({"type": "http", "headers": [(b"x-user", name), (b"x-tenant", b"acme")]}))

    assert said(" Łukasz ".encode()) == Principal("Łukasz", "acme")
    with pytest.raises(HTTPException):
        said(b"\xff")


def test_who_asks_is_what_the_function_says_and_no_header_is_believed(two: Two) -> None:
    def principal_of(request: Request) -> Principal | None:
        match request.headers.get("authorization"):
            case "Bearer ann":
                return Principal("ann", "acme")
            case "Bearer broken":
                raise RuntimeError("Zanzibarplan")
            case None:
                return None
        raise HTTPException(401, "who are you?", headers={"www-authenticate": "Bearer"})

    with (
        Engine(two.together, create=False) as engine,
        TestClient(create_app(engine, principal_of=principal_of), raise_server_exceptions=False) as client,
    ):

        def listed(token: str) -> Any:
            return client.get("/v1/documents", headers={"authorization": f"Bearer {token}", **BOSS})

        assert [each["title"] for each in listed("ann").json()["documents"]] == ["Kiosk"]
        refused = listed("stranger")
        assert (refused.status_code, refused.json()["detail"]) == (401, "who are you?")
        assert refused.headers["www-authenticate"] == "Bearer"
        broken = listed("broken")
        assert (broken.status_code, "Zanzibarplan" in broken.text) == (500, False)
        assert client.get("/v1/documents", headers=BOSS).json() == {"documents": []}


def test_without_headers_set_nobody_sees_an_index_with_rules_whatever_he_sends(two: Two) -> None:
    with Engine(two.together, create=False) as engine, TestClient(create_app(engine)) as client:
        assert client.get("/v1/documents", headers=BOSS).json() == {"documents": []}
        found = client.post("/v1/search", json={"query": "kiosk"}, headers=BOSS).json()
        assert found["hits"] == []
        asked = client.post("/v1/query", json={"question": "When does the kiosk open?"}, headers=BOSS).json()
        assert (asked["abstained"], asked["contexts"]) == (True, [])
        assert client.get(f"/v1/documents/{two.ids['aa-kiosk']}", headers=BOSS).status_code == 404


def commands_of(ids: dict[str, str], answer: Path) -> Iterator[list[str]]:
    named = ["--tenant", "acme", "--principal", "ann", "--group", "staff"]
    for query in QUERIES:
        yield ["search", *named, "--", query]
        yield ["search", "--plain", *named, "--", query]
        yield ["ask", *named, "--", query]
        yield ["summarise", *named, "--about", query]
    for where in FILTERS[1:]:
        yield ["search", "kiosk", "--where", json.dumps(where), *named]
    yield ["list", "--tenant", "acme"]
    for document in (ids["zz-own"], ids["zz-own"][:8], "zz-own.md", "0" * 64):
        yield ["delete", document, "--tenant", "acme"]
        yield ["summarise", document, *named]
        yield ["compare", ids["aa-kiosk"], document, *named]
    yield ["verify", str(answer), "--tenant", "acme"]


def test_on_the_command_line_one_tenant_is_as_if_the_other_were_not_there(two: Two, tmp_path: Path) -> None:
    answer = tmp_path / "answer.json"
    quote = {"number": 1, "document_id": two.ids["zz-own"], "start": 0, "end": 5, "quote": "# Zan"}
    answer.write_text(json.dumps({"answer": "", "sentences": [], "citations": [quote]}))
    for words in commands_of(two.ids, answer):
        told = []
        for index in (two.alone, two.together):
            result = CliRunner().invoke(app, [words[0], "--json", "--index", str(index), *words[1:]])
            found = without_clocks(json.loads(result.stdout))
            told.append((result.exit_code, found, result.stderr))
        assert told[0] == told[1], words
        if words[0] in ("search", "ask", "list", "summarise", "compare"):
            text = json.dumps(
                {k: v for k, v in told[1][1].items() if k not in ("query", "question", "error")}
            )
            secret = () if words[0] == "list" else SECRET  # the operator of the folder lists all of a tenant
            assert [word for word in (*THEIRS, *secret) if word in text] == [], words


def test_on_the_command_line_nobody_sees_nothing_and_is_told_why(two: Two) -> None:
    for words in (["search", "kiosk"], ["ask", "When does the kiosk open?"]):
        result = CliRunner().invoke(app, [*words, "--json", "--index", str(two.together)])
        found = json.loads(result.stdout)
        assert result.exit_code == 0
        assert found.get("hits", found.get("contexts")) == []
        assert "--principal" in result.stderr
        named = CliRunner().invoke(app, [*words, "--json", "--index", str(two.together), "--tenant", "acme"])
        assert named.stderr == ""
        assert "forty crowns" in named.stdout
        assert not any(word in named.stdout for word in (*THEIRS, *SECRET))
    listed = CliRunner().invoke(app, ["list", "--json", "--index", str(two.together)])
    assert (json.loads(listed.stdout), "acme, globex" in listed.stderr) == ({"documents": []}, True)


def test_over_mcp_one_tenant_is_as_if_the_other_were_not_there(two: Two) -> None:
    mcp = pytest.importorskip("mcp", reason="the extra package mcp is not installed")
    calls: list[tuple[str, dict[str, Any]]] = [("search", {"query": query}) for query in QUERIES]
    calls += [("ask", {"question": query}) for query in QUERIES]
    calls += [("search", {"query": "kiosk", "where": where}) for where in FILTERS]
    calls += [("summarise", {"document_id": document}) for document in two.ids.values()]
    calls += [("summarise", {"about": query}) for query in QUERIES]
    calls += [("search", {"query": "kiosk", "principal": "eve", "tenant": "globex"})]

    async def run(index: Path) -> list[Any]:
        with Engine(index, create=False) as engine:
            async with mcp.Client(create_mcp(engine, principal=Principal("ann", "acme"))) as client:
                results = [await client.call_tool(tool, arguments) for tool, arguments in calls]
        return [
            without_clocks(each.structured_content) or [part.text for part in each.content]
            for each in results
        ]

    together = asyncio.run(run(two.together))
    assert together == asyncio.run(run(two.alone))
    for (_, arguments), found in zip(calls, together, strict=True):
        text = json.dumps(found)
        for asked in arguments.values():
            text = text.replace(json.dumps(asked).strip('"'), "")
        assert [word for word in (*THEIRS, *SECRET) if word in text] == [], arguments
    assert "forty crowns" in json.dumps(together)
