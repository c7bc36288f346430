from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from rag.api.app import create_app
from rag.api.settings import DoorSettings
from rag.errors import IndexLocked
from rag.pipeline import Engine
from rag.types import Document


@pytest.fixture
def client(engine: Engine) -> Iterator[TestClient]:
    settings = DoorSettings(max_k=20, max_body_bytes=2_000)
    with TestClient(create_app(engine, settings), raise_server_exceptions=False) as client:
        yield client


def test_it_lives_and_is_ready(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["index_commit"]) == (200, 2)


def test_it_lives_but_is_not_ready_without_its_index(client: TestClient, engine: Engine) -> None:
    engine.close()
    assert client.get("/healthz").status_code == 200
    ready = client.get("/readyz")
    assert (ready.status_code, ready.headers["content-type"]) == (503, "application/problem+json")


def test_search_is_the_engines(client: TestClient, engine: Engine) -> None:
    body = {"query": "annual leave", "k": 3, "where": {"team": "hr"}, "mode": "lexical"}
    found = client.post("/v1/search", json=body).json()
    wanted = engine.search("annual leave", k=3, where={"team": "hr"}, mode="lexical")
    assert [hit["chunk_id"] for hit in found["hits"]] == [hit.chunk.id for hit in wanted]
    assert found.keys() == {"query", "hits", "timings_ms"}


def test_a_query_has_conditions_unless_it_is_said_to_be_text(client: TestClient) -> None:
    def sources(**body: object) -> set[str]:
        return {hit["title"] for hit in client.post("/v1/search", json=body).json()["hits"]}

    assert sources(query="weeks -methanol") == {"Leave"}
    assert sources(query="weeks -methanol", syntax=False) == {"Leave", "boats"}


def test_query_answers_with_proof(client: TestClient, engine: Engine) -> None:
    answer = client.post("/v1/query", json={"question": "Do her engines burn methanol?"}).json()
    citation = answer["citations"][0]
    text = engine.document(citation["document_id"]).text
    assert citation["quote"] == text[citation["start"] : citation["end"]]


def test_a_stream_ends_in_the_answer_that_is_given_without(client: TestClient) -> None:
    body = {"question": "Do her engines burn methanol?"}
    whole = client.post("/v1/query", json=body).json()
    response = client.post("/v1/query", json=body | {"stream": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    events = [event.split("\n") for event in response.text.removesuffix("\n\n").split("\n\n")]
    names = [name.removeprefix("event: ") for name, _ in events]
    values = [json.loads(data.removeprefix("data: ")) for _, data in events]
    assert names == ["sentence"] * len(whole["sentences"]) + ["answer"]
    assert values[:-1] == whole["sentences"]
    changing = {"timings_ms": 0, "seal": ""}
    assert values[-1] | changing == whole | changing


def test_documents_are_listed_without_text(client: TestClient, docs: Path) -> None:
    listed = client.get("/v1/documents").json()["documents"]
    assert [each["source"] for each in listed] == [str(docs / "boats.txt"), str(docs / "leave.md")]
    assert listed[0]["metadata"] == {"team": "fleet", "year": 2024}
    assert "text" not in listed[0]


def test_a_document_is_given_whole_so_that_citations_can_be_checked(client: TestClient) -> None:
    answer = client.post("/v1/query", json={"question": "Do her engines burn methanol?"}).json()
    citation = answer["citations"][0]
    document = client.get(f"/v1/documents/{citation['document_id']}").json()
    assert document.keys() == {"id", "source", "title", "metadata", "left_out", "text", "pages", "sections"}
    assert document["text"][citation["start"] : citation["end"]] == citation["quote"]
    leave = client.post("/v1/search", json={"query": "leave", "where": {"team": "hr"}}).json()["hits"][0]
    whole = client.get(f"/v1/documents/{leave['document_id']}").json()
    assert whole["sections"][1] | {"start": 0, "end": 0} == {
        "level": 2,
        "title": "Parental leave",
        "start": 0,
        "end": 0,
    }
    missing = client.get("/v1/documents/none")
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:rag:DocumentNotFound")


def test_a_document_may_have_any_id(engine: Engine, tmp_path: Path) -> None:
    with Engine(tmp_path / "kb", encoder=engine.encoder) as own:
        own.add(Document("wiki/Ferry?", "wiki", "Ferry", "A ferry carries cars."))
        with TestClient(create_app(own)) as client:
            assert client.get("/v1/documents/wiki%2FFerry%3F").json()["text"] == "A ferry carries cars."


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/search", {}, 400),
        ("/v1/search", {"query": " "}, 400),
        ("/v1/search", {"query": "x", "k": 0}, 400),
        ("/v1/search", {"query": "x", "k": 21}, 400),
        ("/v1/search", {"query": "x", "mode": "psychic"}, 400),
        ("/v1/search", {"query": "x", "where": {"$near": 1}}, 400),
        ("/v1/search", {"query": "x", "were": {"team": "hr"}}, 400),
        ("/v1/search", {"query": "-leave"}, 400),
        ("/v1/query", {"question": ""}, 400),
        ("/v1/query", {"question": "x" * 3_000}, 413),
        ("/v1/nothing", {}, 404),
        ("/healthz", {}, 405),
    ],
)
def test_errors_are_problems(client: TestClient, path: str, body: dict[str, object], status: int) -> None:
    response = client.post(path, json=body)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem.keys() >= {"type", "title", "detail"}


@pytest.mark.parametrize(
    "body", ['{"query": "\\ud800 x"}', '{"query": "x", "where": {"a": "\\ud800"}}', "{", "[]", "\x00"]
)
def test_a_body_that_is_no_request_is_a_problem_and_no_failure(client: TestClient, body: str) -> None:
    response = client.post("/v1/search", content=body, headers={"content-type": "application/json"})
    assert (response.status_code, response.headers["content-type"]) == (400, "application/problem+json")


def test_a_body_without_a_length_is_bounded_too(client: TestClient) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 1_000

    response = client.post("/v1/search", content=endless(), headers={"content-type": "application/json"})
    assert response.status_code == 413


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (IndexLocked("another process writes"), 409, "another process writes"),
        (OSError("/secret/path is gone"), 500, "the server failed; see its log"),
    ],
)
def test_an_engine_that_fails_is_a_problem_that_tells_no_secret(
    client: TestClient,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
    told: str,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(engine, "search", fail)
    response = client.post("/v1/search", json={"query": "x"})
    assert (response.status_code, response.json()["detail"]) == (status, told)


def test_it_describes_itself_and_loads_no_page_from_elsewhere(client: TestClient) -> None:
    assert "/v1/search" in client.get("/openapi.json").json()["paths"]
    assert client.get("/docs").status_code == 404
    assert client.get("/redoc").status_code == 404
