"""The whole path of a language model's file, on models made here: one writes nonsense, one quotes.

Both write the same every time, whichever runtime runs them.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_gguf import COPIER, TYPES, Shape, write_gguf

from rag.errors import InputError, ModelFailed, ModelRefused, PromptTooLong
from rag.generation import runtime_llama_api, runtime_memory
from rag.generation.gguf import read_gguf
from rag.generation.runtime import LocalModel, choose_runtime, open_model
from rag.generation.runtime_memory import needs_of
from rag.protocols import LanguageModel, Prompt, Sampling
from rag.types import Message, Usage

PASSAGES = "[1] The notice period is three months.\n[2] Offices open at eight in winter.\n"
PROMPT = Prompt("You answer from the passages.", PASSAGES, (Message("user", "What is the notice period?"),))
SENTENCES = "The notice period is three months. Offices open at eight in winter.\n"
QUOTE = Prompt("Quote.", SENTENCES, (Message("user", "\nThe notice"),))

Open = Callable[..., LocalModel]


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {
        "nonsense": write_gguf(folder / "nonsense.gguf", quantisation="Q8_0"),
        "copier": write_gguf(folder / "copier.gguf", shape=COPIER, copying=True),
    }


@pytest.fixture(scope="module", params=["llama", "openvino"])
def opened(request: pytest.FixtureRequest, paths: dict[str, Path]) -> Open:
    def open_named(name: str = "nonsense", **named: object) -> LocalModel:
        return open_model(paths[name], runtime=request.param, threads=1, **named)

    return open_named


@pytest.fixture(scope="module")
def model(opened: Open) -> LocalModel:
    return opened()


def write(model: LanguageModel, sampling: Sampling, prompt: Prompt = PROMPT, **named) -> tuple[str, Usage]:
    told: list[Usage] = []
    text = "".join(model.generate(prompt, sampling, done=told.append, **named))
    (usage,) = told
    return text, usage


def test_the_same_is_written_every_time(model):
    first, usage = write(model, Sampling(max_tokens=24))
    second, again = write(model, Sampling(max_tokens=24), partition="another")
    assert first == second != ""
    assert usage.generated_tokens == again.generated_tokens <= 24
    assert 0 < usage.first_token_ms <= usage.total_ms
    assert usage.runtime == model.runtime
    assert usage.prompt_tokens > model.count(PROMPT.system) + model.count(PROMPT.context)


@pytest.mark.parametrize(
    ("quantisation", "architecture"),
    [*((each, "llama") for each in TYPES), ("F16", "qwen2"), ("F16", "qwen3")],
)
def test_both_runtimes_make_the_same_of_a_prompt(tmp_path, quantisation, architecture):
    from rag.generation.runtime_batch import Part
    from rag.generation.runtime_llama import LlamaDecoder
    from rag.generation.runtime_openvino import OpenVinoDecoder
    from rag.generation.runtime_openvino_graph import misses

    shape = Shape(layers=2, width=256, heads=4, kv_heads=2, hidden=256)
    path = tmp_path / "tiny.gguf"
    file = read_gguf(write_gguf(path, quantisation=quantisation, shape=shape, architecture=architecture))
    assert misses(file) == ""
    one = LlamaDecoder(file, context_tokens=256, slots=1, threads=1, gpu_layers=0)
    other = OpenVinoDecoder(file, slots=1, threads=1)
    part = Part(0, 0, list(range(40, 100)), 3)
    for mine, theirs in zip(one.decode([part])[0], other.decode([part])[0], strict=True):
        norms = float((mine @ mine) ** 0.5 * (theirs @ theirs) ** 0.5)
        assert float(mine @ theirs) / norms > 0.999


def test_what_was_read_in_a_partition_is_not_read_again_there_and_nowhere_else(model):
    write(model, Sampling(max_tokens=1), partition="acme")
    other = Prompt(PROMPT.system, PROMPT.context, (Message("user", "When do offices open?"),))
    text, usage = write(model, Sampling(max_tokens=16), other, partition="acme")
    fresh, unread = write(model, Sampling(max_tokens=16), other, partition="umbrella")
    assert usage.cached_tokens > model.count(PROMPT.context)
    assert unread.cached_tokens == 0
    assert text == fresh
    model.forget("acme")
    assert write(model, Sampling(max_tokens=1), partition="acme")[1].cached_tokens == 0


def test_another_context_reuses_the_system_text_alone(model):
    write(model, Sampling(max_tokens=1), partition="parts")
    other = Prompt(PROMPT.system, "[1] Something else.", PROMPT.messages)
    _, usage = write(model, Sampling(max_tokens=1), other, partition="parts")
    assert 0 < usage.cached_tokens <= 4 + model.count("system\n" + PROMPT.system)


def test_states_outlive_the_model_in_a_folder(opened, tmp_path):
    first, _ = write(opened(states=tmp_path), Sampling(max_tokens=12), partition="acme")
    again, usage = write(opened(states=tmp_path), Sampling(max_tokens=12), partition="acme")
    assert usage.cached_tokens > 0
    assert again == first
    assert (
        write(opened("copier", states=tmp_path), Sampling(max_tokens=1), partition="acme")[1].cached_tokens
        == 0
    )


def test_a_sealed_state_that_does_not_fit_is_read_anew(opened):
    model = opened()
    expected, _ = write(model, Sampling(max_tokens=8))
    for key in list(model._states._held):
        model._states._held[key] = model._states._held[key][:-4]
    assert write(model, Sampling(max_tokens=8))[0] == expected


def test_a_grammar_is_all_that_is_written(model):
    grammar = 'root ::= "The notice period is " [a-z]+ " months [" [1-2] "]."'
    text, _ = write(model, Sampling(max_tokens=200, grammar=grammar, stop=("].",)))
    assert text.startswith("The notice period is ")
    short = 'root ::= "é[" [1-3] "]."'
    assert write(model, Sampling(max_tokens=200, grammar=short))[0] in {"é[1].", "é[2].", "é[3]."}


@pytest.mark.parametrize(
    "grammar", ['root ::= "', "answer ::= [a-z]", "root ::= root", "root ::= missing", 'root ::= ("")*']
)
def test_a_grammar_that_is_none_is_refused(model, grammar):
    with pytest.raises(InputError, match="GBNF"):
        model.generate(PROMPT, Sampling(grammar=grammar))


def test_chance_is_the_seeds(model):
    one, same, other = (
        write(model, Sampling(max_tokens=20, temperature=1.0, top_k=40, top_p=0.9, min_p=0.01, seed=seed))[0]
        for seed in (1, 1, 2)
    )
    assert one == same != other
    assert (
        write(model, Sampling(max_tokens=20, temperature=1.0, top_k=1))[0]
        == write(model, Sampling(max_tokens=20))[0]
    )


@pytest.mark.parametrize(
    "wrong", [{"max_tokens": 0}, {"temperature": -1}, {"top_k": -1}, {"top_p": 0}, {"min_p": 2}]
)
def test_sampling_out_of_range_is_refused(model, wrong):
    with pytest.raises(InputError):
        model.generate(PROMPT, Sampling(**wrong))


def test_a_stop_ends_the_text_and_is_not_in_it(opened):
    model = opened("copier")
    whole, _ = write(model, Sampling(max_tokens=60), QUOTE)
    assert "eight in" in whole
    text, usage = write(model, Sampling(max_tokens=60, stop=("ght in", "never")), QUOTE)
    assert text == whole[: whole.index("ght in")]
    assert usage.generated_tokens < 60


def test_guesses_change_the_time_and_not_the_text(opened):
    plain, slow = write(opened("copier", lookup=False), Sampling(max_tokens=80), QUOTE)
    guessed, fast = write(opened("copier"), Sampling(max_tokens=80), QUOTE)
    assert guessed == plain
    assert slow.guessed_tokens == 0
    assert fast.guessed_tokens > 30


def test_guesses_keep_to_a_grammar_and_to_chance(opened):
    quick, plain = opened("copier"), opened("copier", lookup=False)
    for sampling in (
        Sampling(max_tokens=40, grammar='root ::= ([a-z .] | "[" [12] "]")*'),
        Sampling(max_tokens=40, temperature=0.7, seed=3, top_p=0.9),
    ):
        assert write(quick, sampling, QUOTE)[0] == write(plain, sampling, QUOTE)[0]


def test_the_model_really_stops_when_the_text_is_closed(model):
    text = model.generate(PROMPT, Sampling(max_tokens=500))
    next(text)
    batch = model._batch
    assert len(batch._active) == 1
    text.close()
    steps = []
    decode = batch._decoder.decode
    batch._decoder.decode = lambda parts: steps.append(parts) or decode(parts)
    try:
        write(model, Sampling(max_tokens=2))
    finally:
        del batch._decoder.decode
    assert all(len(parts) == 1 for parts in steps)
    assert len(steps) < 10


def test_a_text_that_is_dropped_leaves_its_place(model):
    for _ in range(4):
        next(model.generate(PROMPT, Sampling(max_tokens=500)))
        gc.collect()
    assert write(model, Sampling(max_tokens=2))[1].generated_tokens == 2


def test_threads_write_at_the_same_time_what_each_would_alone(opened):
    model = opened(requests=3)
    prompts = [Prompt("System.", f"[{at}] Passage {at}.", (Message("user", "Say."),)) for at in range(7)]
    alone = [write(opened(), Sampling(max_tokens=20), prompt)[0] for prompt in prompts]
    texts: dict[int, str] = {}

    def ask(at: int) -> None:
        texts[at] = write(model, Sampling(max_tokens=20), prompts[at], partition=str(at % 2))[0]

    threads = [threading.Thread(target=ask, args=(at,)) for at in range(len(prompts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    # A batch of several adds up in another order than one alone, so that a near tie may fall otherwise.
    assert sum(texts[at] == alone[at] for at in range(len(prompts))) >= 5
    assert set(texts) == set(range(len(prompts)))


def test_a_prompt_that_is_too_long_is_refused_before_anything_is_read(model):
    with pytest.raises(PromptTooLong, match="context_tokens"):
        model.generate(Prompt("", "word " * 3000, PROMPT.messages), Sampling())
    fits = model.context_tokens - write(model, Sampling(max_tokens=1))[1].prompt_tokens
    model.generate(PROMPT, Sampling(max_tokens=fits)).close()
    with pytest.raises(PromptTooLong):
        model.generate(PROMPT, Sampling(max_tokens=fits + 1))


def test_a_context_can_be_filled_to_its_last_token(opened):
    model = opened(context_tokens=160)
    read = write(model, Sampling(max_tokens=1))[1].prompt_tokens
    _, usage = write(model, Sampling(max_tokens=160 - read))
    assert usage.generated_tokens <= 160 - read


def test_a_model_that_fails_says_so_and_goes_on_for_the_next(model, monkeypatch):
    def fail(_: object) -> None:
        raise ModelFailed("broken")

    expected, _ = write(model, Sampling(max_tokens=4))
    with monkeypatch.context() as patch:
        patch.setattr(model._batch._decoder, "decode", fail)
        with pytest.raises(ModelFailed, match="broken"):
            write(model, Sampling(max_tokens=4))
    assert write(model, Sampling(max_tokens=4))[0] == expected


def test_a_text_that_fails_does_not_take_others_with_it(opened, monkeypatch):
    model = opened(requests=2)
    expected, _ = write(model, Sampling(max_tokens=12))
    failing = model.generate(
        Prompt("", "other", PROMPT.messages), Sampling(max_tokens=12, grammar="root ::= [a-z]*")
    )
    going = model.generate(PROMPT, Sampling(max_tokens=12))
    parts = [next(going)]
    next(failing)

    def fail(*_: object) -> int:
        raise InputError("broken")

    job = next(each for each in model._batch._active if each.sampler._grammar is not None)
    monkeypatch.setattr(job.sampler, "choose", fail)
    assert "".join([*parts, *going]) == expected
    with pytest.raises(InputError, match="broken"):
        list(failing)


def test_a_model_has_a_name_with_its_digest(model, paths):
    assert model.name == f"nonsense.gguf@sha256:{read_gguf(paths['nonsense']).digest[:16]}"


def test_what_a_runtime_cannot_run_is_refused(tmp_path, paths):
    other = write_gguf(tmp_path / "other.gguf", architecture="gpt2")
    with pytest.raises(ModelRefused, match="runtime='llama'"):
        open_model(other, runtime="openvino")
    assert choose_runtime(read_gguf(other)) == "llama"
    with pytest.raises(ModelRefused, match=r"cannot be loaded|missing"):
        open_model(other)
    with pytest.raises(ModelRefused, match="GPU"):
        open_model(paths["nonsense"], runtime="llama", gpu_layers=1)
    with pytest.raises(ModelRefused, match="GPU"):
        open_model(paths["nonsense"], runtime="openvino", gpu_layers=-1)
    with pytest.raises(ValueError, match="runtime"):
        open_model(paths["nonsense"], runtime="magic")


def test_the_runtime_that_takes_less_is_taken_where_memory_is_short(paths, monkeypatch):
    file = read_gguf(paths["nonsense"])
    least = needs_of(file, 2048).total / 0.9
    monkeypatch.setattr(runtime_memory, "free_memory", lambda: int(least) + 1000)
    assert choose_runtime(file, context_tokens=2048) == "llama"
    assert open_model(paths["nonsense"], threads=1).runtime == "llama"


def test_no_port_is_opened(model):
    write(model, Sampling(max_tokens=2))
    listening = [
        line.split()[1]
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[9] in _sockets_of_this_process()
    ]
    assert listening == []


def _sockets_of_this_process() -> set[str]:
    targets = []
    for path in Path("/proc/self/fd").iterdir():
        try:
            targets.append(str(path.readlink()))
        except OSError:
            continue
    return {target[8:-1] for target in targets if target.startswith("socket:[")}


def test_a_library_of_another_layout_is_not_called(monkeypatch):
    library = runtime_llama_api.load_library()
    assert runtime_llama_api._layout_is_known(library)

    class Other:
        llama_context_default_params = library.llama_context_default_params

        @staticmethod
        def llama_model_default_params() -> runtime_llama_api.ModelParameters:
            return runtime_llama_api.ModelParameters(n_gpu_layers=999)

    assert not runtime_llama_api._layout_is_known(Other())
