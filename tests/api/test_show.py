"""An answer as a person reads it: what is proven, what is not, and where its sources disagree."""

from __future__ import annotations

import pytest

from rag.api.show import Screen
from rag.types import Answer, Citation, Conflict, Sentence, Span

OLD = Citation(
    1, "a", "fares-2021.md", "Fares 2021", None, "", 10, 31, "A ticket is\n4 crowns.", Span(22, 30)
)
NEW = Citation(
    2, "b", "fares-2024.md", "Fares 2024", 3, "Fares 2024 > Adults", 0, 19, "A ticket\x1b is 5 now."
)
ANSWER = Answer(
    question="What is a ticket?",
    text="A ticket is 5 crowns. [2] Dogs pay half. [1]",
    sentences=(
        Sentence("A ticket is 5 crowns.", (2,), True, 0.9),
        Sentence("Dogs pay half.", (1,), False, 0.1, ("“half” does not stand there",)),
    ),
    citations=(OLD, NEW),
    contexts=(),
    abstained=False,
    confidence=0.625,
    model="scripted",
    conflicts=(Conflict((2, 1), ("2024", "2021"), "the price"),),
    queries=("What is a ticket?", "ticket crowns"),
)


def test_all_that_proves_an_answer_and_all_that_does_not_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().answer(ANSWER)
    told = capsys.readouterr().out
    assert told.startswith("A ticket is 5 crowns. [2] Dogs pay half. [1]\n")
    assert "Not supported: Dogs pay half. (“half” does not stand there)" in told
    assert "They disagree on the price: [2] of 2024, [1] of 2021" in told
    assert "“A ticket is **4 crowns**.”" in told
    assert "[2] Fares 2024, p. 3, Adults  (fares-2024.md)" in told
    assert "“A ticket is 5 now.”" in told
    assert "confidence 0.62; searched for: What is a ticket? | ticket crowns" in told
    assert "\x1b" not in told


def test_a_sentence_alone_has_its_marks(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().sentence(ANSWER.sentences[0])
    assert capsys.readouterr().out == "A ticket is 5 crowns. [2]\n"
