"""The quote for a statement is the sentence that shares most with it, and neighbours that add to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from passages import hit_of

from rag.generation.context import assemble
from rag.generation.quoting import MOST_SENTENCES, Quoting, words
from rag.sentences import sentence_spans

TEXT = (
    "The ferry leaves Orran at eight. It carries forty cars. The crossing takes two hours. "
    "The lamp is lit at dusk. The lamp is lit at dusk. Dogs travel free."
)


def quoting(*texts: str, **options) -> Quoting:
    hits = [hit_of(text, rank) for rank, text in enumerate(texts, start=1)]
    return Quoting(assemble(hits, len, 10**9, "document"), **options)


@pytest.mark.parametrize(
    ("statement", "quote"),
    [
        ("Dogs pay nothing and travel free.", "Dogs travel free."),
        (
            "The ferry from Orran leaves at eight and carries forty cars.",
            "The ferry leaves Orran at eight. It carries forty cars.",
        ),
        ("The crossing is two hours long.", "The crossing takes two hours."),
        ("Nothing shared hereby.", TEXT),
        ("", TEXT),
    ],
)
def test_the_quote_is_what_shares_most_with_the_statement(statement, quote):
    assert quoting(TEXT).quote(statement, 1).quote == quote


def test_of_equals_the_first_is_quoted():
    found = quoting(TEXT).quote("At dusk the lamp is lit.", 1)
    assert found.start == 100 + TEXT.index("The lamp")


def test_rare_words_count_more_than_frequent_ones():
    others = [f"The ferry of harbour {at} is old." for at in range(9)]
    text = "The ferry of the harbour is new. It rains in May. Dogs travel free."
    assert quoting(text, *others).quote("The harbour dogs of the ferry", 1).quote == "Dogs travel free."


def test_what_is_shared_is_a_share():
    held = quoting(TEXT)
    assert held.shared("The ferry leaves Orran at eight.", [TEXT]) == 1
    assert held.shared("Nothing hereby", [TEXT]) == 0
    assert held.shared("", [TEXT]) == 0
    assert 0 < held.shared("The ferry leaves Tarsk at eight.", [TEXT]) < 1


def test_numbers_are_whole_words():
    assert words("It costs 1,200.50 (about).") == ["it", "costs", "1,200.50", "about"]


PIECES = st.lists(st.sampled_from([*TEXT.split(), "|", "\n", "Mr.", "…"]), max_size=40).map(" ".join)


@given(PIECES.filter(str.strip), PIECES)
def test_a_quote_is_an_exact_span_of_few_sentences(text, statement):
    found = quoting(text).quote(statement, 1)
    assert text[found.start - 100 : found.end - 100] == found.quote
    assert found.quote
    whole = quoting(text, scorer=lambda query, texts: [0.0] * len(texts)).quote(statement, 1)
    assert text[whole.start - 100 : whole.end - 100] == whole.quote
    before = len([span for span in sentence_spans(text) if span.start < whole.start - 100])
    after = len([span for span in sentence_spans(text) if span.end > whole.end - 100])
    assert 1 <= len(sentence_spans(text)) - before - after <= MOST_SENTENCES
