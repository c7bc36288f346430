"""`rag models` as it is typed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from shell import as_json, rag
from tiny_gguf import write_gguf

MODEL = set(
    "path ok reason name architecture parameters quantisation bytes sha256 layers heads vocabulary "
    "special_tokens template trained_tokens context_tokens runtime needs_bytes".split()
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_gguf(tmp_path / "tiny.gguf", quantisation="Q4_0")


def test_a_file_is_explained(path):
    found = as_json("models", path, "--digest")
    (model,) = found["models"]
    assert set(model) == MODEL
    assert (model["ok"], model["quantisation"], model["template"]) == (True, "Q4_0", "chatml")
    assert model["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert model["needs_bytes"]["total"] == sum(
        model["needs_bytes"][each] for each in ("weights", "context", "compute")
    )
    assert found["free_bytes"] > 0
    shown = rag("models", path)
    assert shown.exit_code == 0
    assert "Q4_0, 480 tokens, template chatml" in shown.stdout


def test_a_folder_with_a_damaged_file_ends_with_1(path, monkeypatch):
    (path.parent / "cut.gguf").write_bytes(path.read_bytes()[:2000])
    monkeypatch.setenv("RAG_MODELS", str(path.parent))
    models = as_json("models", exit_code=1)["models"]
    assert [(Path(each["path"]).name, each["ok"]) for each in models] == [
        ("cut.gguf", False),
        ("tiny.gguf", True),
    ]
    assert "problem" in rag("models").stdout


def test_what_does_not_fit_says_how_to_mend_it(path, monkeypatch):
    monkeypatch.setattr("rag.generation.runtime_memory.free_memory", lambda: 1000)
    (model,) = as_json("models", path, exit_code=1)["models"]
    assert "smaller quantisation" in model["reason"]
    assert model["needs_bytes"]["total"] > 1000


def test_a_name_in_a_file_cannot_steer_the_terminal(tmp_path):
    path = write_gguf(tmp_path / "tiny.gguf", name="evil\x1b[31m\nok")
    assert "\x1b" not in rag("models", path).stdout


@pytest.mark.parametrize("words", [[], ["missing.gguf"], ["hf:owner/repository/x.gguf"]])
def test_nothing_to_look_at_is_wrong_usage(words, monkeypatch):
    monkeypatch.delenv("RAG_MODELS", raising=False)
    assert rag("models", *words).exit_code == 2
