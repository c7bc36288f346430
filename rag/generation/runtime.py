"""A language model's file becomes one that writes, in this process: no service, no port, no network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from rag.errors import PromptTooLong
from rag.generation.gguf import ModelFile, read_gguf
from rag.generation.lookup import Gate, Guesser
from rag.generation.models import LONGEST_CONTEXT, resolve_model
from rag.generation.runtime_batch import Batch, Decoder, Job
from rag.generation.runtime_memory import check_memory, fits, processors
from rag.generation.runtime_sampler import Sampler, check_sampling
from rag.generation.runtime_text import TextStream
from rag.generation.runtime_vocabulary import Vocabulary
from rag.generation.states import StateStore
from rag.generation.template import render
from rag.protocols import Prompt, Sampling
from rag.types import Usage


def open_model(
    path: str | Path,
    *,
    runtime: str = "auto",
    context_tokens: int | None = None,
    requests: int = 1,
    gpu_layers: int = 0,
    threads: int | None = None,
    lookup: bool = True,
    states: str | Path | None = None,
    states_memory_bytes: int = 512 << 20,
) -> LocalModel:
    """Load the model of a GGUF file.

    Args:
        path: The file, `PATH@sha256:DIGEST`, or `hf:OWNER/REPOSITORY/FILE.gguf@sha256:DIGEST` where
            that was fetched before (`rag models --fetch`).
        runtime: `llama` (llama.cpp: every model), `openvino` (llama and qwen models of some
            quantisations, several times as fast at prompts on processors with bfloat16), or `auto`,
            the faster one that can run it here.
        context_tokens: How many tokens a prompt and its answer may have (what the model was trained
            for, at most 8192).
        requests: How many texts are written at once; others wait. Alone, a text is the same to the
            last bit every time.
        gpu_layers: How many of its blocks lie on a GPU, -1 for all.
        threads: How many threads compute (one a core).
        lookup: Whether words of the prompt are guessed to follow, where that is faster.
        states: A folder where states of prompts outlive the process. The words of documents can be
            read out of them: keep it as you keep those.
        states_memory_bytes: How much such states may take in memory.

    Raises:
        ModelRefused: The file is damaged, or needs more memory than there is, or the runtime does
            not run it.
        MissingExtra: The runtime is not installed.
        ValueError: The runtime is none, or a number is out of its range.
    """
    if runtime not in ("auto", "llama", "openvino") or requests < 1 or (threads or 1) < 1:
        raise ValueError("runtime is auto, llama or openvino; requests and threads are 1 or more")
    file = read_gguf(resolve_model(path))
    length = min(file.context_tokens, context_tokens or LONGEST_CONTEXT)
    if length < 1:
        raise ValueError(f"context_tokens is 1 or more, not {length}")
    chosen = choose_runtime(file, runtime, gpu_layers, length, requests)
    check_memory(file, length, requests, chosen)
    threads = threads or processors()
    decoder, vocabulary = _decoder(file, chosen, length, requests, gpu_layers, threads)
    store = StateStore(f"{file.digest} {chosen}", memory_bytes=states_memory_bytes, folder=states)
    return LocalModel(file, decoder, vocabulary, store, context_tokens=length, runtime=chosen, lookup=lookup)


def choose_runtime(
    file: ModelFile,
    runtime: str = "auto",
    gpu_layers: int = 0,
    context_tokens: int = LONGEST_CONTEXT,
    requests: int = 1,
) -> str:
    """`llama` or `openvino`: the one that was asked for, else the faster one that can run the model here.

    OpenVINO reads prompts several times as fast where the processor has bfloat16, but takes twice the
    memory; not every model is run by it.
    """
    if runtime != "auto":
        return runtime
    from rag.generation.runtime_openvino_graph import misses

    if gpu_layers or misses(file):
        return "llama"
    if not fits(file, context_tokens, requests, "openvino"):
        return "llama"
    try:
        from openvino import Core

        fast = "BF16" in Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    except (ImportError, RuntimeError):
        fast = False
    return "openvino" if fast else "llama"


def _decoder(
    file: ModelFile, runtime: str, context_tokens: int, requests: int, gpu_layers: int, threads: int
) -> tuple[Decoder, Vocabulary]:
    if runtime == "openvino":
        from rag.generation.runtime_openvino import OpenVinoDecoder

        device = "GPU" if gpu_layers else "CPU"
        decoder = OpenVinoDecoder(file, slots=requests, threads=threads, device=device)
        return decoder, Vocabulary(file)
    from rag.generation.runtime_llama import LlamaDecoder

    loaded = LlamaDecoder(
        file,
        context_tokens=context_tokens,
        slots=requests,
        threads=threads,
        gpu_layers=gpu_layers,
    )
    return loaded, loaded.vocabulary


class LocalModel:
    """A language model in memory. Threads may ask it at the same time."""

    def __init__(
        self,
        file: ModelFile,
        decoder: Decoder,
        vocabulary: Vocabulary,
        states: StateStore,
        *,
        context_tokens: int,
        runtime: str = "llama",
        lookup: bool = True,
    ) -> None:
        self.file, self.runtime = file, runtime
        self._vocabulary, self._states = vocabulary, states
        self._context_tokens = context_tokens
        self._guess_cost = decoder.guess_cost if lookup and decoder.takes_back else None
        self._batch = Batch(decoder, vocabulary, states)

    @property
    def name(self) -> str:
        """Its file's name, and the first of its digest."""
        return f"{self.file.path.name}@sha256:{self.file.digest[:16]}"

    @property
    def context_tokens(self) -> int:
        """How many tokens prompt and text may have together."""
        return self._context_tokens

    def count(self, text: str) -> int:
        """How many of its tokens `text` has."""
        return len(self._vocabulary.encode(text))

    def forget(self, partition: str | None = None) -> None:
        """Drop the states of all prompts, or of a tenant's, in memory and on disk."""
        self._states.forget(partition)

    def generate(
        self,
        prompt: Prompt,
        sampling: Sampling,
        *,
        partition: str = "",
        done: Callable[[Usage], None] | None = None,
    ) -> Iterator[str]:
        """Yield text as it is written. Closing the iterator stops the model.

        Raises:
            PromptTooLong: Prompt and `max_tokens` are more than `context_tokens`.
            InputError: The sampling or its grammar is none.
        """
        check_sampling(sampling)
        tokens, prefixes = self._vocabulary.encode_prompt(render(self._vocabulary.family, prompt))
        if len(tokens) + sampling.max_tokens > self._context_tokens:
            raise PromptTooLong(
                f"the prompt has {len(tokens):,} tokens; with {sampling.max_tokens:,} to be written that is "
                f"more than {self._context_tokens:,}: give fewer passages, or open the model with more "
                "context_tokens"
            )
        job = Job(
            tokens,
            prefixes,
            sampling.max_tokens,
            Sampler(self._vocabulary, sampling),
            TextStream(sampling.stop),
            partition,
            Guesser(tokens) if self._guess_cost is not None else None,
            Gate(self._guess_cost) if self._guess_cost is not None else None,
        )
        return self._write(job, done)

    def _write(self, job: Job, done: Callable[[Usage], None] | None) -> Iterator[str]:
        try:
            yield from self._batch.run(job)
        finally:
            if done is not None:
                done(self._batch.usage(job, self.runtime))
