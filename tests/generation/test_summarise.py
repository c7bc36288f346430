"""Summaries: what is quoted, what is read by parts, and that all of it stands in the documents."""

import re

import pytest
from fakes import HashingEncoder, document
from hypothesis import given
from hypothesis import strategies as st

from rag.generation.citations import grounded
from rag.generation.passages import passages_of
from rag.generation.summarise import FOLDS, central, thinned
from rag.types import Answer, Citation, Hit, Page, Section, Sentence, Span

FERRY = "The ferry carries cars to the island every day."
TEXT = " ".join(
    [
        FERRY,
        "A ferry to the island carries many cars each day.",
        "The island has a ferry that carries cars in the morning.",
        "My neighbour paints small birds on blue plates.",
        "Cars wait for the ferry at the quay of the island.",
        "Fog delayed the ferry to the island on most days of March.",
    ]
)


def test_the_central_sentence_is_quoted_and_the_odd_one_is_not() -> None:
    answer = central(HashingEncoder(2048), most_sentences=1)("", passages_of(document(TEXT, "a.txt")))
    assert [sentence.text for sentence in answer.sentences] == [FERRY]
    assert answer.text == f"{FERRY} [1]"
    assert 0 < answer.confidence <= 1


def test_a_second_sentence_says_something_else() -> None:
    repeated = " ".join([FERRY, FERRY.replace("every", "each"), TEXT])
    answer = central(HashingEncoder(2048), most_sentences=2)("", passages_of(document(repeated, "a.txt")))
    first, second = (set(sentence.text.split()) for sentence in answer.sentences)
    assert len(first & second) < 0.8 * len(first)


def test_it_dwells_on_what_is_asked() -> None:
    answer = central(HashingEncoder(2048), most_sentences=1)(
        "plates with birds", passages_of(document(TEXT, "a.txt"))
    )
    assert "birds" in answer.text


def test_nothing_comes_to_nothing() -> None:
    answer = central(HashingEncoder())("", [])
    assert answer.abstained
    assert not answer.citations


WORDS = st.lists(
    st.sampled_from("The Ferry sails. at noon\n\n and 12 | cars # then it stops! - no".split(" ")),
    max_size=300,
).map(" ".join)


@given(WORDS, st.integers(1, 6))
def test_every_sentence_is_a_quote_of_a_passage_that_is_given(text: str, most: int) -> None:
    passages = passages_of(document(text, "a.txt"))
    answer = central(HashingEncoder(), most_sentences=most)("", passages)
    assert grounded(answer, passages) == answer
    assert len(answer.sentences) <= most
    for citation in answer.citations:
        assert text[citation.start : citation.end] == citation.quote
    starts = [citation.start for citation in answer.citations]
    assert starts == sorted(starts)


@given(WORDS, st.lists(st.integers(0, 400), max_size=4))
def test_passages_hold_every_sentence_once_and_cross_no_heading(text: str, cuts: list[int]) -> None:
    starts = sorted({min(cut, len(text)) for cut in cuts})
    ends = [*starts[1:], len(text)]
    sections = tuple(Section(1, f"s{a}", Span(a, b)) for a, b in zip(starts, ends, strict=False))
    given_document = document(text, "a.txt")
    given_document = type(given_document)(
        given_document.id, "a.txt", "a", text, pages=(Page(1, Span(0, len(text))),), sections=sections
    )
    passages = passages_of(given_document)
    assert [hit.rank for hit in passages] == list(range(1, len(passages) + 1))
    held = "".join(hit.chunk.text for hit in passages)
    assert re.sub(r"\s", "", held) == re.sub(r"\s", "", text)
    for hit in passages:
        assert hit.chunk.text == text[hit.chunk.start : hit.chunk.end]
        assert hit.chunk.page == hit.chunk.last_page == 1
        assert hit.chunk.section == given_document.section_at(hit.chunk.start)


def test_thinning_is_even_and_bounded() -> None:
    passages = passages_of(document(TEXT * 100, "a.txt"))
    assert thinned(passages) == passages
    few = thinned(passages, 7)
    assert len(few) == 7
    assert few == sorted(few, key=lambda hit: hit.rank)
    assert few[-1].rank > len(passages) / 2


class Reader:
    """A generator that cites the sentences with a number in them, and remembers how much it was given."""

    def __init__(self) -> None:
        self.given: list[int] = []

    def __call__(self, question: str, hits: list[Hit]) -> Answer:
        assert question
        assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
        self.given.append(sum(len(hit.chunk.text) for hit in hits))
        citations = []
        for hit in hits:
            for match in re.finditer(r"[^.]*\d+[^.]*\.", hit.chunk.text):
                start = hit.chunk.start + match.start()
                end = hit.chunk.start + match.end()
                citations.append(
                    Citation(
                        len(citations) + 1,
                        hit.chunk.document_id,
                        "a",
                        "a",
                        None,
                        "",
                        start,
                        end,
                        match.group(),
                    )
                )
        sentences = tuple(Sentence("A number.", (each.number,), True, 1.0) for each in citations)
        text = " ".join(f"A number. [{each.number}]" for each in citations)
        return Answer(question, text, sentences, tuple(citations), tuple(hits), not citations, 0.5, "reader")


@pytest.mark.parametrize("fold", FOLDS)
def test_a_long_text_is_read_by_parts_and_what_is_cited_goes_on(fold: str) -> None:
    lines = [f"Nothing of note was written on this day in the log of the ship {'x' * 20}."] * 400
    for at in (3, 200, 399):
        lines[at] = f"On this day {at} barrels came aboard."
    text = " ".join(lines)
    passages = passages_of(document(text, "log.txt"))
    reader = Reader()
    answer = FOLDS[fold](reader, part_characters=4_000)("", passages)
    assert max(reader.given) <= 4_000
    assert len(reader.given) > 5
    assert [int(re.findall(r"\d+", each.quote)[0]) for each in answer.citations] == [3, 200, 399]
    assert grounded(answer, passages) == answer


@pytest.mark.parametrize("fold", FOLDS)
def test_a_text_that_cites_all_of_itself_is_read_a_bounded_number_of_times(fold: str) -> None:
    passages = passages_of(document(" ".join(f"Line {at} is here." for at in range(3_000)), "log.txt"))
    reader = Reader()
    FOLDS[fold](reader, part_characters=2_000)("", passages)
    assert len(reader.given) < 100


@pytest.mark.parametrize("fold", FOLDS)
def test_nothing_is_read_where_there_is_nothing(fold: str) -> None:
    assert FOLDS[fold](Reader())("", []).abstained
