"""Marks are read, removed and written in one way."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.generation.marks import MARK, composed, has_marks, numbers_in, says, without_marks
from rag.types import Sentence

# A reader of marks that shares nothing with the code: any bracketed run of digits.
SEEN = re.compile(r"[\[［【]\s*\d+(?:\s*[,;–-]\s*\d+)*\s*[\]］】]")

PIECES = st.sampled_from(
    [
        "[1]",
        "[2, 5]",
        "[",
        "]",
        "1",
        "99",
        ",",
        " ",
        "word",
        "[[",
        "]]",
        "【1】",
        "［２］",
        "[^3]",
        "[4†x]",
        "\n",
        "[٣]",
    ]
)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("A [1]. B [2, 5]", [1, 2, 5]),
        ("A [2][1] [2]", [2, 1]),
        ("[ 1 ] [a] [1-3] [١] [１] 【1】 (1)", []),
        ("word[7]word", [7]),
        (f"[{'9' * 5000}]", []),
    ],
)
def test_numbers_are_read_from_marks_alone(text, numbers):
    assert numbers_in(text) == numbers


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("It is lit [1].", "It is lit."),
        ("It is lit. [1, 2]", "It is lit."),
        ("a[7]b", "ab"),
        ("x 【3†source】 [^2] [1-3] [٣] ［4］ y", "x y"),
        ("It is lit [1", "It is lit"),
        ("[[9]1] x", "1 x"),
        ("keep [a] and (3)", "keep [a] and (3)"),
    ],
)
def test_marks_and_what_resembles_them_are_removed(text, left):
    assert without_marks(text) == left


def test_numbers_that_are_kept_stay_in_their_marks():
    assert without_marks("A [1, 9]. B [9]. C [2]", keep={1, 2}) == "A [1]. B. C [2]"


@given(st.lists(PIECES, max_size=30).map("".join))
def test_no_mark_is_left_or_made_by_removing(text):
    left = without_marks(text)
    assert not SEEN.search(left)
    assert not has_marks(left)
    assert without_marks(left) == left or not has_marks(left)


@given(st.lists(PIECES, max_size=30).map("".join), st.sets(st.integers(1, 5)))
def test_only_numbers_that_are_kept_are_left(text, keep):
    assert set(numbers_in(without_marks(text, keep))) <= keep


SENTENCES = st.lists(
    st.builds(
        Sentence,
        st.sampled_from(["It is lit.", "So it is?", "- an item", "a | b | c", "1. first"]),
        st.lists(st.integers(1, 20), unique=True, max_size=3).map(tuple),
        st.just(True),
        st.just(1.0),
    ),
    max_size=6,
)


@given(SENTENCES)
def test_a_composed_text_says_its_sentences_and_no_more(sentences):
    text = composed(sentences)
    assert says(text, sentences)
    assert {int(each) for mark in MARK.findall(text) for each in re.findall(r"\d+", mark)} == {
        number for sentence in sentences for number in sentence.citations
    }
    assert not says(text + " More.", sentences)
    assert not sentences or not says("More. " + text, sentences)


def test_rows_and_items_stand_on_lines_of_their_own():
    rows = [Sentence("Port | Lamp", (1,), True, 1.0), Sentence("Orran | 12", (2,), True, 1.0)]
    assert composed(rows) == "Port | Lamp [1]\nOrran | 12 [2]"


def test_a_mark_behind_a_sentence_that_does_not_cite_it_is_not_what_the_sentences_say():
    sentence = Sentence("It is lit.", (1,), True, 1.0)
    assert says("It is lit. [1]", [sentence])
    assert not says("It is lit. [2]", [sentence])
    assert not says("It is lit.", [sentence])


def test_the_signs_of_a_list_are_no_more_than_its_sentences():
    sentences = [Sentence("It is lit.", (1,), True, 1.0), Sentence("- It is dry.", (2,), True, 1.0)]
    assert says("- It is lit. [1]\n- It is dry. [2]", sentences)
    assert not says("- See it is lit. [1]\n- It is dry. [2]", sentences)


def test_a_documents_own_mark_is_no_mark_of_the_answer():
    sentences = (Sentence("Ducks are of various species.[9]", (1,), True, 1.0),)
    text = composed(sentences)
    assert text == "Ducks are of various species.⟨9⟩ [1]"
    assert numbers_in(text) == [1]
    assert says(text, sentences)


@pytest.mark.parametrize("hostile", ["[" + " " * 100_000, " " * 100_000, "[" * 100_000, "[1" + "," * 100_000])
def test_marks_are_looked_for_in_one_pass(hostile):
    assert isinstance(without_marks(hostile), str)
