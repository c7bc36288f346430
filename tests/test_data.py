"""The sample corpus is what its questions say it is, and its binaries are what its sources say they are."""

from __future__ import annotations

import io
import json
import re
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import Stemmer

from rag.ingestion.load import load
from rag.types import Document

DATA = Path(__file__).parents[1] / "data"
sys.path.insert(0, str(DATA))

import build  # noqa: E402  - the folder is no package
import build_questions  # noqa: E402

QUESTIONS = [json.loads(line) for line in (DATA / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
GOLD = [
    pytest.param(place, text, id=f"{question['id']}-{number}")
    for question in QUESTIONS
    for number, (place, text) in enumerate(
        zip(question["documents"], question["reference_contexts"], strict=True), 1
    )
]
FUNCTION_WORDS = frozenset(
    """a about again against all an and any anyone anything are as at be been before by can could did
    do does during each either ever every everyone everything few for from get had has have he her
    here him his how i if in into is it its less many may me might more most much must my near
    never no nobody none nor not of off on once one or other our out over shall she should so some
    somebody someone something than that the their them then there these they this those to up was
    we were what when where which while who whom whose why will with without would you your
    yourself""".split()
)
FEWEST = {
    "single_fact": 20,
    "multi_passage": 10,
    "table": 8,
    "paraphrased": 10,
    "unanswerable": 12,
    "conflict": 4,
}

_documents: dict[str, Document] = {}


def document(name: str) -> Document:
    if name not in _documents:
        _documents[name] = load(DATA / "handbook" / name)
    return _documents[name]


def content_stems(text: str) -> set[str]:
    words = set(re.findall(r"[^\W\d_]+", text.lower())) - FUNCTION_WORDS
    return set(Stemmer.Stemmer("english").stemWords(sorted(words)))


def squeezed(text: str) -> str:
    return re.sub(r"[\s|]+", " ", text)


@pytest.mark.parametrize(("place", "text"), GOLD)
def test_a_gold_passage_is_the_text_at_its_span(place: dict[str, Any], text: str) -> None:
    loaded = document(place["source"])
    assert loaded.text[place["start"] : place["end"]] == text
    assert text.strip() == text != ""


@pytest.mark.parametrize(("place", "text"), GOLD)
def test_a_gold_passage_stands_on_its_page(place: dict[str, Any], text: str) -> None:
    loaded = document(place["source"])
    assert loaded.page_at(place["start"]) == loaded.page_at(place["end"] - 1) == place["page"]


def test_the_stated_pages_are_those_of_the_sources() -> None:
    """The sources say by their page marks what stands on which page, whatever a loader makes of the PDF."""
    checked = 0
    for line in build_questions.source_lines():
        for name, page, quote in line["gold"]:
            assert (page is not None) == name.endswith(".pdf")
            if page is None:
                continue
            pages = build.read_source(DATA / "source" / f"{name}.txt").pages
            texts = [" ".join(" ".join(block.lines) for block in source.blocks) for source in pages]
            found = [n for n, text in enumerate(texts, 1) if squeezed(quote) in squeezed(text)]
            assert found == [page], f"{line['id']}: {quote}"
            checked += 1
    assert checked >= 20


@pytest.mark.parametrize("name", sorted(path.name for path in (DATA / "handbook").glob("*.pdf")))
def test_a_pdf_reads_word_for_word_as_its_source(name: str) -> None:
    """Columns in order, broken words whole, pages apart, running titles gone; marks of lists aside."""
    source, loaded = build.read_source(DATA / "source" / f"{name}.txt"), document(name)
    assert [page.number for page in loaded.pages] == list(range(1, len(source.pages) + 1))
    for written, page in zip(source.pages, loaded.pages, strict=True):
        expected = source.properties["title"].split() if page.number == 1 else []
        for block in written.blocks:
            if block.kind != "image":
                expected += squeezed(" ".join(block.lines)).split()
        lines = loaded.text[page.span.start : page.span.end].splitlines()
        kept = [re.sub(r"^(•|\d\.) ", "", line) for line in lines]
        assert squeezed(" ".join(kept)).split() == expected, page.number


def test_every_source_question_is_in_the_set() -> None:
    assert [(line["id"], line["question"]) for line in build_questions.source_lines()] == [
        (question["id"], question["user_input"]) for question in QUESTIONS
    ]


def test_there_are_enough_questions_of_each_kind() -> None:
    counts = Counter(question["kind"] for question in QUESTIONS)
    assert counts.total() >= 70
    for kind, fewest in FEWEST.items():
        assert counts[kind] >= fewest, kind


def test_ids_and_questions_are_unique() -> None:
    for key in ("id", "user_input"):
        assert len({question[key] for question in QUESTIONS}) == len(QUESTIONS)


def test_both_halves_are_of_a_size() -> None:
    counts = Counter(question["split"] for question in QUESTIONS)
    assert set(counts) == {"dev", "test"}
    assert abs(counts["dev"] - counts["test"]) <= len(QUESTIONS) // 5


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question["id"])
def test_a_question_has_gold_unless_it_is_unanswerable(question: dict[str, Any]) -> None:
    assert question["answerable"] is (question["kind"] != "unanswerable")
    assert (question["reference"] is None) is (not question["answerable"])
    assert bool(question["reference_contexts"]) is question["answerable"]
    if question["kind"] == "multi_passage":
        assert len(question["reference_contexts"]) >= 2


@pytest.mark.parametrize(
    "question", [q for q in QUESTIONS if q["kind"] == "paraphrased"], ids=lambda question: question["id"]
)
def test_a_paraphrase_shares_no_content_word_with_its_gold(question: dict[str, Any]) -> None:
    asked = content_stems(question["user_input"])
    assert len(asked) >= 3
    assert not asked & content_stems(" ".join(question["reference_contexts"]))


def test_the_gold_of_a_conflict_is_never_the_superseded_version() -> None:
    gold = {
        place["source"]
        for question in QUESTIONS
        if question["kind"] == "conflict"
        for place in question["documents"]
    }
    assert gold == {"travel-policy-2024.pdf", "remote-work-2023.md"}


def test_the_numbers_of_an_answer_stand_in_its_gold() -> None:
    for question in QUESTIONS:
        gold = squeezed(" ".join(question["reference_contexts"]))
        numbers = re.findall(r"\d[\d.,:]*\d|\d", question["reference"] or "")
        # a year or a product's number may come from the question, or from the name of the document
        known = f"{gold} {question['user_input']} {question['documents']}"
        assert [number for number in numbers if number not in known] == [], question["id"]


def test_the_binaries_equal_a_rebuild() -> None:
    rebuilt = build.built_files()
    assert set(rebuilt) == {
        path.name for path in (DATA / "handbook").iterdir() if path.suffix in (".pdf", ".docx")
    }
    for name, new in rebuilt.items():
        old = (DATA / "handbook" / name).read_bytes()
        # one zlib packs a DOCX tighter than another, so its members are compared and not its bytes
        assert (old == new) if name.endswith(".pdf") else (members(old) == members(new)), name


def members(data: bytes) -> list[tuple[str, tuple[int, ...], bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(info.filename, info.date_time, archive.read(info)) for info in archive.infolist()]


def test_one_page_is_a_picture_without_text() -> None:
    loaded = document("emergency-plan.pdf")
    page = loaded.pages[3]
    assert loaded.text[page.span.start : page.span.end].strip() == ""
    assert len(loaded.pages) == 5


def test_the_corpus_has_all_five_formats_and_stays_small() -> None:
    files = sorted((DATA / "handbook").iterdir())
    assert {path.suffix for path in files} == {".pdf", ".docx", ".html", ".md", ".txt"}
    assert len(files) >= 16
    assert sum(path.stat().st_size for path in DATA.rglob("*") if "__pycache__" not in path.parts) < 1_500_000
