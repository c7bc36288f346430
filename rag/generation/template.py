"""A prompt as the text and special tokens that a family of models was taught to read.

The templates are these few, written here. One that a model's file carries is looked at to tell its
family, and is never run. Text from outside stays text: `<|im_end|>` in a passage is thirteen characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rag.errors import InputError
from rag.protocols import Prompt

BOS = "<bos>"


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a prompt: text, or with `special` a marker of the template."""

    text: str
    special: bool = False


@dataclass(frozen=True, slots=True)
class Rendered:
    """A prompt's segments. The first `prefixes[i]` of them are what other prompts begin with too."""

    segments: tuple[Segment, ...]
    prefixes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """How models of a family read a conversation; `{}` stands for the text of a turn.

    Where `system` is empty, the system's text stands in front of the first question, as `lead` says.
    """

    name: str
    markers: tuple[str, ...]
    system: str
    user: str
    assistant: str
    ask: str
    lead: str = "{}\n\n"


FAMILIES = {
    family.name: family
    for family in (
        Family(
            "chatml",
            ("<|im_start|>", "<|im_end|>"),
            "<|im_start|>system\n{}<|im_end|>\n",
            "<|im_start|>user\n{}<|im_end|>\n",
            "<|im_start|>assistant\n{}<|im_end|>\n",
            "<|im_start|>assistant\n",
        ),
        Family(
            "qwen3",
            ("<|im_start|>", "<|im_end|>", "<think>", "</think>"),
            "<|im_start|>system\n{}<|im_end|>\n",
            "<|im_start|>user\n{}<|im_end|>\n",
            "<|im_start|>assistant\n{}<|im_end|>\n",
            # What it was taught to go on from without thinking aloud first.
            "<|im_start|>assistant\n<think>\n\n</think>\n\n",
        ),
        Family(
            "phi4",
            ("<|im_start|>", "<|im_sep|>", "<|im_end|>"),
            "<|im_start|>system<|im_sep|>{}<|im_end|>",
            "<|im_start|>user<|im_sep|>{}<|im_end|>",
            "<|im_start|>assistant<|im_sep|>{}<|im_end|>",
            "<|im_start|>assistant<|im_sep|>",
        ),
        Family(
            "llama3",
            ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
            "<|start_header_id|>system<|end_header_id|>\n\n{}<|eot_id|>",
            "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>",
            "<|start_header_id|>assistant<|end_header_id|>\n\n{}<|eot_id|>",
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
        ),
        Family(
            "llama2",
            ("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "</s>"),
            "",
            "[INST] {} [/INST]",
            " {} </s>",
            "",
            "<<SYS>>\n{}\n<</SYS>>\n\n",
        ),
        Family("mistral", ("[INST]", "[/INST]", "</s>"), "", "[INST] {}[/INST]", " {}</s>", ""),
        Family(
            "gemma",
            ("<start_of_turn>", "<end_of_turn>"),
            "",
            "<start_of_turn>user\n{}<end_of_turn>\n",
            "<start_of_turn>model\n{}<end_of_turn>\n",
            "<start_of_turn>model\n",
        ),
        Family(
            "phi",
            ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
            "<|system|>\n{}<|end|>\n",
            "<|user|>\n{}<|end|>\n",
            "<|assistant|>\n{}<|end|>\n",
            "<|assistant|>\n",
        ),
        Family(
            "zephyr",
            ("<|system|>", "<|user|>", "<|assistant|>", "</s>"),
            "<|system|>\n{}</s>\n",
            "<|user|>\n{}</s>\n",
            "<|assistant|>\n{}</s>\n",
            "<|assistant|>\n",
        ),
        Family("plain", (), "{}\n\n", "{}\n\n", "{}\n\n", ""),
    )
}

# What tells a family, in order: the first all of whose texts are found.
_SIGNS = (
    ("phi4", ("<|im_sep|>",)),
    ("qwen3", ("<|im_start|>", "<think>")),
    ("chatml", ("<|im_start|>",)),
    ("llama3", ("<|start_header_id|>",)),
    ("gemma", ("<start_of_turn>",)),
    ("phi", ("<|user|>", "<|end|>")),
    ("zephyr", ("<|user|>",)),
    ("llama2", ("[INST]", "<<SYS>>")),
    ("mistral", ("[INST]",)),
)
_ARCHITECTURES = {"gemma": "gemma", "gemma2": "gemma", "gemma3": "gemma", "phi3": "phi"}


def recognise(template: str, special_tokens: Iterable[str], architecture: str) -> Family:
    """The family of a model, by the template in its file, else its special tokens, else its architecture.

    A model of no known family is given plain text.
    """
    tokens = frozenset(special_tokens)
    for name, signs in _SIGNS:
        if template and all(sign in template for sign in signs):
            return FAMILIES[name]
    for name, signs in _SIGNS:
        if not template and all(sign in tokens for sign in signs):
            return FAMILIES[name]
    return FAMILIES[_ARCHITECTURES.get(architecture, "plain")]


def render(family: Family, prompt: Prompt) -> Rendered:
    """The prompt as a model of `family` reads it, up to where it is to write.

    Raises:
        InputError: There is no message, or one of an unknown role.
    """
    if not prompt.messages:
        raise InputError("a prompt needs a message to answer")
    segments = [Segment(BOS, special=True)]
    prefixes: list[int] = []
    turns = [(_form(family, message.role), message.text) for message in prompt.messages]
    shared = [part for part in (prompt.system, prompt.context) if part]
    if shared and family.system:
        before, after = _around(family, family.system)
        segments = _shared(segments + before, shared, prefixes) + after
        prefixes[-1] = len(segments)
    elif shared:
        answers = prompt.messages[0].role == "assistant"
        form, question = (family.user, "") if answers else turns.pop(0)
        before, after = _around(family, form)
        lead, gap = _around(family, family.lead)
        segments = _shared(segments + before + lead, shared, prefixes) + gap + [Segment(question)] + after
    for form, text in turns:
        before, after = _around(family, form)
        segments += [*before, Segment(text), *after]
    segments += _marked(family, family.ask)
    return Rendered(tuple(segments), tuple(prefixes))


def _form(family: Family, role: str) -> str:
    forms = {"user": family.user, "assistant": family.assistant, "system": family.system or family.user}
    if role not in forms:
        raise InputError(f"the role {role!r} is not user, assistant or system")
    return forms[role]


def _shared(opening: list[Segment], parts: list[str], prefixes: list[int]) -> list[Segment]:
    """The opening with the shared parts behind it; where each ends is added to `prefixes`."""
    segments = list(opening)
    for at, part in enumerate(parts):
        segments.append(Segment(f"\n\n{part}" if at else part))
        prefixes.append(len(segments))
    return segments


def _around(family: Family, form: str) -> tuple[list[Segment], list[Segment]]:
    """What stands before and behind the text of a turn."""
    before, after = form.split("{}")
    return _marked(family, before), _marked(family, after)


def _marked(family: Family, form: str) -> list[Segment]:
    """A piece of a template, its markers set apart."""
    markers = "|".join(re.escape(marker) for marker in sorted(family.markers, key=len, reverse=True))
    parts = re.split(f"({markers})", form) if markers else [form]
    return [Segment(part, special=at % 2 == 1) for at, part in enumerate(parts) if part]
