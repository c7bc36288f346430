"""Does a claim follow from a passage? The bundled encoder, turned into one that reads both together.

Its layers' weights are changed by small matrices that are shipped beside this file (low rank, as in LoRA),
and a linear head over the first token, the mean and the maximum of the claim's tokens gives a
logit. `scripts/fit_verifier.py` made them.

Source: Nogueira and Cho, Passage Re-ranking with BERT, 2019; Hu et al., LoRA, 2021.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rag import transformer
from rag.errors import MissingExtra

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WEIGHTS = "verifier.npz"
DIGEST = ""
"""The SHA-256 of the weights that the thresholds belong to."""

MOST_CLAIM, MOST_TOKENS = 64, 128
_START, _END = 101, 102  # [CLS] and [SEP]
_BATCH_TOKENS = 1024


class Entailment:
    """A `Judge`: from pairs of evidence and claim to a logit each. Read at the first call.

    It may be called from several threads. What a claim has behind 64 tokens, and evidence
    behind 125 less the claim's, is not read.

    Args:
        folder: The folder of all-MiniLM-L6-v2 in sentence-transformers form.
        threads: How many cores to use; all where None.
    """

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        self._folder = folder
        self._threads = threads
        self._loading = threading.RLock()

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float32]:
        """Return one logit a pair (evidence, claim), float32 (n,): above 0, it rather follows."""
        logits = np.empty(len(pairs), np.float32)
        if not pairs:
            return logits
        with self._loading:
            tokenizer, run, head = self._tokenizer, self._run, self._head
        rows = _token_rows(tokenizer, pairs)
        for batch in _batches([len(ids) for ids, _ in rows]):
            logits[batch] = _read([rows[at] for at in batch], run, head)
        return logits

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    @cached_property
    def _stored(self) -> dict[str, npt.NDArray[np.float32]]:
        return read_weights(files("rag.generation").joinpath(WEIGHTS).read_bytes())

    @property
    def _head(self) -> tuple[npt.NDArray[np.float32], np.float32]:
        return self._stored["head.weight"], self._stored["head.bias"][0]

    @cached_property
    def _run(self) -> transformer.Run:
        graph = files("rag.generation").joinpath("minilm_tokens.onnx").read_bytes()
        changes = {name: change for name, change in self._stored.items() if not name.startswith("head.")}
        model = transformer.fill(graph, self._folder / "model.safetensors", changes)
        if find_spec("openvino") is not None:
            return transformer.openvino(model, threads=self._threads)
        if find_spec("onnxruntime") is not None:
            return transformer.onnxruntime(model, threads=self._threads)
        raise MissingExtra("verifying needs OpenVINO or ONNX Runtime: pip install openvino")


def read_weights(data: bytes) -> dict[str, npt.NDArray[np.float32]]:
    """The changes to the encoder's weights and the head, by name, each float32 of its weight's shape.

    Stored as float16, or where low rank is enough as int8 factors `name|left` (out, rank) and
    `name|right` (rank, in) with a float32 scale for each of their columns and rows.

    Raises:
        ValueError: The bytes are not those that were shipped.
    """
    if DIGEST and hashlib.sha256(data).hexdigest() != DIGEST:
        raise ValueError(f"{WEIGHTS} is damaged: its hash is not the one that was shipped")
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        arrays = {name: np.asarray(stored[name]) for name in stored.files}
    weights = {}
    for name, array in arrays.items():
        if "|" not in name:
            weights[name] = array.astype(np.float32)
        elif name.endswith("|left"):
            bare = name.removesuffix("|left")
            left = array * arrays[f"{bare}|left_scale"]
            right = arrays[f"{bare}|right"] * arrays[f"{bare}|right_scale"][:, None]
            weights[bare] = np.asarray(left @ right, np.float32)
    return weights


def _token_rows(tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]]) -> list[tuple[list[int], int]]:
    """[CLS] claim [SEP] evidence [SEP], and how many of these tokens are the claim's."""
    claims = tokenizer.encode_batch_fast([_readable(claim) for _, claim in pairs], add_special_tokens=False)
    texts = tokenizer.encode_batch_fast([_readable(text) for text, _ in pairs], add_special_tokens=False)
    rows = []
    for claim, text in zip(claims, texts, strict=True):
        own = claim.ids[:MOST_CLAIM]
        room = MOST_TOKENS - 3 - len(own)
        rows.append(([_START, *own, _END, *text.ids[:room], _END], len(own)))
    return rows


def _readable(text: str) -> str:
    """Lone surrogates, which no tokenizer reads, become question marks."""
    return text.encode("utf-8", "replace").decode()


def _batches(lengths: Sequence[int]) -> Iterator[npt.NDArray[np.intp]]:
    """Yield the rows of each batch, those of like length together, longest first."""
    order = np.argsort(-np.asarray(lengths), kind="stable")
    start = 0
    while start < len(order):
        size = max(1, _BATCH_TOKENS // lengths[order[start]])
        yield order[start : start + size]
        start += size


def _read(
    rows: Sequence[tuple[list[int], int]],
    run: transformer.Run,
    head: tuple[npt.NDArray[np.float32], np.float32],
) -> npt.NDArray[np.float32]:
    """Run one batch and put the head on it."""
    width = max(len(ids) for ids, _ in rows)
    ids = np.zeros((len(rows), width), np.int64)
    mask = np.zeros_like(ids)
    for at, (row, _) in enumerate(rows):
        ids[at, : len(row)] = row
        mask[at, : len(row)] = 1
    hidden = run(ids, mask)
    pooled = np.empty((len(rows), 3 * hidden.shape[2]), np.float32)
    for at, (_, own) in enumerate(rows):
        claim = hidden[at, 1 : 1 + max(1, own)]
        pooled[at] = np.concatenate([hidden[at, 0], claim.mean(0), claim.max(0)])
    weight, bias = head
    return np.asarray(pooled @ weight + bias, np.float32)
