"""What is wrong with a saved answer is found, and what is right is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from rag.errors import DocumentNotFound
from rag.generation.proof import differences, prove
from rag.generation.seal import is_sealed, sealed
from rag.types import Answer, Chunk, Citation, Conflict, Document, Hit, Page, Sentence, Span

KEY = b"k" * 32
TEXT = "One is here [9]. Two is there."
PAGED = Document("d", "d.pdf", "D", TEXT, pages=(Page(1, Span(0, 17)), Page(2, Span(17, 30))))


def documents(document_id: str) -> Document:
    if document_id != "d":
        raise DocumentNotFound(document_id)
    return PAGED


def answer() -> Answer:
    ranges = [(1, 0, 16, 1), (2, 17, 30, 2)]
    citations = tuple(Citation(n, "d", "d.pdf", "D", page, "", s, e, TEXT[s:e]) for n, s, e, page in ranges)
    chunk = Chunk("d", Span(0, 30), TEXT, page=1, last_page=2)
    whole = Answer(
        question="where?",
        text="One is here ⟨9⟩. [1] Two is there. [2]",
        sentences=tuple(Sentence(each.quote, (each.number,), True, 1.0) for each in citations),
        citations=citations,
        contexts=(Hit(1, 0.5, chunk, "d.pdf", "D"),),
        abstained=False,
        confidence=0.75,
        model="extractive",
        timings_ms={"retrieval": 1.23456},
    )
    return sealed(whole, KEY)


def faults(wrong: Answer) -> list[str]:
    return [verdict.reason for verdict in prove(wrong, documents, KEY) if not verdict.proven]


def test_a_right_answer_is_proven_and_a_mark_inside_a_quote_is_shown_as_the_documents_own():
    assert faults(answer()) == []
    assert answer().timings_ms == {"retrieval": 1.235}


def cited(at: int, **changes: object) -> Callable[[Answer], Answer]:
    def change(right: Answer) -> Answer:
        citations = list(right.citations)
        citations[at] = replace(citations[at], **changes)
        return replace(right, citations=tuple(citations))

    return change


def sentence(at: int, **changes: object) -> Callable[[Answer], Answer]:
    def change(right: Answer) -> Answer:
        sentences = list(right.sentences)
        sentences[at] = replace(sentences[at], **changes)
        return replace(right, sentences=tuple(sentences))

    return change


def context(**changes: object) -> Callable[[Answer], Answer]:
    def change(right: Answer) -> Answer:
        (hit,) = right.contexts
        own = {name: value for name, value in changes.items() if name in ("rank", "source", "title")}
        rest = {name: value for name, value in changes.items() if name not in own}
        return replace(right, contexts=(replace(hit, chunk=replace(hit.chunk, **rest), **own),))

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (cited(0, document_id="e"), "this version of it, is not in the index"),
        (cited(0, end=15), "the quote is not what stands there"),
        (cited(0, end=0), "no range"),
        (cited(0, end=31), "no range"),
        (cited(0, start=-1), "no range"),
        (cited(1, page=1), "its page is 2, not 1"),
        (cited(1, section="Two"), "its section is '', not 'Two'"),
        (cited(1, source="e.pdf"), "its source is 'd.pdf'"),
        (cited(1, title="E"), "its title is 'D'"),
        (cited(1, quote="Two is where."), "the quote is not"),
        (cited(1, number=1), "two citations have this number"),
        (cited(1, highlight=Span(0, 3)), "its highlight is not in the quote"),
        (sentence(0, citations=(3,)), "no citation has the number 3"),
        (sentence(0, citations=()), "cites nothing"),
        (sentence(0, citations=(1, 1)), "cites one citation twice"),
        (sentence(0, text="One is near [9]."), "an extractive answer quotes"),
        (sentence(0, faults=("the number 1 is not there",)), "called supported and has faults"),
        (lambda right: replace(right, sentences=right.sentences[::-1]), "sentences and their marks, no more"),
        (lambda right: replace(right, text=right.text + " So buy it."), "sentences and their marks, no more"),
        (lambda right: replace(right, text="Well, " + right.text), "sentences and their marks, no more"),
        (
            lambda right: replace(right, text=right.text.replace("[2]", "[7]")),
            "sentences and their marks, no more",
        ),
        (lambda right: replace(right, abstained=True), "it abstains, and answers"),
        (lambda right: replace(right, contexts=()), "not stand in a passage"),
        (lambda right: replace(right, confidence=0.76), "something of the answer was changed"),
        (lambda right: replace(right, question="when?"), "something of the answer was changed"),
        (lambda right: replace(right, timings_ms={}), "something of the answer was changed"),
        (lambda right: replace(right, seal=""), "it has no seal"),
        (lambda right: replace(right, conflicts=(Conflict((1, 9), ("", ""), "x"),)), "has the number [9]"),
        (
            lambda right: replace(right, conflicts=(Conflict((1, 2), ("",), "x"),)),
            "other citations than dates",
        ),
        (context(text="One is here."), "its text is not what stands there"),
        (context(document_id="e"), "this version of it, is not in the index"),
        (context(page=2), "its page is 1, not 2"),
        (context(last_page=1), "its last page is 2, not 1"),
        (context(rank=2), "its rank is 2"),
        (context(span=Span(0, 31)), "its text is not what stands there"),
    ],
)
def test_each_fault_is_found(change: Callable[[Answer], Answer], reason: str):
    found = faults(change(answer()))
    assert any(reason in each for each in found), found
    assert any("seal" in each or "changed" in each for each in found)


def test_only_the_key_makes_a_seal_and_no_key_makes_none():
    assert is_sealed(answer(), KEY)
    assert not is_sealed(answer(), b"x" * 32)
    assert not is_sealed(sealed(answer(), b""), b"")
    assert not is_sealed(replace(answer(), seal="é\ud800"), KEY)
    assert sealed(answer(), b"").seal == ""


def test_what_an_answer_took_is_no_difference():
    later = replace(answer(), timings_ms={"retrieval": 9.0}, seal="")
    assert differences(answer(), later) == []
    assert differences(answer(), replace(later, confidence=0.1, text="")) == ["text", "confidence"]
    assert differences(answer(), replace(later, confidence=0.7500001)) == []
    assert differences(answer(), cited(0, end=15)(later)) == ["citations"]
    assert differences(answer(), context(last_page=None)(later)) == ["contexts"]
