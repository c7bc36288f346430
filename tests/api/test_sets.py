from __future__ import annotations

from pathlib import Path

import pytest
from shell import as_json, rag

from rag.api.sets import _with_chunks, write_questions
from rag.errors import InputError
from rag.eval.questions import Place, Question, read_questions
from rag.pipeline import Engine
from rag.types import Principal, Span


def test_questions_are_written_with_exact_places(engine: Engine, index: Path, tmp_path: Path) -> None:
    out = tmp_path / "questions.jsonl"
    told = as_json("questions", "--index", index, "--out", out, "--count", 8, "--unanswerable", 0)
    found = read_questions(out)
    assert told["questions"] == len(found) > 0
    assert sum(told["kinds"].values()) == len(found)
    texts = {Path(each.source).name: engine.document(each.id).text for each in engine.documents()}
    for question in found:
        for place, context in zip(question.documents, question.reference_contexts, strict=True):
            assert place.span is not None
            assert texts[place.source][place.span.start : place.span.end] == context
    assert told["drafts"] == told["questions"] + sum(told["dropped"].values()) + told["not_needed"]
    assert as_json("questions", "--index", index, "--out", out, "--count", 8, "--unanswerable", 0) == told
    assert read_questions(out) == found


def test_passages_are_named_where_asked_for(engine: Engine) -> None:
    found = write_questions(engine, 4, unanswerable=0, chunk_ids=True)
    ids = [set(question.reference_context_ids) for question in found.questions]
    assert ids and all(ids)
    hits = engine.search(found.questions[0].user_input)
    assert ids[0] & {hit.chunk.id for hit in hits}


def test_all_passages_that_hold_the_place_are_named(encoder, tmp_path: Path) -> None:
    """Also of those that the question's own search does not bring."""
    text = "The yard at Bellweir was opened on 3 May 1962. The yard at Bellweir employs 45 welders.\n"
    (tmp_path / "yard.txt").write_text(text + "Nothing else is known of this old place by the sea.\n" * 40)
    with Engine(tmp_path / "index", encoder=encoder) as engine:
        engine.add(tmp_path / "yard.txt")
        found = write_questions(engine, 5, unanswerable=0, chunk_ids=True)
        chunks = {hit.chunk.id: hit.chunk for hit in engine.search("yard sea Bellweir", k=100)}
        none = write_questions(engine, 5, unanswerable=0).questions
    assert found.questions and [each.user_input for each in none] == [e.user_input for e in found.questions]
    for question in found.questions:
        (place,) = question.documents
        assert place.span is not None
        span = place.span
        wanted = {name for name, c in chunks.items() if c.start <= span.start and span.end <= c.end}
        assert wanted and wanted <= set(question.reference_context_ids)
        assert all(chunks[name].span.overlaps(span) for name in question.reference_context_ids)


def test_chunks_that_hold_enough_are_named_whatever_a_search_brings() -> None:
    place = Place("a.txt", span=Span(100, 200))
    chunks = {
        f"d:{start}-{end}": Span(start, end) for start, end in ((0, 110), (0, 160), (90, 210), (199, 400))
    }
    named = _with_chunks(Question("1", "q", documents=(place,)), {"a.txt": "d"}, lambda _: chunks)
    assert named.reference_context_ids == ("d:90-210", "d:0-160")


def test_only_what_the_reader_may_read_is_asked(docs: Path, encoder, tmp_path: Path) -> None:
    with Engine(tmp_path / "two", encoder=encoder) as engine:
        engine.add(docs / "leave.md", tenant="acme")
        yard = tmp_path / "yard.txt"
        yard.write_text(
            "The yard at Bellweir was opened on 3 May 1962. The yard at Bellweir employs 45 welders."
        )
        engine.add(yard, tenant="globex", readers=["ann"])
        asked = {
            name: {
                place.source
                for question in write_questions(engine, 20, principal=who).questions
                for place in question.documents
            }
            for name, who in (
                ("acme", Principal(tenant="acme")),
                ("ann", Principal("ann", "globex")),
            )
        }
        assert asked == {"acme": {"leave.md"}, "ann": {"yard.txt"}}
        for nobody in (None, Principal("bob", "globex")):
            with pytest.raises(InputError, match="no documents"):
                write_questions(engine, 20, principal=nobody)


def test_what_was_not_needed_and_how_far_it_is_are_told(
    encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.api.progress.SECONDS_BETWEEN_LINES", 0.0)
    yard = tmp_path / "yard.txt"
    yard.write_text("The yard at Bellweir was opened on 3 May 1962. The yard at Bellweir employs 45 welders.")
    with Engine(tmp_path / "two", encoder=encoder) as engine:
        engine.add(yard)
    result = rag("questions", "--index", tmp_path / "two", "--out", tmp_path / "q.jsonl", "--count", 1)
    assert "rag: 1 of 1 questions written" in result.stderr
    assert "1 question in" in result.stdout and "not needed for the count" in result.stdout


def test_wrong_use_is_told(index: Path, tmp_path: Path) -> None:
    for words, message in (
        (("--kinds", "poem"), "no kind 'poem'"),
        (("--kinds", "paraphrase"), "needs a language model"),
        (("--count", 0), "1 or more"),
        (("--unanswerable", 2), "share"),
    ):
        result = rag("questions", "--index", index, "--out", tmp_path / "q.jsonl", *words)
        assert result.exit_code == 2
        assert message in result.stderr
    result = rag("questions", "--index", index, "--out", tmp_path / "no" / "q.jsonl", "--count", 1)
    assert result.exit_code == 2 and "cannot write" in result.stderr
