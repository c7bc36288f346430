from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.index.postings import Postings, count_terms, merge_postings

# Terms that share their first eight bytes, that begin another, and whose order is that of UTF-8.
TERMS = ["a", "b", "é", "日", "ab", "internat", "internation", "internationa", "internbtion", "\0", "a\0"]
FIELD = st.lists(st.none() | st.sampled_from(TERMS), max_size=6)
ROWS = st.lists(st.tuples(FIELD, FIELD), max_size=6)
Row = tuple[Sequence[str | None], Sequence[str | None]]


def spelled_out(postings: Postings) -> dict[bytes, list[tuple[int, list[int], list[int]]]]:
    """For each term the rows that hold it, with its places in the body and in the headings."""
    spelled = {}
    for at in range(len(postings)):
        here = postings.slice(at)
        place = int(postings.position_starts[at])
        spelled[postings.term(at)] = found = []
        for row, *counts in zip(
            postings.rows[here], postings.counts[here], postings.title_counts[here], strict=True
        ):
            lists = []
            for count in counts:
                lists.append(postings.positions[place : place + int(count)].tolist())
                place += int(count)
            found.append((int(row), *lists))
        assert place == postings.position_starts[at + 1]
    return spelled


def looked_up(rows: Sequence[Row]) -> dict[bytes, list[tuple[int, list[int], list[int]]]]:
    found = {}
    for term in sorted({term for row in rows for field in row for term in field if term is not None}):
        holding = [
            (number, *([at for at, each in enumerate(field) if each == term] for field in (body, headings)))
            for number, (headings, body) in enumerate(rows)
        ]
        found[term.encode()] = [each for each in holding if each[1] or each[2]]
    return found


@given(ROWS)
def test_terms_are_counted_and_placed_in_each_field(rows: list[Row]) -> None:
    postings, lengths, title_lengths = count_terms(rows)
    assert spelled_out(postings) == looked_up(rows)
    assert list(spelled_out(postings)) == sorted(looked_up(rows))
    assert lengths.tolist() == [sum(term is not None for term in body) for _, body in rows]
    assert title_lengths.tolist() == [sum(term is not None for term in headings) for headings, _ in rows]
    assert lengths.dtype == title_lengths.dtype == postings.rows.dtype == np.int32
    assert postings.shapes[postings.shape_of, 2].tolist() == lengths[postings.rows].tolist()
    assert postings.shapes[postings.shape_of, 3].tolist() == title_lengths[postings.rows].tolist()
    assert postings.shapes.tolist() == sorted(
        {tuple(shape): list(shape) for shape in postings.shapes}.values()
    )


@given(st.lists(ROWS, max_size=3), st.data())
def test_merged_postings_are_those_of_all_rows_at_once(parts: list[list[Row]], data: st.DataObject) -> None:
    flat = [row for part in parts for row in part]
    order = data.draw(st.permutations(range(len(flat))))
    kept = order[: data.draw(st.integers(0, len(flat)))]
    new = np.full(len(flat), -1, np.int32)
    new[kept] = np.arange(len(kept))
    starts = np.cumsum([0, *map(len, parts)])
    merged = merge_postings(
        [
            (count_terms(part)[0], new[start : start + len(part)])
            for start, part in zip(starts, parts, strict=False)
        ]
    )
    expected = count_terms([flat[at] for at in kept])[0]
    for field in fields(Postings):
        found, wanted = getattr(merged, field.name), getattr(expected, field.name)
        assert found.tolist() == wanted.tolist(), field.name
        assert found.dtype == wanted.dtype, field.name


@given(
    ROWS, st.lists(st.sampled_from([*TERMS, "", "zz", "internatio", "internationals", "\ud800"]), max_size=9)
)
def test_terms_are_found_where_they_are_and_nowhere_else(rows: list[Row], terms: list[str]) -> None:
    postings, *_ = count_terms(rows)
    for term, place in zip(terms, postings.places(terms), strict=True):
        known = {name.decode(): each for name, each in looked_up(rows).items()}
        assert (place >= 0) == (term in known)
        assert place < 0 or postings.term(place).decode() == term
        assert postings.rows_with(term).tolist() == [row for row, *_ in known.get(term, [])]


@pytest.mark.parametrize(("most", "kind"), [(256, "u1"), (257, "u2"), (2**16, "u2"), (2**16 + 1, "u4")])
def test_positions_are_as_narrow_as_they_may_be(most: int, kind: str) -> None:
    postings, *_ = count_terms([([], ["a"] * most), (["a", "b"], [])])
    assert postings.counts.tolist() == [most, 0, 0]
    assert postings.title_counts.tolist() == [0, 1, 1]
    assert postings.positions.dtype == kind
    assert postings.positions[[0, most - 1, most, most + 1]].tolist() == [0, most - 1, 0, 1]


def test_more_shapes_than_16_bits_tell_apart() -> None:
    # Six shapes in each row, and no two rows of one length.
    rows = [
        (["a"] * at + ["b", "c", "c"], ["d"] * ahead + ["e", "f", "f"])
        for at, ahead in product(range(3, 110), range(3, 110))
    ]
    postings, *_ = count_terms(rows)
    assert postings.shape_of.dtype == np.uint32
    assert len(postings.shapes) == 6 * 107 * 107
    row = rows.index((["a"] * 7 + ["b", "c", "c"], ["d"] * 98 + ["e", "f", "f"]))
    found = [postings.slice(place).start + row for place in postings.places(["a", "d", "f"])]
    assert postings.shapes[postings.shape_of[found]].tolist() == [
        [0, 7, 101, 10],
        [98, 0, 101, 10],
        [2, 0, 101, 10],
    ]


def test_a_term_said_a_thousand_times_is_counted() -> None:
    # So many counts and lengths that they are told apart by sorting.
    rows = [([], ["a"] * 5000), (["a"] * 4999, ["b"]), (["b"], ["a"] * 4998)]
    postings, *_ = count_terms(rows)
    assert postings.shapes.tolist() == [
        [0, 1, 4998, 1],
        [0, 4999, 1, 4999],
        [1, 0, 1, 4999],
        [4998, 0, 4998, 1],
        [5000, 0, 5000, 0],
    ]
    assert spelled_out(postings) == looked_up(rows)
