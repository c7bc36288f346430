"""What clients of OpenAI's chat completions send, and what they read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from rag.api.app import create_app
from rag.api.settings import DoorSettings
from rag.pipeline import Engine

PATH = "/v1/chat/completions"


@pytest.fixture
def client(engine: Engine) -> Iterator[TestClient]:
    settings = DoorSettings(max_k=20, max_body_bytes=20_000)
    with TestClient(create_app(engine, settings), raise_server_exceptions=False) as client:
        yield client


def body(*said: str, **more: object) -> dict[str, object]:
    roles = ("user", "assistant")
    messages = [{"role": roles[at % 2], "content": text} for at, text in enumerate(said)]
    return {"model": "rag", "messages": messages, **more}


def test_a_completion_has_the_text_with_marks_and_what_proves_it(client: TestClient, engine: Engine) -> None:
    found = client.post(PATH, json=body("Do her engines burn methanol?", temperature=0.7, user="x")).json()
    assert found["object"] == "chat.completion"
    (choice,) = found["choices"]
    assert (choice["finish_reason"], choice["message"]["role"]) == ("stop", "assistant")
    assert choice["message"]["content"] == engine.ask("Do her engines burn methanol?").text
    assert "[1]" in choice["message"]["content"]
    assert found["usage"].keys() >= {"prompt_tokens", "completion_tokens", "total_tokens"}
    (citation, *_) = found["citations"]
    text = engine.document(citation["document_id"]).text
    assert text[citation["start"] : citation["end"]] == citation["quote"]


def test_a_conversation_is_understood(client: TestClient, engine: Engine) -> None:
    said = (
        "How many weeks of leave has the parent who gives birth?",
        "26 weeks [1].",
        "And the other parent?",
    )
    messages = [{"role": "developer", "content": "Be short."}, *body(*said)["messages"]]
    messages[-1] = {"role": "user", "content": [{"type": "text", "text": said[-1]}]}
    found = client.post(PATH, json={"model": "rag", "messages": messages}).json()
    assert "ten weeks" in found["choices"][0]["message"]["content"]


def test_a_stream_adds_up_to_the_completion(client: TestClient) -> None:
    whole = client.post(PATH, json=body("Do her engines burn methanol?")).json()
    options = {"stream": True, "stream_options": {"include_usage": True}}
    response = client.post(PATH, json=body("Do her engines burn methanol?", **options))
    lines = [line for line in response.text.split("\n") if line]
    assert lines[-1] == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    text = "".join(choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"])
    assert text == whole["choices"][0]["message"]["content"]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == whole["usage"]
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-2]["citations"] == whole["citations"]


def test_an_abstention_is_streamed_as_its_words(client: TestClient) -> None:
    whole = client.post(PATH, json=body("Who won the chess cup in 1911?")).json()
    assert (whole["abstained"], whole["citations"]) == (True, [])
    told = client.post(PATH, json=body("Who won the chess cup in 1911?", stream=True)).text
    assert json.dumps(whole["choices"][0]["message"]["content"]) in told


def test_models_are_listed(client: TestClient) -> None:
    (model,) = client.get("/v1/models").json()["data"]
    assert client.get(f"/v1/models/{model['id']}").json() == model
    assert model["object"] == "model"


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("POST", PATH, {}, 400),
        ("POST", PATH, body(), 400),
        ("POST", PATH, body("a", "b"), 400),
        ("POST", PATH, body(" "), 400),
        ("POST", PATH, body("x", n=2), 400),
        ("POST", PATH, body("x", k=21), 400),
        ("POST", PATH, body("x", where={"$near": 1}), 400),
        ("POST", PATH, body("x", where={"$near": 1}, stream=True), 400),
        ("POST", PATH, {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400),
        ("POST", PATH, body("x", model="gpt-4"), 404),
        ("POST", PATH, body("x" * 30_000), 413),
        ("GET", "/v1/models/gpt-4", None, 404),
        ("GET", PATH, None, 405),
    ],
)
def test_errors_have_the_shape_that_these_clients_read(
    client: TestClient, method: str, path: str, sent: Any, status: int
) -> None:
    response = client.request(method, path, json=sent)
    assert response.status_code == status
    error = response.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["message"]
    assert error["type"] == "invalid_request_error"
    assert response.headers["content-type"] == "application/json"
