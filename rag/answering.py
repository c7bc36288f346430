"""A question over one commit of an index -> an answer whose every sentence is proven.

retrieve -> generate -> grounded -> placed -> sealed
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from rag.errors import InputError
from rag.generation.citations import grounded
from rag.generation.seal import sealed
from rag.index.query import parse_query
from rag.index.storage import StorageView
from rag.protocols import Generator, Retriever, StreamingGenerator
from rag.types import Answer, Citation, Filter, Hit, Request, Sentence

CONTEXTS = 10
"""How many hits an answer is made from."""


@runtime_checkable
class Partitioned(Protocol):
    """A Generator that keeps what it has read, for each tenant apart."""

    def for_tenant(self, tenant: str) -> Generator:
        """The same generator, which knows of no other tenant's passages."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it is answered: what was said, what is searched for, and of whom it is asked.

    `queries` are what was searched for, where that is not the question alone; the first of them is
    the question as it stands by itself.
    """

    question: str
    k: int = CONTEXTS
    where: Filter | None = None
    queries: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        asked(self.question)
        positive(self.k)

    @property
    def alone(self) -> str:
        """The question as it stands by itself."""
        return self.queries[0] if self.queries else self.question


@dataclass(frozen=True, slots=True)
class Answering:
    """What answers over one view: who finds, who writes, and who holds the one against the other."""

    view: StorageView
    retriever: Retriever
    generator: Generator
    seal_key: bytes

    def answer(self, asked: Asked) -> Answer:
        """The whole answer, or an abstention."""
        started = time.perf_counter()
        hits = self.retriever(asked.alone, k=asked.k, where=asked.where)
        found = time.perf_counter()
        written = self.generator(asked.alone, hits)
        done = time.perf_counter()
        answer = self._told(asked, self.checked(written, hits))
        return self._finished(asked, answer, _timings(started, found, done))

    def stream(self, asked: Asked) -> Iterator[Sentence | Answer]:
        """The sentences as they are written and proven, at last the whole answer."""
        started = time.perf_counter()
        hits = self.retriever(asked.alone, k=asked.k, where=asked.where)
        found = time.perf_counter()
        shown, answer = 0, None
        with _growing(self.generator, asked.alone, hits) as growing:
            for written in growing:
                answer = self._told(asked, self.checked(written, hits))
                yield from answer.sentences[shown:]
                shown = max(shown, len(answer.sentences))
        if answer is None:
            raise InputError("the generator's stream ended without an answer; mend the generator")
        yield self._finished(asked, answer, _timings(started, found, time.perf_counter()))

    def _finished(self, asked: Asked, answer: Answer, timings_ms: dict[str, float]) -> Answer:
        request = Request(k=asked.k, where=asked.where)
        return sealed(replace(answer, timings_ms=timings_ms, request=request), self.seal_key)

    def checked(self, answer: Answer, hits: Sequence[Hit]) -> Answer:
        """The answer with nothing in it that the hits do not hold, each citation at its page and section."""
        answer = grounded(answer, hits)
        citations = tuple(self._placed(citation) for citation in answer.citations)
        return replace(answer, citations=citations, index_commit=self.view.commit)

    def _told(self, asked: Asked, answer: Answer) -> Answer:
        return replace(answer, question=asked.question, queries=asked.queries)

    def _placed(self, citation: Citation) -> Citation:
        """The citation with the page and headings of its own start: its passage may begin a page before."""
        page, section = self.view.place(citation.document_id, citation.start)
        return replace(citation, page=page, section=section)


@contextmanager
def _growing(generator: Generator, question: str, hits: Sequence[Hit]) -> Iterator[Iterator[Answer]]:
    """The answer as it grows, which stops growing when the context is left."""
    if not isinstance(generator, StreamingGenerator):
        yield iter([generator(question, hits)])
        return
    growing = generator.stream(question, hits)
    try:
        yield growing
    finally:
        close: Callable[[], None] | None = getattr(growing, "close", None)
        if close is not None:
            close()


def generator_for(generator: Generator, tenant: str) -> Generator:
    """The generator as it is for one tenant."""
    return generator.for_tenant(tenant) if isinstance(generator, Partitioned) else generator


def conditions(query: str, where: Filter | None) -> tuple[str, Filter | None]:
    """The text of a typed query, and the filter with the query's conditions in it.

    Raises:
        InputError: The query only excludes.
    """
    parsed = parse_query(query)
    if parsed.scores_nothing:
        raise InputError(f"{query!r} says only what must not be there; say what to look for as well")
    if not (parsed.phrases or parsed.required or parsed.excluded):
        return query, where
    return parsed.plain, {"$and": [where or {}, {"$text": {"$search": query}}]}


def asked(query: str) -> str:
    """The query, seen to ask something.

    Raises:
        InputError: It is empty.
    """
    if not query.strip():
        raise InputError("the query is empty; ask something")
    return query


def positive(k: int) -> int:
    """The number of hits, seen to be one.

    Raises:
        InputError: It is not.
    """
    if not isinstance(k, int) or k < 1:
        raise InputError(f"k is how many hits to return, 1 or more, not {k}")
    return k


def _timings(started: float, found: float, done: float) -> dict[str, float]:
    return {"retrieval": 1e3 * (found - started), "generation": 1e3 * (done - found)}
