"""A generator that lies is not believed."""

from dataclasses import replace

from rag.generation.citations import grounded
from rag.types import Answer, Chunk, Citation, Hit, Sentence, Span

TEXT = "The lamp is lit at dusk. It is put out at dawn."
HIT = Hit(1, 1.0, Chunk("d", Span(100, 100 + len(TEXT)), TEXT), "d.txt", "Paper")
TRUE = Citation(1, "d", "d.txt", "Paper", None, "", 100, 124, "The lamp is lit at dusk.")


def answer_of(text: str, sentences: list[Sentence], citations: list[Citation]) -> Answer:
    return Answer("?", text, tuple(sentences), tuple(citations), (HIT,), False, 1.0, "scripted")


def test_a_true_answer_is_left_as_it_is():
    answer = answer_of("Lit at dusk. [1]", [Sentence("Lit at dusk.", (1,), True, 1.0)], [TRUE])
    assert grounded(answer, [HIT]) is answer


def test_an_altered_quote_a_wrong_place_and_an_unknown_document_are_dropped():
    forged = [
        replace(TRUE, number=2, quote="The lamp is lit at noon."),
        replace(TRUE, number=3, start=101, end=125),
        replace(TRUE, number=4, document_id="other"),
        replace(TRUE, number=5, start=90, end=114),
    ]
    sentences = [Sentence(f"Claim {each.number}.", (each.number,), True, 1.0) for each in [TRUE, *forged]]
    sentences[4] = replace(sentences[4], citations=(1, 5))
    text = "Claim 1. [1] Claim 2. [2] Claim 3. [3] Claim 4. [4] Claim 5. [1, 5]"
    answer = grounded(answer_of(text, sentences, [TRUE, *forged]), [HIT])
    assert answer.citations == (TRUE,)
    assert [sentence.supported for sentence in answer.sentences] == [True, False, False, False, False]
    assert answer.text == "Claim 1. [1] Claim 2. Claim 3. Claim 4. Claim 5. [1]"


def test_a_mark_without_a_citation_is_taken_out_and_its_sentence_not_called_supported():
    sentences = [Sentence("The moon is cheese.", (7,), True, 1.0), Sentence("So there.", (), True, 1.0)]
    answer = grounded(answer_of("The moon is cheese. [7] So there.", sentences, []), [HIT])
    assert answer.text == "The moon is cheese. So there."
    assert [(each.citations, each.supported) for each in answer.sentences] == [((), False), ((), False)]
