"""Several texts written at once by one model, a step of all of them at a time.

There is no thread in the background: whoever waits for text drives the model, for itself and for the
others that wait. So a text that nobody waits for stops by itself, and one that is closed is gone
before the next step.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rag.errors import ModelFailed
from rag.generation.lookup import Gate, Guesser, agreeing
from rag.generation.runtime_memory import CHUNK_TOKENS
from rag.generation.runtime_sampler import Logits, Sampler
from rag.generation.runtime_text import TextStream
from rag.generation.runtime_vocabulary import Vocabulary
from rag.generation.states import StateStore
from rag.types import Usage


@dataclass(frozen=True, slots=True)
class Part:
    """Tokens for one slot, the first at position `start`; `wanted` of the last are to have logits."""

    slot: int
    start: int
    tokens: Sequence[int]
    wanted: int


class Decoder(Protocol):
    """A model in memory, with room for several texts (slots)."""

    @property
    def slots(self) -> int:
        """How many texts it holds at once."""
        ...

    @property
    def guess_cost(self) -> float:
        """What a further token adds to the time of reading one, in such times."""
        ...

    @property
    def most_guesses(self) -> int:
        """How many tokens may be read behind one, so that all come out as they would one at a time."""
        ...

    @property
    def takes_back(self) -> bool:
        """Whether the last tokens of a slot can be taken back."""
        ...

    def decode(self, parts: Sequence[Part]) -> list[list[Logits]]:
        """Read tokens, and give the logits of each part's last `wanted`, float32 (vocabulary,) each."""
        ...

    def cut(self, slot: int, length: int) -> None:
        """Keep the first `length` tokens of a slot."""
        ...

    def save(self, slot: int) -> bytes:
        """The state of a slot."""
        ...

    def load(self, slot: int, state: bytes) -> bool:
        """Make a state, saved by a decoder of the same model, that of an empty slot."""
        ...


@dataclass(slots=True, eq=False)
class Job:
    """A text to be written: what is asked, and how far it is."""

    tokens: list[int]
    prefixes: list[int]
    max_tokens: int
    sampler: Sampler
    stream: TextStream
    partition: str
    guesser: Guesser | None
    gate: Gate | None
    started: float = field(default_factory=time.perf_counter)
    slot: int = -1
    read: int = 0
    cached: int = 0
    written: int = 0
    guessed: int = 0
    pending: int = -1
    shadow: int = -1
    first_s: float = 0.0
    total_s: float = 0.0
    pieces: deque[str] = field(default_factory=deque)
    finished: bool = False
    error: Exception | None = None


class Batch:
    """The jobs of one model."""

    def __init__(self, decoder: Decoder, vocabulary: Vocabulary, states: StateStore) -> None:
        self._decoder, self._vocabulary, self._states = decoder, vocabulary, states
        self._driver = threading.Lock()
        self._desk = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._active: list[Job] = []
        self._closed: list[Job] = []

    def run(self, job: Job) -> Iterator[str]:
        """Yield the text of a job. Closing this ends it."""
        with self._desk:
            self._waiting.append(job)
        try:
            while True:
                while job.pieces:
                    yield job.pieces.popleft()
                if job.finished:
                    break
                with self._driver:
                    if not job.pieces and not job.finished:
                        self._step()
            while job.pieces:
                yield job.pieces.popleft()
            if job.error is not None:
                raise job.error
        finally:
            with self._desk:
                self._closed.append(job)

    def usage(self, job: Job, runtime: str) -> Usage:
        """What a job took."""
        return Usage(
            prompt_tokens=len(job.tokens),
            cached_tokens=job.cached,
            generated_tokens=job.written,
            guessed_tokens=job.guessed,
            first_token_ms=round(1000 * job.first_s, 3),
            total_ms=round(1000 * (job.total_s or time.perf_counter() - job.started), 3),
            runtime=runtime,
        )

    def _step(self) -> None:
        """One step of all jobs: tokens of prompts read, a token or more of each text written."""
        self._leave()
        self._admit()
        if not self._active:
            return
        parts = self._parts()
        try:
            results = self._decoder.decode(parts)
        except BaseException as error:
            # What the slots hold is not known now: all of them are written off.
            for job in self._active:
                stopped = error if isinstance(error, Exception) else ModelFailed("the model was interrupted")
                self._end(job, stopped)
            if not isinstance(error, Exception):
                raise
            return
        for job, part, logits in zip(list(self._active), parts, results, strict=True):
            try:
                self._advance(job, part, logits)
            except Exception as error:  # it is this text's alone: the others go on
                self._end(job, error)

    def _end(self, job: Job, error: Exception | None = None) -> None:
        job.error, job.finished, job.total_s = error, True, time.perf_counter() - job.started

    def _leave(self) -> None:
        with self._desk:
            closed, self._closed = self._closed, []
            for job in closed:
                if job in self._waiting:
                    self._waiting.remove(job)
        for job in [job for job in self._active if job.finished or job in closed]:
            self._decoder.cut(job.slot, 0)
            self._active.remove(job)

    def _admit(self) -> None:
        """Let jobs in, first come, first served, while there are slots."""
        while True:
            with self._desk:
                if not self._waiting or len(self._active) == self._decoder.slots:
                    return
                job = self._waiting.popleft()
            used = {each.slot for each in self._active}
            job.slot = next(slot for slot in range(self._decoder.slots) if slot not in used)
            self._active.append(job)
            try:
                self._restore(job)
            except Exception as error:
                self._end(job, error)

    def _restore(self, job: Job) -> None:
        """Begin behind the longest prefix whose state is kept."""
        for end in sorted(job.prefixes, reverse=True):
            state = self._states.get(job.partition, job.tokens[:end])
            if state is not None:
                if self._decoder.load(job.slot, state):
                    job.read = job.cached = end
                    return
                self._decoder.cut(job.slot, 0)

    def _parts(self) -> list[Part]:
        room = CHUNK_TOKENS
        parts = []
        for job in self._active:
            if job.read < len(job.tokens):
                # A state is kept where a prefix ends: reading stops there for a moment.
                until = min([end for end in job.prefixes if end > job.read] + [len(job.tokens)])
                count = min(until - job.read, room)
                room -= count
                last = job.read + count == len(job.tokens)
                tokens = job.tokens[job.read : job.read + count]
                parts.append(Part(job.slot, job.read, tokens, 1 if last and count else 0))
            else:
                guess = self._guess(job)
                parts.append(Part(job.slot, job.read, [job.pending, *guess], 1 + len(guess)))
        return parts

    def _guess(self, job: Job) -> list[int]:
        """What is guessed to follow, as far as that pays; what else is guessed is held against the text."""
        left = min(self._decoder.most_guesses, job.max_tokens - job.written - 1)
        job.shadow = -1
        if job.guesser is None or job.gate is None or left < 1:
            return []
        guess = job.guesser.guess(left)
        passed = guess[: job.gate.width(len(guess))]
        if guess and not passed:
            job.shadow = guess[0]
        return passed

    def _advance(self, job: Job, part: Part, logits: list[Logits]) -> None:
        if job.finished or not part.tokens:
            return
        job.read += len(part.tokens)
        if job.read < len(job.tokens) or not logits:
            self._keep(job)
            return
        if job.read == len(job.tokens):
            self._keep(job)
        new: list[int] = []
        guess = part.tokens[1:] if part.wanted > 1 else []
        for at, row in enumerate(logits):
            token = job.sampler.choose(row)
            new.append(token)
            self._write(job, token)
            if job.finished or at == len(guess) or token != guess[at]:
                break
        if guess:
            job.read = part.start + len(new)
            if len(new) < len(part.tokens):
                self._decoder.cut(job.slot, job.read)
        self._learn(job, guess, new)

    def _learn(self, job: Job, guess: Sequence[int], new: Sequence[int]) -> None:
        job.pending = new[-1]
        if job.guesser is None or job.gate is None:
            return
        job.guesser.extend(new)
        if guess:
            right = agreeing(guess, new)
            job.guessed += right
            job.gate.learn(right, len(guess))
        elif job.shadow >= 0:
            job.gate.learn(int(job.shadow == new[0]), 1)

    def _write(self, job: Job, token: int) -> None:
        job.written += 1
        if job.written == 1:
            job.first_s = time.perf_counter() - job.started
        ends = self._vocabulary.ends(token)
        data = b"" if ends else self._vocabulary.piece(token)
        if job.written == 1 and self._vocabulary.strips_space:
            data = data.removeprefix(b" ")
        text = job.stream.add(data)
        if ends or job.stream.stopped or job.written == job.max_tokens:
            text += job.stream.end()
            self._end(job)
        if text:
            job.pieces.append(text)

    def _keep(self, job: Job) -> None:
        """Keep the state of a prefix that was just read to its end."""
        if job.read in job.prefixes and not self._states.has(job.partition, job.tokens[: job.read]):
            self._states.put(job.partition, job.tokens[: job.read], self._decoder.save(job.slot))
