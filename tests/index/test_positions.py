from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.index.positions import rows_with_phrase
from rag.index.postings import count_terms

FIELD = st.lists(st.none() | st.sampled_from(["a", "b", "c"]), max_size=9)
Row = tuple[Sequence[str | None], Sequence[str | None]]


def holds(field: Sequence[str | None], phrase: Sequence[str | None]) -> bool:
    """Whether `phrase`, of which neither end is None, stands in `field`."""
    return any(
        all(term is None or field[at + ahead : at + ahead + 1] == [term] for ahead, term in enumerate(phrase))
        for at in range(len(field))
    )


@given(
    st.lists(st.tuples(FIELD, FIELD), max_size=12),
    st.lists(st.none() | st.sampled_from(["a", "b", "c", "nowhere"]), max_size=4),
)
def test_a_phrase_is_found_where_it_stands(rows: list[Row], phrase: list[str | None]) -> None:
    postings, *_ = count_terms(rows)
    bare = list(phrase)
    while bare and bare[0] is None:
        del bare[0]
    while bare and bare[-1] is None:
        del bare[-1]
    expected = [at for at, fields in enumerate(rows) if bare and any(holds(field, bare) for field in fields)]
    assert rows_with_phrase(postings, phrase).tolist() == expected


@pytest.mark.parametrize("gap", range(6))
def test_no_phrase_reaches_from_the_body_into_the_headings(gap: int) -> None:
    for sizes in product(range(4), repeat=2):
        # However far the last term of one field is from the first of the other, they are no neighbours.
        filled = [["x"] * size for size in sizes]
        postings, *_ = count_terms([(["b", *filled[0]], [*filled[1], "a"]), (["a"], ["b"]), (["b"], ["a"])])
        assert rows_with_phrase(postings, ["a", *[None] * gap, "b"]).tolist() == []
        assert rows_with_phrase(postings, ["b", *[None] * gap, "a"]).tolist() == []


def test_removed_words_keep_their_places() -> None:
    postings, lengths, _ = count_terms([([], ["bank", None, None, "england"]), ([], ["bank", "england"])])
    assert lengths.tolist() == [2, 2]
    assert rows_with_phrase(postings, ["bank", None, None, "england"]).tolist() == [0]
    assert rows_with_phrase(postings, ["bank", "england"]).tolist() == [1]
    assert rows_with_phrase(postings, [None, "england", None]).tolist() == [0, 1]
