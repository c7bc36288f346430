"""Let a slower and better judge put the best candidates of a retriever in order."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from rag.errors import EncoderNotFound, InputError, MissingExtra
from rag.index.encoder_torch import model_digest, no_progress_bar
from rag.protocols import Reranker, Retriever
from rag.types import Filter, Hit, Scores

DEPTH = 50


def rerank(retriever: Retriever, reranker: Reranker, *, depth: int = DEPTH) -> Retriever:
    """A retriever that rescores the `depth` best hits of another (or k, where that is more).

    The score of a hit becomes the reranker's, also in `scores.rerank`; those of the other stages are
    kept. Ties go to the smaller chunk id. Scores that are not numbers come last.

    Source: Nogueira and Cho, Passage Re-ranking with BERT, 2019.

    Raises:
        InputError: On a search, where the reranker does not give one score a text.
    """

    def retrieve(query: str, *, k: int = 10, where: Filter | None = None) -> list[Hit]:
        if k <= 0:
            return []
        hits = retriever(query, k=max(depth, k), where=where)
        if not hits:
            return []
        scores = np.asarray(reranker(query, [hit.chunk.text for hit in hits]), dtype=np.float32)
        if scores.shape != (len(hits),):
            raise InputError(
                f"the reranker gave scores of shape {scores.shape} for {len(hits)} texts; mend the reranker"
            )
        scores = np.where(np.isnan(scores), -np.inf, scores)
        pairs = zip(scores.tolist(), hits, strict=True)
        best = sorted(pairs, key=lambda pair: (-pair[0], pair[1].chunk.id))[:k]
        return [
            replace(hit, rank=rank, score=score, scores=replace(hit.scores, rerank=score))
            for rank, (score, hit) in enumerate(best, start=1)
        ]

    return retrieve


class CrossEncoderReranker:
    """Scores each pair of query and text by a cross-encoder of sentence-transformers.

    May be used from several threads, which wait for each other.

    Args:
        name_or_path: A local folder, or the name of a model that is in the hub's cache or on the hub.
        device: `cpu`, `cuda`, ...; None lets torch choose.
        batch_size: How many pairs the device computes at a time.

    Raises:
        MissingExtra: sentence-transformers is not installed.
        EncoderNotFound: There is no such model, here or on a hub that can be reached.
    """

    def __init__(self, name_or_path: str | Path, device: str | None = None, *, batch_size: int = 32) -> None:
        try:
            from sentence_transformers import CrossEncoder
        except ImportError as error:
            raise MissingExtra(
                f"the reranker {name_or_path} needs sentence-transformers: pip install sentence-transformers"
            ) from error
        try:
            with no_progress_bar():
                self._model = CrossEncoder(str(name_or_path), device=device)
        except (OSError, ValueError) as error:
            raise EncoderNotFound(
                f"no reranker {name_or_path}: not a folder of a model, and no hub gave it ({error})"
            ) from error
        self._called = str(name_or_path)
        self._batch_size = batch_size
        self._lock = threading.Lock()

    @cached_property
    def name(self) -> str:
        """What the model is called, and a digest of it as it was loaded: one trained anew is another."""
        path = Path(self._called)
        return f"{path.name if path.is_dir() else self._called}@{model_digest(self._model)}"

    def __call__(self, query: str, texts: Sequence[str]) -> Scores:
        """Return one score a text, float32 (n,), higher is better."""
        if not texts:
            return np.empty(0, dtype=np.float32)
        pairs = [(query, text) for text in texts]
        with self._lock:
            scores = self._model.predict(pairs, batch_size=self._batch_size, show_progress_bar=False)
        return np.asarray(scores, dtype=np.float32)
