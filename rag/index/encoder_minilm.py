"""The default encoder: all-MiniLM-L6-v2, or another model of its shape, on the CPU and without torch.

Source: Wang et al., MiniLM: Deep Self-Attention Distillation for Task-Agnostic Compression of
Pre-Trained Transformers, 2020; Reimers and Gurevych, Sentence-BERT, 2019 (mean pooling).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib.resources import files
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from rag import transformer
from rag.errors import EncoderNotFound, MissingExtra
from rag.index.encoder_folder import fingerprint, is_minilm, max_tokens
from rag.types import Fingerprint, Vectors

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Runtime = Literal["openvino", "onnxruntime"]

_SPACE = re.compile("[ \\n]")
_BATCH_TOKENS = 512  # padding included; measured: more gains nothing, and a question waits for a batch


class MiniLMEncoder:
    """Encodes by OpenVINO, or ONNX Runtime where that alone is installed.

    It is an `Encoder` and a `Tokenizer`, and may be used from several threads. The model is read at
    the first call of `encode`, the tokenizer at the first call that needs it.

    Args:
        folder: A folder of sentence-transformers form whose model has the shape of MiniLM-L6.
        threads: How many cores to use; all where None.
        precision: `f32`, `bf16`, or None for the fastest that the CPU has natively (OpenVINO only).
        runtime: `openvino` or `onnxruntime`; None takes the first that is installed.

    Raises:
        EncoderNotFound: `folder` holds no model of that shape.
        MissingExtra: No runtime is installed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        threads: int | None = None,
        precision: Literal["f32", "bf16"] | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        if not is_minilm(folder):
            raise EncoderNotFound(f"{folder} holds no mean-pooled model of the shape of MiniLM-L6")
        self._folder = folder
        self._threads = threads
        self._precision = precision
        self._runtime = runtime or _installed_runtime()
        self._loading = threading.RLock()

    @property
    def fingerprint(self) -> Fingerprint:
        """The model's name, the hash of its files, and how it pools."""
        return fingerprint(self._folder)

    @cached_property
    def max_tokens(self) -> int:
        """How many tokens of a text it sees (254 for all-MiniLM-L6-v2), special ones not counted."""
        return max_tokens(self._folder)

    def encode(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """Encode texts as float32 (n, dimension) of unit length, in the order of `texts`.

        Questions are encoded as texts are: this model has no prompts. Tokens behind `max_tokens` are
        left out. A text encoded alone gives the same bits at every call; in a batch it may differ
        in the last ones, as another order of summation does.
        """
        vectors = np.empty((len(texts), self.fingerprint.dimension), dtype=np.float32)
        if not texts:
            return vectors
        ids = self._token_ids(texts)
        run = self._run
        for rows in _batches([len(one) for one in ids]):
            vectors[rows] = run(*_padded([ids[row] for row in rows]))
        return _unit(vectors)

    def token_offsets(self, text: str) -> npt.NDArray[np.int32]:
        """Return the character range of each token of `text`, none special or cut off: int32 (m, 2)."""
        return _token_offsets(self._tokenizer, _encodable(text))

    def _token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        limit = self.max_tokens + 2
        encodings = self._tokenizer.encode_batch_fast([_encodable(text) for text in texts])
        ids = (encoding.ids for encoding in encodings)
        return [one if len(one) <= limit else [*one[: limit - 1], one[-1]] for one in ids]

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        with self._loading:
            tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
            tokenizer.no_padding()
            tokenizer.no_truncation()
            return tokenizer

    @property
    def _run(self) -> transformer.Run:
        with self._loading:
            return self._loaded

    @cached_property
    def _loaded(self) -> transformer.Run:
        graph = files("rag.index").joinpath("minilm.onnx").read_bytes()
        model = transformer.fill(graph, self._folder / "model.safetensors")
        if self._runtime == "onnxruntime":
            return transformer.onnxruntime(model, threads=self._threads)
        return transformer.openvino(model, threads=self._threads, precision=self._precision)


def _installed_runtime() -> Runtime:
    names: tuple[Runtime, ...] = ("openvino", "onnxruntime")
    for name in names:
        if find_spec(name) is not None:
            return name
    raise MissingExtra("encoding needs OpenVINO or ONNX Runtime: pip install openvino")


def _batches(lengths: Sequence[int]) -> Iterator[npt.NDArray[np.intp]]:
    """Yield the rows of each batch, texts of like length together, longest first."""
    order = np.argsort(-np.asarray(lengths), kind="stable")
    start = 0
    while start < len(order):
        size = max(1, _BATCH_TOKENS // lengths[order[start]])
        yield order[start : start + size]
        start += size


def _padded(ids: Sequence[Sequence[int]]) -> tuple[transformer.Ids, transformer.Ids]:
    lengths = np.array([len(one) for one in ids])
    mask = np.arange(lengths.max()) < lengths[:, None]
    padded = np.zeros(mask.shape, dtype=np.int64)
    padded[mask] = np.fromiter(chain.from_iterable(ids), np.int64, int(lengths.sum()))
    return padded, mask.astype(np.int64)


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.float32(1e-12)), dtype=np.float32)


def _token_offsets(tokenizer: Tokenizer, text: str, size: int = 1000) -> npt.NDArray[np.int32]:
    pieces = list(_pieces(text, size))
    encodings = tokenizer.encode_batch([text[start:end] for start, end in pieces], add_special_tokens=False)
    parts = [np.empty((0, 2), dtype=np.int32)]
    for (start, _), encoding in zip(pieces, encodings, strict=True):
        offsets = np.fromiter(chain.from_iterable(encoding.offsets), np.int32, 2 * len(encoding))
        parts.append(offsets.reshape(-1, 2) + np.int32(start))
    return np.concatenate(parts)


def _pieces(text: str, size: int) -> Iterator[tuple[int, int]]:
    """Yield ranges that cover `text`, cut before white space, which no token of a BERT crosses.

    Short pieces keep all cores busy and stay in their caches: twice as fast as the whole at once.
    """
    start = 0
    while start < len(text):
        space = _SPACE.search(text, start + size)
        end = space.start() if space else len(text)
        yield start, end
        start = end


def _encodable(text: str) -> str:
    """Replace lone surrogates, which no tokenizer reads, by as many question marks."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text
