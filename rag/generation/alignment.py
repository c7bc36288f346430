"""How much of what a claim says stands in a passage, word by word, in the sense that each has there.

The bundled encoder gives every token a vector that depends on the words around it. Each token of the
claim is matched with the nearest one of the passage; the mean over the claim's tokens says how
much is there, and the mean over those that match worst says what is not. Nothing is trained.

Source: Zhang et al., BERTScore, 2020 (recall by greedy matching).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rag import transformer
from rag.content import content_hash
from rag.errors import MissingExtra
from rag.generation.wording import FUNCTION
from rag.types import Vectors

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WORST = 4
"""The worst matched fourth of a claim's tokens is looked at by itself."""

_START, _END = 101, 102  # [CLS] and [SEP]
_MOST_TOKENS, _BATCH_TOKENS = 254, 1024


@dataclass(frozen=True, slots=True)
class Aligned:
    """How well a claim's tokens match, as cosines in -1..1: the mean, and the mean of the worst fourth."""

    mean: float
    worst: float


class Alignment:
    """A `Reader`: matches claims with the windows of their evidence. The model is read at the first call.

    It may be called from several threads. Of a text, 254 tokens are read.

    Args:
        folder: The folder of all-MiniLM-L6-v2 in sentence-transformers form.
        threads: How many cores to use; all where None.
    """

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        self._folder = folder
        self._threads = threads
        self._loading = threading.RLock()

    @property
    def digest(self) -> str:
        """The digest of the model's weights and tokenizer.

        Raises:
            OSError: They cannot be read.
        """
        return content_hash(self._folder / "model.safetensors", self._folder / "tokenizer.json")

    def __call__(self, claims: Sequence[tuple[str, Sequence[str]]]) -> list[Aligned]:
        """Match each claim with the window that it matches best, in the order of `claims`."""
        texts = list(dict.fromkeys(text for claim, windows in claims for text in (claim, *windows)))
        known = dict(zip(texts, self._vectors(texts), strict=True))
        return [_best(known[claim], [known[text] for text in windows]) for claim, windows in claims]

    def _vectors(self, texts: Sequence[str]) -> list[tuple[list[str], Vectors]]:
        """The tokens of each text and their vectors of unit length, float32 (tokens, 384)."""
        with self._loading:
            tokenizer, run = self._tokenizer, self._run
        encoded = tokenizer.encode_batch(
            [text.encode("utf-8", "replace").decode() for text in texts], add_special_tokens=False
        )
        rows = [[_START, *one.ids[:_MOST_TOKENS], _END] for one in encoded]
        found: dict[int, Vectors] = {}
        for batch in _batches([len(row) for row in rows]):
            found.update(zip(batch, _token_vectors([rows[at] for at in batch], run), strict=True))
        return [(one.tokens[:_MOST_TOKENS], found[at]) for at, one in enumerate(encoded)]

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    @cached_property
    def _run(self) -> transformer.Run:
        graph = files("rag.generation").joinpath("minilm_tokens.onnx").read_bytes()
        model = transformer.fill(graph, self._folder / "model.safetensors")
        if find_spec("openvino") is not None:
            return transformer.openvino(model, threads=self._threads)
        if find_spec("onnxruntime") is not None:
            return transformer.onnxruntime(model, threads=self._threads)
        raise MissingExtra("verifying needs OpenVINO or ONNX Runtime: pip install openvino")


def _best(claim: tuple[list[str], Vectors], windows: Sequence[tuple[list[str], Vectors]]) -> Aligned:
    tokens, vectors = claim
    telling = [_is_telling(token) for token in tokens]
    own = vectors[telling] if any(telling) else vectors
    best = Aligned(-1.0, -1.0)
    for _, others in windows:
        if len(own) and len(others):
            nearest = np.sort((own @ others.T).max(axis=1))
            few = max(1, len(nearest) // WORST)
            found = Aligned(float(nearest.mean()), float(nearest[:few].mean()))
            best = max(best, found, key=lambda one: one.mean)
    return best


def _is_telling(token: str) -> bool:
    """Whether a token is part of a word that says something; `##` goes on with the one before."""
    return token.startswith("##") or (token not in FUNCTION and any(letter.isalnum() for letter in token))


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield the rows of each batch, those of like length together, longest first."""
    order = sorted(range(len(lengths)), key=lambda at: -lengths[at])
    start = 0
    while start < len(order):
        size = max(1, _BATCH_TOKENS // lengths[order[start]])
        yield order[start : start + size]
        start += size


def _token_vectors(rows: Sequence[list[int]], run: transformer.Run) -> list[Vectors]:
    """Run one batch; the vectors of the special tokens are left out."""
    ids = np.zeros((len(rows), max(len(row) for row in rows)), np.int64)
    mask = np.zeros_like(ids)
    for at, row in enumerate(rows):
        ids[at, : len(row)] = row
        mask[at, : len(row)] = 1
    hidden = run(ids, mask)
    lengths = np.linalg.norm(hidden, axis=2, keepdims=True)
    unit = np.asarray(hidden / np.maximum(lengths, np.float32(1e-12)), np.float32)
    return [unit[at, 1 : len(row) - 1] for at, row in enumerate(rows)]
