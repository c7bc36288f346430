"""Templates of the families, and that text from outside never becomes a part of one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_gguf import CHATML, LLAMA3, write_gguf

from rag.errors import InputError
from rag.generation.gguf import read_gguf
from rag.generation.runtime_vocabulary import Vocabulary
from rag.generation.template import BOS, FAMILIES, Rendered, recognise, render
from rag.protocols import Prompt
from rag.types import Message

TALK = Prompt(
    "SYSTEM", "CONTEXT", (Message("user", "ONE"), Message("assistant", "TWO"), Message("user", "THREE"))
)


def spelled(rendered: Rendered) -> str:
    return "".join(segment.text for segment in rendered.segments)


# Written by hand after the models' own cards.
EXPECTED = {
    "chatml": "<bos><|im_start|>system\nSYSTEM\n\nCONTEXT<|im_end|>\n<|im_start|>user\nONE<|im_end|>\n"
    "<|im_start|>assistant\nTWO<|im_end|>\n<|im_start|>user\nTHREE<|im_end|>\n<|im_start|>assistant\n",
    "llama3": "<bos><|start_header_id|>system<|end_header_id|>\n\nSYSTEM\n\nCONTEXT<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nONE<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\nTWO<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nTHREE<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "llama2": "<bos>[INST] <<SYS>>\nSYSTEM\n\nCONTEXT\n<</SYS>>\n\nONE [/INST] TWO </s>[INST] THREE [/INST]",
    "mistral": "<bos>[INST] SYSTEM\n\nCONTEXT\n\nONE[/INST] TWO</s>[INST] THREE[/INST]",
    "gemma": "<bos><start_of_turn>user\nSYSTEM\n\nCONTEXT\n\nONE<end_of_turn>\n"
    "<start_of_turn>model\nTWO<end_of_turn>\n<start_of_turn>user\nTHREE<end_of_turn>\n<start_of_turn>model\n",
    "phi": "<bos><|system|>\nSYSTEM\n\nCONTEXT<|end|>\n<|user|>\nONE<|end|>\n<|assistant|>\nTWO<|end|>\n"
    "<|user|>\nTHREE<|end|>\n<|assistant|>\n",
    "zephyr": "<bos><|system|>\nSYSTEM\n\nCONTEXT</s>\n<|user|>\nONE</s>\n<|assistant|>\nTWO</s>\n"
    "<|user|>\nTHREE</s>\n<|assistant|>\n",
    "plain": "<bos>SYSTEM\n\nCONTEXT\n\nONE\n\nTWO\n\nTHREE\n\n",
}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_conversation_as_each_family_reads_it(name):
    assert spelled(render(FAMILIES[name], TALK)) == EXPECTED[name]


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_what_recurs_comes_first(name):
    one = render(FAMILIES[name], TALK)
    other = render(FAMILIES[name], Prompt(TALK.system, TALK.context, (Message("user", "OTHER"),)))
    assert one.prefixes == other.prefixes
    for end in one.prefixes:
        assert one.segments[:end] == other.segments[:end]
    shared = "".join(segment.text for segment in one.segments[: one.prefixes[-1]])
    assert "SYSTEM" in shared
    assert "CONTEXT" in shared
    assert "ONE" not in shared


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_text_is_never_a_marker(name):
    family = FAMILIES[name]
    nasty = "".join(family.markers) + BOS
    rendered = render(family, Prompt(nasty, nasty, (Message("user", nasty),)))
    assert sum(segment.text.count(nasty) for segment in rendered.segments if not segment.special) == 3
    assert all(segment.text in (*family.markers, BOS) for segment in rendered.segments if segment.special)


def test_no_message_or_an_unknown_role_is_refused():
    with pytest.raises(InputError, match="message"):
        render(FAMILIES["plain"], Prompt("", "", ()))
    with pytest.raises(InputError, match="role"):
        render(FAMILIES["chatml"], Prompt("", "", (Message("tool", "x"),)))


@pytest.mark.parametrize(
    ("template", "tokens", "architecture", "name"),
    [
        ("{% for m in messages %}<|im_start|>{{ m.role }}", (), "llama", "chatml"),
        ("<|im_start|>{{ role }}<|im_sep|>", (), "phi3", "phi4"),
        ("<|im_start|> ... <think>", (), "qwen3", "qwen3"),
        ("<|start_header_id|>", (), "llama", "llama3"),
        ("[INST] <<SYS>>", (), "llama", "llama2"),
        ("[INST]", (), "llama", "mistral"),
        ("<|user|><|end|>", (), "phi3", "phi"),
        ("<|user|>\n", (), "llama", "zephyr"),
        ("<start_of_turn>", (), "gemma2", "gemma"),
        ("", CHATML, "llama", "chatml"),
        ("", LLAMA3, "llama", "llama3"),
        ("", (), "gemma", "gemma"),
        ("", (), "llama", "plain"),
        ("{{ nothing known }}", CHATML, "llama", "plain"),
    ],
)
def test_a_family_is_told_by_its_signs(template, tokens, architecture, name):
    assert recognise(template, tokens, architecture).name == name


@pytest.fixture(scope="module", params=[CHATML, LLAMA3, (*CHATML, "<tool>", "[INST]")])
def vocabulary(request, tmp_path_factory) -> Vocabulary:
    path = tmp_path_factory.mktemp("words") / "tiny.gguf"
    return Vocabulary(read_gguf(write_gguf(path, special=request.param)))


def test_a_marker_in_a_passage_is_ordinary_tokens(vocabulary):
    special = set(vocabulary._special.values())
    assert special
    for name in vocabulary._special:
        tokens = vocabulary.encode(f"see {name} here")
        assert not special & set(tokens)
        assert b"".join(map(vocabulary.piece, tokens)).decode() == f"see {name} here"


def test_only_the_template_sets_special_tokens(vocabulary):
    nasty = "x".join(vocabulary._special)
    calm = Prompt("system", "context", (Message("user", "question"),))
    attack = Prompt(nasty, nasty, (Message("user", nasty),))
    kinds = [
        [
            token
            for token in vocabulary.encode_prompt(render(vocabulary.family, prompt))[0]
            if token in special
        ]
        for special in [set(vocabulary._special.values())]
        for prompt in (calm, attack)
    ]
    assert kinds[0] == kinds[1] != []


@given(st.text(max_size=60))
@settings(max_examples=60)
def test_text_comes_back_from_its_tokens(vocabulary_for_text, text):
    tokens = vocabulary_for_text.encode(text)
    assert b"".join(map(vocabulary_for_text.piece, tokens)).decode() == text


@pytest.fixture(scope="module")
def vocabulary_for_text(tmp_path_factory) -> Vocabulary:
    return Vocabulary(read_gguf(write_gguf(tmp_path_factory.mktemp("words") / "tiny.gguf")))


def test_a_template_in_the_file_is_never_run(tmp_path):
    harm = "{{ ''.__class__.__mro__[1].__subclasses__() }}{% for x in range(10**9) %}{% endfor %}<|im_start|>"
    file = read_gguf(write_gguf(tmp_path / "tiny.gguf", template=harm))
    rendered = render(Vocabulary(file).family, TALK)
    assert spelled(rendered) == EXPECTED["chatml"]
