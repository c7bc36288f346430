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


@given(PASSAGES, st.lists(WORDS, min_size=1, max_size=6).map(" ".join))
def test_every_citation_is_an_exact_span_and_every_mark_has_one(passages, question):
    hits = hits_of(*passages)
    answer = extractive(Words(), english, least_confidence=0.0)(question, hits)
    by_document = {hit.chunk.document_id: hit.chunk for hit in hits}
    for citation in answer.citations:
        chunk = by_document[citation.document_id]
        assert chunk.text[citation.start - chunk.start : citation.end - chunk.start] == citation.quote
    numbers = {citation.number for citation in answer.citations}
    assert {int(mark) for mark in re.findall(r"\[(\d+)\]", answer.text)} == numbers
    assert {number for sentence in answer.sentences for number in sentence.citations} == numbers
    assert all(sentence.citations for sentence in answer.sentences)
    assert 0 <= answer.confidence <= 1


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
