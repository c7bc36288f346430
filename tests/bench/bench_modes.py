"""What searching in steps and condensing conversations find, beside what one search and the last turn do.

    RAG_DATA=... python tests/bench/bench_modes.py [--split dev|test] [--cache FOLDER]

`steps`: two-hop questions of HotpotQA, both gold passages among the first 2, 5 and 10; and, as what more
steps cost where one is enough, questions of NQ and XQuAD, the one gold passage among them.
`chat`: last turns of MTRAG-UN (answerable and partly so), the gold passages among those of all conversations.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from rag.generation.chat import condensed
from rag.index.analyzer import english
from rag.pipeline import Engine
from rag.protocols import Retriever
from rag.retrieval.iterative import bridge, iterative
from rag.types import Chunk, Document, Message, Span

DEPTHS = (2, 5, 10)


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def whole(document: Document) -> list[Chunk]:
    return [Chunk(document.id, Span(0, len(document.text)), document.text)]


def opened(place: Path, documents: Sequence[Document], **options: object) -> Engine:
    engine = Engine(place, **options)
    if engine.stats().documents == 0:
        engine.add(list(documents))
    return engine


def collection(folder: Path) -> Iterator[Document]:
    for each in read(folder / "corpus.jsonl"):
        if each["text"].strip():
            yield Document(each["_id"], each["_id"], each.get("title", ""), each["text"])


def judged(folder: Path, split: str) -> list[tuple[str, set[str]]]:
    queries = {each["_id"]: each["text"] for each in read(folder / "queries.jsonl")}
    gold: dict[str, set[str]] = {}
    for line in (folder / "qrels" / f"{split}.tsv").read_text().splitlines()[1:]:
        query, document, score = line.split("\t")
        if int(score) > 0:
            gold.setdefault(query, set()).add(document)
    return [(queries[query], documents) for query, documents in gold.items()]


def of_steps(retriever: Retriever, questions: Sequence[tuple[str, set[str]]], name: str) -> None:
    for steps in (1, 2, 3):
        searching = iterative(retriever, bridge(english), steps=steps)
        started = time.perf_counter()
        found = [
            ([hit.chunk.document_id for hit in searching(query, k=max(DEPTHS))], gold)
            for query, gold in questions
        ]
        each_ms = 1e3 * (time.perf_counter() - started) / len(found)
        told = [
            f"@{k} all {np.mean([gold <= set(ids[:k]) for ids, gold in found]):.3f}"
            f" recall {np.mean([len(gold & set(ids[:k])) / len(gold) for ids, gold in found]):.3f}"
            for k in DEPTHS
        ]
        print(f"{name:10s} n={len(found)} steps={steps}  {'  '.join(told)}  {each_ms:.0f} ms", flush=True)


def of_chat(retriever: Retriever, rows: Sequence[dict]) -> None:
    condense = condensed(english)
    asking: dict[str, Callable[[list[str]], str]] = {
        "last turn": lambda said: said[-1],
        "all turns": " ".join,
        "condensed": lambda said: condense([Message("user", text) for text in said]),
    }
    for name, ask in asking.items():
        gains, recalls = [], []
        for row in rows:
            gold = {digest(text) for text in row["reference_contexts"]}
            said = [turn["content"] for turn in row["turns"] if turn["role"] == "user"]
            hits = retriever(ask(said), k=60)
            ids = list(dict.fromkeys(hit.chunk.document_id for hit in hits))[:10]
            gain = sum(1 / math.log2(at + 2) for at, each in enumerate(ids) if each in gold)
            gains.append(gain / sum(1 / math.log2(at + 2) for at in range(min(10, len(gold)))))
            recalls.append([len(gold & set(ids[:k])) / len(gold) for k in (5, 10)])
        at5, at10 = np.mean(recalls, axis=0)
        print(
            f"{name}  n={len(rows)}  nDCG@10 {np.mean(gains):.4f}  R@5 {at5:.4f}  R@10 {at10:.4f}", flush=True
        )


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--split", default="dev", choices=("dev", "test"))
    parser.add_argument("--cache", type=Path, help="a folder in which the indexes are kept")
    options = parser.parse_args()
    data = Path(os.environ["RAG_DATA"])
    with tempfile.TemporaryDirectory() as scratch:
        place = options.cache or Path(scratch)
        for name in ("hotpotqa", "nq", "xquad/en"):
            folder = data / "retrieval" / name
            index = place / name.replace("/", "-")
            with opened(index, list(collection(folder)), chunker=whole) as engine, engine.view() as view:
                of_steps(engine.retriever(view), judged(folder, options.split), name)
        rows = read(data / "qa" / "mtrag-un" / "questions.jsonl")
        passages = {digest(text): text for row in rows for text in row["reference_contexts"]}
        documents = [Document(key, key, "", text) for key, text in passages.items()]
        asked = [
            row
            for row in rows
            if row["split"] == options.split
            and row["reference_contexts"]
            and row["answerability"] in ("answerable", "partial")
        ]
        with opened(place / "mtrag", documents) as engine, engine.view() as view:
            of_chat(engine.retriever(view), asked)


if __name__ == "__main__":
    main()
