import math

import pytest

from rag.errors import JudgeFailed
from rag.eval.metrics.verdicts import (
    ask_similarities,
    ask_supported,
    ask_useful,
    holds,
    passage_names,
    reference_of,
)
from rag.eval.questions import Question
from rag.types import Claim, Judgement
from tests.scripted_judge import ScriptedJudge

CLAIMS = [Claim("a", ("x",)), Claim("b", ("x",))]


@pytest.mark.parametrize("value", [math.nan, -0.1, 1.5, math.inf])
def test_a_verdict_that_is_none_is_missing(value: float) -> None:
    first, second = ask_supported(
        ScriptedJudge(supports=lambda claim: value if claim.text == "a" else 1), CLAIMS
    )
    assert first.value is None
    assert str(value) in first.reason
    assert second == Judgement(1)


def test_too_few_verdicts_are_none_at_all() -> None:
    judge = ScriptedJudge()
    judge.supported = lambda claims: [Judgement(1)]
    assert ask_supported(judge, CLAIMS) == [Judgement(None, "the judge gave 1 verdicts for 2")] * 2


def test_nothing_to_judge_is_not_asked() -> None:
    judge = ScriptedJudge()
    assert ask_supported(judge, []) == ask_useful(judge, "q", "a", []) == []
    assert judge.asked == []


def test_similarities_are_numbers() -> None:
    with pytest.raises(JudgeFailed, match="scripted gave 1 similarities for 1 texts"):
        ask_similarities(ScriptedJudge(cosines={"b": math.nan}), "a", ["b"])
    assert ask_similarities(ScriptedJudge(cosines={"b": -0.5}), "a", ["b"]) == [-0.5]


def test_half_is_a_yes() -> None:
    assert holds(Judgement(0.5))
    assert not holds(Judgement(0.4999))
    assert not holds(Judgement(None))
    assert holds(Judgement(None), missing=True)


def test_passages_are_named_by_place_and_first_words() -> None:
    assert passage_names(["one\n two", "x" * 100]) == ["[1] one two", f"[2] {'x' * 79}…"]


def test_the_reference_is_the_first_with_words() -> None:
    assert reference_of(Question("q", "?", reference=" ", references=("a", "b"))) == "a"
    assert reference_of(Question("q", "?", reference="a", answerable=False)) is None
    assert reference_of(Question("q", "?")) is None
