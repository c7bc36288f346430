import json
import os
from pathlib import Path

import pytest

from rag.errors import QuestionFileError
from rag.eval.questions import Place, Question, read_questions
from rag.types import Span

FULL = {
    "id": 7,
    "user_input": "How long?",
    "reference": "ten days",
    "references": ["ten days", "10 days"],
    "reference_contexts": ["Leave is ten days."],
    "reference_context_ids": ["a:0-9"],
    "documents": [{"source": "pdfs/a.pdf", "page": 3, "start": 5, "end": 9, "title": "A"}],
    "answerable": False,
    "kind": "factoid",
    "split": "dev",
    "company": "3M",
}


def write(folder: Path, *rows: object) -> Path:
    path = folder / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_reads_every_field(tmp_path: Path) -> None:
    (question,) = read_questions(write(tmp_path, FULL))
    assert question == Question(
        id="7",
        user_input="How long?",
        reference="ten days",
        references=("ten days", "10 days"),
        reference_contexts=("Leave is ten days.",),
        reference_context_ids=("a:0-9",),
        documents=(Place("pdfs/a.pdf", 3, Span(5, 9)),),
        answerable=False,
        kind="factoid",
        split="dev",
        extra={"company": "3M"},
    )
    assert question.answers == ("ten days", "10 days")


def test_only_the_question_is_needed(tmp_path: Path) -> None:
    nulls = dict.fromkeys(FULL) | {"user_input": "Why?"}
    first, second = read_questions(write(tmp_path, {"user_input": "Why?"}, nulls))
    assert first == Question(id="line-1", user_input="Why?")
    assert second == Question(id="line-2", user_input="Why?", extra={"company": None})


def test_a_byte_order_mark_and_blank_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"user_input": "a"}\r\n\r\n{"user_input": "b"}')
    assert [(q.id, q.user_input) for q in read_questions(path)] == [("line-1", "a"), ("line-3", "b")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({}, "no question"),
        ({"user_input": "  "}, "no question"),
        ({"user_input": 3}, "'user_input' must be a string"),
        ({"user_input": "x", "id": True}, "'id' must be a string"),
        ({"user_input": "x", "answerable": 1}, "'answerable' must be true or false"),
        ({"user_input": "x", "reference": ["y"]}, "'reference' must be a string"),
        ({"user_input": "x", "reference_contexts": "y"}, "'reference_contexts' must be a list"),
        ({"user_input": "x", "reference_contexts": [1]}, "must be a list of strings"),
        ({"user_input": "x", "documents": ["a.pdf"]}, "'documents' is not an object"),
        ({"user_input": "x", "documents": [{"page": 1}]}, "no 'source'"),
        ({"user_input": "x", "documents": [{"source": "a", "page": 0}]}, "pages count from 1"),
        ({"user_input": "x", "documents": [{"source": "a", "page": True}]}, "'page' must be a whole"),
        ({"user_input": "x", "documents": [{"source": "a", "start": 1}]}, "only one of 'start' and 'end'"),
        ({"user_input": "x", "documents": [{"source": "a", "start": 2, "end": 2}]}, "greater than .start."),
        ({"user_input": "x", "documents": [{"source": "a", "start": -1, "end": 2}]}, "greater than .start."),
        ({"user_input": "x", "id": "first"}, "the id 'first' comes twice"),
        ([], "a JSON list, not an object"),
    ],
)
def test_a_wrong_line_says_which_and_why(tmp_path: Path, row: object, message: str) -> None:
    path = write(tmp_path, {"user_input": "fine", "id": "first"}, row)
    with pytest.raises(QuestionFileError, match=rf"questions\.jsonl, line 2: .*{message}"):
        read_questions(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "is empty"), (b"\n \n", "is empty"), (b'{"user_input": "\xff"}', "line 1: not UTF-8")],
)
def test_a_file_that_is_no_question_file_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "q.jsonl"
    path.write_bytes(data)
    with pytest.raises(QuestionFileError, match=message):
        read_questions(path)


def test_json_too_deep_to_read_is_an_error_of_its_line(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(QuestionFileError, match="line 1: not JSON"):
        read_questions(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(QuestionFileError, match=r"cannot read|no file"):
            read_questions(path)


@pytest.mark.parametrize(
    ("gold", "source", "same"),
    [
        ("pdfs/3M_2018.pdf", "/data/pdfs/3M_2018.pdf", True),
        ("pdfs/3M_2018.pdf", "pdfs/3M_2018.pdf", True),
        ("3M_2018.pdf", "C:\\data\\3M_2018.pdf", True),
        ("./pdfs/3M_2018.pdf", "/data/pdfs/3M_2018.pdf", True),
        ("pdfs/3M_2018.pdf", "/data/xpdfs/3M_2018.pdf", False),
        ("M_2018.pdf", "/data/3M_2018.pdf", False),
        ("pdfs/3M_2018.pdf", "/data/pdfs/3m_2018.pdf", False),
        ("pdfs/3M_2018.pdf", "3M_2018.pdf", False),
        ("abc", "/data/x.pdf", True),
    ],
)
def test_a_place_is_in_the_document_whose_path_ends_with_its_own(gold: str, source: str, same: bool) -> None:
    assert Place(gold).is_in(source, "abc") is same


@pytest.mark.parametrize(
    ("name", "questions", "places"),
    [
        ("retrieval/nq", 1600, 1600),
        ("retrieval/xquad/de", 1190, 1190),
        ("qa/chunking", 220, 344),
        ("qa/financebench", 55, 61),
        ("qa/clapnq", 300, 300),
        ("qa/mtrag-un", 254, 617),
        ("qa/tatqa", 400, 400),
    ],
)
def test_reads_real_question_sets_whole(name: str, questions: int, places: int) -> None:
    path = Path(os.environ.get("RAG_DATA", "missing")) / name / "questions.jsonl"
    if not path.is_file():
        pytest.skip(f"needs the evaluation set {name} under RAG_DATA")
    read = read_questions(path)
    assert len(read) == questions
    assert sum(len(question.documents) for question in read) == places


def collection(folder: Path, **splits: str) -> Path:
    (folder / "qrels").mkdir()
    (folder / "corpus.jsonl").write_text(
        '{"_id": "d1", "title": "T", "text": "x"}\n{"_id": "d2", "title": "Only", "text": ""}\n',
        encoding="utf-8",
    )
    (folder / "queries.jsonl").write_text(
        '{"_id": "q1", "text": "one"}\n{"_id": "q2", "text": "two"}\n', encoding="utf-8"
    )
    for split, lines in splits.items():
        text = f"query-id\tcorpus-id\tscore\n{lines}"
        (folder / "qrels" / f"{split}.tsv").write_text(text, encoding="utf-8")
    return folder


def test_a_test_collection_is_a_question_set(tmp_path: Path) -> None:
    folder = collection(tmp_path, test="q1\td1\t2\nq1\td2\t1\nq1\td9\t1\nq1\td3\t0\n", dev="q2\td2\t1\n")
    (question,) = read_questions(folder)
    assert question == Question(
        id="q1",
        user_input="one",
        reference_contexts=("x", "Only"),
        reference_context_ids=("d1", "d2", "d9"),
        documents=(Place("d1"), Place("d2"), Place("d9")),
        split="test",
        extra={"qrels": {"d1": 2, "d2": 1, "d9": 1, "d3": 0}},
    )
    (other,) = read_questions(folder / "qrels" / "dev.tsv")
    assert (other.id, other.split) == ("q2", "dev")


def test_the_split_of_a_collection_is_the_only_one_or_test(tmp_path: Path) -> None:
    folder = collection(tmp_path, dev="q1\td1\t1\n")
    assert read_questions(folder)[0].split == "dev"
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n", encoding="utf-8")
    with pytest.raises(QuestionFileError, match=r"test\.tsv.*splits here: dev, train"):
        read_questions(folder)


def test_a_conversation_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(QuestionFileError, match="line 1: 'user_input' is a conversation"):
        read_questions(write(tmp_path, {"user_input": [{"content": "hi", "type": "human"}]}))


@pytest.mark.parametrize("line", ["301 0 FR940202-2-00150 1", "q1\t0\td1\t-2", "1 0 a 0\r"])
def test_judgments_of_trec_are_told_from_questions(tmp_path: Path, line: str) -> None:
    path = tmp_path / "qrels.txt"
    path.write_text(f"{line}\n")
    with pytest.raises(QuestionFileError, match="looks like TREC judgments, not questions: add --run FILE"):
        read_questions(path)
