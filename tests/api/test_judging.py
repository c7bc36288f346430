"""The judge that a command or a variable names is the one that judges."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from chat_server import said, serving
from fakes import HashingEncoder
from shell import as_json, rag
from tiny_gguf import write_gguf

from rag.api.judging import judge_for
from rag.api.settings import DoorSettings, read_settings
from rag.errors import InputError, MissingExtra
from rag.types import Claim

OWN = object()
KEY = "sk-a-secret-0123456789"


def engine(model: object = None) -> SimpleNamespace:
    return SimpleNamespace(judge=OWN, encoder=HashingEncoder(), model=model)


def test_no_judge_and_the_engines_own() -> None:
    assert judge_for(engine(), DoorSettings()) is None
    assert judge_for(engine(), DoorSettings(), "local") is OWN
    assert judge_for(engine(), DoorSettings(judge="local")) is OWN
    assert judge_for(engine(), DoorSettings(judge="local"), "") is None


def test_a_file_judges(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="the extra package xllamacpp is not installed")
    path = write_gguf(tmp_path / "nonsense.gguf")
    judge = judge_for(engine(), DoorSettings(judge_votes=3), "model", str(path))
    assert judge.name.startswith("nonsense.gguf@sha256:")
    assert "3 votes" in judge.name
    assert judge.similarities("x", ["x"]) == pytest.approx([1.0])


def test_a_server_judges_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    reply = json.dumps({"verdicts": [{"number": 1, "reason": "said", "verdict": True}]})
    with serving() as start:
        served = start(lambda body, number: said(reply))
        environment = {"RAG_JUDGE": served.url, "RAG_JUDGE_MODEL": "small", "RAG_JUDGE_VOTES": "1"}
        monkeypatch.setenv("RAG_JUDGE_KEY", KEY)
        settings = read_settings(environment={**environment, "RAG_JUDGE_KEY": KEY})
        judge = judge_for(engine(), settings)
        (verdict,) = judge.supported([Claim("Leave is ten days.", ("Leave is ten days.",))])
    assert verdict.value == 1.0
    assert served.sent[0]["model"] == "small"
    assert served.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(settings) + repr(judge) + judge.name


def test_the_key_is_no_setting_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "rag.toml"
    file.write_text(f'judge_key = "{KEY}"')
    with pytest.raises(InputError, match="no setting 'judge_key'") as caught:
        read_settings(environment={}, file=file)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("judge", "model", "says"),
    [
        ("people", "", "there is local, model, and the address"),
        ("", "small", "needs --judge"),
        ("local", "small", "takes no model"),
        ("model", "", "needs a GGUF file"),
        ("model", "nowhere.gguf", "no language model at nowhere"),
        ("http://localhost:8000/v1", "", "--judge-model NAME"),
        ("ftp://localhost", "small", "http://localhost"),
    ],
)
def test_what_lacks_is_said(judge: str, model: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        judge_for(engine(), DoorSettings(), judge, model)


def test_votes_are_an_odd_number() -> None:
    with pytest.raises(InputError, match="odd"):
        DoorSettings(judge_votes=2)


def test_without_the_package_a_server_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openai", None)
    with pytest.raises(MissingExtra):
        judge_for(engine(), DoorSettings(), "http://localhost:8000/v1", "small")


def _judging(body: dict[str, Any]) -> str:
    """What a model replies that finds everything proven."""
    form = body["response_format"]["json_schema"]["schema"]["properties"]
    if "verdicts" in form:
        numbers = range(1, form["verdicts"]["maxItems"] + 1)
        verdicts = [{"number": n, "reason": f"said, {KEY}", "verdict": True} for n in numbers]
        return json.dumps({"verdicts": verdicts})
    if "question" in form:
        return json.dumps({"question": "How long is the leave?", "noncommittal": False})
    return json.dumps({name: ["The parent has 26 weeks."] for name in form})


METRICS = "faithfulness,answer_relevancy,context_precision,answer_correctness"


def test_an_evaluation_is_judged_by_a_server_once_and_its_key_is_nowhere(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions, out = tmp_path / "questions.jsonl", tmp_path / "out"
    asked = {"user_input": "How long is parental leave?", "reference": "26 weeks with full pay."}
    questions.write_text(json.dumps(asked) + "\n")
    monkeypatch.setenv("RAG_JUDGE_KEY", KEY)
    with serving() as start:
        served = start(lambda body, number: said(_judging(body)))
        words = ("eval", questions, "--index", index, "--out", out, "--metrics", METRICS)
        words += ("--judge", served.url, "--judge-model", "small")
        found = as_json(*words)
        sent = len(served.sent)
        assert sent > 4
        assert as_json(*words) == found
        assert len(served.sent) == sent
        text = rag(*words).output
        served.replies = lambda body, number: said(f"I say nothing of {KEY}.")
        lost = as_json(*words, "--no-resume", exit_code=1)
    assert found["setup"]["judge"].startswith("small at http://127.0.0.1:")
    assert found["metrics"]["faithfulness"]["mean"] == 1.0
    assert lost["metrics"]["faithfulness"]["mean"] == 0.0
    assert lost["metrics"]["faithfulness"]["missed"] == 1
    kept = "".join(each.read_text("utf-8") for each in out.iterdir() if each.is_file())
    assert "said, ***" in kept or "nothing of ***" in kept
    assert KEY not in kept + text + json.dumps([found, lost])


def test_an_evaluation_is_judged_by_a_file(index: Path, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="the extra package xllamacpp is not installed")
    questions = tmp_path / "questions.jsonl"
    asked = {"user_input": "How long is parental leave?", "reference": "26 weeks with full pay."}
    questions.write_text(json.dumps(asked) + "\n")
    path = write_gguf(tmp_path / "nonsense.gguf")
    words = ("eval", questions, "--index", index, "--metrics", "answer_relevancy", "-k", 2)
    found = as_json(*words, "--judge", "model", "--judge-model", path)
    assert found["setup"]["judge"].startswith("nonsense.gguf@sha256:")
    assert -1 <= found["metrics"]["answer_relevancy"]["mean"] <= 1
