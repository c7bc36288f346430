import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.eval.catalogue import metric_named
from rag.eval.questions import Place, Question, read_questions
from rag.eval.retrieval import parse_place_measure
from rag.eval.sample import Sample
from rag.eval.spans import measure_spans, precision_omega
from rag.types import Chunk, Hit, Span

Range = tuple[str, int, int]
SOURCES = {"a": "/data/docs/a.md", "b": "/data/docs/b.md"}


def hits(*ranges: Range) -> list[Hit]:
    chunks = [Chunk(document, Span(start, end), "") for document, start, end in ranges]
    return [Hit(n, 1 / n, chunk, SOURCES[chunk.document_id], "") for n, chunk in enumerate(chunks, 1)]


def asks(*ranges: Range, **fields: object) -> Question:
    places = tuple(Place(f"docs/{d}.md", None, Span(start, end)) for d, start, end in ranges)
    return Question("q", "?", documents=places, **fields)  # type: ignore[arg-type]


def characters(ranges: list[Range]) -> set[tuple[str, int]]:
    return {(document, at) for document, start, end in ranges for at in range(start, end)}


def by_hand(gold: list[Range], retrieved: list[Range]) -> dict[str, float]:
    """The paper's definitions, over sets of characters and a bag of retrieved ones."""
    wanted, found = characters(gold), [each for part in retrieved for each in characters([part])]
    shared = wanted & set(found)
    return {
        "SpanRecall": len(shared) / len(wanted),
        "SpanPrecision": len(shared) / len(found) if found else 0.0,
        "SpanIoU": len(shared) / (len(found) + len(wanted - shared)),
    }


def omega_by_hand(gold: list[Range], chunks: list[Range]) -> float:
    wanted = characters(gold)
    touching = set().union(*(characters([c]) for c in chunks if characters([c]) & wanted))
    return len(wanted & touching) / len(wanted | touching)


RANGES = st.tuples(st.sampled_from("ab"), st.integers(0, 40), st.integers(1, 20)).map(
    lambda drawn: (drawn[0], drawn[1], drawn[1] + drawn[2])
)


@given(st.lists(RANGES, min_size=1, max_size=4), st.lists(RANGES, max_size=6))
def test_measures_are_those_of_sets_of_characters(gold: list[Range], retrieved: list[Range]) -> None:
    for name, value in by_hand(gold, retrieved).items():
        assert measure_spans(name, hits(*retrieved), asks(*gold)) == pytest.approx(value, abs=1e-12)
    found = precision_omega([hit.chunk for hit in hits(*retrieved)], asks(*gold), SOURCES)
    assert found == pytest.approx(omega_by_hand(gold, retrieved), abs=1e-12)


def test_by_hand() -> None:
    # 10 gold characters, of which two overlapping chunks of 10 hold 8
    question, found = asks(("a", 10, 20)), hits(("a", 4, 14), ("a", 8, 18), ("b", 10, 20))
    assert measure_spans("SpanRecall", found, question) == 0.8
    assert measure_spans("SpanPrecision", found, question) == pytest.approx(8 / 30)
    assert measure_spans("SpanIoU", found, question) == pytest.approx(8 / 32)
    chunks = [hit.chunk for hit in hits(("a", 0, 10), ("a", 10, 15), ("a", 15, 30), ("b", 0, 99))]
    assert precision_omega(chunks, question, SOURCES) == pytest.approx(10 / 20)


def test_a_cutoff_cuts_and_no_gold_characters_give_no_value() -> None:
    found = hits(("a", 0, 10), ("a", 10, 20))
    assert parse_place_measure("SpanRecall@1")(found, asks(("a", 5, 15))) == 0.5
    assert parse_place_measure("SpanRecall@2")(found, asks(("a", 5, 15))) == 1.0
    assert parse_place_measure("SpanIoU@2")([], asks(("a", 5, 15))) == 0.0
    for question in (Question("q", "?", documents=(Place("a.md"),)), asks(("a", 0, 5), answerable=False)):
        assert parse_place_measure("SpanIoU@2")(found, question) is None
        assert precision_omega([], question, SOURCES) is None


def test_an_evaluation_knows_them() -> None:
    metric = metric_named("SpanPrecision@1")
    score = metric.measure(Sample(asks(("a", 0, 5)), hits=tuple(hits(("a", 0, 20)))), None)
    assert score is not None
    assert (score.value, metric.depth) == (0.25, 1)


def test_the_chunking_set_is_measured_as_sets_of_characters_are() -> None:
    folder = Path(os.environ.get("RAG_DATA", "missing")) / "qa" / "chunking"
    if not folder.is_dir():
        pytest.skip("needs the evaluation set qa/chunking under RAG_DATA")
    draw = random.Random(0)
    sizes = {path.name: len(path.read_bytes().decode()) for path in (folder / "corpora").iterdir()}
    chunks = [
        Chunk(name, Span(at, min(at + 400, size)), "")
        for name, size in sizes.items()
        for at in range(0, size, 300)
    ]
    sources = {name: f"corpora/{name}" for name in sizes}
    for question in read_questions(folder / "questions.jsonl"):
        gold = [(Path(p.source).name, p.span.start, p.span.end) for p in question.documents if p.span]
        near = [
            c for c in chunks if any(c.document_id == d and c.end > s and c.start < e for d, s, e in gold)
        ]
        found = draw.sample(near, min(len(near), 3)) + draw.sample(chunks, 2)
        retrieved = [(chunk.document_id, chunk.start, chunk.end) for chunk in found]
        given = [Hit(n, 1 / n, c, sources[c.document_id], "") for n, c in enumerate(found, 1)]
        for name, value in by_hand(gold, retrieved).items():
            assert measure_spans(name, given, question) == pytest.approx(value, abs=1e-12)
        every = [(chunk.document_id, chunk.start, chunk.end) for chunk in near]
        assert precision_omega(chunks, question, sources) == pytest.approx(
            omega_by_hand(gold, every), abs=1e-12
        )
