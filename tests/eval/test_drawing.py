"""A sample stands for the whole: by kind, in order, and much the same where the whole changes a little."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import InputError
from rag.eval.drawing import draw_questions
from rag.eval.questions import Question


@given(
    st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=60), st.integers(1, 70), st.integers()
)
def test_each_kind_has_its_share(kinds: list[str], count: int, seed: int) -> None:
    questions = [Question(f"q{n}", "?", kind=kind) for n, kind in enumerate(kinds)]
    drawn = draw_questions(questions, count, seed)
    assert len(drawn) == min(count, len(questions))
    assert [question for question in questions if question in drawn] == list(drawn)
    assert draw_questions(questions, count, seed) == drawn
    whole, part = (Counter(question.kind for question in each) for each in (questions, drawn))
    for kind in whole:
        assert abs(part[kind] - len(drawn) * whole[kind] / len(questions)) < 1


def test_another_seed_draws_others_and_a_new_question_moves_few() -> None:
    questions = [Question(f"q{n}", "?") for n in range(200)]
    drawn = draw_questions(questions, 50, 1)
    assert draw_questions(questions, 50, 2) != drawn
    more = draw_questions([*questions, Question("new", "?")], 50, 1)
    assert len({question.id for question in more} ^ {question.id for question in drawn}) <= 2


def test_a_sample_of_none_is_refused() -> None:
    with pytest.raises(InputError, match="at least 1"):
        draw_questions([Question("q", "?")], 0)
