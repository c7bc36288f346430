"""The seams. Each is a Protocol of one method where possible, so a plain function fits most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from rag.types import (
    Answer,
    Chunk,
    Document,
    Filter,
    Fingerprint,
    Hit,
    Ranking,
    Rows,
    Scores,
    Vectors,
)


class Loader(Protocol):
    """Turns the bytes of one file into a Document."""

    def __call__(self, data: bytes, source: str) -> Document:
        """Read `data`; raise an `InputError` where it cannot be read."""
        ...


class Chunker(Protocol):
    """Cuts a Document into Chunks that together hold every character but white space."""

    def __call__(self, document: Document) -> list[Chunk]:
        """Cut `document`; chunks come in order of their start."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """Turns texts into vectors."""

    @property
    def fingerprint(self) -> Fingerprint:
        """What an index records, to refuse vectors of another encoder."""
        ...

    def encode(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """Encode texts, or with `query` questions, as float32 (n, dimension) of unit length."""
        ...


@runtime_checkable
class Tokenizer(Protocol):
    """Counts text in an encoder's own tokens. An Encoder that is one too sets the size of chunks."""

    @property
    def max_tokens(self) -> int:
        """How many tokens of text the encoder sees; those behind are lost to it."""
        ...

    def token_offsets(self, text: str) -> npt.NDArray[np.int32]:
        """The character range of each token of `text`, special ones left out: int32 (tokens, 2)."""
        ...


class Index(Protocol):
    """One consistent view of what is indexed, for as long as it is held.

    Rows of a `Ranking` belong to the view that gave them. Hits outside `where` never come out.
    """

    @property
    def commit(self) -> int:
        """The commit that this view shows."""
        ...

    def lexical(self, query: str, k: int, where: Filter | None = None) -> Ranking:
        """The k rows of highest BM25 score; rows that share no term with the query are absent."""
        ...

    def dense(self, vector: Vectors, k: int, where: Filter | None = None) -> Ranking:
        """The k rows of highest inner product with `vector`, float32 (dimension,)."""
        ...

    def lexical_scores(self, query: str, rows: Rows) -> Scores:
        """The BM25 score of each of `rows`, 0 where it shares no term with the query."""
        ...

    def dense_scores(self, vector: Vectors, rows: Rows) -> Scores:
        """The inner product of `vector` with each of `rows`."""
        ...

    def chunk_ids(self, rows: Rows) -> list[str]:
        """The chunk id of each of `rows`."""
        ...

    def hits(self, ranking: Ranking) -> list[Hit]:
        """The chunks behind a ranking, ranked from 1 in its order."""
        ...

    def document(self, document_id: str) -> Document:
        """The document of that id; raise `DocumentNotFound` where there is none."""
        ...


class Retriever(Protocol):
    """Finds hits for a query. Everything that searches is one, or wraps one."""

    def __call__(self, query: str, *, k: int = 10, where: Filter | None = None) -> list[Hit]:
        """Return at most k hits, best first, ties by chunk id, all inside `where`."""
        ...


class Reranker(Protocol):
    """Judges how well each text answers a query."""

    def __call__(self, query: str, texts: Sequence[str]) -> Scores:
        """Return one score a text, float32 (n,), higher is better."""
        ...


class Generator(Protocol):
    """Answers a question from hits, and from nothing else."""

    def __call__(self, question: str, hits: Sequence[Hit]) -> Answer:
        """Answer with citations into `hits`, or abstain."""
        ...
