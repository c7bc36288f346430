"""The seams. Each is a Protocol of one method where possible, so a plain function fits most."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from rag.types import (
    Answer,
    AskedBack,
    Chunk,
    Claim,
    Document,
    Filter,
    Fingerprint,
    Hit,
    Judgement,
    Message,
    Ranking,
    Rows,
    Scores,
    Support,
    Usage,
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


@runtime_checkable
class StreamingGenerator(Protocol):
    """A Generator that can show an answer while it grows."""

    def __call__(self, question: str, hits: Sequence[Hit]) -> Answer:
        """Answer with citations into `hits`, or abstain."""
        ...

    def stream(self, question: str, hits: Sequence[Hit]) -> Iterator[Answer]:
        """The answer after each of its sentences; the last one is whole. Closing the iterator stops it."""
        ...


@runtime_checkable
class Forgetful(Protocol):
    """What keeps something of the documents beside the index, and can let go of it."""

    def forget(self) -> None:
        """Let go of all of it."""
        ...


class Verifier(Protocol):
    """Judges whether passages prove what is claimed of them."""

    def __call__(self, claims: Sequence[Claim]) -> list[Support]:
        """Return how well each claim follows from its own evidence, in the order of `claims`."""
        ...


class Judge(Protocol):
    """Gives the verdicts that metrics of answers are worked out from.

    A verdict that it cannot give is a `Judgement` without a value that says why, never a guess. Where it
    cannot do a whole task it raises `JudgeFailed`.
    """

    @property
    def name(self) -> str:
        """What judges, for a report: its kind, its models, and the version of what it is asked."""
        ...

    def statements(self, text: str, *, question: str = "") -> list[str]:
        """What `text`, an answer to `question`, says: one statement each, each to be understood alone."""
        ...

    def supported(self, claims: Sequence[Claim]) -> list[Judgement]:
        """Whether each claim follows from its own evidence, in the order of `claims`."""
        ...

    def useful(self, question: str, answer: str, contexts: Sequence[str]) -> list[Judgement]:
        """Whether each passage helps to arrive at `answer`, in the order of `contexts`."""
        ...

    def questions(self, response: str, count: int) -> list[AskedBack]:
        """At most `count` questions that `response` would answer; one that failed is there as `missed`."""
        ...

    def entities(self, text: str) -> list[str]:
        """The names of persons, places, organisations, dates and the like in `text`, each once."""
        ...

    def similarities(self, text: str, others: Sequence[str]) -> list[float]:
        """How near in meaning each of `others` is to `text`: a cosine, -1..1."""
        ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a language model is to go on from: first what recurs, so that its state can be kept.

    `system` and `context` (the passages) come first, then `messages`, the last of which asks. All of
    it is text: what looks like a model's special token in it is not one.
    """

    system: str
    context: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen. Temperature 0 takes the likeliest, and is the same every time.

    `top_k` 0, `top_p` 1 and `min_p` 0 leave all tokens in. `stop` are texts that end the writing and
    are not part of it; `grammar`, in GBNF, is what alone may be written.
    """

    max_tokens: int = 512
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    grammar: str = ""


class LanguageModel(Protocol):
    """Goes on from a prompt, in process."""

    @property
    def name(self) -> str:
        """What it is called in an answer: its file's name and digest."""
        ...

    @property
    def context_tokens(self) -> int:
        """How many tokens prompt and text may have together."""
        ...

    def count(self, text: str) -> int:
        """How many of its tokens `text` has."""
        ...

    def generate(
        self,
        prompt: Prompt,
        sampling: Sampling,
        *,
        partition: str = "",
        done: Callable[[Usage], None] | None = None,
    ) -> Iterator[str]:
        """Yield text as it is written. Closing the iterator stops the model.

        States of prompts are kept and found within one `partition`, a tenant's name. `done` is
        told at the end what it took.

        Raises:
            PromptTooLong: Prompt and `max_tokens` are more than `context_tokens`.
        """
        ...
