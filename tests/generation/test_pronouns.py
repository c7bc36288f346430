"""Sentences that begin with a pronoun for what came before."""

import pytest

from rag.generation.pronouns import leans


@pytest.mark.parametrize(
    "sentence",
    [
        "It has 42 questions.",
        "They sail at noon.",
        "This saved 118 tonnes.",
        "The former is lit at dusk.",
        "However, she left.",
        "For 2023 it was higher.",
        "In 1911 they left the island.",
        "- Their sum is three.",
    ],
)
def test_a_pronoun_leans_on_the_sentence_before(sentence):
    assert leans(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "The lamp is lit.",
        "When it rains they stay.",
        "It is known that lamps burn.",
        "Itineraries are kept.",
        "",
        "42",
    ],
)
def test_a_sentence_that_names_its_subject_does_not(sentence):
    assert not leans(sentence)
