"""Whether one text says, or contradicts, another."""

from __future__ import annotations

import pytest

from rag.eval.failures.wording import contradiction, says, words_of


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("A password has at least fourteen characters.", "Fourteen."),
        ("It costs €1,140 for a full year.", "1140 for a full year"),
        ("The islander card costs €12 and is valid for three years.", "€12; 3 years."),
        ("In mainland towns €140, in capital cities €185 a night, with breakfast.", "€140 a night, breakfast "
         "included, under the policy of 2024."),
    ],
)  # fmt: skip
def test_what_says_a_reference(text: str, reference: str):
    assert says(text, reference)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("Total loss of electrical power for seven minutes.", "A rat in the main switchboard."),
        ("It has at least twelve characters.", "Fourteen characters."),
        ("It fell by 27 bar.", "2.7 bar"),
        ("It was bought in 1962.", "1963"),
        ("", "anything"),
        ("anything", "..."),
    ],
)
def test_what_does_not(text: str, reference: str):
    assert not says(text, reference)


def test_numbers_are_read_alike():
    assert words_of("Fourteen, 14 and 1,140.") == ["14", "14", "and", "1140"]
    assert words_of("At 06:40, 2.7 bar.") == ["at", "06:40", "2.7", "bar"]


GOLD = "Parents have leave of 26 weeks with full pay."


@pytest.mark.parametrize(
    ("sentence", "reference", "says_what"),
    [
        ("Parents have leave of 30 weeks with full pay.", "26 weeks", "30 where the gold says 26"),
        ("Parents have leave of 30 weeks with full pay.", "", "30 where the gold says 26"),
        ("Parents do not have leave of 26 weeks with full pay.", "26 weeks", "denies"),
    ],
)
def test_what_contradicts(sentence: str, reference: str, says_what: str):
    assert says_what in contradiction(sentence, GOLD, reference)


@pytest.mark.parametrize(
    "sentence",
    [
        GOLD,
        "Parents have 26 weeks of leave, and 2 days more.",
        "The ferry carries 98 cars.",
        "Parents have leave.",
    ],
)
def test_what_does_not_contradict(sentence: str):
    assert contradiction(sentence, GOLD, "26 weeks") == ""
