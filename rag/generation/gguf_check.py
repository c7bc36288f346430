"""Whether the parts of a model's header fit each other, so that native code may be given the file.

That code ends the whole process where they do not: what it takes for granted is looked at here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from rag.errors import ModelRefused

if TYPE_CHECKING:
    from rag.generation.gguf import ModelFile

Refuse: TypeAlias = Callable[[str], ModelRefused]

_TOKENIZERS = ("gpt2", "llama", "gemma4")
_TURNED_WHOLE = frozenset(("llama", "qwen2", "qwen3"))
"""Architectures whose code takes it for granted that a head is turned by its position as a whole."""


def check_model(file: ModelFile, refuse: Refuse) -> None:
    """Refuse a header whose parts do not fit each other: native code ends the process where they do not."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,63}", file.architecture):
        raise refuse(f"the architecture {file.architecture!r}")
    parts = file.fields.get("split.count", 0)
    if isinstance(parts, int) and parts > 1:
        raise ModelRefused(
            f"{file.path.name} is one of {parts} parts: join them with llama-gguf-split --merge"
        )
    if not (1 <= file.context_tokens <= 1 << 27 and 1 <= file.layers <= 512 and 1 <= file.width <= 1 << 17):
        raise refuse("no sizes of a language model (context_length, block_count, embedding_length)")
    _check_heads(file, refuse)
    _check_rest(file, refuse)
    _check_tokens(file, refuse)


def _check_heads(file: ModelFile, refuse: Refuse) -> None:
    for key in ("head_count", "head_count_kv"):
        value = file.fields.get(f"{file.architecture}.attention.{key}", file.heads)
        each = value if isinstance(value, list) else [value]
        if not all(type(one) is int and 0 <= one <= 4096 for one in each) or not any(each):
            raise refuse(f"{value!r} heads")
        if isinstance(value, list) and len(value) != file.layers:
            raise refuse(f"heads of {len(value)} blocks, of {file.layers}")
    if not 1 <= file.heads <= file.width or not 1 <= file.kv_heads <= file.heads:
        raise refuse(f"{file.heads} heads, {file.kv_heads} of them with keys, {file.width} wide")
    if file.heads % file.kv_heads:
        raise refuse(f"{file.heads} heads over {file.kv_heads} with keys")
    keys = ("rope.dimension_count", "attention.key_length", "attention.value_length")
    head = file.width // file.heads
    for key in keys:
        value = file.fields.get(f"{file.architecture}.{key}", head)
        if type(value) is not int or not 1 <= value <= 1 << 14:
            raise refuse(f"{key} {value!r}")
        if key == "rope.dimension_count" and value % 2:
            raise refuse(f"{key} {value}, which is odd")
    if file.architecture in _TURNED_WHOLE and len({file.number(key, head) for key in keys}) > 1:
        raise refuse("heads whose keys, values and turned parts are not equally wide")


def _check_rest(file: ModelFile, refuse: Refuse) -> None:
    scaling = file.text(f"{file.architecture}.rope.scaling.type")
    if scaling not in ("", "none", "linear", "yarn", "longrope"):
        raise refuse(f"positions scaled by {scaling!r}")
    experts, used = file.number("expert_count"), file.number("expert_used_count")
    if not 0 <= used <= experts <= 512 or (experts and not used):
        raise refuse(f"{used} of {experts} experts")
    if not 0 <= file.number("nextn_predict_layers") <= file.layers:
        raise refuse("more blocks that look ahead than there are")


def _check_tokens(file: ModelFile, refuse: Refuse) -> None:
    tokens = file.fields.get("tokenizer.ggml.tokens")
    kind = file.text("tokenizer.ggml.model")
    if not kind or not isinstance(tokens, list) or not tokens:
        raise ModelRefused(f"{file.path.name} has no tokenizer, so that no text can be given to it")
    if kind not in _TOKENIZERS:
        raise ModelRefused(f"{file.path.name} has a tokenizer {kind!r}, and none but these: {_TOKENIZERS}")
    if not all(isinstance(token, str) for token in tokens):
        raise refuse("tokens that are no texts")
    # As native code sees them: up to a zero, and an empty one by its number.
    known = {token.partition("\0")[0] or f"[EMPTY_{at}]" for at, token in enumerate(file.tokens)}
    if len(known) < len(tokens):
        raise refuse("the same token twice")
    if kind == "llama" and not known.issuperset(f"<0x{byte:02X}>" for byte in range(256)):
        raise ModelRefused(
            f"{file.path.name} has no tokens for single bytes: not every text can be given to it"
        )
    for key in ("token_type", "scores"):
        values = file.fields.get(f"tokenizer.ggml.{key}")
        if values is not None and (not isinstance(values, list) or len(values) != len(tokens)):
            raise refuse(f"{len(tokens):,} tokens, but another number of {key}")
    for key, value in file.fields.items():
        if key.startswith("tokenizer.ggml.") and key.endswith("_token_id"):
            good = isinstance(value, int) and (0 <= value < len(tokens) or value == 0xFFFF_FFFF)
            if not good:
                raise refuse(f"{key} {value!r} of {len(tokens):,} tokens")
    embedding = next((each for each in file.tensors if each.name == "token_embd.weight"), None)
    if embedding is None or embedding.shape[0] != file.width or math.prod(embedding.shape[1:]) < len(tokens):
        raise refuse(f"no vectors {file.width} wide for its {len(tokens):,} tokens")
