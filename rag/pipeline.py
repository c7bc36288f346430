"""The whole trip: files go in, cited answers come out.

add       bytes -> Document -> Chunks -> vectors and postings -> one commit
search    query -> lexical and dense rankings -> fused -> reranked -> hits
ask       question -> hits -> sentences, each with the span that proves it
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

from rag.answering import CONTEXTS, Answering, Asked, asked, conditions, generator_for, positive
from rag.errors import InputError
from rag.generation.extractive import extractive
from rag.generation.proof import Verdict, prove
from rag.index.analyzer import analyzer
from rag.index.backup import restore as restore_backup
from rag.index.storage import StorageView
from rag.library import Library
from rag.protocols import Chunker, Encoder, Generator, Reranker, Retriever
from rag.retrieval.dense import dense
from rag.retrieval.hybrid import hybrid
from rag.retrieval.lexical import lexical
from rag.retrieval.rerank import rerank as reranked
from rag.types import Answer, Filter, Hit, Principal, Sentence, Settings

Mode: TypeAlias = Literal["hybrid", "dense", "lexical"]


class Engine(Library):
    """An index with all that reads into it and answers from it. It may be used from several threads.

    Args:
        path: The index's folder, or `qdrant://host:6333/name`. It is made where there is none, unless
            `create` is false.
        encoder: An Encoder, a model's name or folder; None is all-MiniLM-L6-v2.
        reranker: Judges the best candidates of a search once more; none by default.
        generator: Writes answers; by default they are extracted, word for word.
        chunker: Cuts documents; by default recursively, by `settings`.
        settings: How a new index is made. An index knows its own: leave this out to open one.

    Raises:
        InputError: `path` is an address of no kind that is known.
        IndexNotFound: There is no index, and `create` is false, or the folder holds other files.
        IndexFormatError: The index has a newer format, or other settings.
        IndexCorrupt: The index is damaged.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        encoder: str | Path | Encoder | None = None,
        reranker: Reranker | None = None,
        generator: Generator | None = None,
        chunker: Chunker | None = None,
        settings: Settings | None = None,
        create: bool = True,
    ):
        super().__init__(path, encoder=encoder, chunker=chunker, settings=settings, create=create)
        self._reranker = reranker
        self._generator = generator

    def search(
        self,
        query: str,
        *,
        k: int = 10,
        mode: Mode = "hybrid",
        where: Filter | None = None,
        principal: Principal | None = None,
        rerank: bool = True,
        syntax: bool = True,
    ) -> list[Hit]:
        """The k best passages for `query`, best first, ties by chunk id.

        Args:
            query: A question or some words. `"a phrase"` and `+word` must be in a hit, `-word` must not.
            k: How many hits at most.
            mode: `hybrid` fuses BM25 and the encoder; `lexical` and `dense` are each alone.
            where: A Mongo-like filter such as `{"team": "hr"}`; no hit outside it comes out.
            principal: Who asks. An index that has tenants or readers shows nothing to nobody.
            rerank: Whether the engine's reranker, where it has one, has the last word.
            syntax: Whether quotes and signs in the query are conditions; else they are text.

        Raises:
            InputError: The query is empty or only excludes, or k is not positive.
            FilterError: `where` is not a filter.
        """
        if syntax:
            query, where = conditions(asked(query), where)
        with self._store.view(principal) as view:
            return self.retriever(view, mode, rerank=rerank)(asked(query), k=positive(k), where=where)

    def ask(
        self,
        question: str,
        *,
        k: int = CONTEXTS,
        where: Filter | None = None,
        principal: Principal | None = None,
    ) -> Answer:
        """Answer from the k best passages, every sentence cited, or abstain.

        Whatever writes the answer, a citation that is not the very text of a passage that
        was given is dropped, and a sentence that rests on it is not called supported.

        Args:
            question: The question.
            k: How many passages the answer is made from.
            where: A Mongo-like filter; nothing outside it is read.
            principal: Who asks, as in `search`.

        Raises:
            InputError: The question is empty, or k is not positive.
            FilterError: `where` is not a filter.
        """
        asks = Asked(question, k, where)
        with self._answering(principal) as answering:
            return answering.answer(asks)

    def stream(
        self,
        question: str,
        *,
        k: int = CONTEXTS,
        where: Filter | None = None,
        principal: Principal | None = None,
    ) -> Iterator[Sentence | Answer]:
        """Answer as `ask` does, but yield each sentence once it is written and proven; the Answer comes last.

        Closing the iterator stops whoever writes.

        Args:
            question: As in `ask`.
            k: As in `ask`.
            where: As in `ask`.
            principal: As in `ask`.

        Raises:
            InputError: The question is empty, or k is not positive.
            FilterError: With the first sentence: `where` is not a filter.
        """
        return self._stream(Asked(question, k, where), principal)

    def _stream(self, asks: Asked, principal: Principal | None) -> Iterator[Sentence | Answer]:
        with self._answering(principal) as answering:
            yield from answering.stream(asks)

    def verify(self, answer: Answer, *, principal: Principal | None = None) -> list[Verdict]:
        """Prove a saved answer again: every quote, place and page, its passages, and its seal.

        Args:
            answer: The answer.
            principal: Who verifies; a document that they may not read proves nothing to them.
        """
        with self._store.view(principal) as view:
            return prove(answer, functools.cache(view.document), self._store.seal_key)

    @contextmanager
    def _answering(self, principal: Principal | None) -> Iterator[Answering]:
        with self._store.view(principal) as view:
            generator = generator_for(self.generator, principal.tenant if principal else "")
            yield Answering(view, self.retriever(view), generator, self._store.seal_key)

    @property
    def generator(self) -> Generator:
        """What writes the answers."""
        return self._generator or extractive(self.encoder, analyzer(self.settings.language))

    def retriever(self, view: StorageView, mode: Mode = "hybrid", *, rerank: bool = True) -> Retriever:
        """The retriever of that mode over a view, as `search` uses it.

        Raises:
            InputError: There is no such mode.
        """
        match mode:
            case "lexical":
                found = lexical(view)
            case "dense":
                found = dense(view, self._encoder_for(view))
            case "hybrid":
                found = hybrid(view, self._encoder_for(view))
            case _:
                raise InputError(f"mode is hybrid, dense or lexical, not {mode!r}")
        return reranked(found, self._reranker) if rerank and self._reranker else found


def restore(backup: str | os.PathLike[str], folder: str | os.PathLike[str]) -> int:
    """Make an index in the new or empty `folder` of a backup, and return the number of its commit.

    Raises:
        InputError: `folder` holds something already.
        IndexNotFound: There is no index in `backup`.
        IndexCorrupt: A file of the backup is damaged; it is named, and nothing was written.
    """
    return restore_backup(Path(backup), Path(folder))


open = Engine  # noqa: A001 - users write rag.open
