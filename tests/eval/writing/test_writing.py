"""The whole trip, with a search by shared words and a verifier that wants every word."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from rag.errors import InputError
from rag.eval.questions import read_questions
from rag.eval.writing.checks import Checker
from rag.eval.writing.draft import Kind
from rag.eval.writing.drafting import draft_questions
from rag.eval.writing.lines import question_lines
from rag.eval.writing.unanswerable import draft_unanswerable
from rag.eval.writing.writing import Plan, template, write_questions
from rag.types import Chunk, Claim, Document, Hit, Span, Support

SHIPS = """# Ships

The ferry Kittiwake carries 120 passengers. The ferry Kittiwake was built in 1998.
The captain of Kittiwake is Agnes Thorburn.

| Vessel | Wind, kn | Draught, m |
|--------|----------|------------|
| Dunlin | 36 | 3.1 |
| Petrel | 34 | 2.2 |
"""
YARD = """# Yard

The yard at Bellweir was opened on 3 May 1962. The yard at Bellweir employs 45 welders.

| Vessel | Beds | Cabins |
|--------|------|--------|
| Dunlin | 12 | 6 |
| Avocet | 8 | 4 |
"""


def document(name: str, text: str) -> Document:
    return Document(name * 64, f"{name}.md", name, text)


DOCUMENTS = (document("a", SHIPS), document("b", YARD))


def terms(text: str) -> list[str]:
    return re.findall(r"[\w.]*\w", text.lower())


def chunks(documents: Sequence[Document]) -> list[Chunk]:
    return [
        Chunk(each.id, Span(*match.span()), match[0])
        for each in documents
        for match in re.finditer(r"(?:[^\n]+\n?)+", each.text)
    ]


def searching(documents: Sequence[Document] = DOCUMENTS) -> Checker:
    held = chunks(documents)

    def search(question: str, k: int) -> list[Hit]:
        wanted = set(terms(question))
        ranked = sorted(held, key=lambda chunk: (-len(wanted & set(terms(chunk.text))), chunk.id))
        return [Hit(rank, 1.0, chunk, "", "") for rank, chunk in enumerate(ranked[:k], 1)]

    def verify(claims: Sequence[Claim]) -> list[Support]:
        return [
            Support(float(set(terms(claim.text)) <= set(terms(" ".join(claim.evidence))))) for claim in claims
        ]

    return Checker(search, verify, terms, 0.5, lambda text, others: [0.9 for _ in others])


def test_every_place_is_exact_and_every_kind_is_there() -> None:
    found = write_questions(DOCUMENTS, searching(), Plan(60))
    texts = {each.source: each.text for each in DOCUMENTS}
    for question in found.questions:
        assert question.answerable is not None
        places = zip(question.documents, question.reference_contexts, strict=True)
        for place, context in places:
            assert place.span is not None
            assert texts[place.source][place.span.start : place.span.end] == context
        if question.answerable and question.kind not in ("comparison", "multi_document"):
            assert question.reference is not None
            assert question.reference in " ".join(question.reference_contexts[0].split())
    asked = {question.user_input: question.reference for question in found.questions}
    assert asked["How many passengers does the ferry Kittiwake carry?"] == "120 passengers"
    assert asked["When was the yard at Bellweir opened?"] == "3 May 1962"
    assert {"number", "date", "table", "comparison", "multi_document"} <= {q.kind for q in found.questions}


def test_equal_seeds_give_equal_sets_whatever_the_order_of_documents() -> None:
    one = write_questions(DOCUMENTS, searching(), Plan(12, seed=3))
    again = write_questions(DOCUMENTS, searching(), Plan(12, seed=3))
    other = write_questions(DOCUMENTS, searching(), Plan(12, seed=4))
    assert one == again
    assert [q.user_input for q in one.questions] != [q.user_input for q in other.questions]


def test_no_two_questions_are_alike() -> None:
    found = write_questions(DOCUMENTS, searching(), Plan(60)).questions
    words = [frozenset(terms(question.user_input)) for question in found]
    for at, own in enumerate(words):
        assert all(len(own & other) < 0.8 * len(own | other) for other in words[:at])


def test_the_unanswerable_have_no_place_and_ask_for_what_is_not_there() -> None:
    found = write_questions(DOCUMENTS, searching(), Plan(30, unanswerable=0.3)).questions
    without = [question for question in found if not question.answerable]
    assert without
    for question in without:
        assert question.reference is None
        assert not question.documents and not question.reference_contexts
        assert str(question.extra["missing"]).partition(",")[0].lower() in question.user_input.lower()
    # what the tables do have is never called unanswerable
    assert not any(
        "Dunlin" in q.user_input and ("wind" in q.user_input.lower() or "beds" in q.user_input)
        for q in without
    )


def test_a_question_with_two_answers_is_dropped_and_counted() -> None:
    older = document("c", SHIPS.replace("120 passengers", "95 passengers"))
    found = write_questions([*DOCUMENTS, older], searching([*DOCUMENTS, older]), Plan(60))
    assert not any("passengers" in question.user_input for question in found.questions)
    assert sum(found.dropped.values()) > 0


def test_what_is_not_found_or_not_proven_is_dropped_with_the_reason() -> None:
    blind = replace(searching(), search=lambda question, k: [])
    found = write_questions(DOCUMENTS, blind, Plan(10, unanswerable=0))
    assert not found.questions
    assert found.dropped["its passage is not found"] > 0
    doubting = replace(searching(), verifier=lambda claims: [Support(0.0) for _ in claims])
    found = write_questions(DOCUMENTS, doubting, Plan(10, unanswerable=0))
    assert not found.questions
    assert found.dropped["its passage does not prove the answer"] > 0


def test_every_draft_is_accounted_for() -> None:
    for plan in (Plan(6), Plan(60), Plan(10, 0, (Kind.DATE,))):
        found = write_questions(DOCUMENTS, searching(), plan)
        assert len(found.questions) + sum(found.dropped.values()) + found.left == found.drafts
        assert found.left >= 0
    assert write_questions(DOCUMENTS, searching(), Plan(6)).left > 0


def test_the_unanswerable_are_of_several_templates() -> None:
    tables = "".join(
        f"| {name} | {at + 3} | {at + 1}.5 |\n"
        for at, name in enumerate(("Dunlin", "Petrel", "Avocet", "Kittiwake"))
    )
    more = document("c", "| Vessel | Mooring | Old rate |\n|---|---|---|\n" + tables)
    found = write_questions([*DOCUMENTS, more], searching([*DOCUMENTS, more]), Plan(30, 0.4)).questions
    asked = Counter(template(question.user_input) for question in found if not question.answerable)
    assert len(asked) >= 3
    assert max(asked.values()) <= max(1, sum(asked.values()) / 2)


def test_a_numbered_thing_is_put_out_for_one_that_no_text_names() -> None:
    text = "The pump in frame 48 weighs 92 kilograms. The pump in frame 50 weighs 90 kilograms."
    (one,) = [document("d", text)]
    drafted = draft_questions({one.id: one}, terms)
    found = draft_unanswerable(drafted, [one], lambda name, others: [0.0 for _ in others], 0)
    numbered = [draft for draft in found if "frame" in draft.missing]
    assert numbered
    for draft in numbered:
        assert (
            draft.missing not in text and draft.missing in draft.question and draft.missing in draft.statement
        )


def test_kinds_are_kept_to() -> None:
    found = write_questions(DOCUMENTS, searching(), Plan(10, 0, (Kind.DATE,)))
    assert {question.kind for question in found.questions} == {"date"}


def test_a_set_is_read_again_as_it_was_written(tmp_path) -> None:
    found = write_questions(DOCUMENTS, searching(), Plan(20))
    path = tmp_path / "questions.jsonl"
    path.write_text(question_lines(found.questions))
    assert read_questions(path) == found.questions


def test_bad_plans_are_refused() -> None:
    with pytest.raises(InputError, match="1 or more"):
        Plan(0)
    with pytest.raises(InputError, match="share"):
        Plan(10, 1.5)
    with pytest.raises(InputError, match="no documents"):
        write_questions([], searching())


def test_texts_without_statements_give_no_questions() -> None:
    empty = document("e", "")
    strange = document("f", "| | |\n|-|-|\n\x00\ud800 ??? ... 12 12 12\n" * 3)
    assert write_questions([empty, strange], searching([strange]), Plan(5)).questions == ()
