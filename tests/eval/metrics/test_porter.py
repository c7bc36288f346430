import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.eval.metrics.porter import porter_stem

porter = pytest.importorskip("nltk.stem.porter", reason="nltk comes with rouge-score")

WORDS = """caresses ponies ties dies died cats feed agreed plastered motoring sing conflated sized hopping
tanned falling hissing fizzed failing filing happy sky skies enjoy by relational conditional rational
valenci hesitanci digitizer conformabli radicalli differentli vileli analogousli vietnamization predication
operator feudalism decisiveness hopefulness callousness formaliti sensitiviti sensibiliti archaeology
beautifully logically triplicate formative formalize electriciti electrical hopeful goodness revival
allowance inference airliner gyroscopic adjustable defensible irritant replacement adjustment dependent
adoption nation homologou communism activate angulariti homologous effective bowdlerize probate rate cease
controll roll ating owes proceed innings ion ing ed s y ee yy ies ied alli logi eed 2008 3d b2b""".split()


@pytest.mark.parametrize("word", WORDS)
def test_stems_as_nltk_does(word: str) -> None:
    assert porter_stem(word) == porter.PorterStemmer().stem(word)


PARTS = (
    "ational tional enci izer bli alli entli eli ousli ization fulli logi icate ful ment ion s e y ed ing"
).split()


@settings(max_examples=1500, deadline=None)
@given(st.text(string.ascii_lowercase + "aeiouy09", max_size=7), st.lists(st.sampled_from(PARTS), max_size=2))
def test_stems_made_up_words_as_nltk_does(stem: str, parts: list[str]) -> None:
    word = stem + "".join(parts)
    assert porter_stem(word) == porter.PorterStemmer().stem(word)
