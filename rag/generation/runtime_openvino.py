"""A model run by OpenVINO: fast at reading prompts where the processor has AMX or bfloat16."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.errors import MissingExtra, ModelFailed, ModelRefused
from rag.generation.gguf import ModelFile
from rag.generation.runtime_batch import Part
from rag.generation.runtime_openvino_graph import build, misses
from rag.generation.runtime_sampler import Logits
from rag.generation.runtime_weights import Weights

MOST_GUESSES = 3
"""From five tokens on it multiplies in another way, which near ties would show in the text."""
GUESS_COST = 0.15
"""Measured by tests/bench/bench_llm.py on a CPU."""


class OpenVinoDecoder:
    """The network of a model, compiled once, with a memory for each of `slots` texts.

    Tokens that are taken back stay in the memory, out of sight: to move what is there costs more.
    """

    def __init__(self, file: ModelFile, *, slots: int, threads: int, device: str = "CPU") -> None:
        missing = misses(file)
        if missing:
            raise ModelRefused(f"{file.path.name} has {missing}: run it with runtime='llama'")
        try:
            import openvino as ov
        except ImportError as error:
            raise MissingExtra(f"this runtime needs openvino: pip install openvino ({error})") from error
        self.slots, self.takes_back = slots, True
        self.guess_cost, self.most_guesses = GUESS_COST, MOST_GUESSES
        self._weights = Weights(file)
        core = ov.Core()
        if device not in core.available_devices:
            raise ModelRefused(f"OpenVINO finds no {device} here, only {', '.join(core.available_devices)}")
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if device == "CPU":
            # 8-bit keys would come back from a kept state other than they went.
            settings |= {"INFERENCE_NUM_THREADS": threads, "KV_CACHE_PRECISION": "f16"}
        self._compiled = core.compile_model(build(file, self._weights), device, settings)
        self._memories = [_Memory(self._compiled.create_infer_request()) for _ in range(slots)]
        self._names = [state.name for state in self._memories[0].request.query_state()]
        self._turns = _frequencies(file, self._weights)
        self._vocabulary = len(file.tokens)

    def decode(self, parts: Sequence[Part]) -> list[list[Logits]]:
        """Read tokens, and give the logits of each part's last `wanted`."""
        return [self._read(part) if part.tokens else [] for part in parts]

    def _read(self, part: Part) -> list[Logits]:
        memory = self._memories[part.slot]
        # One alone is multiplied in another way than several, which near ties would show in the text:
        # it is read with a second one behind it, which nothing ever looks at.
        tokens = part.tokens if len(part.tokens) > 1 else [*part.tokens, *part.tokens]
        positions = np.arange(part.start, part.start + len(tokens))
        angles = positions[:, None] * self._turns[None, :]
        angles = np.concatenate([angles, angles], axis=1)[None, None]
        first = len(part.tokens) - max(1, part.wanted)
        inputs = {
            "embeddings": self._weights.rows("token_embd.weight", np.asarray(tokens, np.int64))[None],
            "mask": memory.mask(len(tokens)),
            "cosine": np.cos(angles).astype(np.float32),
            "sine": np.sin(angles).astype(np.float32),
            "rows": np.arange(first, len(part.tokens), dtype=np.int64),
            "beam_idx": np.zeros(1, np.int32),
        }
        try:
            found = memory.request.infer(inputs, share_inputs=True)
        except RuntimeError as error:
            raise ModelFailed(f"OpenVINO could not go on: {error}") from error
        memory.grow(positions, len(part.tokens))
        logits = np.asarray(next(iter(found.values())), np.float32)[0, :, : self._vocabulary]
        return [row.copy() for row in logits] if part.wanted else []

    def cut(self, slot: int, length: int) -> None:
        """Keep the first `length` tokens of a slot."""
        self._memories[slot].cut(length)

    def save(self, slot: int) -> bytes:
        """The state of a slot: how many tokens, then keys and values in 16 bits, layer by layer."""
        memory = self._memories[slot]
        alive = memory.alive
        states = {state.name: state.state.data for state in memory.request.query_state()}
        shown = slice(None) if alive.all() else alive
        parts = [struct.pack("<Q", int(alive.sum()))]
        parts += [states[name][:, :, shown].astype(np.float16).tobytes() for name in self._names]
        return b"".join(parts)

    def load(self, slot: int, state: bytes) -> bool:
        """Make a state that of an empty slot. False where it does not fit, which leaves it empty."""
        import openvino as ov

        memory = self._memories[slot]
        memory.cut(0)
        (count,) = struct.unpack_from("<Q", state)
        shapes = self._shapes(count)
        if len(state) != 8 + sum(2 * int(np.prod(shape)) for shape in shapes.values()):
            return False
        at, held = 8, {each.name: each for each in memory.request.query_state()}
        for name in self._names:
            size = int(np.prod(shapes[name]))
            values = np.frombuffer(state, np.float16, size, at).reshape(shapes[name])
            held[name].state = ov.Tensor(values.astype(np.float32))
            at += 2 * size
        memory.grow(np.arange(count), count)
        return True

    def _shapes(self, count: int) -> dict[str, tuple[int, ...]]:
        file = self._weights.file
        head = file.number("attention.key_length", file.width // file.heads)
        return dict.fromkeys(self._names, (1, file.kv_heads, count, head))


class _Memory:
    """What a request remembers: the position of each token that was read, and which are in sight."""

    def __init__(self, request: Any) -> None:
        self.request = request
        self._positions = np.zeros(0, np.int64)
        self.alive: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)

    def mask(self, count: int) -> npt.NDArray[np.float32]:
        """What each of `count` new tokens may see, float32 (1, 1, count, all): 0, or minus infinity."""
        seen = np.zeros((count, len(self.alive) + count), np.float32)
        seen[:, : len(self.alive)][:, ~self.alive] = -np.inf
        seen[:, len(self.alive) :][np.triu_indices(count, 1)] = -np.inf
        return seen[None, None]

    def grow(self, positions: npt.NDArray[np.int64], alive: int) -> None:
        """Note tokens that were read, of which the first `alive` are to be seen."""
        self._positions = np.concatenate([self._positions, positions])
        self.alive = np.concatenate([self.alive, np.arange(len(positions)) < alive])

    def cut(self, length: int) -> None:
        """Put tokens from the position `length` on out of sight."""
        if length == 0:
            self.request.reset_state()
            self._positions, self.alive = self._positions[:0], self.alive[:0]
        else:
            self.alive &= self._positions < length


def _frequencies(file: ModelFile, weights: Weights) -> npt.NDArray[np.float64]:
    """How far each pair of numbers is turned from one position to the next, in radians."""
    head = file.number("attention.key_length", file.width // file.heads)
    base = file.fields.get(f"{file.architecture}.rope.freq_base", 10_000.0)
    turns = float(base) ** -(np.arange(0, head, 2) / head) if isinstance(base, int | float) else np.zeros(0)
    return turns / weights.floats("rope_freqs.weight") if weights.has("rope_freqs.weight") else turns
