"""The local judge: verdicts of a verifier, cosines of an encoder, and rules for what a text says."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.api.access import SeenBy
from rag.errors import JudgeFailed
from rag.eval.experiment import evaluate
from rag.eval.judges.entities import entities_of
from rag.eval.judges.local import VERSION, WAYS, local_judge, stretched
from rag.eval.judges.statements import avoids, statements_of
from rag.eval.metrics.faithfulness import FAITHFULNESS
from rag.eval.questions import Question
from rag.eval.sample import Sample
from rag.pipeline import Engine
from rag.protocols import Judge
from rag.types import Answer, Chunk, Claim, Fingerprint, Hit, Sentence, Span, Support
from tests.fakes import HashingEncoder


class Letters:
    """Encodes a text as the counts of its letters."""

    fingerprint = Fingerprint("letters", "0123456789abcdef0123", 26)

    def encode(self, texts: Sequence[str], *, query: bool = False) -> np.ndarray:
        counts = np.array([[text.lower().count(chr(97 + at)) for at in range(26)] for text in texts])
        vectors = counts.astype(np.float32)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def contained(claims: Sequence[Claim]) -> list[Support]:
    """Sure of what stands in the evidence, and nearly sure against all else."""
    if any("crash" in claim.text for claim in claims):
        raise ValueError("no model")
    return [
        Support(
            0.9 if claim.text in " ".join(claim.evidence) else 0.1, ("a fault",) * ("fault" in claim.text)
        )
        for claim in claims
    ]


JUDGE = local_judge(contained, Letters(), threshold=0.4)


def test_the_name_says_what_it_is_made_of():
    assert JUDGE.name == "local 4: verifier contained from 0.4, encoder letters@0123456789abcdef"


def test_a_verdict_keeps_the_probability_and_holds_from_the_threshold():
    verdicts = JUDGE.supported([Claim("Leave ends.", ("Leave ends.",)), Claim("It rains.", ("Leave ends.",))])
    assert [each.value for each in verdicts] == [pytest.approx(0.5 + 0.5 * 0.5 / 0.6), pytest.approx(0.125)]
    assert verdicts[0].reason == "probability 0.90"


def test_what_has_a_fault_does_not_hold():
    (verdict,) = JUDGE.supported([Claim("a fault", ("a fault",))])
    assert verdict.value is not None and verdict.value < 0.5
    assert verdict.reason == "probability 0.90; a fault"


def test_a_verifier_that_raises_gives_no_verdict_on_that_claim_alone():
    verdicts = JUDGE.supported([Claim("Leave ends.", ("Leave ends.",)), Claim("crash", ("Leave ends.",))])
    assert [each.value is None for each in verdicts] == [False, True]
    assert verdicts[1].reason == "the verifier failed: ValueError: no model"


@pytest.mark.parametrize("probability", [math.nan, -0.1, 1.5])
def test_no_probability_is_no_verdict(probability: float):
    judge = local_judge(lambda claims: [Support(probability)] * len(claims), Letters())
    (verdict,) = judge.supported([Claim("a", ("a",))])
    assert verdict.value is None and "outside 0 to 1" in verdict.reason


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 1))
def test_stretching_keeps_the_order_and_moves_the_threshold_to_a_half(one: float, two: float, at: float):
    low, high = sorted((one, two))
    assert 0 <= stretched(low, at) <= stretched(high, at) <= 1
    assert (stretched(one, at) >= 0.5) == (one >= at)


def test_statements_are_sentences_items_and_clauses_without_marks():
    text = (
        "Leave is **ten days** [1]. It ends in March [2, 3]; it cannot be carried over.\n\n- Ask.\n2. Wait."
    )
    assert statements_of(text) == [
        "Leave is ten days.",
        "It ends in March",
        "it cannot be carried over.",
        "Ask.",
        "Wait.",
    ]


def test_semicolons_within_brackets_and_before_short_ends_part_nothing():
    for text in ("Sales rose (by a tenth; by more in May).", "We sell apples; pears; plums."):
        assert statements_of(text) == [text]


def test_what_leads_to_a_list_and_what_asks_states_nothing_unless_it_is_all():
    assert statements_of("The steps are:\n- Sign.\n\nDoes that help?") == ["Sign."]
    assert statements_of("The steps are:") == ["The steps are:"]
    assert statements_of(" ... ") == []


@given(st.text(max_size=300))
def test_statements_of_anything_are_words_of_it_each_once(text: str):
    found = statements_of(text)
    assert len(set(found)) == len(found)
    assert all(any(sign.isalnum() or sign == "_" for sign in each) for each in found)


@pytest.mark.parametrize(
    "text",
    [
        "I don't know.",
        "I’m sorry, but I cannot answer that.",
        "The passages do not mention a price.",
        "There is not enough information to say.",
        "It is unclear from the text.",
        "The filing does not provide the ratio.",
    ],
)
def test_refusals_avoid_an_answer(text: str):
    assert avoids(text)


@pytest.mark.parametrize(
    "text",
    ["Leave cannot be carried over.", "He did not know her.", "The law has no teeth.", "Sales did not rise."],
)
def test_denials_do_not_avoid_an_answer(text: str):
    assert not avoids(text)


def test_a_passage_is_useful_where_it_supports_a_statement():
    verdicts = JUDGE.useful("How long?", "Ten days. It ends.", ["Leave: Ten days. Always.", "It rains."])
    assert [each.value is not None and each.value >= 0.5 for each in verdicts] == [True, False]
    assert "Ten days." in verdicts[0].reason


def test_of_two_passages_that_support_the_answer_that_on_the_question_is_more_useful():
    contexts = ["Ten days.", "How long is leave: Ten days."]
    (other, subject) = (each.value or 0 for each in JUDGE.useful("How long is leave?", "Ten days.", contexts))
    assert other < subject


def test_a_missing_verdict_makes_the_one_on_the_passage_missing():
    verdicts = JUDGE.useful("How long?", "Ten days. A crash.", ["Ten days.", "It rains."])
    assert [each.value for each in verdicts] == [None, None]
    assert "no model" in verdicts[0].reason


def test_an_answer_that_states_nothing_makes_no_passage_useful_or_not():
    assert [each.value for each in JUDGE.useful("Why?", "...", ["a", "b"])] == [None, None]


def test_the_response_itself_stands_for_questions_asked_back():
    (back,) = JUDGE.questions("Ten days. It ends in March. I do not know why.", 3)
    assert back.question == "Ten days. It ends in March. I do not know why." and not back.noncommittal
    assert [each.noncommittal for each in JUDGE.questions("Sorry. I don't know. Ask HR.", 3)] == [True]
    assert JUDGE.questions("", 3) == [] and JUDGE.questions("Ten days.", 0) == []


def test_entities_are_names_dates_and_numbers_each_once():
    text = (
        "The leave of Ada Lovelace began on 3 March 2024. Ada Lovelace's team met on March 3rd, 2024, in "
        "the Bank of England. Sales were 1,140 or 12 %. Yesterday sales fell; yesterday was bad."
    )
    assert entities_of(text) == ["Ada Lovelace", "Bank of England", "2024-03-03", "1140", "12%"]


@pytest.mark.parametrize(
    ("text", "entities"),
    [
        ("U.S. President J. F. Kennedy met Mr. Smith.", ["US President J F Kennedy", "Smith"]),
        ("They met Dr Jane Doe in the U.K. The talks failed.", ["Jane Doe", "UK"]),
        ("It began in March 2020 and ended in May.", ["2020-03"]),
        ("A book by J.R.R. Tolkien sold in Washington, D.C.", ["JRR Tolkien", "Washington", "DC"]),
        ("It was plan B. The office knew, and so did I.", ["B"]),
    ],
)
def test_initials_titles_and_months(text: str, entities: list[str]):
    assert entities_of(text) == entities


@given(st.text(max_size=200))
def test_entities_of_anything_are_distinct_and_never_empty(text: str):
    found = entities_of(text)
    assert len(set(found)) == len(found) and all(found)


def test_similarities_are_cosines():
    assert JUDGE.similarities("abc", ["cab", "xyz"]) == pytest.approx([1, 0], abs=1e-6)
    assert JUDGE.similarities("abc", []) == []


def test_an_encoder_that_raises_fails_the_judge():
    class Broken(Letters):
        def encode(self, texts: Sequence[str], *, query: bool = False) -> np.ndarray:
            raise OSError("no file")

    with pytest.raises(JudgeFailed, match="the encoder failed: OSError: no file"):
        local_judge(contained, Broken()).similarities("a", ["b"])


def test_faithfulness_counts_the_statements_that_hold():
    question = Question("1", "How long is leave?", "ten days")
    sample = Sample(question, "Ten days. It rains now; the sun is out.", ("Ten days. It ends.",))
    score = FAITHFULNESS.measure(sample, JUDGE)
    assert score is not None and score.value == pytest.approx(1 / 3)
    assert json.dumps([each.judgement.reason for each in score.grounds])


class Shelf:
    """A system over one passage, with a judge of its own that counts how often it is looked for."""

    def __init__(self) -> None:
        self.looked = 0

    @property
    def judge(self) -> Judge:
        self.looked += 1
        return JUDGE

    def search(self, question: str, *, k: int = 10) -> list[Hit]:
        return [Hit(1, 1.0, Chunk("d", Span(0, 9), "Ten days."), "leave.md", "Leave")]

    def ask(self, question: str) -> Answer:
        sentence = Sentence("Ten days.", (), True, 1.0)
        return Answer(question, "Ten days.", (sentence,), (), tuple(self.search(question)), False, 0.9, "m")


def test_a_system_with_a_judge_of_its_own_is_judged_by_it():
    shelf = Shelf()
    found = evaluate(shelf, [Question("1", "How long is leave?", "Ten days.")])
    assert found.summary["faithfulness"].mean == 1
    assert found.setup["judge"] == JUDGE.name
    assert shelf.looked == 1


def test_a_judge_of_its_own_is_not_looked_for_where_no_metric_needs_one():
    shelf = Shelf()
    found = evaluate(shelf, [Question("1", "How long is leave?", "Ten days.")], metrics=["token_f1"])
    assert found.setup["judge"] is None
    assert shelf.looked == 0


def test_an_engine_judges_by_its_own_verifier_and_encoder(tmp_path: Path):
    engine = Engine(tmp_path, encoder=HashingEncoder(), verifier=contained)
    own = engine.judge
    assert own.name.startswith(f"local {VERSION}: verifier contained from 0.42, encoder ")
    assert SeenBy(engine, None).judge.name == own.name
    verdicts = own.supported([Claim("Ten days.", ("Ten days.",)), Claim("It rains.", ("Ten days.",))])
    assert [each.value is not None and each.value >= 0.5 for each in verdicts] == [True, False]
    assert own.similarities("Ten days.", ["Ten days."]) == pytest.approx([1])


def test_the_report_says_what_the_judge_does_in_place_of_asking_back():
    question = Question("1", "How long is leave?", "Ten days.")
    found = evaluate(Shelf(), [question], metrics=["answer_relevancy", "faithfulness"])
    told = found.setup["metrics"]
    assert told["answer_relevancy"]["formula"].endswith(f"; {WAYS['answer_relevancy']}")
    assert told["faithfulness"]["formula"] == FAITHFULNESS.formula
