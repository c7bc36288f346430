import pytest

from rag.eval.catalogue import metric_named
from rag.eval.metrics.strings import string_present, string_similarity, verbatim_match
from rag.eval.questions import Question
from rag.eval.sample import Sample


@pytest.mark.parametrize(
    ("one", "other", "distance", "value"),
    [
        ("kitten", "sitting", "levenshtein", 1 - 3 / 7),
        ("karolin", "kathrin", "hamming", 1 - 3 / 7),
        ("karo", "karolin", "hamming", 4 / 7),
        ("MARTHA", "MARHTA", "jaro", 17 / 18),  # Winkler's own examples
        ("MARTHA", "MARHTA", "jaro_winkler", 17 / 18 + 0.3 * (1 - 17 / 18)),
        ("DWAYNE", "DUANE", "jaro_winkler", 0.84),
        ("", "", "levenshtein", 1),
        ("", "x", "levenshtein", 0),
    ],
)
def test_published_values(one: str, other: str, distance: str, value: float) -> None:
    assert string_similarity(one, other, distance) == pytest.approx(value, abs=1e-4)


def test_presence_and_identity() -> None:
    assert string_present("It is Ten.", ("ten", "Ten")) == 1
    assert string_present("It is Ten.", ("ten",)) == 0
    assert (verbatim_match("Ten", ("Ten",)), verbatim_match("Ten", ("Ten.",))) == (1, 0)


def test_the_nearest_reference_counts() -> None:
    sample = Sample(Question("q", "?", reference="zzz", references=("sitting",)), "kitten")
    score = metric_named("non_llm_string_similarity").measure(sample, None)
    assert score.value == pytest.approx(4 / 7)
