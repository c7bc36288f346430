from __future__ import annotations

import pytest

from rag.eval.writing.clauses import parse_clause
from rag.eval.writing.draft import Kind
from rag.eval.writing.templates import ask_clause
from rag.eval.writing.wording import reads_well

COMMON = frozenset("passwords tills oil samples".split())


def asked(sentence: str) -> dict[str, tuple[str, Kind]]:
    clause = parse_clause(sentence, COMMON)
    found = [] if clause is None else list(ask_clause(clause))
    return {
        each.question: (each.answer, each.kind) for each in found if reads_well(each.question, each.answer)
    }


@pytest.mark.parametrize(
    ("sentence", "question", "answer", "kind"),
    [
        (
            "A password has at least fourteen characters.",
            "how many characters does a password have",
            "at least fourteen characters",
            Kind.NUMBER,
        ),
        (
            "Oil samples are kept for six months.",
            "for how many months are oil samples kept",
            "six months",
            Kind.NUMBER,
        ),
        (
            "The islander card costs €12 and is valid for three years.",
            "how much does the islander card cost",
            "€12",
            Kind.NUMBER,
        ),
        (
            "In 2023, 1,877 things were found by the Harbour Watch.",
            "in 2023, how many things were found by the Harbour Watch",
            "1,877 things",
            Kind.NUMBER,
        ),
        (
            "The east quay of Port Elwick was rebuilt in 1998 after the flood.",
            "in what year was the east quay of Port Elwick rebuilt after the flood",
            "1998",
            Kind.DATE,
        ),
        (
            "On 3 May 1912, the harbour council bought the first crane.",
            "when did the harbour council buy the first crane",
            "3 May 1912",
            Kind.DATE,
        ),
        (
            "Lantern is a tunnel that encrypts all traffic.",
            "what is Lantern",
            "a tunnel that encrypts all traffic",
            Kind.DEFINITION,
        ),
        (
            "Agnes Thorburn founded the ferry company with one boat.",
            "who founded the ferry company with one boat",
            "Agnes Thorburn",
            Kind.SINGLE_FACT,
        ),
        (
            "The catering manager is Delphine Aroha.",
            "who is the catering manager",
            "Delphine Aroha",
            Kind.SINGLE_FACT,
        ),
        (
            "However, the harbour office sends the daily report to the coast authority.",
            "what does the harbour office send to the coast authority",
            "the daily report",
            Kind.SINGLE_FACT,
        ),
        (
            "Thorburn argued that the quay was too narrow for two ships.",
            "who argued that the quay was too narrow for two ships",
            "Thorburn",
            Kind.SINGLE_FACT,
        ),
        (
            "The old lighthouse is 42 metres high.",
            "how high is the old lighthouse",
            "42 metres",
            Kind.NUMBER,
        ),
    ],
)
def test_a_sentence_becomes_a_natural_question(sentence: str, question: str, answer: str, kind: Kind) -> None:
    assert asked(sentence).get(question) == (answer, kind)


@pytest.mark.parametrize(
    "sentence",
    [
        "It has four wheels and a bell.",  # what it is stands elsewhere
        "This rule was introduced in 1998.",
        "Dogs are carried unless the ship is full of sheep.",  # a condition that a question would lose
        "The limit reports were three pages long",  # no full stop: a heading or a cell
        "See the plan on page 7 of the manual!",
        "Does the ship carry 120 cars?",
        "Keep the receipt for three months.",  # an order has no subject
        "",
        "   ",
    ],
)
def test_what_cannot_be_understood_alone_is_not_asked(sentence: str) -> None:
    assert asked(sentence) == {}


def test_a_number_that_is_only_half_the_answer_is_not_asked_for() -> None:
    assert not asked("Probation lasts four months for shore staff and six months for sea staff.")


def test_a_second_predicate_is_left_out_of_the_question() -> None:
    for question in asked("The ferry Kittiwake carries 120 cars and burns methanol."):
        assert "methanol" not in question


def test_a_question_does_not_say_its_answer() -> None:
    assert not reads_well("who is Tom Achterberg", "Tom Achterberg")
    assert not reads_well("what was the limit of", "five")
    assert not reads_well("how many of these are there", "five")
