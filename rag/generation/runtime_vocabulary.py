"""A model's tokens: text and prompts as their numbers, and back. Grammars and chances stand on them too."""

from __future__ import annotations

import ctypes as c
import re
import weakref
from collections.abc import Iterable
from typing import Any

from rag.errors import ModelRefused
from rag.generation.gguf import ModelFile
from rag.generation.runtime_llama_api import complaints, load_library
from rag.generation.template import BOS, Family, Rendered, Segment, recognise

_NAMED = re.compile(r"<\|?[^<>|\s]+\|?>\Z|\[/?[A-Z0-9_]+\]\Z")


class Vocabulary:
    """The tokenizer of a model, by llama.cpp. It holds no weights unless `model` is given."""

    def __init__(self, file: ModelFile, model: int | None = None) -> None:
        self._library: Any = load_library()
        if model is None:
            model = load_model(self._library, file, vocabulary_only=True)
            weakref.finalize(self, self._library.llama_model_free, model)
        self.pointer = self._library.llama_model_get_vocab(model)
        self.size = int(self._library.llama_vocab_n_tokens(self.pointer))
        self._special = file.special_tokens
        self.family: Family = recognise(
            file.text("tokenizer.chat_template"), self._special, file.architecture
        )
        named = [token for token in self._special if _NAMED.match(token)]
        literal = sorted({*self.family.markers, *named}, key=lambda text: (-len(text), text))
        self._literal = re.compile("|".join(map(re.escape, literal))) if literal else None
        self._bos = int(self._library.llama_vocab_bos(self.pointer))
        self._add_bos = bool(self._library.llama_vocab_get_add_bos(self.pointer)) and self._bos >= 0
        self.strips_space = file.text("tokenizer.ggml.model") == "llama"

    def encode(self, text: str) -> list[int]:
        """The tokens of `text`, none of them special, whatever it spells."""
        found: list[int] = []
        for part in self._parts(text):
            found += self._tokenize(part)
        return found

    def encode_prompt(self, rendered: Rendered) -> tuple[list[int], list[int]]:
        """The tokens of a prompt, and how many of them each of its prefixes has."""
        tokens: list[int] = []
        ends = []
        for segment in rendered.segments:
            tokens += self._segment(segment)
            ends.append(len(tokens))
        return tokens, [ends[count - 1] for count in rendered.prefixes]

    def _segment(self, segment: Segment) -> list[int]:
        if not segment.special:
            return self.encode(segment.text)
        if segment.text == BOS:
            return [self._bos] if self._add_bos else []
        token = self._special.get(segment.text)
        return [token] if token is not None else self._tokenize(segment.text)

    def _parts(self, text: str) -> Iterable[str]:
        """The text cut in the middle of whatever spells a special token or a marker of the template."""
        if self._literal is None or not text:
            return [text] if text else []
        parts, at = [], 0
        for found in self._literal.finditer(text):
            middle = (found.start() + found.end()) // 2
            parts.append(text[at:middle])
            at = middle
        return [part for part in (*parts, text[at:]) if part]

    def _tokenize(self, text: str) -> list[int]:
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        buffer = (c.c_int32 * room)()
        count = self._library.llama_tokenize(self.pointer, data, len(data), buffer, room, False, False)
        return buffer[: max(0, count)]

    def piece(self, token: int) -> bytes:
        """The bytes that a token writes: none where it is special."""
        buffer = c.create_string_buffer(256)
        length = self._library.llama_token_to_piece(self.pointer, token, buffer, 256, 0, False)
        if length < 0:
            buffer = c.create_string_buffer(-length)
            length = self._library.llama_token_to_piece(self.pointer, token, buffer, -length, 0, False)
        return buffer.raw[: max(0, length)]

    def ends(self, token: int) -> bool:
        """Whether the model says with this token that it is done."""
        return bool(self._library.llama_vocab_is_eog(self.pointer, token))


def load_model(library: Any, file: ModelFile, *, gpu_layers: int = 0, vocabulary_only: bool = False) -> int:
    """The model of a file that was checked, loaded by llama.cpp.

    Raises:
        ModelRefused: llama.cpp does not take it.
    """
    parameters = library.llama_model_default_params()
    parameters.n_gpu_layers = gpu_layers
    parameters.vocab_only = vocabulary_only
    complaints()
    model = library.llama_model_load_from_file(bytes(file.path.resolve()), parameters)
    if not model:
        raise ModelRefused(f"{file.path.name} cannot be loaded: {complaints() or 'llama.cpp says not why'}")
    return int(model)
