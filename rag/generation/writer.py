"""Answers that a language model writes, every sentence resolved to the spans that it cites.

passages -> prompt -> text as it comes -> sentences -> marks -> quotes -> Answer

Here a sentence counts as supported when what it cites is real; whether that proves it is judged later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from rag.errors import PromptTooLong
from rag.generation.context import Order, assemble
from rag.generation.extractive import NO_ANSWER
from rag.generation.grammar import cited_answer
from rag.generation.instructions import without_instructions
from rag.generation.marks import MARK, composed, flat, has_marks, numbers_in, without_marks
from rag.generation.prompt import FRAME, as_shown, make_prompt
from rag.generation.quoting import Quoting, Words, words
from rag.protocols import Forgetful, LanguageModel, Prompt, Reranker, Sampling
from rag.sentences import sentence_spans
from rag.types import Answer, Citation, Hit, Message, Sentence, Usage

_FEWEST_TOKENS = 64
"""Less than this for the passages is too little to answer from."""

_FRAME_SLACK = 6
"""By how many tokens the lines around a passage may differ from each other."""

_TEMPLATE_TOKENS = 32
"""What a chat template may add around a message."""

_LEADING_MARKS = re.compile(rf"(?:\s*{MARK.pattern})+")
_SEEN_BEFORE = 64  # characters; a splitter of sentences looks no further back

_LONGEST_SENTENCE = 4_000  # characters; what goes on is cut here
_LONGEST_TEXT = 100_000  # characters; a model that is still writing is stopped

_REFUSAL = re.compile(
    r"(?:sorry,? )?(?:but )?(?:"
    r"i (?:do not|don['’]t|cannot|can['’]t|am unable|could not)"
    r"|there is no(?:t enough)? (?:information|answer)"
    r"|(?:the|these|none of the) (?:given |provided )?(?:documents?|passages?|texts?|context)"
    r" (?:do not|does not|don['’]t|doesn['’]t|cannot|contains? no))",
    re.IGNORECASE,
)

_BEGUN = re.compile(r"(?!\s*\[[\d,\s]*\Z)\s*(?:[^\w\s]*\w[\w.,'’-]*\s|.{24})", re.DOTALL)
"""A sentence whose first word is whole: before that, the one in front of it may turn out to go on."""


@dataclass(frozen=True, slots=True)
class Writer:
    """A generator over a language model. Its face is `rag.written`.

    Args:
        model: What writes.
        sampling: How, and how much at most; its grammar is taken care of.
        budget_tokens: How many of the model's tokens the passages may take; 0: all there is room for.
        constrained: Whether the model runs under a grammar that lets it cite given passages only. Where
            a runtime has none, what it writes is held to the same rules afterwards.
        most_sentences: How many sentences an answer has at most.
        keep_instructions: Whether sentences of passages that speak to an assistant are shown to the model,
            see `rag.generation.instructions`.
        datamark: Whether the words of passages are joined by a sign, against instructions in them.
        order: How passages are ordered: `edges` or `document`, see `assemble`.
        scorer: Says which sentence of a passage supports a statement; by default shared words do.
        analyze: Turns text into words, to compare statements with passages.
        partition: The tenant within which states of prompts are kept.
        history: The conversation so far, oldest first; as much of its end is shown as a quarter of the
            model's context holds.
    """

    model: LanguageModel
    sampling: Sampling = field(default_factory=Sampling)
    budget_tokens: int = 0
    constrained: bool = True
    most_sentences: int = 12
    keep_instructions: bool = False
    datamark: bool = False
    order: Order = "edges"
    scorer: Reranker | None = None
    analyze: Words = words
    partition: str = ""
    history: tuple[Message, ...] = ()

    def __post_init__(self) -> None:
        if self.budget_tokens and self.budget_tokens < _FEWEST_TOKENS:
            raise ValueError(f"budget_tokens is {_FEWEST_TOKENS} or more, or 0 for all there is room for")

    def for_tenant(self, tenant: str) -> Writer:
        """The same writer, whose kept states no other tenant's questions meet."""
        return replace(self, partition=tenant)

    def forget(self) -> None:
        """Drop the model's kept states: words of documents can be read out of them."""
        if isinstance(self.model, Forgetful):
            self.model.forget()

    def with_history(self, messages: Sequence[Message]) -> Writer:
        """The same writer, in the course of a conversation."""
        return replace(self, history=tuple(messages))

    def __call__(self, question: str, hits: Sequence[Hit]) -> Answer:
        """Answer with citations into `hits`, or abstain.

        Raises:
            PromptTooLong: Question and rules leave no room for passages.
        """
        *_, answer = self.stream(question, hits)
        return answer

    def stream(self, question: str, hits: Sequence[Hit]) -> Iterator[Answer]:
        """The answer after each of its sentences; the last one is whole. Closing it stops the model.

        Raises:
            PromptTooLong: With the first answer: question and rules leave no room for passages.
        """
        history = self._recent()
        shown = hits if self.keep_instructions else without_instructions(hits)
        room = self._room(question, history) if shown else 0
        frame = self.model.count(FRAME) + _FRAME_SLACK
        passages = assemble(shown, self._count, room, self.order, frame_tokens=frame)
        draft = _Draft(question, tuple(hits), self.model.name, Quoting(passages, self.analyze, self.scorer))
        if not passages:
            yield draft.answer()
            return
        prompt = make_prompt(question, passages, history, datamark=self.datamark)
        with self._writing(prompt, len(passages), draft.told) as pieces:
            for raw in sentences_of(pieces):
                if refuses(raw) or (self._is_full(draft.usage) and not has_marks(raw)):
                    break  # what was cut off before its mark is no sentence
                if draft.add(raw, {passage.number for passage in passages}):
                    yield draft.answer()
                if len(draft.sentences) == self.most_sentences:
                    break
        yield draft.answer()

    @contextmanager
    def _writing(
        self, prompt: Prompt, passages: int, told: Callable[[Usage], None]
    ) -> Iterator[Iterator[str]]:
        """The model's text as it comes; the model stops when the context is left."""
        grammar = cited_answer(passages, most_sentences=self.most_sentences) if self.constrained else ""
        sampling = replace(self.sampling, grammar=grammar)
        pieces = self.model.generate(prompt, sampling, partition=self.partition, done=told)
        try:
            yield pieces
        finally:
            close: Callable[[], None] | None = getattr(pieces, "close", None)
            if close is not None:
                close()

    def _is_full(self, usage: Usage | None) -> bool:
        """Whether the model wrote as much as it may."""
        return usage is not None and usage.generated_tokens >= self.sampling.max_tokens

    def _count(self, text: str) -> int:
        """How many tokens a passage's text has as it is shown."""
        return self.model.count(as_shown(text, "^" if self.datamark else ""))

    def _recent(self) -> tuple[Message, ...]:
        """The last messages of the conversation, as many as a quarter of the context holds."""
        left = self.model.context_tokens // 4
        kept: list[Message] = []
        for message in reversed(self.history):
            # An earlier answer's marks are of other passages.
            said = replace(message, text=without_marks(message.text))
            left -= self.model.count(said.text) + _TEMPLATE_TOKENS
            if left < 0:
                break
            kept.append(said)
        return tuple(reversed(kept))

    def _room(self, question: str, history: Sequence[Message]) -> int:
        """How many tokens the passages may take."""
        bare = make_prompt(question, (), history)
        texts = (bare.system, bare.context, *(message.text for message in bare.messages))
        taken = sum(self.model.count(text) + _TEMPLATE_TOKENS for text in texts) + self.sampling.max_tokens
        room = self.model.context_tokens - taken
        if room < _FEWEST_TOKENS:
            raise PromptTooLong(
                f"question, rules and the text to be written take {taken} of the {self.model.context_tokens} "
                f"tokens of {self.model.name}, which leaves too few for passages; shorten the question, "
                "lower max_tokens, or load the model with a longer context"
            )
        return min(self.budget_tokens, room) if self.budget_tokens else room


@dataclass(slots=True)
class _Draft:
    """An answer in the making."""

    question: str
    hits: tuple[Hit, ...]
    model: str
    quoting: Quoting
    sentences: list[Sentence] = field(default_factory=list)
    citations: dict[tuple[str, int, int], Citation] = field(default_factory=dict)
    usage: Usage | None = None

    def told(self, usage: Usage) -> None:
        """Keep what the model says it took."""
        self.usage = usage

    def add(self, raw: str, given: set[int]) -> bool:
        """Take a sentence as the model wrote it, unless nothing is left of it without its marks."""
        body = flat(without_marks(raw))
        if not any(character.isalnum() for character in body):
            return False
        marks = numbers_in(raw)
        numbers = tuple(dict.fromkeys(self._cited(body, mark) for mark in marks if mark in given))
        faults = []
        if not numbers:
            faults.append("it cites nothing")
        if not given.issuperset(marks) or (has_marks(raw) and not marks):
            faults.append("it cites a passage that was not given")
        held = [citation.quote for citation in self.citations.values() if citation.number in numbers]
        support = self.quoting.shared(body, held)
        self.sentences.append(Sentence(body, numbers, not faults, support, tuple(faults)))
        return True

    def _cited(self, body: str, mark: int) -> int:
        """The number of the citation for a statement that cites a passage; a span has one number."""
        citation = self.quoting.quote(body, mark)
        place = (citation.document_id, citation.start, citation.end)
        known = self.citations.setdefault(place, replace(citation, number=len(self.citations) + 1))
        return known.number

    def answer(self) -> Answer:
        """The answer so far; without a sentence it is an abstention."""
        sentences = tuple(self.sentences)
        held = [sentence.support if sentence.supported else 0.0 for sentence in sentences]
        return Answer(
            question=self.question,
            text=composed(sentences) if sentences else NO_ANSWER,
            sentences=sentences,
            citations=tuple(self.citations.values()),
            contexts=self.hits,
            abstained=not sentences,
            confidence=sum(held) / len(held) if held else 0.0,
            model=f"{self.model} ({self.usage.runtime})" if self.usage else self.model,
            usage=self.usage,
        )


def sentences_of(pieces: Iterator[str]) -> Iterator[str]:
    """The sentences, marks included, of text that comes in pieces, each as soon as it is whole.

    A line ends a sentence. One without an end is cut at 4,000 characters, and a text at 100,000.
    How the text is cut into pieces makes no difference.
    """
    before, rest = "", ""
    looked, taken = 0, 0
    for piece in pieces:
        rest += piece[: _LONGEST_TEXT - taken].replace("\n", "\n\n")
        taken += len(piece)
        if len(rest) - looked >= 24 or any(map(str.isspace, piece)):
            *whole, last = _split(before, rest)
            if whole and (_BEGUN.match(last) or len(last) >= _LONGEST_SENTENCE):
                yield from whole
                before = (before + rest.removesuffix(last))[-_SEEN_BEFORE:]
                rest = last
            looked = len(rest)
        if taken >= _LONGEST_TEXT:
            break
    yield from _split(before, rest)


def _split(before: str, text: str) -> list[str]:
    """The sentences of a text, at least one; the last may go on. Marks go with the sentence before them.

    `before` is what stands in front of the text: it tells whether a number begins an item.
    """
    shift = len(before)
    ends = [span.end - shift for span in sentence_spans(before + text) if span.end > shift]
    found: list[str] = []
    start = 0
    for end in [*ends[:-1], len(text)]:
        leading = _LEADING_MARKS.match(text, start, end) if found else None
        if leading:
            found[-1] += leading[0].rstrip()
            start = leading.end()
        found += [text[at : min(at + _LONGEST_SENTENCE, end)] for at in range(start, end, _LONGEST_SENTENCE)]
        start = end
    return found or [text]


def refuses(raw: str) -> bool:
    """Whether a sentence says that there is no answer: in the words asked for, or citing nothing."""
    body = flat(without_marks(raw)).rstrip(".").casefold()
    if body == NO_ANSWER.rstrip(".").casefold():
        return True
    return not has_marks(raw) and _REFUSAL.match(body) is not None


written = Writer
