from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.sentences import sentence_spans


def split(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sentence_spans(text)]


PIECES = st.sampled_from(
    [
        "Mr.",
        "e.g.",
        "U.S.",
        "No.",
        "5",
        "3.5",
        "A",
        "word",
        "Word",
        ".",
        "...",
        "?!",
        "。",
        '"',
        "(",
        ")",
        "[1]",
        *[" ", "\n", "\n\n", "\f", "\r\n", "\u2028", "- ", "# ", " | ", "é", "\U0001f600", "x" * 50],
    ]
)


@given(st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join)))
def test_spans_are_in_order_stripped_and_cover_all_but_white_space(text: str) -> None:
    spans = sentence_spans(text)
    covered: set[int] = set()
    before = 0
    for span in spans:
        assert before <= span.start < span.end <= len(text)
        piece = text[span.start : span.end]
        assert piece == piece.strip()
        covered.update(range(span.start, span.end))
        before = span.end
    assert all(at in covered or character.isspace() for at, character in enumerate(text))


@pytest.mark.parametrize(
    "sentences",
    [
        ["Mr. Smith paid $3.5 million.", "He left."],
        ["See Fig. 3 for it.", "The U.S. Navy won.", "It is in the U.S.", "He left."],
        ["Apple Inc. said so.", "No. 5 is alive.", "J. R. R. Tolkien wrote it."],
        ['He said "Stop!" and left.', "(See it.)", "Then he went."],
        ['"Are you sure?!" he asked.', "Well... maybe.", "Really?!", "Yes."],
        ["The cat (e.g. a lion, i.e. big) ate.", "What?"],
        ["It is so. [1]", "Next one [2].", "And more.[3]", "End."],
        ["In 2019 sales rose 4.5 %.", "In 2020 they fell.", "5 of 6 agreed."],
        ["Smith et al. (2020) found it.", "They wrote pp. 3-5 of vol. 2."],
        ["Das ist z.B. gut.", "Dr. Müller kam."],
    ],
)
def test_full_stops_that_end_a_sentence_and_those_that_do_not(sentences: list[str]) -> None:
    assert split(" ".join(sentences)) == sentences


def test_scripts_without_spaces_split_at_their_own_stops() -> None:
    assert split("日本語の文です。次の文!?。") == ["日本語の文です。", "次の文!?。"]


def test_one_block_a_line_keeps_its_lines_apart() -> None:
    lines = [
        "Parental leave",
        "Employees may take up to twenty weeks of paid leave, and it may be taken in parts, as long as each "
        "part has at least two weeks and the manager has been told a month before",
        "Weeks | Paid",
        "12 | full pay",
        "- the first item, which is longer than forty characters in all",
        "- the second item",
    ]
    assert split("\n".join(lines)) == lines


def test_a_wrapped_paragraph_is_read_across_its_line_ends() -> None:
    text = (
        "The committee, which had been convened in the spring by President\n"
        "Smith, met for the last time in the town hall of Springfield and\n"
        "agreed. Its report followed.\n\n# Heading\nNext."
    )
    assert split(text) == [
        "The committee, which had been convened in the spring by President\n"
        "Smith, met for the last time in the town hall of Springfield and\nagreed.",
        "Its report followed.",
        "# Heading",
        "Next.",
    ]


@pytest.mark.parametrize("unit", [".", "a.", '"', "Mr. ", '"a. ', ". (", ".\n", "。", " | ", "[1", "  \n"])
def test_hostile_repetition_does_not_take_quadratic_time(unit: str) -> None:
    sentence_spans(unit * 40_000)
