"""The whole path of a language model's file, on one made here: it writes nonsense, always the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_gguf import write_gguf

from rag.errors import InputError, PromptTooLong
from rag.generation.runtime import LocalModel, open_model
from rag.protocols import LanguageModel, Prompt, Sampling
from rag.types import Message, Usage

PROMPT = Prompt(
    "You answer from the passages alone.",
    "[1] The notice period is three months. [2] Offices open at eight.",
    (Message("user", "What is the notice period?"),),
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    path = write_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf", quantisation="Q8_0")
    return open_model(path, threads=1)


def write(model: LanguageModel, sampling: Sampling, prompt: Prompt = PROMPT, **named) -> tuple[str, Usage]:
    told: list[Usage] = []
    text = "".join(model.generate(prompt, sampling, done=told.append, **named))
    (usage,) = told
    return text, usage


def test_a_file_that_was_made_here_writes_the_same_every_time(model):
    first, usage = write(model, Sampling(max_tokens=24))
    second, again = write(model, Sampling(max_tokens=24), partition="another")
    assert first == second != ""
    assert usage.generated_tokens == again.generated_tokens <= 24
    assert 0 < usage.first_token_ms <= usage.total_ms
    assert usage.prompt_tokens > model.count(PROMPT.system) + model.count(PROMPT.context)


def test_what_is_read_once_in_a_partition_is_not_read_again(model):
    write(model, Sampling(max_tokens=1), partition="acme")
    other = Prompt(PROMPT.system, PROMPT.context, (Message("user", "When do offices open?"),))
    text, usage = write(model, Sampling(max_tokens=16), other, partition="acme")
    fresh, unread = write(model, Sampling(max_tokens=16), other, partition="umbrella")
    assert usage.cached_tokens > model.count(PROMPT.context)
    assert unread.cached_tokens == 0
    assert text == fresh


def test_a_grammar_is_all_that_is_written(model):
    grammar = 'root ::= "The notice period is " [a-z]+ " months [" [1-2] "]."'
    text, _ = write(model, Sampling(max_tokens=200, grammar=grammar, stop=("].",)))
    assert text.startswith("The notice period is ")
    with pytest.raises(InputError, match="GBNF"):
        write(model, Sampling(grammar='root ::= "'))


def test_chance_is_the_seeds(model):
    one, same, other = (
        write(model, Sampling(max_tokens=20, temperature=1.0, top_k=40, top_p=0.9, min_p=0.01, seed=seed))[0]
        for seed in (1, 1, 2)
    )
    assert one == same != other


def test_a_prompt_that_is_too_long_is_refused_before_anything_is_read(model):
    with pytest.raises(PromptTooLong, match="context_tokens"):
        model.generate(Prompt("", "word " * 3000, PROMPT.messages), Sampling())


def test_a_model_has_a_name_with_its_digest(model):
    assert isinstance(model, LocalModel)
    assert model.name == f"tiny.gguf@sha256:{model.file.digest[:16]}"
    assert Path(model.file.path).exists()
