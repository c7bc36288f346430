"""A model run by llama.cpp: every quantisation, every usual architecture, on a CPU or a GPU."""

from __future__ import annotations

import ctypes as c
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from rag.errors import ModelFailed, ModelRefused
from rag.generation.gguf import ModelFile
from rag.generation.runtime_batch import Part
from rag.generation.runtime_llama_api import Batch, complaints, load_library
from rag.generation.runtime_memory import CHUNK_TOKENS
from rag.generation.runtime_sampler import Logits
from rag.generation.runtime_vocabulary import Vocabulary, load_model

MOST_GUESSES = 6
GUESS_COST = 0.3
"""Measured by tests/bench/bench_llm.py on a CPU."""


class LlamaDecoder:
    """The weights of a model, and room for `slots` texts of `context_tokens` tokens each."""

    def __init__(
        self,
        file: ModelFile,
        *,
        context_tokens: int,
        slots: int,
        threads: int,
        gpu_layers: int,
    ) -> None:
        self._library: Any = load_library()
        if gpu_layers and not self._library.llama_supports_gpu_offload():
            raise ModelRefused(
                "gpu_layers need a GPU build of xllamacpp (its README names the wheels for CUDA, ROCm and "
                "Vulkan); this one runs on the CPU: leave gpu_layers out"
            )
        model = load_model(self._library, file, gpu_layers=gpu_layers)
        free_model = weakref.finalize(self, self._library.llama_model_free, model)
        if self._library.llama_model_has_encoder(model):
            raise ModelRefused(f"{file.path.name} is an encoder, not a model that writes")
        self.slots, self.guess_cost, self.most_guesses = slots, GUESS_COST, MOST_GUESSES
        self._model = model
        self._context = self._make_context(file, model, threads, context_tokens)
        # In this order: a context outlives its model at no time.
        free_model.detach()
        weakref.finalize(self, _free, self._library, self._context, model)
        self._memory = self._library.llama_get_memory(self._context)
        recurrent = self._library.llama_model_is_recurrent(model) or self._library.llama_model_is_hybrid(
            model
        )
        self.takes_back = not recurrent
        self.vocabulary = Vocabulary(file, model)

    def _make_context(self, file: ModelFile, model: int, threads: int, context_tokens: int) -> int:
        parameters = self._library.llama_context_default_params()
        batch = CHUNK_TOKENS + self.slots * (MOST_GUESSES + 1)
        parameters.n_ctx = self.slots * (-(-(context_tokens + MOST_GUESSES) // 256) * 256)
        parameters.n_batch = batch
        parameters.n_ubatch = batch
        parameters.n_seq_max = self.slots
        parameters.n_outputs_max = self.slots * (MOST_GUESSES + 1)
        parameters.n_outputs_max_per_seq = 0
        parameters.n_threads = parameters.n_threads_batch = threads
        # Each slot has its own room: what one holds changes no bit of what another writes.
        parameters.kv_unified = False
        context = self._library.llama_init_from_model(model, parameters)
        if not context:
            raise ModelRefused(f"{file.path.name}: {complaints() or 'llama.cpp made no context'}")
        return int(context)

    def decode(self, parts: Sequence[Part]) -> list[list[Logits]]:
        """Read tokens, and give the logits of each part's last `wanted`. They hold until the next call."""
        count = sum(len(part.tokens) for part in parts)
        if not count:
            return [[] for _ in parts]
        batch, wanted = self._batch(parts, count)
        code = self._library.llama_decode(self._context, batch)
        if code:
            raise ModelFailed(f"llama.cpp could not go on (code {code}): {complaints()}")
        found = []
        for rows in wanted:
            logits = [self._library.llama_get_logits_ith(self._context, row) for row in rows]
            found.append([np.ctypeslib.as_array(each, (self.vocabulary.size,)) for each in logits])
        return found

    def _batch(self, parts: Sequence[Part], count: int) -> tuple[Batch, list[range]]:
        """The arrays that llama.cpp reads, and which of its rows are whose."""
        tokens: list[int] = []
        positions: list[int] = []
        slots: list[int] = []
        outputs = np.zeros(count, np.int8)
        wanted = []
        for part in parts:
            tokens += part.tokens
            positions += range(part.start, part.start + len(part.tokens))
            slots += [part.slot] * len(part.tokens)
            rows = range(len(tokens) - part.wanted, len(tokens))
            outputs[rows.start : rows.stop] = 1
            wanted.append(rows)
        integers = c.c_int32 * count
        each = (c.POINTER(c.c_int32) * count)()
        own = integers(*slots)
        for at in range(count):
            each[at] = c.pointer(c.c_int32.from_buffer(own, 4 * at))
        batch = Batch(
            n_tokens=count,
            token=integers(*tokens),
            pos=integers(*positions),
            n_seq_id=integers(*([1] * count)),
            seq_id=each,
            logits=outputs.ctypes.data_as(c.POINTER(c.c_int8)),
        )
        return batch, wanted

    def cut(self, slot: int, length: int) -> None:
        """Keep the first `length` tokens of a slot."""
        if not self._library.llama_memory_seq_rm(self._memory, slot, length, -1):
            raise ModelFailed("llama.cpp could not take tokens back")

    def save(self, slot: int) -> bytes:
        """The state of a slot."""
        size = self._library.llama_state_seq_get_size(self._context, slot)
        buffer = c.create_string_buffer(size)
        written = self._library.llama_state_seq_get_data(self._context, buffer, size, slot)
        return buffer.raw[:written]

    def load(self, slot: int, state: bytes) -> bool:
        """Make a state that of an empty slot. False where it does not fit, which leaves it empty."""
        taken = self._library.llama_state_seq_set_data(self._context, state, len(state), slot)
        if taken != len(state):
            self._library.llama_memory_seq_rm(self._memory, slot, -1, -1)
            return False
        return True


def _free(library: Any, context: int, model: int) -> None:
    library.llama_free(context)
    library.llama_model_free(model)
