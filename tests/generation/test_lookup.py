"""Guesses from the past of a text, against a search of all of it; and when they are let pass."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rag.generation.lookup import LONGEST, SHORTEST, Gate, Guesser, agreeing


def searched(tokens: list[int], most: int) -> list[int]:
    """What followed the latest earlier place of the longest ending, by looking everywhere."""
    for length in range(LONGEST, SHORTEST - 1, -1):
        for start in range(len(tokens) - length - 1, -1, -1):
            if len(tokens) > length and tokens[start : start + length] == tokens[-length:]:
                return tokens[start + length :][:most]
    return []


@given(st.lists(st.integers(0, 3), max_size=40), st.integers(1, 6), st.integers(0, 40))
def test_a_guess_is_what_followed_before(tokens, most, at):
    guesser = Guesser(tokens[:at])
    guesser.extend(tokens[at:])
    assert guesser.guess(most) == searched(tokens, most)


def test_a_gate_opens_for_guesses_that_come_true_and_closes_for_those_that_do_not():
    gate = Gate(0.4)
    for _ in range(20):
        gate.learn(3, 3)
    assert gate.width(6) == 6
    for _ in range(20):
        gate.learn(0, 1)
    assert gate.width(6) == 0


def test_a_gate_is_shut_where_a_guess_costs_a_step():
    gate = Gate(1.0)
    for _ in range(50):
        gate.learn(5, 5)
    assert gate.width(6) == 0


@given(st.floats(0.05, 1.0), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), max_size=30))
def test_no_width_promises_more_than_the_one_taken(cost, outcomes):
    gate = Gate(cost)
    for right, wrong in outcomes:
        gate.learn(right, right + wrong)
    likely = gate._right / gate._tried
    gains = [sum(likely**at for at in range(width + 1)) / (1 + cost * width) for width in range(7)]
    assert gains[gate.width(6)] >= max(gains) - 1e-9


def test_agreeing_counts_from_the_first():
    assert agreeing([1, 2, 3], [1, 2, 4]) == 2
    assert agreeing([1], [2]) == agreeing([], [1]) == 0
