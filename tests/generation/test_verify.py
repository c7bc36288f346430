"""The verifier on pairs that we wrote: it tells what follows from what does not."""

from rag.generation.verify import default_verifier
from rag.index.analyzer import english
from rag.types import Claim

RULE = "Crew members who work at night receive an extra day of leave for every twenty nights. It lapses soon."


def test_words_alone_tell_a_claim_from_a_foreign_one_and_say_what_is_missing():
    verify = default_verifier(english)
    good, foreign, number = verify(
        [
            Claim("Crew members who work at night receive an extra day of leave.", (RULE,)),
            Claim("The captain decides who may enter the engine room.", (RULE,)),
            Claim("Crew members receive an extra day of leave for every thirty nights.", (RULE,)),
        ]
    )
    assert good.probability > 0.5 > foreign.probability
    assert good.faults == ()
    assert number.probability < 0.5
    assert "thirty" in number.faults[0]


def test_nothing_asked_is_nothing_answered_and_the_same_question_gets_the_same_answer():
    verify = default_verifier(english)
    claim = Claim("It lapses soon.", (RULE,))
    assert verify([]) == []
    assert verify([claim]) == verify([claim])
    assert 0 <= verify([Claim("", ())])[0].probability <= 1
