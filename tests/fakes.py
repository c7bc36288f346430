"""An encoder that is fast, deterministic and roughly right: a hashed bag of words."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from rag.types import Answer, Citation, Document, Fingerprint, Hit, Sentence, Vectors

_TOKEN = re.compile(r"\w+|[^\w\s]")


@lru_cache(maxsize=100_000)
def _direction(word: str, dimension: int) -> Vectors:
    seed = int.from_bytes(hashlib.sha256(word.encode(errors="replace")).digest()[:8])
    return np.random.default_rng(seed).standard_normal(dimension).astype(np.float32)


class HashingEncoder:
    """Implements Encoder and Tokenizer; `embedded` counts the texts that were encoded, queries left out."""

    max_tokens = 512

    def __init__(self, dimension: int = 24, name: str = "hashing") -> None:
        self.fingerprint = Fingerprint(name, "1", dimension)
        self.embedded = 0

    def encode(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        if not query:
            self.embedded += len(texts)
        dimension = self.fingerprint.dimension
        vectors = np.zeros((len(texts), dimension), np.float32)
        vectors[:, 0] = 1e-3
        for at, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                vectors[at] += _direction(word, dimension)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def token_offsets(self, text: str) -> npt.NDArray[np.int32]:
        spans = [match.span() for match in _TOKEN.finditer(text)]
        return np.array(spans, np.int32).reshape(-1, 2)


def document(text: str, source: str, **metadata: object) -> Document:
    """A Document as a loader makes it, its id by the text."""
    return Document(hashlib.sha256(text.encode()).hexdigest(), source, source, text, metadata=metadata)


def no_answer_yet(question: str, hits: Sequence[Hit]) -> Answer:
    """An answer that says nothing so far."""
    return Answer(question, "", (), (), tuple(hits), not hits, 0.5, "growing")


def with_quote(answer: Answer, hit: Hit, said: str = "") -> Answer:
    """The answer with the first sentence of a hit, or with what is `said` of it, behind it."""
    number, quote, start = len(answer.citations) + 1, hit.chunk.text.split(".")[0] + ".", hit.chunk.start
    citation = Citation(number, hit.chunk.document_id, "", "", None, "", start, start + len(quote), quote)
    return replace(
        answer,
        text=f"{answer.text} {said or quote} [{number}]".strip(),
        sentences=(*answer.sentences, Sentence(said or quote, (number,), supported=True, support=1.0)),
        citations=(*answer.citations, citation),
    )
