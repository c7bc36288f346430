"""A question over one commit of an index -> an answer whose every sentence is proven.

retrieve -> generate -> grounded -> proven -> safe -> placed -> sealed
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from rag.errors import CannotReplay, InputError
from rag.generation.citations import grounded
from rag.generation.safe import safe
from rag.generation.seal import sealed
from rag.index.query import parse_query
from rag.index.storage import StorageView
from rag.protocols import Generator, Retriever, StreamingGenerator
from rag.retrieval.iterative import Follow, bounded, iterative
from rag.types import Answer, Citation, Filter, Hit, Message, Principal, Request, Sentence

CONTEXTS = 10
"""How many hits an answer is made from."""


@runtime_checkable
class Partitioned(Protocol):
    """A Generator that keeps what it has read, for each tenant apart."""

    def for_tenant(self, tenant: str) -> Generator:
        """The same generator, which knows of no other tenant's passages."""
        ...


@runtime_checkable
class Conversing(Protocol):
    """A Generator that may be shown what was said before."""

    def with_history(self, messages: Sequence[Message]) -> Generator:
        """The same generator, in the course of a conversation."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it is answered: what was said, how it was asked for, and what is searched for.

    `queries` are what is searched for, where that is not the question alone; the first of them is the
    question as it stands by itself.
    """

    question: str
    request: Request
    queries: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        positive(self.request.k)
        bounded(self.request.steps)

    @property
    def alone(self) -> str:
        """The question as it stands by itself."""
        return self.queries[0] if self.queries else self.question


@dataclass(frozen=True, slots=True)
class Answering:
    """What answers over one view: who finds, who follows up, who writes, and the key that seals it.

    `told` is handed every finished answer.
    """

    view: StorageView
    retriever: Retriever
    follow: Follow
    generator: Generator
    seal_key: bytes
    told: Callable[[Answer], None] | None = None

    def answer(self, asked: Asked) -> Answer:
        """The whole answer, or an abstention."""
        started = time.perf_counter()
        hits, queries = self._search(asked)
        found = time.perf_counter()
        answer = self.checked(self.generator(asked.alone, hits), hits)
        return self._finished(asked, answer, queries, started, found)

    def stream(self, asked: Asked) -> Iterator[Sentence | Answer]:
        """The sentences as they are written and proven, at last the whole answer."""
        started = time.perf_counter()
        hits, queries = self._search(asked)
        found = time.perf_counter()
        shown, answer = 0, None
        with _growing(self.generator, asked.alone, hits) as growing:
            for written in growing:
                answer = self.checked(written, hits)
                yield from answer.sentences[shown:]
                shown = max(shown, len(answer.sentences))
        if answer is None:
            raise InputError("the generator's stream ended without an answer; mend the generator")
        yield self._finished(asked, answer, queries, started, found)

    def over(self, asked: Asked, passages: Sequence[Hit]) -> Answer:
        """An answer from passages that need not be searched for."""
        started = time.perf_counter()
        answer = self.checked(self.generator(asked.question, passages), passages)
        return self._finished(asked, answer, (), started, started)

    def _search(self, asked: Asked) -> tuple[list[Hit], tuple[str, ...]]:
        """The hits to answer from, and what was searched for to find them."""
        queries = list(asked.queries)
        retriever = self.retriever
        if asked.request.steps != 1:
            queries = queries or [asked.question]
            retriever = iterative(retriever, self.follow, steps=asked.request.steps, asked=queries.append)
        hits = retriever(asked.alone, k=asked.request.k, where=asked.request.where)
        return hits, tuple(queries)

    def checked(self, answer: Answer, hits: Sequence[Hit]) -> Answer:
        """The answer with nothing in it that the hits do not hold, each quote at its page and section."""
        answer = safe(grounded(answer, hits))
        named = {hit.chunk.document_id: (hit.source, hit.title) for hit in hits}
        citations = tuple(self._placed(each, *named[each.document_id]) for each in answer.citations)
        given = {hit.chunk.id for hit in hits}
        contexts = tuple(hit if hit.chunk.id in given else self._cut(hit) for hit in answer.contexts)
        return replace(answer, citations=citations, contexts=contexts, index_commit=self.view.commit)

    def _finished(
        self, asked: Asked, answer: Answer, queries: tuple[str, ...], started: float, found: float
    ) -> Answer:
        timings = {"retrieval": 1e3 * (found - started), "generation": 1e3 * (time.perf_counter() - found)}
        told = replace(
            answer, question=asked.question, queries=queries, request=asked.request, timings_ms=timings
        )
        answer = sealed(told, self.seal_key)
        if self.told is not None:
            self.told(answer)
        return answer

    def _cut(self, hit: Hit) -> Hit:
        """A passage that is a part of one that was given, with its own pages and headings."""
        chunk = hit.chunk
        page, section = self.view.place(chunk.document_id, chunk.start)
        last_page, _ = self.view.place(chunk.document_id, chunk.end - 1)
        return replace(hit, chunk=replace(chunk, page=page, section=section, last_page=last_page))

    def _placed(self, citation: Citation, source: str, title: str) -> Citation:
        """The citation as the index knows its place; its passage may begin a page before."""
        page, section = self.view.place(citation.document_id, citation.start)
        return replace(citation, source=source, title=title, page=page, section=section)


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


def generator_for(
    generator: Generator, principal: Principal | None, said: Sequence[Message] = ()
) -> Generator:
    """The generator as it is for the tenant of who asks, after what was said."""
    if isinstance(generator, Partitioned):
        generator = generator.for_tenant(tenant_of(principal))
    return generator.with_history(said) if said and isinstance(generator, Conversing) else generator


def replayable(answer: Answer, commit: int, policy: str) -> Request:
    """How a saved answer was asked for, where it may be asked for again at `commit`, under `policy`.

    Raises:
        CannotReplay: It was made at another commit, by another policy, or does not say how.
    """
    request = answer.request
    if request is None:
        raise CannotReplay("the answer does not say how it was asked for; it was not made by ask")
    if commit != answer.index_commit:
        raise CannotReplay(
            f"the answer was made at commit {answer.index_commit} and the index is at {commit}; "
            "replay it on a backup of then"
        )
    if request.policy != policy:
        raise CannotReplay(
            f"the answer was made with the policy {request.policy} and this is {policy}; "
            "open the index with that"
        )
    several = {"compare": (2,), "summarise": (0, 1)}.get(request.mode, (0,))
    if len(request.documents) not in several:
        raise CannotReplay(f"{request.mode} is not asked of {len(request.documents)} documents")
    return request


def tenant_of(principal: Principal | None) -> str:
    """The tenant of who asks."""
    return principal.tenant if principal else ""


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
