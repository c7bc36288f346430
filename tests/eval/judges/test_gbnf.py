"""Under the grammar of a form a model writes nothing that cannot be read, even one that knows no words."""

from __future__ import annotations

import json

import pytest
from tiny_gguf import write_gguf

from rag.eval.judges.forms import (
    VERDICT_TOKENS,
    question_form,
    read_question,
    read_texts,
    read_votes,
    texts_form,
    verdicts_form,
)
from rag.eval.judges.gbnf import grammar_of
from rag.eval.judges.language import language_judge
from rag.generation.runtime import LocalModel, open_model
from rag.protocols import Prompt, Sampling
from rag.types import Claim, Message

PROMPT = Prompt("Judge.", "Leave is ten days.", (Message("user", "Is it?"),))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    path = write_gguf(tmp_path_factory.mktemp("models") / "nonsense.gguf", quantisation="Q8_0")
    return open_model(path, runtime="llama", threads=1)


def write(model: LocalModel, schema, *, seed: int, max_tokens: int) -> str:
    sampling = Sampling(max_tokens, temperature=1.5, seed=seed, grammar=grammar_of(schema))
    return "".join(model.generate(PROMPT, sampling))


@pytest.mark.parametrize("seed", range(4))
def test_verdicts_are_always_whole_and_counted(model, seed):
    text = write(model, verdicts_form(3), seed=seed, max_tokens=3 * VERDICT_TOKENS)
    votes = read_votes(json.loads(text), 3)
    assert len(votes) == 3
    assert all(len(vote.reason) <= 160 and vote.reason.isascii() for vote in votes)


@pytest.mark.parametrize("seed", range(4))
def test_a_question_is_always_whole(model, seed):
    text = write(model, question_form(), seed=seed, max_tokens=1700)
    reply = json.loads(text)
    assert list(reply) == ["question", "noncommittal"]
    assert reply["question"].strip() == "" or read_question(reply)


def test_texts_are_a_list(model):
    read = [write(model, texts_form("statements"), seed=seed, max_tokens=1700) for seed in range(3)]
    whole = [text for text in read if text.endswith("}")]
    assert whole
    for text in whole:
        read_texts(json.loads(text), "statements")


def test_a_schema_of_another_family_has_no_grammar():
    for schema in (
        {"type": "number"},
        {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 3},
    ):
        with pytest.raises(ValueError, match="no grammar"):
            grammar_of(schema)


def test_a_real_model_gives_readable_verdicts_the_same_twice(model):
    judge = language_judge(model)
    given = [Claim(text, ("Leave is ten days.",)) for text in ("one", "two")]
    first = judge.supported(given)
    assert first == judge.supported(given)
    assert len(first) == 2
    for verdict in first:
        assert verdict.value in (0.0, 1.0) or "changes with the order" in verdict.reason
    assert judge.questions("Leave is ten days.", 2) == judge.questions("Leave is ten days.", 2)
