"""Answers quoted from hits: what is chosen, what is cited, and when there is none."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rag.generation.candidates import find_candidates
from rag.generation.extractive import NO_ANSWER, extractive
from rag.index.analyzer import english
from rag.types import Chunk, Fingerprint, Hit, Span


class Words:
    """An encoder of one dimension a word of a small vocabulary, so that a cosine can be done by hand."""

    vocabulary = "tide pump valve harbour keeper lamp fog rope anchor ticket".split()
    fingerprint = Fingerprint("words", "1", len(vocabulary) + 1)

    def encode(self, texts, *, query=False):
        vectors = np.full((len(texts), len(self.vocabulary) + 1), 1e-3, np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                at = self.vocabulary.index(word) if word in self.vocabulary else -1
                vectors[row, at] += 1 if at >= 0 else 0.05
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def hits_of(*texts: str) -> list[Hit]:
    return [
        Hit(
            rank,
            1 / rank,
            Chunk(f"d{rank}", Span(100, 100 + len(text)), text),
            f"d{rank}.txt",
            f"Paper {rank}",
        )
        for rank, text in enumerate(texts, start=1)
    ]


ASK = extractive(Words(), english)
TEXTS = (
    "The keeper lights the lamp at dusk. The rope is kept dry. Is the lamp ever out?",
    "A ticket is valid for one day. The fog horn sounds in fog.",
)


def test_the_sentence_that_speaks_of_the_question_comes_first():
    answer = ASK("Who lights the lamp?", hits_of(*TEXTS))
    assert not answer.abstained
    assert answer.sentences[0].text == "The keeper lights the lamp at dusk."
    assert answer.text.startswith("The keeper lights the lamp at dusk. [1]")


def test_it_abstains_where_nothing_speaks_of_the_question():
    answer = ASK("What did the anchor cost?", hits_of(*TEXTS))
    assert answer.abstained
    assert (answer.text, answer.sentences, answer.citations) == (NO_ANSWER, (), ())
    assert answer.confidence < 0.5
    assert len(answer.contexts) == 2


def test_it_abstains_without_hits():
    assert ASK("Who lights the lamp?", []).abstained


def test_a_question_in_the_documents_is_not_an_answer():
    answer = ASK("Is the lamp ever out?", hits_of(*TEXTS))
    assert "Is the lamp ever out?" not in [sentence.text for sentence in answer.sentences]


def test_a_sentence_of_two_overlapping_chunks_is_one_candidate():
    repeated = hits_of("The rope is kept dry. The lamp is lit.", "The lamp is lit. The fog is thick.")
    texts = [candidate.text for candidate in find_candidates(repeated)]
    assert sorted(texts) == ["The fog is thick.", "The lamp is lit.", "The rope is kept dry."]


WORDS = st.sampled_from([*Words.vocabulary, "the", "a", "of", "in", "1871", "Orran", "is", "kept"])
PASSAGES = st.lists(
    st.lists(st.lists(WORDS, min_size=3, max_size=9).map(" ".join), min_size=1, max_size=4).map(
        lambda sentences: " ".join(f"{sentence.capitalize()}." for sentence in sentences)
    ),
    min_size=1,
    max_size=5,
)


QUESTIONS = st.builds(
    lambda start, words: f"{start} {words}?",
    st.sampled_from(["How many", "Who", "When", "Where", "Which", "Why", "What are the", ""]),
    st.lists(WORDS, min_size=1, max_size=6).map(" ".join),
)
TEXTS_OF_ALL_KINDS = st.lists(
    st.sampled_from(
        [
            "The keeper lights the lamp.",
            "It burns for nine hours.",
            "They left in 1911.",
            "The pump is kept by Ada Marwick:",
            "- a dry rope",
            "- a fog horn of Tarsk",
            "Valve | Lamp | Price",
            "Orran | 12 | 4 euros",
            "Tarsk | 9 | 3 euros",
            "Is the anchor kept?",
            "# The harbour",
            "",
        ]
    ),
    max_size=8,
).map("\n".join)


def check(answer, hits) -> None:
    by_document = {hit.chunk.document_id: hit.chunk for hit in hits}
    for citation in answer.citations:
        chunk = by_document[citation.document_id]
        assert chunk.text[citation.start - chunk.start : citation.end - chunk.start] == citation.quote
        if citation.highlight:
            assert citation.start <= citation.highlight.start < citation.highlight.end <= citation.end
    places = [(each.document_id, each.start) for each in answer.citations]
    assert len(set(places)) == len(places)
    numbers = [citation.number for citation in answer.citations]
    assert numbers == list(range(1, len(numbers) + 1))
    assert [int(mark) for mark in re.findall(r"\[(\d+)\]", answer.text)] == numbers
    assert [sentence.citations for sentence in answer.sentences] == [(number,) for number in numbers]
    assert [sentence.text for sentence in answer.sentences] == [each.quote for each in answer.citations]
    assert 0 <= answer.confidence <= 1
    for conflict in answer.conflicts:
        assert set(conflict.citations) <= set(numbers)
        assert len(conflict.dates) == len(conflict.citations) >= 2


@given(PASSAGES, QUESTIONS)
def test_every_citation_is_an_exact_span_and_every_mark_has_one(passages, question):
    hits = hits_of(*passages)
    check(extractive(Words(), english, least_confidence=0.0)(question, hits), hits)


@given(st.lists(TEXTS_OF_ALL_KINDS, max_size=4), QUESTIONS)
def test_it_holds_for_tables_and_lists_too(passages, question):
    hits = hits_of(*passages)
    check(extractive(Words(), english, least_confidence=0.0)(question, hits), hits)


@given(TEXTS_OF_ALL_KINDS, st.integers(5, 60), st.integers(0, 30))
def test_candidates_of_overlapping_hits_are_inside_the_hit_that_they_name(text, size, overlap):
    cuts = [(at, min(at + size + overlap, len(text))) for at in range(0, len(text), size)]
    hits = [
        Hit(rank, 1 / rank, Chunk("d", Span(start, end), text[start:end]), "d.txt", "Paper")
        for rank, (start, end) in enumerate(cuts, start=1)
    ]
    for candidate in find_candidates(hits):
        chunk = hits[candidate.context].chunk
        assert chunk.start <= candidate.start < candidate.end <= chunk.end
        assert text[candidate.start : candidate.end] == candidate.text


def test_a_pronoun_brings_the_sentence_before():
    text = "The valve is kept in the harbour. It has 42 bolts at the lamp. The rope is dry."
    answer = extractive(Words(), english, least_confidence=0.0, most_sentences=1)(
        "Why is there a lamp with bolts?", hits_of(text)
    )
    assert [each.text for each in answer.sentences] == [
        "The valve is kept in the harbour.",
        "It has 42 bolts at the lamp.",
    ]


def test_the_sentence_behind_brings_the_number_that_is_asked_for():
    text = "Fill in the blue ticket before the lamp is lit. It has 42 questions. The rope is dry."
    answer = extractive(Words(), english, least_confidence=0.0)(
        "How many questions are in the blue ticket that is filled in before the lamp is lit?", hits_of(text)
    )
    assert "It has 42 questions." in [each.text for each in answer.sentences]


def test_a_question_for_several_things_gets_the_whole_list():
    text = "On the boat these are free:\n- the lamp of a keeper\n- a rope\n- a dog\nThe fog is thick here."
    answer = extractive(Words(), english, least_confidence=0.0)(
        "Which things are free on the boat?", hits_of(text)
    )
    assert [each.text for each in answer.sentences] == [
        "On the boat these are free:",
        "- the lamp of a keeper",
        "- a rope",
        "- a dog",
    ]
    assert "\n- a rope [3]\n" in answer.text


def test_the_short_answer_is_marked_inside_the_quote():
    answer = extractive(Words(), english, least_confidence=0.0)(
        "When was the lamp lit?", hits_of("The lamp was lit in 1911 by the keeper.")
    )
    (citation,) = answer.citations
    assert citation.highlight == Span(100 + 20, 100 + 24)
    assert citation.quote[20:24] == "1911"


def test_the_cell_of_the_row_and_column_is_marked():
    answer = extractive(Words(), english, least_confidence=0.0, most_sentences=1)(
        "How many of the lamp has harbour Tarsk?", hits_of(TABLE)
    )
    row = answer.citations[-1]
    assert row.highlight is not None
    assert row.quote[row.highlight.start - row.start : row.highlight.end - row.start] == "9"


def test_an_open_question_gets_more_sentences_than_one_for_a_fact():
    text = " ".join(
        f"The lamp of keeper {name} is lit in fog." for name in "Ada Tom Una Ole Eve Ida Per".split()
    )
    ask = extractive(OneEach(), english, least_confidence=0.0)
    assert len(ask("Why is the lamp of the keeper lit?", hits_of(text)).sentences) == 6
    assert len(ask("Who is the keeper of the lamp?", hits_of(text)).sentences) <= 3


class OneEach(Words):
    """An encoder to which no two texts are alike."""

    def encode(self, texts, *, query=False):
        vectors = np.zeros((len(texts), 64), np.float32)
        vectors[:, 0] = 0.6
        vectors[np.arange(len(texts)), np.arange(len(texts)) + (1 if query else 2)] = 0.8
        return vectors


TABLE = "Harbour | Lamp | Keeper\nOrran | 12 | Ada Marwick\nTarsk | 9 | Tom Hale\nThe lamps are lit at dusk."


def test_the_head_of_a_table_is_no_candidate_and_every_row_knows_it():
    candidates = find_candidates(hits_of(TABLE))
    assert [each.text for each in candidates] == [
        "Orran | 12 | Ada Marwick",
        "Tarsk | 9 | Tom Hale",
        "The lamps are lit at dusk.",
    ]
    assert [each.columns.text if each.columns else None for each in candidates] == [
        "Harbour | Lamp | Keeper",
        "Harbour | Lamp | Keeper",
        None,
    ]


def test_a_row_is_quoted_below_its_head():
    answer = extractive(Words(), english, least_confidence=0.0, most_sentences=1)(
        "Which keeper has the lamp of harbour Tarsk?", hits_of(TABLE)
    )
    assert answer.text == "Harbour | Lamp | Keeper [1]\nTarsk | 9 | Tom Hale [2]"


def test_the_rule_of_a_markdown_table_is_no_candidate():
    table = "| Vessel | Cars |\n| ------ | ---- |\n| Dunlin | 44   |\n"
    assert [each.text for each in find_candidates(hits_of(table))] == ["| Dunlin | 44   |"]


def test_a_row_finds_the_head_of_its_table_in_another_hit():
    cut = TABLE.index("Tarsk")
    hits = [
        Hit(1, 1.0, Chunk("d", Span(cut - 24, len(TABLE)), TABLE[cut - 24 :]), "d.txt", "Paper"),
        Hit(2, 0.5, Chunk("d", Span(0, cut - 1), TABLE[: cut - 1]), "d.txt", "Paper"),
    ]
    rows = {each.text: each for each in find_candidates(hits)}
    row = rows["Tarsk | 9 | Tom Hale"]
    assert row.context == 0
    assert row.columns is not None
    assert (row.columns.text, row.columns.context) == ("Harbour | Lamp | Keeper", 1)


def test_the_last_row_of_a_head_names_the_columns():
    table = "|  |  | Lamps |\n| --- | --- | --- |\n|  | 1911 | 1912 |\n| Tarsk | 4 | 9 |\n"
    (row,) = find_candidates(hits_of(table))
    assert row.columns is not None
    assert row.columns.text == "|  | 1911 | 1912 |"


def test_a_heading_is_no_candidate_and_an_item_is():
    text = "# The lamps here\n1. The lamps of Tarsk\nThey are lit.\n\n1. Take the rope\n2. Tie the boat\n"
    assert [each.text for each in find_candidates(hits_of(text))] == [
        "They are lit.",
        "1. Take the rope",
        "2. Tie the boat",
    ]
