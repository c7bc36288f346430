"""Passages: within the budget, nothing twice, exact ranges, the best at the ends."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from passages import hit_of

from rag.generation.context import assemble

TEXT = " ".join(f"Sentence {at} speaks of thing number {at}." for at in range(40))


def count(text: str) -> int:
    return len(text.split())


def cut(start: int, end: int, rank: int):
    return hit_of(TEXT[start:end], rank, "d", start)


def test_the_best_stand_at_the_ends():
    hits = [hit_of(f"Text of rank {rank}.", rank) for rank in range(1, 6)]
    passages = assemble(hits, count, 1000)
    assert [passage.rank for passage in passages] == [1, 3, 5, 4, 2]
    assert [passage.number for passage in passages] == [1, 2, 3, 4, 5]


def test_in_the_order_of_documents_ranks_make_no_difference():
    one = [hit_of("Some text.", 1, "b"), hit_of("More text.", 2, "a")]
    other = [hit_of("More text.", 1, "a"), hit_of("Some text.", 2, "b")]
    shown = [
        [(each.number, each.text) for each in assemble(hits, count, 999, "document")] for hits in (one, other)
    ]
    assert shown[0] == shown[1] == [(1, "More text."), (2, "Some text.")]


def test_overlapping_and_touching_chunks_of_a_document_are_one_passage():
    (passage,) = assemble([cut(50, 100, 2), cut(0, 60, 1), cut(100, 120, 3)], count, 1000)
    assert (passage.start, passage.end, passage.text, passage.rank) == (0, 120, TEXT[:120], 1)


def test_a_copy_in_another_document_is_left_out():
    passages = assemble([hit_of("The same words.", 1), hit_of("The  same\nwords.", 2)], count, 1000)
    assert [passage.document_id for passage in passages] == ["d1"]


def test_what_does_not_fit_is_left_out_and_smaller_ones_are_still_taken():
    hits = [hit_of("Short one.", 1), hit_of("word " * 500, 2), hit_of("Short two.", 3)]
    assert [passage.rank for passage in assemble(hits, count, 100, frame_tokens=40)] == [1, 3]
    assert [passage.rank for passage in assemble(hits, count, 80, frame_tokens=40)] == [1]


def test_where_not_even_the_best_fits_its_beginning_is_shown():
    (passage,) = assemble([cut(0, len(TEXT), 1)], count, 36)
    assert passage.text == TEXT[: passage.end]
    assert passage.text.endswith("thing number 3.")
    (passage,) = assemble([cut(0, len(TEXT), 1)], count, 36, frame_tokens=30)
    assert passage.text == "Sentence 0 speaks of"
    assert assemble([cut(0, len(TEXT), 1)], count, 36, frame_tokens=34) == []


def test_no_hits_are_no_passages():
    assert assemble([], count, 100) == []


SPANS = st.lists(st.tuples(st.integers(0, len(TEXT) - 1), st.integers(1, 300)), min_size=1, max_size=12)


@given(SPANS, st.integers(0, 400), st.sampled_from(["edges", "document"]))
def test_passages_are_exact_disjoint_and_within_the_budget(spans, budget, order):
    hits = [cut(start, min(start + length, len(TEXT)), rank) for rank, (start, length) in enumerate(spans, 1)]
    passages = assemble(hits, count, budget, order)
    assert all(passage.text == TEXT[passage.start : passage.end] for passage in passages)
    assert [passage.number for passage in passages] == list(range(1, len(passages) + 1))
    by_place = sorted(passages, key=lambda each: each.start)
    assert all(one.end < other.start for one, other in pairwise(by_place))
    assert sum(count(passage.text) for passage in passages) <= budget
    assert assemble(hits[::-1], count, budget, order) == passages


@pytest.mark.parametrize("budget", [10_000])
def test_with_room_for_all_every_character_of_every_hit_is_shown(budget):
    hits = [cut(at, at + 150, rank) for rank, at in enumerate((0, 600, 100, 640, 300), start=1)]
    passages = assemble(hits, count, budget)
    for hit in hits:
        assert any(each.start <= hit.chunk.start and hit.chunk.end <= each.end for each in passages)
