"""The cell below the column that a question names."""

import pytest

from rag.generation.tables import find_cell, is_between
from rag.index.analyzer import english

HEAD = "| Vessel | Fuel 2022, t | Fuel 2023, t | Cars |"
ROW = "| Tern   |        1,184 |        1,012 |   30 |"


def cell(question: str, head: str = HEAD, row: str = ROW, number: bool = False) -> str | None:
    weight = dict.fromkeys(english(question), 1.0)
    span = find_cell(head, row, weight, english, number=number)
    return row[span.start : span.end] if span else None


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How many cars does Tern carry?", "30"),
        ("How much fuel did Tern use in 2022?", "1,184"),
        ("How much fuel did Tern use in 2023?", "1,012"),
        ("How much fuel did Tern use?", None),
        ("What is the length of Tern?", None),
    ],
)
def test_the_column_that_shares_most_with_the_question_has_the_answer(question, answer):
    assert cell(question) == answer


def test_the_cell_that_names_the_row_is_no_answer():
    assert cell("Which vessel is Tern, a boat of 30 cars?") is None


def test_a_number_is_looked_for_where_one_is_asked_for():
    head, row = "Vessel | Cars carried | Cars waiting", "Tern | none | 4"
    assert cell("How many cars are waiting for Tern?", head, row, number=True) == "4"
    assert cell("How many cars are carried by Tern?", head, row, number=True) == "4"
    assert cell("How many cars are carried by Tern?", head, row) == "none"


def test_a_row_of_another_width_has_no_cell():
    assert cell("How many cars does Tern carry?", row="Tern | 1 | 2") is None


@pytest.mark.parametrize(
    ("number", "cell", "inside"),
    [
        (20_000, "5,001 to 50,000", True),
        (5_000, "5,001 to 50,000", False),
        (500, "up to 500", True),
        (501, "up to 500", False),
        (90, "over 80 kg", True),
        (4.5, "4–6", True),
        (4, "4", False),
        (4, "the range 3 to 5 of the cook", False),
    ],
)
def test_a_range_has_the_numbers_between_its_ends(number, cell, inside):
    assert is_between(number, cell) is inside


def test_an_empty_cell_keeps_its_place():
    columns, row = "| | Q1 | Q2 |", "| North | 10 | |"
    asked = {"q2": 1.0}
    assert find_cell(columns, row, asked, english, number=True) is None
    first = find_cell(columns, row, {"q1": 1.0}, english, number=True)
    assert first is not None and row[first.start : first.end] == "10"
