"""What a question asks for, the spans of that shape, and the one that answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.generation.shapes import Asked, asked_for, fills, find_spans
from rag.generation.short_answer import short_answer
from rag.index.analyzer import english


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("How many lamps are lit?", Asked.NUMBER),
        ("how long is the quay", Asked.NUMBER),
        ("What is the price of a ticket?", Asked.NUMBER),
        ("When was the light built?", Asked.DATE),
        ("In which year did the pier burn?", Asked.DATE),
        ("Who keeps the lamp?", Asked.PERSON),
        ("Where does the boat go?", Asked.PLACE),
        ("In what city is the yard?", Asked.PLACE),
        ("Why is the bell rung?", None),
        ("What is a fender?", None),
    ],
)
def test_the_question_tells_the_shape(question, asked):
    assert asked_for(question) is asked


@pytest.mark.parametrize(
    ("text", "asked", "spans"),
    [
        ("The pier burned on 3 May 1911 and again in 1934.", Asked.DATE, ["3 May 1911", "1934"]),
        ("It opened May 3, 1911, Monday to Friday.", Asked.DATE, ["May 3, 1911", "Monday to Friday"]),
        ("From 06:40 to 16:50 in the 1950s.", Asked.DATE, ["06:40 to 16:50", "1950s"]),
        ("It costs €1,140.50 a year.", Asked.NUMBER, ["€1,140.50"]),
        ("About 4.1 metres, or 25 per cent of $3.5 million.", Asked.NUMBER,
         ["4.1 metres", "25 per cent", "$3.5 million"]),
        ("Fourteen days and twenty-one nights.", Asked.NUMBER, ["Fourteen days", "twenty-one"]),
        ("The lamp was lit by Ada van der Marwick at Port Elwick.", Asked.PERSON,
         ["Ada van der Marwick", "Port Elwick"]),
        ("In Tarsk the bell is rung.", Asked.PLACE, ["Tarsk"]),
        ("The bell is rung.", Asked.PLACE, []),
    ],
)  # fmt: skip
def test_spans_of_that_shape_are_found(text, asked, spans):
    assert [text[each.start : each.end] for each in find_spans(text, asked)] == spans


def test_the_span_nearest_to_the_words_of_the_question_answers():
    text = "The quay, where the boats lie, is 90 metres long, and the mole is 240 metres long."
    question = "How long is the mole?"
    span = short_answer(text, question, {"mole": 1.0}, english)
    assert span is not None
    assert text[span.start : span.end] == "240 metres"


def test_what_the_question_holds_is_not_the_answer():
    text = "In 1911 the pier of Hask burned for 9 hours."
    span = short_answer(text, "How long did the pier of Hask burn in 1911?", {"pier": 1.0}, english)
    assert span is not None
    assert text[span.start : span.end] == "9 hours"
    assert not fills("The pier burned in 1911.", Asked.DATE, {"pier", "1911", "burn"}, english)


def test_a_question_for_no_shape_has_no_short_answer():
    assert short_answer("The bell is rung at 9.", "Why is the bell rung?", {"bell": 1.0}, english) is None


@given(st.text(max_size=200), st.sampled_from(list(Asked)))
def test_spans_are_inside_the_text_in_order_and_apart(text, asked):
    end = 0
    for span in find_spans(text, asked):
        assert end <= span.start < span.end <= len(text)
        assert text[span.start : span.end].strip() == text[span.start : span.end]
        end = span.end
