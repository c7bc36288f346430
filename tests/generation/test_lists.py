"""Questions for several things, and the items that belong together."""

import pytest

from rag.generation.candidates import find_candidates
from rag.generation.lists import MOST_ITEMS, asks_several, items_of
from rag.types import Chunk, Hit, Span


def hits_of(text: str) -> list[Hit]:
    return [Hit(1, 1.0, Chunk("d", Span(0, len(text)), text), "d.txt", "Paper")]


@pytest.mark.parametrize(
    ("question", "several"),
    [
        ("Which concessions may be had?", True),
        ("What are the rules for dogs?", True),
        ("In what order are the boats loaded?", True),
        ("For which offences is a person dismissed?", True),
        ("Which harbour is the oldest?", False),
        ("Who keeps the lamp?", False),
        ("What is the price?", False),
    ],
)
def test_plural_questions_ask_for_several_things(question, several):
    assert asks_several(question) is several


TEXT = (
    "Three things stay on land:\n- dogs without a lead\n- fuel in open cans\n- boxes above a metre\n"
    "The crew decides. Bring these:\n- a ticket and a card\n- a warm coat\n"
)


def test_an_item_brings_its_list_and_no_other():
    candidates = find_candidates(hits_of(TEXT))
    fuel = next(each for each in candidates if "fuel" in each.text)
    assert [each.text for each in items_of(fuel, candidates)] == [
        "- dogs without a lead",
        "- fuel in open cans",
        "- boxes above a metre",
    ]
    assert fuel.lead is not None
    assert fuel.lead.text == "Three things stay on land:"


def test_the_lead_brings_its_list():
    candidates = find_candidates(hits_of(TEXT))
    lead = next(each for each in candidates if each.text == "Bring these:" or each.text.startswith("Three"))
    assert len(items_of(lead, candidates)) == 3


def test_a_sentence_outside_brings_none():
    candidates = find_candidates(hits_of(TEXT))
    crew = next(each for each in candidates if "crew" in each.text)
    assert items_of(crew, candidates) == []


def test_a_long_list_is_bounded():
    text = "These boats lie here:\n" + "\n".join(f"- boat number {n} of the harbour" for n in range(40))
    candidates = find_candidates(hits_of(text))
    assert len(items_of(candidates[-1], candidates)) == MOST_ITEMS
