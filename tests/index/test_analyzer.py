from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.index.analyzer import STOP_WORDS, english, words

# What Apache Lucene's EnglishAnalyzer gives (StandardTokenizer, possessives, lower case, stop, Porter).
LUCENE = {
    "The cats' owners": ["cat", "owner"],
    "Peter's and Peter’s PETER'S": ["peter", "peter", "peter"],
    "it's its": ["it"],
    "weren't can't": ["weren't", "can't"],
    "O'Neil o’neil": ["o'neil", "o’neil"],
    "1,000 3.5 1,000,000.50 2024-01-31": ["1,000", "3.5", "1,000,000.50", "2024", "01", "31"],
    "v1.2.3 a.b 3.x x.3": ["v1.2.3", "a.b", "3", "x", "x", "3"],
    "U.S.A. e.g. example.com": ["u.s.a", "e.g", "example.com"],
    "foo_bar ___ user@mail.org c++ C#": ["foo_bar", "user", "mail.org", "c", "c"],
    "日本語 カタカナ ひら 한국어": ["日", "本", "語", "カタカナ", "ひ", "ら", "한국어"],
    "naïve café Zürich": ["naïv", "café", "zürich"],
    "cafe\u0301's": ["cafe\u0301"],
    "C:高 a.中": ["c", "高", "中"],
    "wi-fi 10% $5.00": ["wi", "fi", "10", "5.00"],
    "US OS": ["us", "os"],
}

# Pairs of M. F. Porter's published vocabulary, with the departures of his own program (Lucene's too).
PORTER = (
    "caresses caress ponies poni ties ti cats cat feed feed agreed agre plastered plaster bled bled "
    "motoring motor sing sing conflated conflat troubled troubl sized size hopping hop tanned tan "
    "falling fall hissing hiss fizzed fizz failing fail filing file happy happi sky sky "
    "relational relat conditional condit rational ration "
    "valenci valenc digitizer digit operator oper feudalism feudal decisiveness decis hopefulness hope "
    "formaliti formal triplicate triplic formative form formalize formal electrical electr goodness good "
    "revival reviv allowance allow inference infer adjustable adjust effective effect bowdlerize bowdler "
    "probate probat rate rate cease ceas controll control roll roll "
    "technology technolog technologies technolog topology topolog geology geologi possibly possibl "
    "assembly assembl terribly terribl ably abli us us"
).split()


@pytest.mark.parametrize("text", LUCENE)
def test_cuts_as_lucene_does(text: str) -> None:
    assert english(text) == LUCENE[text]


@pytest.mark.parametrize(("word", "stem"), list(zip(PORTER[::2], PORTER[1::2], strict=True)))
def test_stems_as_porter_published(word: str, stem: str) -> None:
    assert english(word) == [stem]


def test_every_stop_word_of_lucene_is_dropped() -> None:
    assert len(STOP_WORDS) == 33
    assert english(" ".join(STOP_WORDS) + " " + " ".join(STOP_WORDS).upper()) == []


@given(st.text())
def test_any_text_gives_terms_that_say_something(text: str) -> None:
    for word in words(text):
        assert word in text
    for term in english(text):
        assert term.strip("_") and term not in STOP_WORDS
        assert any(character.isalnum() for character in term)


@given(st.text(alphabet="aé中1.,'_ ’\u0301:", max_size=12))
def test_no_word_ends_in_a_joiner(text: str) -> None:
    assert not [word for word in words(text) if word[-1] in ".,'’:" or word[0] in ".,'’:"]
