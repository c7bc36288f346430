"""Each of the nine failures is seeded in a real engine, and named, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import HashingEncoder
from pydantic import TypeAdapter

from rag.errors import IndexCorrupt
from rag.eval.failures.diagnosis import (
    FIXES,
    Diagnosed,
    Diagnosis,
    FailureMode,
    count_failures,
    diagnose,
    diagnosed,
)
from rag.eval.failures.trace import Trace
from rag.eval.questions import Place, Question
from rag.eval.report import Row
from rag.eval.sample import Sample
from rag.pipeline import Engine
from rag.types import (
    Answer,
    Chunk,
    Citation,
    Claim,
    Document,
    Hit,
    Judgement,
    Principal,
    Scores,
    Sentence,
    Span,
)

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
    found = diagnosed(asked(kb, question, k=k), kb.trace).diagnosis
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


def test_only_wrong_answers_are_traced(engine: Callable[..., Engine]):
    def trace(question: Question) -> Trace:
        raise AssertionError("the answer is right")

    assert diagnosed(asked(engine(generator=quotes_gold), QUESTION), trace) == Diagnosed(right=True)


def test_without_a_trace_the_hits_are_looked_at(engine: Callable[..., Engine]):
    sample = asked(engine(generator=cuts_contexts), QUESTION)
    assert diagnose(sample).mode is FailureMode.NOT_IN_CONTEXT
    found = diagnose(replace(sample, hits=()))
    assert found.mode is FailureMode.NOT_RETRIEVED and "not looked into" in found.reason


def test_a_document_that_one_may_not_read_holds_nothing(engine: Callable[..., Engine], tmp_path: Path):
    kb = engine({"soup.md": SOUP}, generator=refuses)
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "leave.md").write_text(LEAVE, "utf-8")
    kb.add(secret, readers=["boss"])
    (hidden,) = kb.trace(QUESTION, principal=Principal("clerk")).places
    assert (hidden.document_id, hidden.text, hidden.chunks, hidden.ranks) == ("", "", (), {})
    assert hidden.problem == "no document of that name is in the index"
    (shown,) = kb.trace(QUESTION, principal=Principal("boss")).places
    assert shown.text == GOLD and shown.chunks and set(shown.ranks) == {"bm25", "dense", "fused"}


@pytest.mark.parametrize(
    "question",
    [
        replace(QUESTION, documents=()),
        replace(QUESTION, reference_contexts=()),
        replace(QUESTION, documents=(Place("leave.md"),), reference_contexts=()),
    ],
)
def test_a_place_is_found_by_what_is_known_of_it(engine: Callable[..., Engine], question: Question):
    (place,) = engine().trace(question).places
    assert place.source.endswith("leave.md") and place.chunks and not place.problem
    assert GOLD in place.text


def test_of_documents_of_one_name_that_with_the_text_is_found(open_engine, tmp_path: Path):
    for folder, text in (("a", BOATS), ("b", LEAVE), ("c", SOUP)):
        (tmp_path / "files" / folder).mkdir(parents=True)
        (tmp_path / "files" / folder / "leave.md").write_text(text, "utf-8")
    kb = open_engine()
    kb.add(tmp_path / "files")
    question = replace(QUESTION, documents=(Place("leave.md"),))
    (place,) = kb.trace(question).places
    assert place.source.endswith("b/leave.md") and place.text == GOLD and place.chunks
    gone = replace(question, reference_contexts=("Nobody ever wrote this down.",))
    assert "and so do 2 more of that name" in kb.trace(gone).places[0].problem


def test_a_chunk_that_is_named_is_found(engine: Callable[..., Engine]):
    kb = engine()
    named = kb.search("leave of parents", k=1)[0].chunk.id
    question = replace(QUESTION, reference_context_ids=(named,))
    assert kb.trace(question).places[0].chunks == (named,)
    gone = replace(QUESTION, reference_context_ids=("0" * 64 + ":0-9",))
    assert not kb.trace(gone).places[0].document_id


def test_nothing_is_said_of_what_cannot_be_told(engine: Callable[..., Engine]):
    kb = engine(generator=says_nothing_of_it)
    asked_for = QUESTION.user_input
    assert mode_of(kb, Question("q", asked_for)) is None
    of_a_document = Question("q", asked_for, documents=(Place("leave.md"),), answerable=True)
    assert mode_of(kb, of_a_document) is FailureMode.IGNORED
    cited = Path(asked(kb, QUESTION).answer.citations[0].source).name
    assert mode_of(kb, replace(of_a_document, documents=(Place(cited),))) is None


def test_what_failed_that_was_needed_is_told(engine: Callable[..., Engine]):
    def trace(question: Question) -> Trace:
        raise IndexCorrupt("torn")

    found = diagnosed(asked(engine(generator=says_nothing_of_it), QUESTION), trace)
    assert found.right is False and found.diagnosis is not None
    assert found.missed == "the index could not be looked into: torn"


def test_a_judge_that_finds_it_said_is_believed(engine: Callable[..., Engine]):
    class Agreeing:
        def supported(self, claims: Sequence[Claim]) -> list[Judgement]:
            return [Judgement(self.value) for _ in claims]

        def __init__(self, value: float | None) -> None:
            self.value = value

    sample = asked(engine(generator=says_nothing_of_it), QUESTION)
    assert diagnose(sample, judge=Agreeing(0.9)) is None
    assert diagnose(sample, judge=Agreeing(None)) is None
    assert diagnose(sample, judge=Agreeing(0.1)).mode is FailureMode.IGNORED


def test_a_row_with_a_diagnosis_comes_back_from_json():
    found = Diagnosis(FailureMode.DEMOTED, "rank 12", "answer from more")
    row = Row(QUESTION, (), None, {}, diagnosis=found)
    adapter = TypeAdapter(Row)
    assert adapter.validate_json(adapter.dump_json(row)).diagnosis == found


def test_failures_are_counted_in_the_order_of_the_pipeline():
    modes = [FailureMode.WRONGLY_REFUSED, FailureMode.NOT_PARSED, FailureMode.WRONGLY_REFUSED]
    counted = count_failures([*(Diagnosis(mode, "", "") for mode in modes), None])
    assert list(counted.items()) == [("not_parsed", 1), ("wrongly_refused", 2)]
    assert set(FIXES) == set(FailureMode)
