import os
from pathlib import Path

import pytest

from rag.errors import QuestionFileError
from rag.eval.collections import CollectionDocument, read_collection

CORPUS = '{"_id": "d1", "title": "T", "text": "x"}\n{"_id": "d2", "text": ""}\n'
QUERIES = '{"_id": "q1", "text": "one"}\n{"_id": "q2", "text": "two"}\n'
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td9\t-1\n"


def make(folder: Path, corpus: str = CORPUS, queries: str = QUERIES, qrels: str = QRELS) -> Path:
    (folder / "qrels").mkdir()
    (folder / "corpus.jsonl").write_text(corpus, encoding="utf-8")
    (folder / "queries.jsonl").write_text(queries, encoding="utf-8")
    (folder / "qrels" / "test.tsv").write_text(qrels, encoding="utf-8")
    return folder


def test_reads_what_the_split_judges(tmp_path: Path) -> None:
    collection = read_collection(make(tmp_path))
    assert collection.documents == (CollectionDocument("d1", "T", "x"), CollectionDocument("d2", "", ""))
    assert collection.queries == {"q1": "one"}
    assert collection.qrels == {"q1": {"d1": 2, "d9": -1}}
    assert (collection.name, collection.split) == (tmp_path.name, "test")


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    make(tmp_path, qrels="\ufeff" + QRELS.replace("\n", "\r\n"), corpus="\ufeff" + CORPUS)
    assert read_collection(tmp_path).qrels == {"q1": {"d1": 2, "d9": -1}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"qrels": "q1\td1\t1\n"}, r"test\.tsv, line 1: the first line must be the header"),
        ({"qrels": ""}, r"test\.tsv, line 1: the first line must be the header"),
        ({"qrels": "query-id\tcorpus-id\tscore\n"}, "holds no judgments"),
        ({"qrels": QRELS + "q1\td1\n"}, r"line 4: 2 tab-separated fields"),
        ({"qrels": QRELS + "q1\td1\t1\n"}, r"line 4: document 'd1' is judged twice"),
        ({"qrels": QRELS + "q1\td3\t0.5\n"}, r"line 4: the grade '0.5' is not a whole number"),
        ({"qrels": QRELS + "q7\td3\t1\n"}, r"judges query 'q7'"),
        ({"corpus": CORPUS + CORPUS}, r"corpus\.jsonl, line 3: document 'd1' comes twice"),
        ({"corpus": '{"_id": 7, "text": ""}'}, r"corpus\.jsonl, line 1: the field '_id'"),
        ({"corpus": '{"_id": "7"}'}, r"corpus\.jsonl, line 1: the field 'text'"),
        ({"corpus": "\n"}, r"corpus\.jsonl is empty"),
        ({"queries": QUERIES + "[]"}, r"queries\.jsonl, line 3: a JSON list, not an object"),
        ({"queries": QUERIES + "{"}, r"queries\.jsonl, line 3: not JSON"),
        ({"queries": QUERIES + QUERIES}, r"queries\.jsonl, line 3: query 'q1' comes twice"),
    ],
)
def test_a_damaged_collection_says_where(tmp_path: Path, change: dict[str, str], message: str) -> None:
    make(tmp_path, **change)
    with pytest.raises(QuestionFileError, match=message):
        read_collection(tmp_path)


def test_a_missing_split_names_those_there(tmp_path: Path) -> None:
    with pytest.raises(QuestionFileError, match=r"dev\.tsv.*splits here: test"):
        read_collection(make(tmp_path), "dev")


@pytest.mark.parametrize(
    ("name", "split", "documents", "queries", "judgments"),
    [
        ("scifact", "test", 5183, 300, 339),
        ("scifact", "train", 5183, 809, 919),
        ("cranfield", "dev", 1400, None, 803),
        ("cranfield", "test", 1400, None, 809),
        ("nq", "dev", 1572, 802, 802),
        ("nq", "test", 1572, 798, 798),
    ],
)
def test_reads_real_collections_whole(
    name: str, split: str, documents: int, queries: int | None, judgments: int
) -> None:
    folder = Path(os.environ.get("RAG_DATA", "missing")) / "retrieval" / name
    if not folder.is_dir():
        pytest.skip(f"needs the evaluation set retrieval/{name} under RAG_DATA")
    collection = read_collection(folder, split)
    assert len(collection.documents) == documents
    assert sum(map(len, collection.qrels.values())) == judgments
    assert queries is None or len(collection.queries) == queries
    assert collection.queries.keys() == collection.qrels.keys()
