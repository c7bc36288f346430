"""A language model's file, by every door: it writes nonsense, and so nothing of it is shown as proven."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shell import as_json, process, rag
from starlette.testclient import TestClient
from tiny_gguf import write_gguf

from rag.api.app import create_app
from rag.generation.extractive import NO_ANSWER
from rag.generation.proving import NOT_PROVEN
from rag.pipeline import Engine

pytest.importorskip("xllamacpp", reason="the extra package xllamacpp is not installed")

QUESTION = "Do her engines burn methanol?"


@pytest.fixture(scope="module")
def nonsense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("models") / "nonsense.gguf")


def test_what_a_model_writes_is_shown_only_where_it_is_proven(index: Path, nonsense: Path) -> None:
    words = ("ask", QUESTION, "-k", "2", "--index", index, "--model", nonsense)
    dropped = as_json(*words)
    assert dropped["model"].startswith("nonsense.gguf@sha256:")
    assert (dropped["abstained"], dropped["sentences"]) == (True, [])
    assert dropped["usage"]["generated_tokens"] > 0
    flagged = as_json(*words, "--policy", "flag")
    assert flagged["request"]["policy"] == "flag"
    assert not any(sentence["supported"] for sentence in flagged["sentences"])


def test_a_stream_shows_nothing_that_is_not_proven(index: Path, nonsense: Path) -> None:
    told = rag("ask", QUESTION, "-k", "2", "--stream", "--index", index, "--model", nonsense).stdout
    assert told in (f"{NO_ANSWER}\n", f"{NOT_PROVEN}\n")


def test_the_environment_names_it(index: Path, nonsense: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_MODEL", str(nonsense))
    assert as_json("ask", QUESTION, "-k", "2", "--index", index)["model"].startswith("nonsense.gguf@")
    assert rag("search", QUESTION, "--index", index).exit_code == 0


def test_a_conversation_and_further_steps_are_the_models_too(index: Path, nonsense: Path) -> None:
    words = ("chat", "--json", "-k", "2", "--steps", "2", "--index", index, "--model", nonsense)
    done = process(*words, stdin=f"{QUESTION}\nAnd her pumps?\n")
    assert done.returncode == 0, done.stderr
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first["queries"][0] == QUESTION
    assert second["queries"][0] != "And her pumps?"


def test_a_file_that_is_no_model_is_one_line(index: Path, docs: Path) -> None:
    error = as_json("ask", QUESTION, "--index", index, "--model", docs / "boats.txt", exit_code=2)["error"]
    assert error["type"] == "ModelRefused"
    assert as_json("ask", QUESTION, "--index", index, "--model", "./nowhere.gguf", exit_code=2)["error"]


def test_the_service_tells_what_it_took(index: Path, nonsense: Path) -> None:
    with Engine(index, model=nonsense, policy="flag") as engine, TestClient(create_app(engine)) as client:
        body = {"model": "rag", "messages": [{"role": "user", "content": QUESTION}], "k": 2}
        found = client.post("/v1/chat/completions", json=body).json()
        assert found["model"].startswith("nonsense.gguf@")
        assert found["usage"]["prompt_tokens"] > 0
        assert found["usage"]["completion_tokens"] > 0
        streamed = client.post("/v1/chat/completions", json=body | {"stream": True}).text
        assert "data: [DONE]" in streamed
        leave = next(each.id for each in engine.documents() if each.title == "Leave")
        summary = client.post("/v1/summarise", json={"document_id": leave, "fold": "refine"}).json()
        assert summary["model"].startswith("nonsense.gguf@")
