"""A real runtime with a model that knows nothing: under the grammar it cannot cite what it was not given."""

from __future__ import annotations

import re

import pytest
from passages import lamps
from tiny_gguf import Shape, write_gguf

from rag.generation.citations import grounded
from rag.generation.context import assemble
from rag.generation.extractive import NO_ANSWER
from rag.generation.grammar import cited_answer
from rag.generation.prompt import make_prompt
from rag.generation.runtime import open_model
from rag.generation.writer import written
from rag.protocols import LanguageModel, Sampling

RUNTIMES = {"llama": "xllamacpp", "openvino": "openvino"}


@pytest.fixture(scope="module", params=list(RUNTIMES))
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    pytest.importorskip(RUNTIMES[request.param], reason="the extra `llm` is not installed")
    path = write_gguf(tmp_path_factory.mktemp("model") / "tiny.gguf", shape=Shape(context_tokens=4096))
    return open_model(path, runtime=request.param, threads=1)


def test_whatever_the_weights_no_other_mark_is_written(model):
    passages = assemble(lamps(), model.count, 2000)
    prompt = make_prompt("Who lights the lamp?", passages)
    whole = 0
    for seed in range(25):
        sampling = Sampling(max_tokens=120, temperature=1.5, seed=seed, grammar=cited_answer(len(passages)))
        text = "".join(model.generate(prompt, sampling))
        if text == NO_ANSWER:
            continue
        for bracketed in re.findall(r"[\[［【].*?[\]］】]", text, re.DOTALL):
            assert re.fullmatch(r"\[[123](, [123]){0,2}\]", bracketed), text
        assert not set("［］【】").intersection(text)
        whole += bool(re.search(r"\]", text))
    assert whole, "some sentence must get to its mark"


def test_its_answers_hold_and_name_what_wrote_them(model):
    for seed in range(5):
        sampling = Sampling(max_tokens=120, temperature=1.5, seed=seed)
        *growing, answer = written(model, sampling).for_tenant("a").stream("Who lights the lamp?", lamps())
        assert grounded(answer, lamps()) is answer
        assert answer.usage is not None
        assert answer.usage.generated_tokens <= 120
        assert answer.model == f"{model.name} ({answer.usage.runtime})"
        assert [len(each.sentences) for each in growing] == list(range(1, len(growing) + 1))


def test_without_a_grammar_what_it_writes_is_not_believed(model):
    answer = written(model, Sampling(max_tokens=120), constrained=False)("Who lights the lamp?", lamps())
    assert grounded(answer, lamps()) is answer
    assert all(sentence.citations for sentence in answer.sentences if sentence.supported)
