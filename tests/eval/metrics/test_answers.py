from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import DocumentNotFound
from rag.eval.metrics.answers import (
    answer_words,
    citation_precision,
    citation_recall,
    citation_validity,
    dangling_marks,
    exact_match,
    normalize,
    refusal_precision,
    refusal_recall,
    token_f1,
)
from rag.eval.questions import Place, Question
from rag.types import Answer, Chunk, Citation, Document, Hit, Sentence, Span

TEXT = "Leave is ten days a year [7]. It ends in March. Nothing else is said."
DOCUMENT = Document("d", "docs/leave.md", "Leave", TEXT)


def document(document_id: str) -> Document:
    if document_id != "d":
        raise DocumentNotFound(document_id)
    return DOCUMENT


def cite(start: int, end: int, number: int = 1, document_id: str = "d") -> Citation:
    return Citation(number, document_id, DOCUMENT.source, "Leave", None, "", start, end, TEXT[start:end])


def given_hit(start: int, end: int) -> Hit:
    return Hit(1, 1.0, Chunk("d", Span(start, end), TEXT[start:end]), DOCUMENT.source, "Leave")


ANSWER = Answer(
    question="How long?",
    text="Leave is ten days a year [7]. [1]",
    sentences=(Sentence("Leave is ten days a year [7].", (1,), True, 1.0),),
    citations=(cite(0, 29),),
    contexts=(given_hit(0, 47),),
    abstained=False,
    confidence=1.0,
    model="m",
)


def test_squad_normalisation() -> None:
    assert normalize("The  U.S.A.'s a-b, an Apple\n") == "usas ab apple"


@pytest.mark.parametrize(
    ("text", "gold", "exact", "f1"),
    [
        ("The Denver Broncos.", ["Denver Broncos"], 1, 1),
        ("Denver", ["Denver Broncos", "broncos"], 0, 2 / 3),
        ("the", ["a"], 1, 1),
        ("", ["x"], 0, 0),
        ("x x y", ["x x x"], 0, 2 / 3),
        ("x", [], 0, 0),
    ],
)
def test_words_against_accepted_answers(text: str, gold: list[str], exact: float, f1: float) -> None:
    assert exact_match(text, gold) == exact
    assert token_f1(text, gold) == pytest.approx(f1)


@given(st.text("ab c", max_size=12), st.text("ab c", max_size=12))
def test_token_f1_is_symmetric_and_one_for_equal_bags(one: str, other: str) -> None:
    score = token_f1(one, [other])
    assert score == token_f1(other, [one])
    assert (score == 1) == (sorted(normalize(one).split()) == sorted(normalize(other).split()))


@pytest.mark.parametrize(
    ("abstained", "answerable", "precision", "recall"),
    [
        (True, False, 1.0, 1.0),
        (True, True, 0.0, None),
        (False, False, None, 0.0),
        (False, True, None, None),
        (True, None, None, None),
    ],
)
def test_refusals(
    abstained: bool, answerable: bool | None, precision: float | None, recall: float | None
) -> None:
    answer = replace(ANSWER, abstained=abstained)
    question = Question("q", "?", answerable=answerable)
    assert refusal_precision(answer, question) == precision
    assert refusal_recall(answer, question) == recall


def test_the_words_of_an_answer_are_without_marks() -> None:
    assert answer_words(ANSWER) == "Leave is ten days a year [7]."
    assert answer_words(replace(ANSWER, text="Ten days [1, 2].", sentences=())) == "Ten days ."


def test_a_right_citation_is_valid_and_a_bracket_of_the_document_is_no_mark() -> None:
    assert citation_validity(ANSWER, document) == 1.0
    assert dangling_marks(ANSWER) == ()


@pytest.mark.parametrize(
    "wrong",
    [
        cite(30, 60),  # behind the context that was given
        replace(cite(0, 29), quote="Leave is nine days a year [7]."),
        replace(cite(0, 29), start=1),
        replace(cite(0, 29), start=29, end=0),
        replace(cite(0, 29), start=-5),
        replace(cite(0, 29), document_id="gone"),
    ],
)
def test_a_wrong_citation_is_not_valid(wrong: Citation) -> None:
    assert citation_validity(replace(ANSWER, citations=(wrong,)), document) == 0.0
    assert citation_validity(replace(ANSWER, citations=(cite(0, 29, 2), wrong)), document) == 0.5


def test_a_citation_may_run_over_contexts_that_meet_at_white_space() -> None:
    answer = replace(ANSWER, citations=(cite(0, 47),))
    assert citation_validity(replace(answer, contexts=(given_hit(30, 47), given_hit(0, 29))), document) == 1.0
    assert citation_validity(replace(answer, contexts=(given_hit(31, 47), given_hit(0, 29))), document) == 0.0
    assert citation_validity(replace(answer, contexts=()), document) == 0.0


def test_dangling_marks_count_against_the_citations() -> None:
    in_text = replace(ANSWER, text=ANSWER.text + " [1, 9] [3]")
    assert dangling_marks(in_text) == (3, 9)
    assert citation_validity(in_text, document) == pytest.approx(1 / 3)
    in_sentence = replace(ANSWER, sentences=(Sentence("x", (4,), True, 1.0),), text="x")
    assert dangling_marks(in_sentence) == (4,)
    assert citation_validity(replace(ANSWER, citations=(), text="none", sentences=()), document) is None


def test_two_citations_of_one_number_are_both_wrong() -> None:
    assert citation_validity(replace(ANSWER, citations=(cite(0, 29), cite(30, 47))), document) == 0.0


offsets = st.tuples(st.integers(0, 30), st.integers(1, 15)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(st.lists(offsets, min_size=1, max_size=4), st.lists(offsets, min_size=1, max_size=4))
def test_cited_characters_equal_sets_of_characters(
    cited: list[tuple[int, int]], gold: list[tuple[int, int]]
) -> None:
    answer = replace(ANSWER, citations=tuple(cite(*span, number=n) for n, span in enumerate(cited)))
    question = Question("q", "?", documents=tuple(Place("leave.md", None, Span(*span)) for span in gold))
    ours = {at for span in cited for at in range(*span)}
    theirs = {at for span in gold for at in range(*span)}
    assert citation_recall(answer, question) == len(ours & theirs) / len(theirs)
    assert citation_precision(answer, question) == len(ours & theirs) / len(ours)


def test_gold_in_another_document_is_missed_and_a_citation_there_is_imprecise() -> None:
    question = Question(
        "q", "?", documents=(Place("leave.md", None, Span(0, 10)), Place("b.md", None, Span(0, 30)))
    )
    answer = replace(ANSWER, citations=(cite(0, 10), cite(0, 10, 2, document_id="e")))
    answer = replace(answer, citations=(answer.citations[0], replace(answer.citations[1], source="c.md")))
    assert citation_recall(answer, question) == 10 / 40
    assert citation_precision(answer, question) == 10 / 20


def test_citations_are_not_measured_without_gold_characters() -> None:
    for question in (
        Question("q", "?", documents=(Place("leave.md", 1),)),
        Question("q", "?", documents=(Place("leave.md", None, Span(0, 5)),), answerable=False),
    ):
        assert citation_recall(ANSWER, question) is None
        assert citation_precision(ANSWER, question) is None
