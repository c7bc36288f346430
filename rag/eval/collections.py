"""Test collections in the BEIR layout: a corpus, queries, and judgments by split.

Source: Thakur et al. 2021, BEIR: A Heterogeneous Benchmark for Zero-shot
Evaluation of Information Retrieval Models.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rag.errors import QuestionFileError
from rag.eval.jsonl import fail, read_lines, read_objects, whole_number

QRELS_HEADER = ("query-id", "corpus-id", "score")


@dataclass(frozen=True, slots=True)
class CollectionDocument:
    """A document of a test collection. `title` is `""` where it has none; either may be empty."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Collection:
    """A test collection: its documents, and the queries that one split judges.

    `queries` maps query id to text, in the order of the file; `qrels` maps the same
    ids to document ids to grades.
    """

    name: str
    split: str
    documents: tuple[CollectionDocument, ...]
    queries: Mapping[str, str]
    qrels: Mapping[str, Mapping[str, int]]


def read_collection(folder: str | Path, split: str = "test") -> Collection:
    """Read `corpus.jsonl`, `queries.jsonl` and `qrels/<split>.tsv` of a folder.

    Queries without a judgment in the split are left out. A judgment may name a
    document that the corpus lacks: it counts, as one that cannot be found.

    Raises:
        QuestionFileError: a file is missing or does not parse, an id comes twice, or a
            judgment names a query that is not there.
    """
    folder = Path(folder)
    qrels = read_qrels(_file(folder, f"qrels/{split}.tsv"))
    texts = _read_queries(_file(folder, "queries.jsonl"))
    _check_queries(folder, split, qrels, texts)
    return Collection(
        name=folder.resolve().name,
        split=split,
        documents=_read_corpus(_file(folder, "corpus.jsonl")),
        queries={query: text for query, text in texts.items() if query in qrels},
        qrels=qrels,
    )


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Read judgments: a header line, then query id, document id and grade, tab separated.

    Raises:
        QuestionFileError: the file cannot be read, holds no judgment, or a line is not one.
    """
    lines = read_lines(path)
    number, header = next(lines, (1, ""))
    if tuple(header.split("\t")) != QRELS_HEADER:
        fail(path, number, "the first line must be the header 'query-id<tab>corpus-id<tab>score'")
    qrels: dict[str, dict[str, int]] = {}
    for number, line in lines:
        parts = line.split("\t")
        if len(parts) != 3:
            fail(path, number, f"{len(parts)} tab-separated fields: write query id, document id and grade")
        query, document, grade = parts
        if document in qrels.get(query, ()):
            fail(path, number, f"document {document!r} is judged twice for query {query!r}: drop one")
        qrels.setdefault(query, {})[document] = whole_number(grade, path, number)
    if not qrels:
        raise QuestionFileError(f"{path} holds no judgments: add at least one line below the header")
    return qrels


def is_judgments(path: Path) -> bool:
    """Whether this is a file of judgments in a collection: `qrels/<split>.tsv`."""
    return path.parent.name == "qrels" and path.suffix == ".tsv" and path.is_file()


def read_split(path: Path) -> list[dict[str, object]]:
    """Give the judged queries of a collection's folder, or of its `qrels/<split>.tsv`, as rows of questions.

    Of a folder the split is `test`, or the only one there is. `documents` and `reference_context_ids` are
    the corpus ids with a grade of 1 or more, and `reference_contexts` the texts of those that the
    corpus has; `qrels` has all grades.

    Raises:
        QuestionFileError: as `read_collection`, or there are several splits and none is `test`.
    """
    folder, split = (path.parent.parent, path.stem) if path.is_file() else (path, "test")
    splits = [file.stem for file in folder.glob("qrels/*.tsv")]
    if split not in splits and len(splits) == 1:
        split = splits[0]
    qrels = read_qrels(_file(folder, f"qrels/{split}.tsv"))
    texts = _read_queries(_file(folder, "queries.jsonl"))
    _check_queries(folder, split, qrels, texts)
    relevant = {
        query: [document for document, grade in grades.items() if grade > 0]
        for query, grades in qrels.items()
    }
    wanted = {document for documents in relevant.values() for document in documents}
    corpus = _read_corpus(_file(folder, "corpus.jsonl"))
    found = {each.id: each.text if each.text.strip() else each.title for each in corpus if each.id in wanted}
    return [
        {
            "id": query,
            "user_input": text,
            "reference_context_ids": relevant[query],
            "documents": [{"source": document} for document in relevant[query]],
            "reference_contexts": [found[document] for document in relevant[query] if found.get(document)],
            "split": split,
            "qrels": qrels[query],
        }
        for query, text in texts.items()
        if query in qrels
    ]


def _file(folder: Path, name: str) -> Path:
    path = folder / name
    if path.is_file():
        return path
    splits = ", ".join(sorted(file.stem for file in folder.glob("qrels/*.tsv"))) or "none"
    raise QuestionFileError(
        f"no file {path}: a test collection is a folder of corpus.jsonl, queries.jsonl and "
        f"qrels/<split>.tsv (splits here: {splits})"
    )


def _check_queries(folder: Path, split: str, qrels: Iterable[str], texts: Mapping[str, str]) -> None:
    missing = next((query for query in qrels if query not in texts), None)
    if missing is not None:
        raise QuestionFileError(
            f"{folder / 'qrels' / f'{split}.tsv'} judges query {missing!r}, which {folder / 'queries.jsonl'} "
            "does not hold: add the query or drop its judgments"
        )


def _read_corpus(path: Path) -> tuple[CollectionDocument, ...]:
    documents: dict[str, CollectionDocument] = {}
    for number, row in read_objects(path):
        identity = _string(row, "_id", path, number)
        if identity in documents:
            fail(path, number, f"document {identity!r} comes twice: give each its own '_id'")
        title = _string(row, "title", path, number) if row.get("title") is not None else ""
        documents[identity] = CollectionDocument(identity, title, _string(row, "text", path, number))
    if not documents:
        raise QuestionFileError(f"{path} is empty: write one document a line")
    return tuple(documents.values())


def _read_queries(path: Path) -> dict[str, str]:
    queries: dict[str, str] = {}
    for number, row in read_objects(path):
        identity = _string(row, "_id", path, number)
        if identity in queries:
            fail(path, number, f"query {identity!r} comes twice: give each its own '_id'")
        queries[identity] = _string(row, "text", path, number)
    return queries


def _string(row: Mapping[str, object], field: str, path: Path, line: int) -> str:
    value = row.get(field)
    if not isinstance(value, str):
        fail(path, line, f'the field {field!r} is missing or not a string: write it as "{field}": "..."')
    return value
