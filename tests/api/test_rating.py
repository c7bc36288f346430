"""Feedback over HTTP, by a service that keeps a query log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from rag.api.app import create_app
from rag.api.settings import DoorSettings
from rag.eval.watching.records import read_log
from rag.pipeline import Engine
from rag.protocols import Encoder

ACME, GLOBEX = {"x-tenant": "acme", "x-user": "ann"}, {"x-tenant": "globex", "x-user": "bob"}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "queries.jsonl"


@pytest.fixture
def client(docs: Path, encoder: Encoder, tmp_path: Path, log: Path) -> Iterator[TestClient]:
    settings = DoorSettings(tenant_header="x-tenant", principal_header="x-user")
    with Engine(tmp_path / "index", encoder=encoder, query_log=log) as engine:
        engine.add(docs / "leave.md", tenant="acme")
        engine.add(docs / "boats.txt", tenant="globex")
        with TestClient(create_app(engine, settings), raise_server_exceptions=False) as client:
            yield client


def test_an_answer_is_rated_by_those_it_was_given_to(client: TestClient, log: Path) -> None:
    asked = {"question": "How many days of annual leave are there?"}
    seal = client.post("/v1/query", json=asked, headers=ACME).json()["seal"]
    good = client.post("/v1/feedback", json={"answer_id": seal, "rating": 1}, headers=ACME)
    assert (good.status_code, good.json()) == (200, {"status": "noted"})
    (rated,) = read_log(log, "acme").ratings
    assert (rated.answer_id, rated.rating) == (seal, 1)
    assert '"ann"' not in log.read_text()

    foreign = client.post("/v1/feedback", json={"answer_id": seal, "rating": -1}, headers=GLOBEX)
    unknown = client.post("/v1/feedback", json={"answer_id": "f" * 64, "rating": -1}, headers=GLOBEX)
    for refused in (foreign, unknown):
        assert refused.status_code == 404
        assert refused.headers["content-type"] == "application/problem+json"
    # that it is another's is not told apart from that there is none
    assert foreign.json()["detail"].replace(seal, "") == unknown.json()["detail"].replace("f" * 64, "")
    assert read_log(log, "globex").ratings == ()


def test_a_completion_has_an_id_to_rate_it_by(client: TestClient, log: Path) -> None:
    body = {"messages": [{"role": "user", "content": "How many days of annual leave are there?"}]}
    identity = client.post("/v1/chat/completions", json=body, headers=ACME).json()["answer_id"]
    sent = client.post("/v1/feedback", json={"answer_id": identity, "rating": -1}, headers=ACME)
    assert sent.status_code == 200
    assert [each.rating for each in read_log(log, "acme").ratings] == [-1]


@pytest.mark.parametrize(
    "body",
    [
        {"answer_id": "x", "rating": 5},
        {"answer_id": "", "rating": 1},
        {"rating": 1},
        {"answer_id": "x", "rating": 1, "comment": "x" * 1001},
        {"answer_id": "x", "rating": 1, "tenant": "globex"},
    ],
)
def test_what_is_no_feedback_is_refused(client: TestClient, body: dict[str, object]) -> None:
    assert client.post("/v1/feedback", json=body, headers=ACME).status_code == 400


def test_a_service_without_a_log_says_so(engine: Engine) -> None:
    with TestClient(create_app(engine), raise_server_exceptions=False) as client:
        refused = client.post("/v1/feedback", json={"answer_id": "x", "rating": 1})
        assert refused.status_code == 400
        assert "no query log" in refused.json()["detail"]
