"""Every question about the sample handbook gets an answer that proves itself, or none."""

import json
import re
from pathlib import Path

import pytest

import rag
from rag.generation.extractive import NO_ANSWER

DATA = Path(__file__).parents[1] / "data"
QUESTIONS = [json.loads(line) for line in (DATA / "questions.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory):
    with rag.open(tmp_path_factory.mktemp("handbook") / "index") as kb:
        report = kb.add(DATA / "handbook")
        assert not report.failed and not report.skipped
        yield kb


@pytest.fixture(scope="module")
def answers(kb: rag.Engine) -> list[rag.Answer]:
    return [kb.ask(question["user_input"]) for question in QUESTIONS]


def test_every_quote_is_the_text_at_its_place_and_on_its_page(kb: rag.Engine, answers: list[rag.Answer]):
    cited = [citation for answer in answers for citation in answer.citations]
    assert len(cited) >= len(QUESTIONS) / 2
    for citation in cited:
        document = kb.document(citation.document_id)
        assert document.text[citation.start : citation.end] == citation.quote
        pages = [page.number for page in document.pages if page.span.start <= citation.start < page.span.end]
        assert [citation.page] == (pages or [None])


def test_every_mark_has_a_citation_and_every_sentence_a_mark(answers: list[rag.Answer]):
    for answer in answers:
        numbers = [citation.number for citation in answer.citations]
        assert numbers == list(range(1, len(numbers) + 1))
        assert {number for sentence in answer.sentences for number in sentence.citations} == set(numbers)
        assert all(sentence.citations for sentence in answer.sentences)
        own_words = answer.text
        for citation in answer.citations:
            own_words = own_words.replace(" ".join(citation.quote.split()), "")
        assert [int(mark) for mark in re.findall(r"\[(\d+)\]", own_words)] == numbers


def test_an_answer_cites_only_what_it_was_given(answers: list[rag.Answer]):
    for answer in answers:
        for citation in answer.citations:
            assert any(
                hit.chunk.document_id == citation.document_id
                and hit.chunk.start <= citation.start
                and citation.end <= hit.chunk.end
                for hit in answer.contexts
            )


def test_an_abstention_says_so_and_cites_nothing(answers: list[rag.Answer]):
    refused = [answer for answer in answers if answer.abstained]
    assert refused
    for answer in refused:
        assert (answer.text, answer.sentences, answer.citations) == (NO_ANSWER, (), ())


def quotes_gold(question: dict, answer: rag.Answer) -> bool:
    return any(
        citation.source.endswith(gold["source"])
        and citation.start < gold["end"]
        and gold["start"] < citation.end
        for citation in answer.citations
        for gold in question["documents"]
    )


def test_the_gold_span_is_quoted_in_two_of_three_answers(answers: list[rag.Answer]):
    answerable = [(q, a) for q, a in zip(QUESTIONS, answers, strict=True) if q["answerable"]]
    quoted = [quotes_gold(question, answer) for question, answer in answerable]
    assert sum(quoted) >= len(quoted) * 0.64


def test_most_table_questions_quote_the_row(answers: list[rag.Answer]):
    rows = [(q, a) for q, a in zip(QUESTIONS, answers, strict=True) if q["kind"] == "table"]
    assert sum(quotes_gold(question, answer) for question, answer in rows) >= 10


def test_versions_that_differ_are_shown_newest_first_and_nothing_else_is_called_a_conflict(
    answers: list[rag.Answer],
):
    found = [(q["kind"], a) for q, a in zip(QUESTIONS, answers, strict=True) if a.conflicts]
    assert {kind for kind, _ in found} == {"conflict"}
    assert len(found) >= 4
    for _, answer in found:
        (conflict,) = answer.conflicts
        cited = {each.number: each for each in answer.citations}
        assert list(conflict.dates) == sorted(conflict.dates, reverse=True)
        for number, date in zip(conflict.citations, conflict.dates, strict=True):
            assert date in Path(cited[number].source).name


def test_the_same_question_has_the_same_answer(kb: rag.Engine, answers: list[rag.Answer]):
    for question, answer in list(zip(QUESTIONS, answers, strict=True))[:5]:
        again = kb.ask(question["user_input"])
        assert (again.text, again.citations, again.confidence) == (
            answer.text,
            answer.citations,
            answer.confidence,
        )
