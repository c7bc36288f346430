"""Questions with the hits that they are answered from, and where the right answer stands in those.

Each set is asked in settings of its own. `shown`: the passage that goes with the question. `whole`:
the ten best hits of the whole collection. Questions that nothing answers are those of the set, and
`without`: the best hits of the collection without the right documents; `other`: another passage of
the right article; `removed`: the right passage without the sentences that answer.
"""

from __future__ import annotations

import json
import os
import random
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import rag
from rag.protocols import Encoder
from rag.sentences import sentence_spans
from rag.types import Chunk, Document, Fingerprint, Hit, Span, Vectors

HANDBOOK = Path(__file__).parents[2] / "data"
DATA = Path(os.environ["RAG_DATA"]) if "RAG_DATA" in os.environ else None
Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a document that answers."""

    source: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Case:
    """A question asked once. `gold` is empty where nothing of `hits` answers."""

    collection: str
    setting: str
    id: str
    kind: str
    question: str
    hits: tuple[Hit, ...]
    gold: tuple[Place, ...]
    references: tuple[str, ...]
    answerable: bool


class Remembering:
    """An encoder that encodes each text once."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._known: dict[str, Vectors] = {}

    @property
    def fingerprint(self) -> Fingerprint:
        return self._encoder.fingerprint

    @property
    def max_tokens(self) -> int:
        return self._encoder.max_tokens

    def token_offsets(self, text: str):
        return self._encoder.token_offsets(text)

    def encode(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        new = sorted({text for text in texts if text not in self._known}, key=len)
        if new:
            self._known.update(zip(new, self._encoder.encode(new, query=query), strict=True))
        return np.stack([self._known[text] for text in texts])


def cases(collection: str, split: str, encoder: Encoder, most: int | None = None) -> Iterator[Case]:
    """The cases of one set and split, each question in all settings; at most that many questions."""
    read: Callable[[str, Encoder, int | None], Iterator[Case]] = {
        "handbook": _handbook,
        "clapnq": _clapnq,
        "xquad": _xquad,
        "nq": _nq,
        "hotpotqa": _hotpotqa,
        "mtrag": _mtrag,
        "tatqa": _tatqa,
        "financebench": _financebench,
    }[collection]
    yield from read(split, encoder, most)


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def _split(path: Path, split: str, most: int | None) -> list[dict]:
    return [row for row in rows_of(path) if row["split"] == split][:most]


def _handbook(split: str, encoder: Encoder, most: int | None) -> Iterator[Case]:
    rows = _split(HANDBOOK / "questions.jsonl", split, most)
    yield from _searched("handbook", sorted((HANDBOOK / "handbook").iterdir()), rows, _documents, encoder)


def _clapnq(split: str, encoder: Encoder, most: int | None) -> Iterator[Case]:
    path = DATA / "qa" / "clapnq" / "questions.jsonl"
    for row in _split(path, split, most):
        (text,) = row["contexts"]
        chosen = [sentence.strip() for listed in row["selected_sentences"] or [] for sentence in listed]
        gold = [Place("p", at, at + len(each)) for each in chosen if (at := text.find(each)) >= 0]
        yield _shown("clapnq", "shown", row, "p", text, "", gold, answerable=row["answerable"])


def _xquad(split: str, encoder: Encoder, most: int | None) -> Iterator[Case]:
    folder = DATA / "retrieval" / "xquad" / "en"
    rows, corpus = _split(folder / "questions.jsonl", split, most), _corpus(folder)
    yield from _searched("xquad", list(corpus.values()), rows, _documents, encoder)
    choose = random.Random(0)
    for row in rows:
        gold = _documents(row, corpus)
        right = corpus[gold[0].source]
        yield from _shown_and_removed("xquad", row, right, gold)
        others = [each for each in corpus.values() if each.title == right.title and each.id != right.id]
        if others:
            other = choose.choice(others)
            yield _shown("xquad", "other", row, other.id, other.text, other.title, [], answerable=False)


def _nq(split: str, encoder: Encoder, most: int | None) -> Iterator[Case]:
    folder = DATA / "retrieval" / "nq"
    rows, corpus = _split(folder / "questions.jsonl", split, most), _corpus(folder)
    yield from _searched("nq", list(corpus.values()), rows, _mentions, encoder)
    for row in rows:
        gold = _mentions(row, corpus)
        yield from _shown_and_removed("nq", row, corpus[gold[0].source], gold)


def _hotpotqa(split: str, encoder: Encoder, most: int | None) -> Iterator[Case]:
    folder = DATA / "retrieval" / "hotpotqa"
    rows, corpus = _split(folder / "questions.jsonl", split, most), _corpus(folder)
    yield from _searched("hotpotqa", list(corpus.values()), rows, _mentions, encoder)


def _mtrag(split: str, encoder: Encoder, most: int | None) -> Iterator[Case]:
    path = DATA / "qa" / "mtrag-un" / "questions.jsonl"
    texts = sorted({text for row in rows_of(path) for text in row["reference_contexts"]})
    corpus = [Document(f"m{at}", f"m{at}", "", text) for at, text in enumerate(texts)]
    places = {document.text: Place(document.source, 0, 0) for document in corpus}
    rows = _split(path, split, most)
    yield from _searched("mtrag", corpus, rows, lambda row, _: [places[t] for t in row["reference_contexts"]],
                         encoder, without=False)  # fmt: skip


def _tatqa(split: str, encoder: Encoder, most: int | None) -> Iterator[Case]:
    """Questions whose answer stands in a table or a text as it is, each shown with the whole of both."""
    folder = DATA / "qa" / "tatqa"
    texts = {row["_id"]: row for row in rows_of(folder / "contexts.jsonl")}
    for row in _split(folder / "questions.jsonl", split, None):
        if row["answer_type"] not in ("span", "multi-span"):
            continue
        context = texts[row["documents"][0]["source"]]
        text = "\n\n".join([context["table_markdown"], *context["paragraphs"]])
        parts = [(text.find(part), part) for part in row["reference_contexts"]]
        gold = [
            Place(context["_id"], at + match.start(), at + match.end())
            for at, part in parts
            if at >= 0
            for answer in row["answer"]
            for match in re.finditer(rf"(?<![\w.,]){re.escape(answer)}(?![\w])", part)
        ]
        right = Document(context["_id"], context["_id"], "", text)
        yield from _shown_and_removed("tatqa", {**row, "references": row["answer"]}, right, gold)


def _financebench(split: str, encoder: Encoder, most: int | None) -> Iterator[Case]:
    """The questions of both splits that are not said to need arithmetic; gold are the pages of evidence.

    For evaluation alone (CC BY-NC 4.0): nothing is fitted on it.
    """
    folder = DATA / "qa" / "financebench"
    rows = [
        row
        for row in rows_of(folder / "questions.jsonl")
        if row["reasoning"] is None or "extraction" in row["reasoning"]
    ]
    with tempfile.TemporaryDirectory() as place, rag.open(Path(place) / "index", encoder=encoder) as kb:
        kb.add(folder / "pdfs")
        found = {Path(each.source).name: kb.document(each.id) for each in kb.documents()}
        for row in rows[:most]:
            gold = []
            for each in row["documents"]:
                document = found[Path(each["source"]).name]
                page = document.pages[each["page"] - 1]
                gold.append(Place(document.source, page.span.start, page.span.end))
            yield Case(
                "financebench",
                "whole",
                row["id"],
                str(row["kind"]),
                row["user_input"],
                tuple(kb.search(row["user_input"], syntax=False)),
                tuple(gold),
                _references(row),
                answerable=True,
            )


def _corpus(folder: Path) -> dict[str, Document]:
    return {
        row["_id"]: Document(row["_id"], row["_id"], row["title"], row["text"])
        for row in rows_of(folder / "corpus.jsonl")
    }


def _documents(row: dict, corpus: object) -> list[Place]:
    return [Place(each["source"], each["start"], each["end"]) for each in row["documents"]]


def _mentions(row: dict, corpus: dict[str, Document]) -> list[Place]:
    """Where the right documents have one of the accepted answers; where none has one, an empty place."""
    found = [
        Place(each["source"], match.start(), match.end())
        for each in row["documents"]
        for reference in row["references"]
        for match in re.finditer(
            rf"(?<!\w){re.escape(reference)}(?!\w)", corpus[each["source"]].text, re.IGNORECASE
        )
    ]
    return found or [Place(each["source"], 0, 0) for each in row["documents"]]


def _searched(
    collection: str,
    sources: list,
    rows: list[dict],
    gold_of: Callable,
    encoder: Encoder,
    without: bool = True,
) -> Iterator[Case]:
    corpus = {each.id: each for each in sources if isinstance(each, Document)}
    with tempfile.TemporaryDirectory() as place, rag.open(Path(place) / "index", encoder=encoder) as kb:
        kb.add(sources)
        whole = {Path(document.source).name: document.source for document in kb.documents()}
        for row in rows:
            gold = [replace(each, source=whole[each.source]) for each in gold_of(row, corpus)]
            barred = {"source": {"$nin": [each.source for each in gold]}}
            for setting in ("whole", "without") if gold and without else ("whole",):
                right = setting == "whole" and bool(row["answerable"])
                yield Case(
                    collection,
                    setting,
                    row["id"],
                    str(row.get("kind")),
                    row["user_input"],
                    tuple(kb.search(row["user_input"], where=None if setting == "whole" else barred,
                                    syntax=False)),
                    tuple(gold) if right else (),
                    _references(row),
                    right,
                )  # fmt: skip


def _shown_and_removed(collection: str, row: dict, right: Document, gold: list[Place]) -> Iterator[Case]:
    yield _shown(collection, "shown", row, right.id, right.text, right.title, gold, answerable=True)
    spans = sentence_spans(right.text)
    kept = [s for s in spans if not any(s.start < each.end and each.start < s.end for each in gold)]
    if 2 <= len(kept) < len(spans):
        text = " ".join(right.text[span.start : span.end] for span in kept)
        yield _shown(collection, "removed", row, right.id, text, right.title, [], answerable=False)


def _shown(
    collection: str, setting: str, row: dict, source: str, text: str, title: str, gold: list[Place], *,
    answerable: bool,
) -> Case:  # fmt: skip
    hit = Hit(1, 1.0, Chunk(source, Span(0, len(text)), text), source, title)
    return Case(collection, setting, row["id"], str(row.get("kind")), row["user_input"], (hit,), tuple(gold),
                _references(row), answerable)  # fmt: skip


def _references(row: dict) -> tuple[str, ...]:
    return tuple(row.get("references") or ([row["reference"]] if row["reference"] else []))
