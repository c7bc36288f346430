"""Under the grammar nothing can be written but cited sentences, or the abstention."""

import random
import re

import gbnf
import pytest

from rag.generation.extractive import NO_ANSWER
from rag.generation.grammar import cited_answer

# What a reader could take for a mark, by rules of the test's own.
BRACKETED = re.compile(r"[\[［【〔⟦〚].*?[\]］】〕⟧〛]", re.DOTALL)

GOOD = (
    "The lamp is lit at dusk [1].",
    "The lamp is lit at dusk. [1]",
    "It is 3.5 m high, e.g. in Orran [2, 3]. Mr. Hale paid 1,200 crowns! [1]",
    "“Quoted” is how it begins. [2]\nA second line (with this) [3].",
    "灯は夕暮れに灯る。[1]",
    NO_ANSWER,
)
BAD = (
    "The lamp is lit at dusk.",
    "The lamp is lit at dusk [4].",
    "The lamp is lit at dusk [0].",
    "The lamp is lit. It is put out. [1]",
    "The lamp is lit [1",
    "[1]",
    "The lamp [x] is lit [1].",
    "The lamp [1] is lit [2].",
    "The lamp is lit 【9】 [1].",
    "The lamp is lit [1, 2, 3, 1].",
    "The lamp is lit [1]. And so on",
    f"{NO_ANSWER} The lamp is lit [1].",
    "The lamp\u200b is lit [1].",
    "",
)


@pytest.mark.parametrize("text", GOOD)
def test_cited_sentences_and_the_abstention_can_be_written(text):
    assert gbnf.read(cited_answer(3)).accepts(text)


@pytest.mark.parametrize("text", BAD)
def test_nothing_else_can(text):
    assert not gbnf.read(cited_answer(3)).accepts(text)


@pytest.mark.parametrize("passages", [1, 3, 12, 40])
def test_random_texts_of_the_grammar_hold_marks_of_given_passages_alone(passages):
    pattern = gbnf.read(cited_answer(passages)).pattern
    choose = random.Random(passages)
    seen = set()
    for _ in range(500):
        text = gbnf.draw(pattern, choose)
        if text == NO_ANSWER:
            continue
        marks = BRACKETED.findall(text)
        assert marks
        for mark in marks:
            assert re.fullmatch(r"\[\d+(, \d+){0,2}\]", mark), text
            numbers = {int(number) for number in re.findall(r"\d+", mark)}
            assert numbers <= set(range(1, passages + 1)), text
            seen |= numbers
        assert re.search(r"\][.!?…]?\Z", text), "the last sentence is cited"
    assert len(seen) > passages / 2


def test_without_passages_only_the_abstention_can_be_written():
    pattern = gbnf.read(cited_answer(0)).pattern
    assert {gbnf.draw(pattern, random.Random(seed)) for seed in range(20)} == {NO_ANSWER}


def test_sentences_are_bounded():
    grammar = gbnf.read(cited_answer(1, most_sentences=2))
    assert grammar.accepts("A [1]. B [1].")
    assert not grammar.accepts("A [1]. B [1]. C [1].")


@pytest.mark.parametrize("wrong", [{"passages": -1}, {"passages": 1, "most_sentences": 0}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="0 or more passages"):
        cited_answer(**wrong)
