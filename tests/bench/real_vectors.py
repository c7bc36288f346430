"""Real vectors for the benchmarks of nearest neighbours: sentences of the evaluation data, encoded.

    RAG_DATA=... python tests/bench/real_vectors.py CACHE.npz    # about 20 minutes, once

200,000 different pieces of sentences (24 words at most) of MedQuAD's answers, SciFact, NQ, HotpotQA,
Cranfield and CACM are the vectors; 2,000 questions of MedQuAD and NQ are the queries. All are of unit length.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rag.sentences import sentence_spans
from rag.types import Vectors

ROWS, QUERIES = 200_000, 2_000
WORDS = 24
FEWEST_WORDS = 5
PART = 4096


def lines(path: Path) -> Iterator[dict[str, str]]:
    """The objects of a JSONL file, packed or not."""
    open_text = gzip.open if path.suffix == ".gz" else open
    with open_text(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def texts(root: Path) -> Iterator[str]:
    """The passages of the evaluation data, longest set last."""
    for name in ("scifact", "nq", "hotpotqa", "cranfield", "cacm"):
        for line in lines(root / "retrieval" / name / "corpus.jsonl"):
            yield line["text"]
    for line in lines(root / "pairs" / "medquad.jsonl.gz"):
        yield line["answer"]


def sentences(root: Path, rows: int) -> list[str]:
    """Different pieces of sentences, the first `rows` of a fixed shuffle."""
    found: dict[str, None] = {}
    for text in texts(root):
        for span in sentence_spans(text):
            words = text[span.start : span.end].split()
            for at in range(0, len(words) - FEWEST_WORDS + 1, WORDS):
                found[" ".join(words[at : at + WORDS])] = None
    every = list(found)
    random.Random(1).shuffle(every)
    return every[:rows]


def questions(root: Path, count: int) -> list[str]:
    """Different questions, the first `count` of a fixed shuffle."""
    found = {line["question"]: None for line in lines(root / "pairs" / "medquad.jsonl.gz")}
    found |= {line["text"]: None for line in lines(root / "retrieval" / "nq" / "queries.jsonl")}
    every = list(found)
    random.Random(2).shuffle(every)
    return every[:count]


def load(path: Path) -> tuple[Vectors, Vectors]:
    """The vectors (n, 384) and the queries (m, 384) of the cache at `path`."""
    with np.load(path) as cache:
        return cache["vectors"], cache["queries"]


def main(path: Path) -> None:
    """Encode everything, part by part, and write the cache."""
    from rag.index.encoder import resolve_encoder

    root = Path(os.environ["RAG_DATA"])
    encoder = resolve_encoder(None)
    passages, asked = sentences(root, ROWS), questions(root, QUERIES)
    print(f"{len(passages):,} sentences, {len(asked):,} questions", file=sys.stderr)
    parts = []
    for at in range(0, len(passages), PART):
        parts.append(encoder.encode(passages[at : at + PART]))
        print(f"{at:,}", end="\r", file=sys.stderr)
        np.save(path.with_suffix(".part.npy"), np.concatenate(parts))
    np.savez(path, vectors=np.concatenate(parts), queries=encoder.encode(asked, query=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
