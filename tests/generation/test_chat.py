"""The last turn of a conversation, made to stand by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import ScriptedModel

from rag.errors import InputError
from rag.generation.chat import MOST_WORDS, condensed, condensed_by, conversation
from rag.index.analyzer import english
from rag.types import Message

CONDENSE = condensed(english)


def talk(*said: str) -> list[Message]:
    """What a user said, each but the last answered."""
    turns = [turn for text in said for turn in (Message("user", text), Message("assistant", "I see."))]
    return turns[:-1]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (["How long is parental leave?", "And in 2023?"], "How long is parental leave in 2023?"),
        (
            ["How much is paid for a kilometre with my own car?", "and for a hotel room?"],
            "How much is paid for a hotel room?",
        ),
        (
            ["Who sailed in 2021?", "And in 2022?", "what about in June?", "And who in 2023?"],
            "And who in 2023? sailed June",
        ),
        (
            ["How many days of annual leave are there?", "What about part-time staff?"],
            "What about part-time staff? days annual leave",
        ),
        (
            ["Which ferry sails to Hask Pier?", "How much is it?"],
            "How much is it? ferry sails Hask Pier",
        ),
        (
            ["Tell me of the Kittiwake.", "Who built her?", "When was that?"],
            "When was that? built Kittiwake",
        ),
        (["How long is parental leave?", "When are salaries paid to office staff?"], None),
        (["How long is parental leave?"], None),
    ],
)
def test_a_turn_that_leans_on_others_takes_their_words(said: list[str], wanted: str | None) -> None:
    assert CONDENSE(talk(*said)) == (wanted or said[-1])


def test_a_topic_that_is_no_longer_spoken_of_is_dropped() -> None:
    found = CONDENSE(
        talk("How long is parental leave?", "When are salaries paid to staff?", "And the bonus?")
    )
    assert "salaries" in found
    assert "parental" not in found


@given(st.lists(st.text(max_size=60), min_size=1, max_size=6))
def test_what_was_asked_stays_and_little_is_added(said: list[str]) -> None:
    found = CONDENSE(talk(*said))
    last = said[-1].strip()
    if found.startswith(last):
        added = found.removeprefix(last).split()
        assert len(added) <= MOST_WORDS
        assert all(any(word in text for text in said) for word in added)
    else:  # an earlier question with another end
        assert found.rstrip(" ?").endswith(last.rstrip(" ?!.").split()[-1])


def test_a_language_model_rewrites_and_rules_step_in_where_it_does_not() -> None:
    said = talk("How long is parental leave?", "And in 2023?")
    model = ScriptedModel(" How long was parental leave in 2023? ")
    assert condensed_by(model, CONDENSE)(said) == "How long was parental leave in 2023?"
    assert model.prompts[0].messages == tuple(said)
    for useless in ("", "  ", "x" * 10_000):
        assert condensed_by(ScriptedModel(useless), CONDENSE)(said) == CONDENSE(said)
    alone = ScriptedModel("something else")
    assert condensed_by(alone, CONDENSE)(said[:1]) == "How long is parental leave?"
    assert alone.prompts == []


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "assistant", "content": "Hello."}],
        [{"role": "user", "content": " "}],
        [{"role": "robot", "content": "Hello."}, {"role": "user", "content": "Hello?"}],
        [{"role": "user"}],
        [{"role": "user", "content": None}],
    ],
)
def test_what_is_no_conversation(messages: list[dict[str, str]]) -> None:
    with pytest.raises(InputError):
        conversation(messages)


def test_messages_may_be_mappings() -> None:
    assert conversation([{"role": "user", "content": "Who?"}]) == (Message("user", "Who?"),)


def test_a_follow_up_of_nothing_but_spaces_is_read_at_once():
    said = [Message("user", "What is the rate in 2020?"), Message("user", "and in x" + " " * 200_000 + ".x")]
    assert condensed(str.split)(said)
