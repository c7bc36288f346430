"""Two documents side by side: the pairs of the sample handbook, whose differences were written by hand."""

from pathlib import Path

import pytest
from fakes import HashingEncoder, document
from hypothesis import given
from hypothesis import strategies as st

from rag.generation.citations import grounded
from rag.generation.compare import comparing, quotes_hold
from rag.generation.passages import passages_of
from rag.index.encoder import resolve_encoder
from rag.ingestion.load import load
from rag.types import Answer, Claim, Document

HANDBOOK = Path(__file__).parents[2] / "data" / "handbook"


def compared(first: Document, second: Document, question: str = "", most: int = 40) -> Answer:
    encoder = resolve_encoder()
    hits = [*passages_of(first), *passages_of(second)]
    answer = comparing(encoder, first.id, most_lines=most)(question, hits)
    assert grounded(answer, hits) == answer
    return answer


def pairs(answer: Answer) -> dict[str, tuple[str, str]]:
    """The highlighted parts of each changed line, by the whole quote of the first document."""
    quoted = {citation.number: citation for citation in answer.citations}
    found = {}
    for sentence in answer.sentences:
        if sentence.text.startswith("Changed"):
            one, other = (quoted[number] for number in sentence.citations)
            found[" ".join(one.quote.split())] = tuple(
                each.quote[each.highlight.start - each.start : each.highlight.end - each.start]
                if each.highlight
                else ""
                for each in (one, other)
            )
    return found


@pytest.mark.parametrize(
    ("first", "second", "changes"),
    [
        (
            "travel-policy-2021.pdf",
            "travel-policy-2024.pdf",
            {"€750": "€1,200", "€0.32": "€0.41", "€20": "€30", "€2,000": "€3,500"},
        ),
        ("remote-work-2020.txt", "remote-work-2023.md", {"two": "three", "15:00": "14:00"}),
        (
            "safety-sheet-brinex-40.html",
            "safety-sheet-brinex-60.html",
            {"0.4": "0.7", "15": "30", "24": "12", "yellow": "red"},
        ),
    ],
)
def test_changed_figures_are_put_side_by_side(first: str, second: str, changes: dict[str, str]) -> None:
    one, other = (load(HANDBOOK / name) for name in (first, second))
    answer = compared(one, other)
    shown = pairs(answer)
    for old, new in changes.items():
        assert (old, new) in shown.values()
    documents = {one.id: one, other.id: other}
    for citation in answer.citations:
        assert documents[citation.document_id].text[citation.start : citation.end] == citation.quote
    for conflict in answer.conflicts:
        sides = [answer.citations[number - 1].document_id for number in conflict.citations]
        dated = "20" in first
        assert sides == ([other.id, one.id] if dated else [one.id, other.id])
        years = tuple(name.split(".")[0].rsplit("-", 1)[-1] for name in (second, first))
        assert conflict.dates == (years if dated else ("", ""))
    assert len(answer.conflicts) >= len(changes) - 1


def test_a_question_narrows_it() -> None:
    one, other = (load(HANDBOOK / f"travel-policy-{year}.pdf") for year in (2021, 2024))
    answer = compared(one, other, "What is paid for a kilometre by car?")
    assert 0 < len(answer.sentences) < len(compared(one, other).sentences)
    assert "€0.32" in answer.text
    assert "insured" not in answer.text


def test_a_document_beside_its_copy_differs_in_nothing() -> None:
    text = "The ferry sails at seven. The crew boards at six in the morning."
    answer = compared(document(text, "a"), document(text + " ", "b"))
    assert [sentence.text.split(":")[0] for sentence in answer.sentences] == ["The same", "The same"]
    assert answer.conflicts == ()


def test_documents_without_a_sentence_compare_to_nothing() -> None:
    answer = compared(document("Ferry", "a"), document("Boat", "b"))
    assert answer.abstained


TEXTS = st.lists(
    st.sampled_from(
        ["The fee is 12 crowns.", "The fee is 13 crowns.", "Dogs ride free.", "A cat sat | 3", "Oh"]
    ),
    max_size=8,
).map(" ".join)


@given(TEXTS, TEXTS)
def test_every_line_is_made_of_quotes_of_its_own_side(left: str, right: str) -> None:
    one, other = document(left, "a"), document(right + "\n", "b")
    hits = [*passages_of(one), *passages_of(other)]
    answer = comparing(HashingEncoder(64), one.id)("", hits)
    assert grounded(answer, hits) == answer
    for sentence in answer.sentences:
        sides = [answer.citations[number - 1].document_id for number in sentence.citations]
        wanted = {"Changed": 2, "The same": 2, "Only in the first": 1, "Only in the second": 1}
        kind = sentence.text.split(":")[0]
        assert len(sides) == wanted[kind]
        assert sides[0] == (other.id if kind == "Only in the second" else one.id)
        for number in sentence.citations if kind == "Changed" else sentence.citations[:1]:
            assert f"“{' '.join(answer.citations[number - 1].quote.split())}”" in sentence.text


def test_a_line_with_a_mark_of_its_documents_own_is_compared_as_others_are():
    told = "Changed: “It lasts 20 weeks [12, 13].” and “It lasts 26 weeks [12, 13].”"
    claim = Claim(told, ("It lasts 20 weeks [12, 13].", "It lasts 26 weeks [12, 13]."))
    stripped = Claim(told.replace(" [12, 13]", ""), claim.evidence)
    assert [each.probability for each in quotes_hold([claim, stripped])] == [1.0, 1.0]
