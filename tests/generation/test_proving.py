"""Nothing unproven is shown as proven, whatever a generator says and whatever the policy."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.generation.proving import CITES_NOTHING, NOT_PROVEN, proven, proving
from rag.types import Answer, Chunk, Citation, Claim, Conflict, Hit, Sentence, Span, Support

TEXT = "The lamp is lit at dusk. It is put out at dawn by the keeper. The keeper lives below."
HIT = Hit(1, 1.0, Chunk("d", Span(0, len(TEXT)), TEXT), "d.txt", "Lights")
QUOTES = ["The lamp is lit at dusk.", "It is put out at dawn by the keeper.", "The keeper lives below."]
CITATIONS = tuple(
    Citation(n, "d", "d.txt", "Lights", None, "Care", TEXT.index(q), TEXT.index(q) + len(q), q)
    for n, q in enumerate(QUOTES, start=1)
)


class Scripted:
    """A verifier that believes what it is told to, and counts what it was asked."""

    def __init__(self, believed: Sequence[str] = ()) -> None:
        self.believed, self.asked = set(believed), list[Claim]()

    def __call__(self, claims: Sequence[Claim]) -> list[Support]:
        self.asked += claims
        return [Support(0.9 if claim.text in self.believed else 0.1) for claim in claims]


def answer_of(*sentences: tuple[str, tuple[int, ...]], text: str | None = None, **more: object) -> Answer:
    made = tuple(Sentence(said, numbers, True, 1.0) for said, numbers in sentences)
    joined = " ".join(f"{said} " + "".join(f"[{n}]" for n in numbers) for said, numbers in sentences)
    shown = joined if text is None else text
    return replace(Answer("Who?", shown, made, CITATIONS, (HIT,), False, 0.8, "scripted"), **more)


def test_a_quote_asks_no_model_and_two_quotes_in_one_sentence_do():
    verifier = Scripted()
    answer = proven(answer_of((QUOTES[0], (1,))), verifier)
    assert verifier.asked == []
    assert [(each.supported, each.support, each.faults) for each in answer.sentences] == [(True, 1.0, ())]
    proven(answer_of((f"{QUOTES[0]} {QUOTES[2]}", (1, 3))), verifier)
    assert len(verifier.asked) == 1


def test_a_part_of_a_quote_is_a_claim():
    verifier = Scripted()
    proven(answer_of(("The lamp is lit", (1,))), verifier)
    assert [claim.text for claim in verifier.asked] == ["The lamp is lit"]


def test_the_evidence_has_its_headings_and_what_a_pronoun_points_back_to():
    verifier = Scripted()
    proven(answer_of(("Dawn ends it. [2]", (2,)), ("Dusk begins it.", (1,))), verifier)
    assert verifier.asked == [
        Claim("Dawn ends it.", (f"Lights\nCare\n{QUOTES[0]}\n{QUOTES[1]}",), "Who?"),
        Claim("Dusk begins it.", (f"Lights\nCare\n{QUOTES[0]}",), "Who?"),
    ]


def test_dropping_takes_the_sentence_its_marks_and_the_citations_that_none_needs_any_more():
    answer = answer_of(
        ("Dusk begins it.", (1,)), ("The moon is cheese.", (2,)), ("Below lives he.", (3, 1)),
        conflicts=(Conflict((1, 2), ("", ""), "x"), Conflict((1, 3), ("", ""), "x")),
    )  # fmt: skip
    found = proven(answer, Scripted(["Dusk begins it.", "Below lives he."]))
    assert found.text == "Dusk begins it. [1] Below lives he. [3, 1]"
    assert [each.number for each in found.citations] == [1, 3]
    assert [each.citations for each in found.conflicts] == [(1, 3)]


def test_repair_puts_the_nearest_cited_sentence_and_drops_where_none_is_near():
    answer = answer_of(
        ("The lamp is lit at noon.", (1, 2)),
        ("The moon is cheese.", (2,)),
        ("The lamp is lit at four.", (1,)),
    )
    found = proven(answer, Scripted(), policy="repair")
    assert found.text == "The lamp is lit at dusk. [1]"
    assert found.sentences == (Sentence(QUOTES[0], (1,), True, 1.0),)


def test_flag_keeps_all_and_says_why():
    answer = answer_of(("The moon is cheese.", (2,)), ("So there.", ()))
    found = proven(answer, Scripted(), policy="flag")
    assert [each.supported for each in found.sentences] == [False, False]
    assert found.sentences[1].faults == (CITES_NOTHING,)
    assert all(each.faults for each in found.sentences)
    assert found.text == "The moon is cheese. [2] So there."


def test_a_fault_outweighs_any_probability():
    found = proven(answer_of(("Lit at 9.", (1,))), lambda claims: [Support(1.0, ("no 9",))], policy="flag")
    assert [(each.supported, each.faults) for each in found.sentences] == [(False, ("no 9",))]


def test_an_answer_of_which_nothing_is_left_becomes_an_abstention():
    found = proven(answer_of(("The moon is cheese.", (1,)), ("So there.", ())), Scripted())
    assert (found.abstained, found.text, found.sentences, found.citations) == (True, NOT_PROVEN, (), ())
    assert found.confidence == pytest.approx(0.1)
    assert proven(found, Scripted()) is found


def test_text_that_is_no_sentence_of_the_answer_is_left_out():
    answer = answer_of((QUOTES[0], (1,)), text=f"{QUOTES[0]} [1] And a secret that nobody proved.")
    for policy in ("drop", "repair", "flag"):
        assert proven(answer, Scripted(), policy=policy).text == f"{QUOTES[0]} [1]"


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="drop, repair or flag"):
        proven(answer_of((QUOTES[0], (1,))), Scripted(), policy="hope")  # type: ignore[arg-type]


CLAIMS = [*QUOTES, "Dusk begins it.", "The moon is cheese.", "Lit at dusk [9], they say [1].", "Yes."]
SENTENCES = st.lists(
    st.tuples(st.sampled_from(CLAIMS), st.lists(st.integers(1, 4), max_size=3, unique=True).map(tuple)),
    min_size=1,
    max_size=5,
)


@given(
    SENTENCES, st.sets(st.sampled_from(CLAIMS)), st.sampled_from(["drop", "repair", "flag"]), st.booleans()
)
def test_whatever_is_claimed_what_is_shown_as_proven_is(sentences, believed, policy, foreign):
    verifier = Scripted(believed)
    answer = answer_of(*sentences)
    if foreign:
        answer = replace(answer, text=answer.text + " <b>More</b> [7].")
    found = proven(answer, verifier, policy=policy)
    numbers = {each.number for each in found.citations}
    for sentence in found.sentences:
        assert numbers.issuperset(sentence.citations)
        assert sentence.text in found.text
        if sentence.supported:
            assert not sentence.faults
            assert sentence.citations
            assert sentence.text in believed or any(sentence.text == quote for quote in QUOTES)
        if policy != "flag":
            assert sentence.supported
    assert numbers == {number for sentence in found.sentences for number in sentence.citations}
    assert "[7]" not in found.text
    assert "[9]" not in found.text
    assert "<b>" not in found.text
    assert proven(found, verifier, policy=policy) == found


class Growing:
    """A generator that tells one sentence after the other."""

    def __init__(self, sentences: Sequence[tuple[str, tuple[int, ...]]]) -> None:
        self.sentences = sentences

    def __call__(self, question: str, hits: Sequence[Hit]) -> Answer:
        return answer_of(*self.sentences)

    def stream(self, question, hits):
        for size in range(1, len(self.sentences) + 1):
            yield answer_of(*self.sentences[:size])


@given(SENTENCES, st.sets(st.sampled_from(CLAIMS)), st.sampled_from(["drop", "repair", "flag"]))
def test_a_stream_ends_in_the_whole_answer_and_judges_nothing_twice(sentences, believed, policy):
    verifier = Scripted(believed)
    generator = proving(Growing(sentences), verifier, policy=policy)
    shown = list(generator.stream("Who?", [HIT]))
    assert len(verifier.asked) == len(set(verifier.asked))
    assert shown[-1].sentences == generator("Who?", [HIT]).sentences
    assert not any(each.abstained for each in shown[:-1])


def test_a_generator_that_cannot_stream_shows_its_one_answer():
    plain = Growing([(QUOTES[0], (1,))]).__call__
    (only,) = proving(plain, Scripted()).stream("Who?", [HIT])
    assert only == proving(plain, Scripted())("Who?", [HIT])


@pytest.mark.parametrize(
    "spliced",
    [
        "Is smoking allowed on the quay? Yes.",
        "Yes. No.",
        "Is parking allowed there? Is smoking allowed on the quay?",
    ],
)
def test_sentences_of_a_quote_that_do_not_stand_in_a_row_are_no_quote(spliced):
    quote = "Is smoking allowed on the quay? No. Is parking allowed there? Yes."
    whole = Answer(
        question="?",
        text=f"{spliced} [1]",
        sentences=(Sentence(spliced, (1,), True, 1.0),),
        citations=(Citation(1, "d", "d.md", "D", None, "", 0, len(quote), quote),),
        contexts=(Hit(1, 1.0, Chunk("d", Span(0, len(quote)), quote), "d.md", "D"),),
        abstained=False,
        confidence=1.0,
        model="m",
    )
    assert proven(whole, Scripted()).abstained
    said = "No. Is parking allowed there? Yes."
    right = replace(whole, text=f"{said} [1]", sentences=(Sentence(said, (1,), True, 1.0),))
    assert proven(right, Scripted()).sentences[0].support == 1.0
