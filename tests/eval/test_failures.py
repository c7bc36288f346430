"""Each of the nine failures is seeded in a real engine, and named, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import HashingEncoder

from rag.eval.failures import FIXES, FailureMode, diagnosed
from rag.eval.questions import Place, Question
from rag.eval.sample import Sample
from rag.pipeline import Engine
from rag.types import Answer, Chunk, Citation, Document, Hit, Scores, Sentence, Span

LEAVE = "Parents have leave of 26 weeks with full pay. The form lies in the office on the second floor."
BOATS = "The ferry Plover carries 98 cars. The ferry Dunlin carries 40 cars on its lower deck."
SOUP = "Soup is served at noon in the galley. Left over soup is eaten by the crew."
FILES = {"leave.md": LEAVE, "boats.md": BOATS, "soup.md": SOUP}
GOLD = "Parents have leave of 26 weeks with full pay."
QUESTION = Question(
    "q",
    "How many weeks of leave do parents have?",
    "26 weeks",
    reference_contexts=(GOLD,),
    documents=(Place("leave.md", span=Span(0, len(GOLD))),),
    answerable=True,
)


def says_nothing_of_it(question: str, hits: Sequence[Hit]) -> Answer:
    """Quotes the first sentence of the last hit that is from another file."""
    hit = [each for each in hits if "leave" not in each.source][-1]
    quote = hit.chunk.text.split(".")[0]
    return _answer(question, hits, hit, quote, quote)


def quotes_gold(question: str, hits: Sequence[Hit]) -> Answer:
    for hit in hits:
        if GOLD in hit.chunk.text:
            return _answer(question, hits, hit, GOLD, GOLD)
    return says_nothing_of_it(question, hits)


def contradicts(question: str, hits: Sequence[Hit]) -> Answer:
    hit = next(each for each in hits if GOLD in each.chunk.text)
    return _answer(question, hits, hit, GOLD, "Parents have leave of 30 weeks with full pay.")


def refuses(question: str, hits: Sequence[Hit]) -> Answer:
    return Answer(question, "I do not know.", (), (), tuple(hits), True, 0.1, "shy")


def cuts_contexts(question: str, hits: Sequence[Hit]) -> Answer:
    """Has room for what is not about leave alone."""
    kept = [hit for hit in hits if "leave" not in hit.chunk.text]
    return replace(says_nothing_of_it(question, kept), contexts=tuple(kept))


def _answer(question: str, hits: Sequence[Hit], hit: Hit, quote: str, said: str) -> Answer:
    start = hit.chunk.start + hit.chunk.text.index(quote)
    citation = Citation(
        1, hit.chunk.document_id, hit.source, hit.title, None, "", start, start + len(quote), quote
    )
    sentence = Sentence(said, (1,), supported=True, support=1.0)
    return Answer(question, f"{said} [1]", (sentence,), (citation,), tuple(hits), False, 0.9, "scripted")


def in_crumbs(document: Document) -> list[Chunk]:
    """Cuts behind every second word, so that no chunk holds a passage."""
    chunks, start, text = [], 0, document.text
    blanks = [at for at, character in enumerate(text) if character == " "]
    for end in [*blanks[1::2], len(text)]:
        if text[start:end].strip():
            chunks.append(Chunk(document.id, Span(start, end), text[start:end]))
        start = end
    return chunks


class LeaveLast:
    """A reranker that has taken against leave."""

    def __call__(self, query: str, texts: Sequence[str]) -> Scores:
        return np.array([-1.0 if "leave" in text else 1.0 for text in texts], np.float32)


@pytest.fixture
def engine(
    open_engine: Callable[..., Engine], tmp_path: Path, encoder: HashingEncoder
) -> Callable[..., Engine]:
    def opened(files: dict[str, bytes | str] = FILES, **options: object) -> Engine:  # type: ignore[assignment]
        folder = tmp_path / "files"
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
        kb = open_engine(verifier=trusting, policy="flag", **options)
        kb.add(folder)
        return kb

    return opened


def trusting(claims: Sequence[object]) -> list[object]:
    from rag.types import Support

    return [Support(1.0) for _ in claims]


def asked(kb: Engine, question: Question, *, k: int = 10) -> Sample:
    answer = kb.ask(question.user_input, k=k)
    return Sample(
        question,
        response="" if answer.abstained else " ".join(each.text for each in answer.sentences),
        retrieved_contexts=tuple(hit.chunk.text for hit in answer.contexts),
        abstained=answer.abstained,
        confidence=answer.confidence,
        hits=tuple(kb.search(question.user_input, k=k)),
        answer=answer,
    )


def mode_of(kb: Engine, question: Question = QUESTION, *, k: int = 10) -> FailureMode | None:
    found = diagnosed(asked(kb, question, k=k), kb.trace)
    if found is None:
        return None
    assert found.reason and found.fix == FIXES[found.mode]
    return found.mode


def test_a_right_answer_is_not_diagnosed(engine: Callable[..., Engine]):
    assert mode_of(engine(generator=quotes_gold)) is None


def test_a_file_that_cannot_be_read(engine: Callable[..., Engine]):
    kb = engine(FILES | {"leave.md": SOUP[::-1], "leave.docx": b"PK\x03\x04 broken"}, generator=quotes_gold)
    question = replace(QUESTION, documents=(Place("leave.docx", span=Span(0, len(GOLD))),))
    assert mode_of(kb, question) is FailureMode.NOT_PARSED


def test_a_text_that_lacks_what_the_file_says(engine: Callable[..., Engine]):
    kb = engine(
        FILES | {"leave.md": "The form lies in the office on the second floor. " * 3}, generator=refuses
    )
    assert mode_of(kb) is FailureMode.NOT_PARSED


def test_a_chunker_that_tears_the_passage(engine: Callable[..., Engine]):
    kb = engine(chunker=in_crumbs, generator=refuses)
    assert mode_of(kb, k=1) is FailureMode.NOT_CHUNKED


def test_a_question_that_shares_nothing_with_the_passage(engine: Callable[..., Engine]):
    many = {f"boat{at}.md": f"Vessel {at} sails daily for the company, newborn or old." for at in range(120)}
    kb = engine(FILES | many, generator=says_nothing_of_it)
    question = replace(QUESTION, user_input="newborn vessel sails daily company")
    assert mode_of(kb, question) is FailureMode.NOT_RETRIEVED


def test_a_reranker_that_puts_it_last(engine: Callable[..., Engine]):
    kb = engine(reranker=LeaveLast(), generator=says_nothing_of_it)
    assert mode_of(kb, k=2) is FailureMode.DEMOTED


def test_a_generator_without_room_for_it(engine: Callable[..., Engine]):
    assert mode_of(engine(generator=cuts_contexts)) is FailureMode.NOT_IN_CONTEXT


def test_a_generator_that_ignores_it(engine: Callable[..., Engine]):
    assert mode_of(engine(generator=says_nothing_of_it)) is FailureMode.IGNORED


def test_a_generator_that_contradicts_it(engine: Callable[..., Engine]):
    assert mode_of(engine(generator=contradicts)) is FailureMode.CONTRADICTED


def test_a_generator_that_refuses(engine: Callable[..., Engine]):
    assert mode_of(engine(generator=refuses)) is FailureMode.WRONGLY_REFUSED


def test_a_question_that_nothing_answers(engine: Callable[..., Engine]):
    question = Question("u", "What does a dog cost on the ferry?", answerable=False)
    kb = engine(generator=says_nothing_of_it)
    assert mode_of(kb, question) is FailureMode.WRONGLY_ANSWERED


def test_a_right_refusal_is_not_diagnosed(engine: Callable[..., Engine]):
    question = Question("u", "What does a dog cost on the ferry?", answerable=False)
    assert mode_of(engine(generator=refuses), question) is None
