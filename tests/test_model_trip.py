"""A document becomes an answer that a language model wrote, whatever the model is worth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_gguf import write_gguf

import rag
from rag.generation.proof import differences
from rag.pipeline import Engine
from rag.protocols import LanguageModel, Sampling
from rag.types import Principal

TEXT = "# Leave\n\nEvery parent has 26 weeks of leave. A trainee has 12 days of leave in a year.\n"
QUESTION = "How many weeks of leave has a parent?"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("model") / "tiny.gguf")


@pytest.fixture
def model(file: Path, tmp_path: Path) -> LanguageModel:
    return rag.open_model(file, context_tokens=2048, requests=1, threads=1, states=tmp_path / "states")


@pytest.fixture
def engine(open_engine: Callable[..., Engine], model: LanguageModel, tmp_path: Path) -> Engine:
    writer = rag.written(model, sampling=Sampling(max_tokens=48))
    engine = open_engine(generator=writer, policy="flag")
    (tmp_path / "leave.md").write_text(TEXT)
    engine.add(tmp_path / "leave.md", tenant="acme")
    return engine


ANN = Principal("ann", tenant="acme")


def test_what_a_model_of_random_weights_writes_cites_what_it_was_given_and_proves_nothing_else(
    engine: Engine,
):
    answer = engine.ask(QUESTION, principal=ANN)
    assert answer.usage is not None and answer.usage.generated_tokens > 0
    assert answer.model.startswith("tiny.gguf@sha256:")
    known = {citation.number for citation in answer.citations}
    for sentence in answer.sentences:
        assert known.issuperset(sentence.citations)
        assert not sentence.supported or TEXT.find(sentence.text) >= 0
    document = engine.document(answer.contexts[0].chunk.document_id, principal=ANN)
    for citation in answer.citations:
        assert document.text[citation.start : citation.end] == citation.quote
    assert all(verdict.proven for verdict in engine.verify(answer, principal=ANN))
    assert differences(answer, engine.replay(answer, principal=ANN)) == []


def test_what_a_model_keeps_of_a_prompt_goes_with_the_document(engine: Engine, tmp_path: Path):
    answer = engine.ask(QUESTION, principal=ANN)
    again = engine.ask(QUESTION, principal=ANN)
    assert again.usage is not None and again.usage.cached_tokens > 0
    states = [path for path in (tmp_path / "states").rglob("*") if path.is_file()]
    assert states
    engine.delete(answer.contexts[0].chunk.document_id, tenant="acme")
    engine.compact()
    assert not any(path.is_file() for path in (tmp_path / "states").rglob("*"))
