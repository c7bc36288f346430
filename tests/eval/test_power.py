import math

import pytest

from rag.eval.power import detectable_difference


def test_the_textbook_formula() -> None:
    differences = [0.1, -0.1] * 50
    spread = math.sqrt(100 / 99) * 0.1
    assert detectable_difference(differences) == pytest.approx(2.8016 * spread / 10, rel=0.05)


def test_one_difference_shows_nothing() -> None:
    assert detectable_difference([0.3]) is None
