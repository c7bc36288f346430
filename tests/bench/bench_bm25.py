"""BM25 beside bm25s (numba and numpy): queries per CPU second, and whether the scores are right.

    pip install bm25s numba
    RAG_DATA=... OMP_NUM_THREADS=1 python tests/bench/bench_bm25.py 100000 1000000

Passages of 60 to 100 words are cut from the texts of SciFact, NQ, HotpotQA, Cranfield, CACM and
MedQuAD, again and again with each text's sentences in another order, until there are enough. The
queries are 500 questions of NQ and 500 of MedQuAD. All have the same terms of the same analyzer.
Both search for the 100 best in one thread, by turns; of five turns the one of the median counts.
A turn of bm25s is one call for all queries, as its users are told to; ours is a call for each, from
its terms to rows and scores, the statistics of its terms included.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
from real_vectors import lines, texts

from rag.index.analyzer import english
from rag.index.bm25 import Part, count_rows, idf, impacts, top_rows
from rag.index.bm25_kernel import Kernel, load_kernel
from rag.index.postings import Postings, count_terms, merge_postings
from rag.sentences import sentence_spans

K, K1, B = 100, 0.9, 0.4
TURNS = 5
SLOW_QUERIES = 100
"""So many queries are enough for code without numba, and for brute force."""


def passages(root: Path, wanted: int) -> list[list[str]]:
    """The terms of so many passages, in a fixed shuffle."""
    documents = [
        [(len(text[span.start : span.end].split()), english(text[span.start : span.end])) for span in spans]
        for text in texts(root)
        if (spans := sentence_spans(text))
    ]
    rng = random.Random(1)
    found: list[list[str]] = []
    while len(found) < wanted:
        for sentences in documents:
            terms, words, size = [], 0, rng.randint(60, 100)
            for length, said in sentences:
                terms += said
                words += length
                if words >= size:
                    found.append(terms)
                    terms, words, size = [], 0, rng.randint(60, 100)
            if words >= 20:
                found.append(terms)
            rng.shuffle(sentences)
    rng.shuffle(found)
    return found[:wanted]


def queries(root: Path) -> list[list[str]]:
    rng = random.Random(2)
    nq = [line["text"] for line in lines(root / "retrieval" / "nq" / "queries.jsonl")]
    medquad = [line["question"] for line in lines(root / "pairs" / "medquad.jsonl.gz")]
    found = [english(text) for text in rng.sample(nq, 500) + rng.sample(medquad, 500)]
    rng.shuffle(found)
    return [terms for terms in found if terms]


class Ours:
    """What a snapshot of one segment keeps: its postings, mapped from disk, and the counts of its terms."""

    def __init__(self, folder: Path, postings: Postings, lengths: np.ndarray):
        mapped = {}
        for field in fields(Postings):
            np.save(folder / f"{field.name}.npy", getattr(postings, field.name))
            mapped[field.name] = np.asarray(np.load(folder / f"{field.name}.npy", mmap_mode="r"))
        postings = Postings(**mapped)
        self.part = Part(postings, impacts(postings, float(lengths.mean()), K1, B), len(lengths))
        self.holding: dict[str, int] = {}

    def weights(self, terms: list[str]) -> dict[str, float]:
        counts = Counter(terms)
        new = [term for term in counts if term not in self.holding]
        if new:
            self.holding.update(zip(new, count_rows(self.part, new), strict=True))
        return {term: n * idf(self.part.rows, self.holding[term]) for term, n in counts.items()}

    def search(self, asked: list[list[str]], kernel: Kernel | None) -> list[np.ndarray]:
        return [top_rows([self.part], self.weights(terms), K, None, kernel)[0].scores for terms in asked]


def brute_force(part: Part, weights: dict[str, float], lengths: np.ndarray) -> np.ndarray:
    """The K highest scores in float64, from the formula."""
    scores = np.zeros(len(lengths))
    norms = K1 * (1 - B + B * lengths / lengths.mean())
    for (begin, end), weight in zip(part.lists(list(weights)), weights.values(), strict=True):
        rows = part.postings.rows[begin:end]
        counts = part.postings.shapes[part.postings.shape_of[begin:end], 0].astype(np.float64)
        scores[rows] += weight * counts / (counts + norms[rows])
    best = np.sort(scores)[::-1][:K]
    return best[best > 0]


def cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def peers(terms: list[list[str]], asked: list[list[str]]) -> dict[str, Callable[[], object]]:
    import bm25s

    index = bm25s.BM25(k1=K1, b=B, method="lucene", backend="numba")
    print(f"  bm25s indexes in {cpu(lambda: index.index(terms, show_progress=False)):.1f} CPU seconds")

    def turn(backend: str, some: list[list[str]]) -> object:
        index.backend = backend
        return index.retrieve(some, k=K, show_progress=False)

    return {
        "bm25s, numba": lambda: turn("numba", asked),
        "bm25s, numpy": lambda: turn("numpy", asked[:SLOW_QUERIES]),
    }


def compare(terms: list[list[str]], asked: list[list[str]], folder: Path) -> None:
    """Print the figures for one number of passages."""
    print(f"{len(terms):,} passages of {sum(map(len, terms)) / len(terms):.0f} terms")
    start = time.process_time()
    halves = [terms[0::2], terms[1::2]]
    counted = [count_terms(((), body) for body in half)[0] for half in halves]
    print(f"  ours counts in {time.process_time() - start:.1f} CPU seconds, in two segments")
    numbers = [np.arange(at, len(terms), 2, dtype=np.int32) for at in range(2)]
    start = time.process_time()
    postings = merge_postings(list(zip(counted, numbers, strict=True)))
    print(f"  and merges them in {time.process_time() - start:.1f} CPU seconds")
    lengths = np.array(list(map(len, terms)), np.int32)
    ours, kernel = Ours(folder, postings, lengths), load_kernel()

    off = 0.0
    for each in asked[:SLOW_QUERIES]:
        weights = ours.weights(each)
        expected = brute_force(ours.part, weights, lengths)
        for code in (None, kernel):
            found = top_rows([ours.part], weights, K, None, code)[0].scores
            assert len(found) == len(expected)
            off = max(off, float(np.abs(found / expected - 1).max(initial=0)))
    print(f"  the {K} best scores are off brute force in float64 by {off:.1e} of the score at most")

    work: dict[str, Callable[[], object]] = {"ours, numba": lambda: ours.search(asked, kernel)}
    work["ours, numpy"] = lambda: ours.search(asked[:SLOW_QUERIES], None)
    work |= peers(terms, asked)
    cold = {name: cpu(turn) for name, turn in work.items()}
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(TURNS):
        for name, turn in work.items():
            seconds[name].append(cpu(turn))
    rate = {
        name: (len(asked) if name.endswith("numba") else SLOW_QUERIES) / statistics.median(taken)
        for name, taken in seconds.items()
    }
    for name in work:
        ratios = ", ".join(
            f"{rate[name] / rate[peer]:.2f} x {peer}" for peer in rate if peer.startswith("bm")
        )
        print(f"  {name}: {rate[name]:,.0f} queries a CPU second; {ratios}; first turn {cold[name]:.2f} s")


def main() -> None:
    root = Path(os.environ["RAG_DATA"])
    sizes = [int(size) for size in sys.argv[1:]] or [100_000]
    terms, asked = passages(root, max(sizes)), queries(root)
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            compare(terms[:size], asked, Path(folder))


if __name__ == "__main__":
    main()
