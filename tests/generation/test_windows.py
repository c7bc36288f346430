"""What of long evidence a claim is read with."""

from hypothesis import given
from hypothesis import strategies as st

from rag.generation.windows import MOST_RUNS, MOST_WORDS, windows
from rag.index.analyzer import english
from rag.types import Claim

FILLER = [f"On day {at} nothing of note was written in the harbour book by the clerk." for at in range(40)]


def test_short_evidence_is_one_window_below_its_heading():
    claim = Claim("It opens at nine.", ("Opening hours\nThe office opens at nine. It closes at five.",))
    assert windows(claim, english) == ["Opening hours\nThe office opens at nine. It closes at five."]


def test_what_a_claim_says_is_found_in_long_evidence_also_where_it_stands_apart():
    here = "The pilot boat Marlin was sold to a museum."
    there = "Its engine came from a tram that burned in Bergen."
    text = " ".join([*FILLER[:12], here, *FILLER[12:30], there, *FILLER[30:]])
    claim = Claim("The Marlin, sold to a museum, had the engine of a tram burned in Bergen.", (text,))
    found = windows(claim, english)
    assert len(found) <= MOST_RUNS + 1
    assert here in found[-1]
    assert there in found[-1]
    assert found[-1].index(here) < found[-1].index(there)
    assert any(here in window for window in found[:-1])


def test_the_first_item_of_a_list_is_no_heading():
    sheet = "4 Protection\n- Nitrile gloves at least 0.4 millimetres thick\n- Goggles that close at the sides"
    others = tuple(f"Passage {number}. " + "It speaks of ropes and of paint. " * 20 for number in range(3))
    claim = Claim("Nitrile gloves at least 0.4 millimetres thick", (*others, sheet))
    assert "Nitrile gloves" in windows(claim, english)[0]


@given(st.text(max_size=60), st.lists(st.text(max_size=300), max_size=4))
def test_any_evidence_gives_windows_of_a_bounded_size(text, evidence):
    found = windows(Claim(text, tuple(evidence)), english)
    assert 1 <= len(found) <= MOST_RUNS + 1
    assert all(len(window.split()) <= MOST_WORDS + 24 for window in found)
    assert found == windows(Claim(text, tuple(evidence)), english)
