"""The whole trip: files go in, cited answers come out.

add        bytes -> Document -> Chunks -> vectors and postings -> one commit
search     query -> lexical and dense rankings -> fused -> reranked -> hits
ask        question -> hits -> sentences, each with the span that proves it
chat       messages -> a question that stands by itself -> ask
summarise  a document, or all inside a filter -> the sentences it comes to
compare    two documents -> what differs, cited on both sides
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

from rag.answering import (
    CONTEXTS,
    Answering,
    Asked,
    asked,
    conditions,
    generator_for,
    positive,
    replayable,
    tenant_of,
)
from rag.errors import InputError
from rag.eval.failures.trace import Trace
from rag.eval.judges.local import local_judge
from rag.eval.questions import Question
from rag.generation.chat import condensed, condensed_by, conversation
from rag.generation.compare import comparing, quotes_hold
from rag.generation.extractive import extractive
from rag.generation.instructions import guarded
from rag.generation.passages import passages_of
from rag.generation.proof import Verdict, prove
from rag.generation.proving import Policy, proving
from rag.generation.summarise import (
    FOLDS,
    MOST_NEAR,
    MOST_PASSAGES,
    PART_CHARACTERS_A_TOKEN,
    Fold,
    central,
    thinned,
)
from rag.generation.verify import THRESHOLD, default_verifier
from rag.index.analyzer import analyzer
from rag.index.encoder_folder import bundled_folder
from rag.index.storage import StorageView
from rag.library import Library
from rag.protocols import (
    Chunker,
    Encoder,
    Forgetful,
    Generator,
    Judge,
    LanguageModel,
    Reranker,
    Retriever,
    Verifier,
)
from rag.query_log import QueryLog, check_key
from rag.retrieval.dense import dense
from rag.retrieval.hybrid import hybrid
from rag.retrieval.iterative import bridge, bridge_by
from rag.retrieval.lexical import lexical
from rag.retrieval.rerank import DEPTH as RERANKED
from rag.retrieval.rerank import rerank as reranked
from rag.state import described, name_of, state_of
from rag.tracing import DEPTH as TRACED
from rag.tracing import pooled, traced
from rag.types import Answer, Filter, Hit, Message, Principal, Request, Sentence, Settings

Mode: TypeAlias = Literal["hybrid", "dense", "lexical"]


class Engine(Library):
    """An index with all that reads into it and answers from it. It may be used from several threads.

    Args:
        path: The index's folder, or `qdrant://host:6333/name`. It is made where there is none, unless
            `create` is false.
        encoder: An Encoder, a model's name or folder; None is all-MiniLM-L6-v2.
        reranker: Judges the best candidates of a search once more; none by default.
        generator: Writes answers; by default the model does, and where there is none they are extracted,
            word for word.
        model: A language model, or its GGUF file, which is loaded when it is first needed. It also rewrites
            the questions of a conversation and plans further searches, which rules do where there is none.
        verifier: Judges what a generator writes; by default the one that is shipped.
        policy: What becomes of a sentence that is not proven: `drop` it, `repair` it, which puts what it
            cites in its place, or `flag` it.
        chunker: Cuts documents; by default recursively, by `settings`.
        query_log: Where to keep what was asked and how it went, for an evaluation later; nowhere by default.
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
        model: LanguageModel | str | Path | None = None,
        verifier: Verifier | None = None,
        policy: Policy = "drop",
        chunker: Chunker | None = None,
        settings: Settings | None = None,
        query_log: QueryLog | str | Path | None = None,
        create: bool = True,
    ):
        super().__init__(path, encoder=encoder, chunker=chunker, settings=settings, create=create)
        self._reranker = reranker
        self._generator = generator
        self._wanted_model = model
        self._model_lock = threading.Lock()
        self._verifier = verifier
        self._policy: Policy = policy
        self._query_log = QueryLog(Path(query_log)) if isinstance(query_log, str | Path) else query_log
        if policy not in ("drop", "repair", "flag"):
            raise InputError(f"policy is drop, repair or flag, not {policy!r}")
        if self._query_log is not None:
            try:
                check_key(self._store.seal_key)
            except InputError:
                self.close()
                raise

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
        steps: int = 1,
    ) -> Answer:
        """Answer from the k best passages, every sentence cited, or abstain.

        Whatever writes the answer, a citation that is not the very text of a passage that was given is
        dropped, and a sentence that its citations do not prove is dropped, repaired or flagged.

        Args:
            question: The question.
            k: How many passages the answer is made from.
            where: A Mongo-like filter; nothing outside it is read.
            principal: Who asks, as in `search`.
            steps: How many searches, 1 to 5; each after the first follows what the passages before name.

        Raises:
            InputError: The question is empty, k is not positive, or steps are not in 1..5.
            FilterError: `where` is not a filter.
        """
        asks = Asked(asked(question), Request("ask", k, where, steps, self._policy))
        with self._answering(principal, asks.request) as answering:
            return answering.answer(asks)

    def chat(
        self,
        messages: Sequence[Message | Mapping[str, str]],
        *,
        k: int = CONTEXTS,
        where: Filter | None = None,
        principal: Principal | None = None,
        steps: int = 1,
    ) -> Answer:
        """Answer the last message of a conversation as `ask` does, understood by those before it.

        The `messages` are Messages, or of the form `{"role", "content"}`, the last of them the user's.

        Returns:
            The answer. `queries` begins with the question as it was understood.

        Raises:
            InputError: The messages end in no question, or as for `ask`.
            FilterError: `where` is not a filter.
        """
        asks = self._chatted(messages, Request("chat", k, where, steps, self._policy), principal)
        with self._answering(principal, asks.request) as answering:
            return answering.answer(asks)

    def stream(
        self,
        question: str | Sequence[Message | Mapping[str, str]],
        *,
        k: int = CONTEXTS,
        where: Filter | None = None,
        principal: Principal | None = None,
        steps: int = 1,
    ) -> Iterator[Sentence | Answer]:
        """Answer as `ask` and `chat` do, but yield each sentence once it is proven; the Answer comes last.

        The `question` is one, or the messages of a conversation. Closing the iterator stops whoever writes.

        Raises:
            InputError: As for `ask` and `chat`.
            FilterError: With the first sentence: `where` is not a filter.
        """
        request = Request("ask", k, where, steps, self._policy)
        if isinstance(question, str):
            return self._stream(Asked(asked(question), request), principal)
        return self._stream(self._chatted(question, replace(request, mode="chat"), principal), principal)

    def summarise(
        self,
        document_id: str | None = None,
        *,
        where: Filter | None = None,
        about: str = "",
        sentences: int = 5,
        fold: Fold = "map_reduce",
        principal: Principal | None = None,
    ) -> Answer:
        """Summarise a document, or all inside a filter, in sentences that cite it.

        Without a generator the most central sentences are quoted; one is made to read a long text by parts.

        Args:
            document_id: The document; None for all passages inside `where`, up to 1,000, or, where it is
                to dwell on something, the 50 nearest to that.
            where: A Mongo-like filter, where no document is named.
            about: What the summary is to dwell on; `""` for the whole.
            sentences: How many sentences are quoted at most.
            fold: How a generator reads parts: each alone (`map_reduce`), or one after the other (`refine`).
            principal: Who asks, as in `search`.

        Raises:
            DocumentNotFound: There is no such document that `principal` may read.
            InputError: `sentences` is not positive, or there is no such `fold`.
            FilterError: `where` is not a filter.
        """
        documents = () if document_id is None else (document_id,)
        request = Request("summarise", positive(sentences), where, policy=self._policy, fold=fold)
        asks = Asked(about, replace(request, documents=documents))
        with self._answering(principal, asks.request, self._summariser(asks, fold, principal)) as answering:
            if document_id is not None:
                return answering.over(asks, thinned(passages_of(answering.view.document(document_id))))
            if about.strip():
                return answering.over(asks, answering.retriever(about, k=MOST_NEAR, where=where))
            every = dense(answering.view, self._encoder_for(answering.view))
            return answering.over(asks, every("summary", k=MOST_PASSAGES, where=where))

    def compare(
        self,
        first_id: str,
        second_id: str,
        question: str = "",
        *,
        lines: int = 40,
        principal: Principal | None = None,
    ) -> Answer:
        """Say what two documents say otherwise, what only one says, and what both say, every line cited.

        Changed numbers and dates come first, and are `conflicts` of the answer too.

        Args:
            first_id: The one document.
            second_id: The other.
            question: What to compare them on; `""` for everything.
            lines: How many lines at most.
            principal: Who asks, as in `search`.

        Raises:
            DocumentNotFound: There is no such document that `principal` may read.
            InputError: The two are one, or `lines` is not positive.
        """
        if first_id == second_id:
            raise InputError("a document is compared with another, not with itself")
        request = Request("compare", positive(lines), policy=self._policy)
        asks = Asked(question, replace(request, documents=(first_id, second_id)))
        comparison = comparing(self.encoder, first_id, most_lines=lines)
        with self._answering(principal, asks.request, comparison, quotes_hold) as answering:
            both = (answering.view.document(each) for each in (first_id, second_id))
            return answering.over(asks, [hit for document in both for hit in passages_of(document)])

    def compact(self) -> None:
        """Merge all segments into one, and leave nothing of deleted documents in any file.

        What a language model keeps of prompts goes as well.

        Raises:
            IndexLocked: Another process is writing, or holds an old commit open.
        """
        super().compact()
        keepers: list[object] = [self._generator, self._wanted_model]
        for keeper in keepers:
            if isinstance(keeper, Forgetful):
                keeper.forget()

    def _stream(self, asks: Asked, principal: Principal | None) -> Iterator[Sentence | Answer]:
        with self._answering(principal, asks.request) as answering:
            yield from answering.stream(asks)

    def _chatted(
        self,
        messages: Sequence[Message | Mapping[str, str]],
        request: Request,
        principal: Principal | None,
    ) -> Asked:
        said = conversation(messages)
        condense = condensed(analyzer(self.settings.language))
        if model := self.model:
            condense = condensed_by(model, condense, partition=tenant_of(principal))
        return Asked(said[-1].text, replace(request, messages=said), (condense(said),))

    def _summariser(self, asks: Asked, fold: Fold, principal: Principal | None) -> Generator:
        if fold not in FOLDS:
            raise InputError(f"fold is {' or '.join(FOLDS)}, not {fold!r}")
        if self._generator is None and self._wanted_model is None:
            return central(self.encoder, most_sentences=asks.request.k)
        generator = generator_for(self.generator, principal)
        if model := self.model:
            return FOLDS[fold](generator, part_characters=int(PART_CHARACTERS_A_TOKEN * model.context_tokens))
        return FOLDS[fold](generator)

    def verify(self, answer: Answer, *, principal: Principal | None = None) -> list[Verdict]:
        """Prove a saved answer again: every quote, place and page, its passages, and its seal.

        Args:
            answer: The answer.
            principal: Who verifies; a document that they may not read proves nothing to them.
        """
        with self._store.view(principal) as view:
            return prove(answer, functools.cache(view.document), self._store.seal_key)

    def replay(self, answer: Answer, *, principal: Principal | None = None) -> Answer:
        """Ask again for a saved answer, as it was asked for, at the commit that it was made at.

        A backup keeps a commit: open that where the index has moved on. `rag.differences` says whether
        the two are one.

        Args:
            answer: The answer.
            principal: On whose behalf it was asked for.

        Raises:
            CannotReplay: The index is at another commit, or the answer does not say how it was asked for.
        """
        with self._store.view(principal) as view:
            request = replayable(answer, view.commit, self._policy)
        where = request.where
        match request.mode:
            case "chat":
                messages = request.messages
                return self.chat(messages, k=request.k, where=where, steps=request.steps, principal=principal)
            case "summarise":
                (document,) = request.documents or (None,)
                fold: Fold = "refine" if request.fold == "refine" else "map_reduce"
                return self.summarise(
                    document,
                    where=where,
                    about=answer.question,
                    sentences=request.k,
                    fold=fold,
                    principal=principal,
                )
            case "compare":
                first, second = request.documents
                return self.compare(first, second, answer.question, lines=request.k, principal=principal)
        return self.ask(answer.question, k=request.k, where=where, steps=request.steps, principal=principal)

    def state(self) -> str:
        """A digest of what hits and answers depend on: the commit, its vectors, and the models and policy.

        `""` where a reranker, generator or verifier that was handed in has no `name` to tell it by.
        """
        return state_of(self._store.state(), self._store.fingerprint(), self._parts())

    def describe(self) -> dict[str, object]:
        """The same in words, for a report: commit, size, encoder, models, policy and settings."""
        return described(self.stats(), self.settings, self._store.fingerprint(), self._parts())

    def _parts(self) -> dict[str, str | None]:
        return {
            "reranker": name_of(self._reranker),
            "generator": name_of(self._generator),
            "model": name_of(self.model),
            "verifier": name_of(self.verifier),
            "policy": self._policy,
        }

    def trace(
        self,
        question: Question,
        *,
        where: Filter | None = None,
        depth: int = TRACED,
        principal: Principal | None = None,
    ) -> Trace:
        """Where the gold places of a question stand in the index, and at which rank each stage finds them.

        Args:
            question: A question with gold places.
            where: What `ask` was given; no stage finds anything outside it.
            depth: How many candidates of each stage are looked at.
            principal: Who asks; what they may not read is not looked at.
        """
        with self._store.view(principal) as view:
            fused = self.retriever(view, rerank=False)
            stages = {"bm25": self.retriever(view, "lexical", rerank=False)}
            stages |= {"dense": self.retriever(view, "dense", rerank=False), "fused": fused}
            if self._reranker:
                stages["reranked"] = pooled(reranked(fused, self._reranker), RERANKED)
            return traced(view, self._encoder_for(view), question, stages, where=where, depth=depth)

    @contextmanager
    def _answering(
        self,
        principal: Principal | None,
        request: Request,
        generator: Generator | None = None,
        verifier: Verifier | None = None,
    ) -> Iterator[Answering]:
        follow = bridge(analyzer(self.settings.language))
        if request.steps > 1 and (model := self.model):
            follow = bridge_by(model, follow, partition=tenant_of(principal))
        written = generator or generator_for(self.generator, principal, request.messages[:-1])
        writes = proving(written, verifier or self.verifier, policy=self._policy)
        with self._store.view(principal) as view:
            key = self._store.seal_key
            kept = self._query_log
            told = functools.partial(kept.write, principal=principal, key=key) if kept else None
            yield Answering(view, self.retriever(view), follow, writes, key, told)

    def feedback(
        self, answer_id: str, rating: int, comment: str = "", *, principal: Principal | None = None
    ) -> None:
        """Write down what somebody thought of an answer that the query log has; `rag feedback` sums it up.

        Args:
            answer_id: The answer's `seal`.
            rating: 1 for good, -1 for bad. Of several by one person the last counts.
            comment: Up to 1,000 characters, kept only where the log was opened to keep comments.
            principal: Who says so; they may rate what they were answered, an operator all of the tenant.

        Raises:
            InputError: The engine keeps no query log, or the rating is neither.
            AnswerNotFound: The log has no such answer that they were given.
        """
        if self._query_log is None:
            raise InputError("there is no query log to keep feedback in; open the index with query_log=FILE")
        self._query_log.rate(answer_id, rating, comment, principal, self._store.seal_key)

    @property
    def generator(self) -> Generator:
        """What writes the answers."""
        if self._generator:
            return self._generator
        if model := self.model:
            from rag.generation.writer import written

            return written(model)
        return guarded(extractive(self.encoder, analyzer(self.settings.language)))

    @property
    def model(self) -> LanguageModel | None:
        """The language model, loaded when it is first needed; None where there is none.

        Raises:
            ModelRefused: Its file is damaged, or needs more memory than there is.
            MissingExtra: What runs it is not installed.
        """
        with self._model_lock:
            if isinstance(self._wanted_model, str | Path):
                from rag.generation.runtime import open_model

                self._wanted_model = open_model(self._wanted_model)
            return self._wanted_model

    @property
    def verifier(self) -> Verifier:
        """What judges whether a sentence is proven by what it cites."""
        with self._model_lock:
            self._verifier = self._verifier or default_verifier(
                analyzer(self.settings.language), bundled_folder
            )
            return self._verifier

    @property
    def judge(self) -> Judge:
        """What judges answers where no other judge is given: the engine's own verifier and encoder."""
        return local_judge(self.verifier, self.encoder, threshold=THRESHOLD)

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


open = Engine  # noqa: A001 - users write rag.open
