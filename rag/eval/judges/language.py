"""A judge that asks a language model, be it in this process or behind an address."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np

from rag.errors import InputError, JudgeFailed, PromptTooLong
from rag.eval.judges import prompts
from rag.eval.judges.asking import Asks, Inquiry, Schema, Unreadable
from rag.eval.judges.forms import (
    VERDICT_TOKENS,
    Vote,
    question_form,
    read_question,
    read_texts,
    read_votes,
    texts_form,
    verdicts_form,
)
from rag.eval.judges.in_process import InProcess
from rag.eval.judges.parts import halves, parts_of
from rag.eval.judges.votes import decide, either, one_by_one
from rag.protocols import Encoder, Judge, LanguageModel
from rag.types import AskedBack, Claim, Judgement

_Job = TypeVar("_Job")
_Texts = Sequence[tuple[str, str]]
_Made = TypeVar("_Made")

_TRIES = 3
"""How often the same is asked until the reply can be read."""


def language_judge(
    asks: Asks | LanguageModel,
    *,
    encoder: Encoder | None = None,
    votes: int = 1,
    both_orders: bool = True,
    batch: int = 8,
    temperature: float = 0.7,
    concurrency: int = 1,
) -> Judge:
    """A judge that asks a language model.

    Args:
        asks: The model, such as `rag.open_model` gives, or whatever else an `Inquiry` can be put to.
        encoder: Gives similarities; without one the metrics that need them fail, and say so.
        votes: How often a verdict is asked for in each order of a list at most; an odd number. The
            first vote is at temperature 0, each further one drawn at `temperature` by its own seed.
        both_orders: Whether lists are judged turned round as well; a verdict that changes is none.
        batch: How many statements or passages are judged in one prompt, at most; fewer where the model
            takes no more.
        temperature: At which further votes are drawn, and what could not be read is asked for again.
        concurrency: How many prompts are asked at once.

    Raises:
        InputError: A number is out of its range.
    """
    if votes < 1 or votes % 2 == 0:
        raise InputError(f"votes is an odd number, 1 or more, not {votes}")
    if batch < 1 or concurrency < 1 or temperature <= 0:
        raise InputError("batch and concurrency are 1 or more, temperature is above 0")
    model = hasattr(asks, "generate")
    asked: Asks = InProcess(cast("LanguageModel", asks)) if model else cast("Asks", asks)
    return _LanguageJudge(asked, encoder, votes, both_orders, batch, temperature, concurrency)


@dataclass(frozen=True, slots=True)
class _LanguageJudge:
    """Implements Judge."""

    asks: Asks
    encoder: Encoder | None
    votes: int
    both_orders: bool
    batch: int
    temperature: float
    concurrency: int

    @property
    def name(self) -> str:
        orders = "both orders" if self.both_orders else "one order"
        drawn = f" at {self.temperature:g}" if self.votes > 1 else ""
        vectors = self.encoder.fingerprint if self.encoder else None
        encoder = f", encoder {vectors.name}@{vectors.revision[:16]}" if vectors else ""
        votes = f"{self.votes} vote{'s' * (self.votes > 1)}{drawn} in {orders}, {self.batch} at once"
        return f"{self.asks.name} (prompts {prompts.DIGEST}, {votes}{encoder})"

    def statements(self, text: str, *, question: str = "") -> list[str]:
        asked = [("question", question)] if question.strip() else []
        return self._texts("statements", text, prompts.STATEMENTS, "answer", asked)

    def entities(self, text: str) -> list[str]:
        """The entities that stand in the text as they were replied; what was added to it is left out."""
        found = self._texts("entities", text, prompts.ENTITIES, "text", [])
        flat = " ".join(text.split()).casefold()
        return [entity for entity in found if entity.casefold() in flat]

    def supported(self, claims: Sequence[Claim]) -> list[Judgement]:
        groups: dict[tuple[tuple[str, ...], str], list[int]] = {}
        judged = [Judgement(0.0, "no passage was given")] * len(claims)
        for at, claim in enumerate(claims):
            if not claim.text.strip():
                judged[at] = Judgement(None, "the statement is empty")
            elif any(text.strip() for text in claim.evidence):
                groups.setdefault((claim.evidence, claim.question), []).append(at)
        jobs = [
            (evidence, question, places[start : start + self.batch])
            for (evidence, question), places in groups.items()
            for start in range(0, len(places), self.batch)
        ]

        def judge(job: tuple[tuple[str, ...], str, list[int]]) -> list[Judgement]:
            evidence, question, places = job
            return self._supported(question, evidence, [claims[at].text for at in places])

        for (_, _, places), verdicts in zip(jobs, self._verdicts(jobs, judge), strict=True):
            for at, verdict in zip(places, verdicts, strict=True):
                judged[at] = verdict
        return judged

    def useful(self, question: str, answer: str, contexts: Sequence[str]) -> list[Judgement]:
        starts = range(0, len(contexts), self.batch)
        jobs = [(question, answer, list(contexts[start : start + self.batch])) for start in starts]
        verdicts = self._verdicts(jobs, lambda job: self._useful(*job))
        return [verdict for each in verdicts for verdict in each]

    def questions(self, response: str, count: int) -> list[AskedBack]:
        """`count` questions, each asked for by itself; the second and later are drawn."""
        texts = [("answer", response)]

        def ask(number: int) -> AskedBack:
            try:
                return self._asked(prompts.QUESTION, texts, question_form(), 400, read_question, number)
            except Unreadable as error:
                return AskedBack("", missed=str(error))
            except PromptTooLong as error:
                raise JudgeFailed(f"{self.asks.name}: {error}") from error

        asked = self._each(range(count), ask)
        if asked and all(each.missed for each in asked):
            raise JudgeFailed(f"{self.asks.name}: {asked[0].missed}")
        return asked

    def similarities(self, text: str, others: Sequence[str]) -> list[float]:
        if self.encoder is None:
            raise JudgeFailed("this judge has no encoder, which gives similarities: make it with `encoder=`")
        if not others:
            return []
        try:
            vectors = np.asarray(self.encoder.encode([text, *others]), dtype=np.float64)
        except Exception as error:  # whatever an encoder of somebody's own may raise, the run goes on
            raise JudgeFailed(f"the encoder failed: {type(error).__name__}: {error}") from error
        if vectors.shape[:1] != (1 + len(others),) or not np.isfinite(vectors).all():
            raise JudgeFailed("the encoder gave too few vectors, or no numbers")
        return [min(1.0, max(-1.0, float(cosine))) for cosine in vectors[1:] @ vectors[0]]

    def _supported(self, question: str, evidence: tuple[str, ...], texts: list[str]) -> list[Judgement]:
        """Verdicts on statements by the same evidence, in as many prompts as they take."""

        def data(chosen: Sequence[int], turned: bool) -> _Texts:
            shown = [*prompts.numbered("passage", evidence[::-1] if turned else evidence)]
            shown += [("question", question)] if question.strip() else []
            return shown + prompts.numbered("statement", [texts[at] for at in chosen])

        turns = len(texts) > 1 or len(evidence) > 1
        try:
            return self._decided(prompts.SUPPORTED, len(texts), data, turns)
        except PromptTooLong as error:
            if len(texts) > 1:
                judged = [self._supported(question, evidence, part) for part in halves(texts)]
                return judged[0] + judged[1]
            if len(evidence) > 1:
                parts = [self._supported(question, tuple(part), texts)[0] for part in halves(evidence)]
                return [either(*parts)]
            return [Judgement(None, f"the passage is too long: {error}")]

    def _useful(self, question: str, answer: str, contexts: list[str]) -> list[Judgement]:
        """Verdicts on passages, in as many prompts as they take."""

        def data(chosen: Sequence[int], turned: bool) -> _Texts:
            asked = [("question", question), ("answer", answer)]
            return prompts.numbered("passage", [contexts[at] for at in chosen]) + asked

        try:
            return self._decided(prompts.USEFUL, len(contexts), data, len(contexts) > 1)
        except PromptTooLong as error:
            if len(contexts) > 1:
                judged = [self._useful(question, answer, part) for part in halves(contexts)]
                return judged[0] + judged[1]
            return [Judgement(None, f"the passage is too long: {error}")]

    def _decided(
        self, wording: prompts.Wording, count: int, data: Callable[[Sequence[int], bool], _Texts], turns: bool
    ) -> list[Judgement]:
        """Verdicts on `count` things, which `data` shows in an order of their own."""

        def ask(chosen: Sequence[int], turned: bool, number: int) -> list[Vote]:
            form, tokens = verdicts_form(len(chosen)), VERDICT_TOKENS * len(chosen)
            tries = _TRIES if len(chosen) == 1 else 1
            read: Callable[[Mapping[str, Any]], list[Vote]] = lambda reply: read_votes(reply, len(chosen))  # noqa: E731
            return self._asked(wording, data(chosen, turned), form, tokens, read, number, tries)

        def vote(turned: bool, number: int) -> list[Vote | str]:
            order = list(range(count))[:: -1 if turned else 1]
            try:
                cast = ask(order, turned, number)
            except Unreadable as error:
                if count == 1:
                    return [str(error)]
                return one_by_one(count, lambda thing: ask([thing], turned, number)[0])
            placed = dict(zip(order, cast, strict=True))
            return [placed[thing] for thing in range(count)]

        return decide(count, vote, votes=self.votes, turns=turns and self.both_orders)

    def _texts(self, key: str, text: str, wording: prompts.Wording, called: str, before: _Texts) -> list[str]:
        """The texts under `key` that are replied about each part of a text, each once."""

        def ask(part: str) -> list[str]:
            read: Callable[[Mapping[str, Any]], list[str]] = lambda reply: read_texts(reply, key)  # noqa: E731
            try:
                shown = [*before, (called, part)]
                return self._asked(wording, shown, texts_form(key), 256 + len(part), read, 0)
            except PromptTooLong as error:
                smaller = parts_of(part, math.ceil(len(part) / 2))
                if len(smaller) < 2:
                    raise JudgeFailed(f"{self.asks.name}: {error}") from error
                return [found for each in smaller for found in ask(each)]
            except Unreadable as error:
                raise JudgeFailed(f"{self.asks.name}: {error}") from error

        found = self._each(parts_of(text), ask)
        return list(dict.fromkeys(each for part in found for each in part))

    def _asked(
        self,
        wording: prompts.Wording,
        texts: _Texts,
        schema: Schema,
        tokens: int,
        read: Callable[[Mapping[str, Any]], _Made],
        number: int,
        tries: int = _TRIES,
    ) -> _Made:
        """What is read from the reply, which is asked for until it can be, `tries` times at most."""
        data = prompts.fenced(texts)
        count = schema["properties"].get("verdicts", {}).get("maxItems", 1)
        task = wording.task.format(count=count)
        for attempt in range(tries):
            drawn = self.temperature if number or attempt else 0.0
            inquiry = Inquiry(wording.system, data, task, schema, tokens, drawn, number * _TRIES + attempt)
            try:
                return read(self.asks(inquiry))
            except Unreadable:
                if attempt + 1 == tries:
                    raise
            except (JudgeFailed, PromptTooLong):
                raise
            except Exception as error:  # whatever a model of somebody's own may raise, the run goes on
                raise JudgeFailed(f"{self.asks.name}: {type(error).__name__}: {error}") from error
        raise AssertionError("tries is 1 or more")

    def _verdicts(
        self, jobs: Sequence[_Job], judge: Callable[[_Job], list[Judgement]]
    ) -> list[list[Judgement]]:
        """The verdicts of each job, whose last part is what is judged; those of one that fails are missing.

        Raises:
            JudgeFailed: All jobs failed.
        """

        def tried(job: Any) -> list[Judgement] | JudgeFailed:
            try:
                return judge(job)
            except JudgeFailed as error:
                return error

        done = self._each(jobs, tried)
        if done and all(isinstance(each, JudgeFailed) for each in done):
            raise JudgeFailed(str(done[0]))
        verdicts = []
        for job, each in zip(jobs, done, strict=True):
            judged: Any = job
            missing = [Judgement(None, str(each))] * len(judged[-1])
            verdicts.append(missing if isinstance(each, JudgeFailed) else each)
        return verdicts

    def _each(self, jobs: Sequence[_Job], work: Callable[[_Job], _Made]) -> list[_Made]:
        """The work on each job, in their order."""
        if self.concurrency == 1 or len(jobs) < 2:
            return [work(job) for job in jobs]
        with ThreadPoolExecutor(min(self.concurrency, len(jobs))) as pool:
            return list(pool.map(work, jobs))
