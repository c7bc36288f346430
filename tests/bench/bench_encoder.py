"""Measure the encoders against each other: speed by length, one question, and agreement.

    python tests/bench/bench_encoder.py [--texts 1000] [--seconds 3]

Texts are the abstracts of scifact where RAG_DATA points at the evaluation data, else words at random.
Agreement is with sentence-transformers in float32: the least cosine, and how many of the ten nearest
texts of each text are the same. Speeds are the best of their runs, for others may use the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from rag.index.encoder_folder import bundled_folder
from rag.index.encoder_minilm import MiniLMEncoder
from rag.index.encoder_torch import SentenceTransformerEncoder
from rag.protocols import Encoder
from rag.types import Vectors

LENGTHS = (32, 128, 256)
WORDS = (
    "water engine river music stone letter garden winter bridge silver forest market window number".split()
)
QUESTION = "how long may an employee take parental leave after the birth of a child?"


def texts_to_compare(count: int) -> list[str]:
    found = Path(os.environ.get("RAG_DATA", "/nonexistent")) / "retrieval" / "scifact" / "corpus.jsonl"
    if found.is_file():
        with found.open(encoding="utf-8") as lines:
            return [json.loads(line)["text"][:400] for line in islice(lines, count)]
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS, rng.integers(5, 60))) for _ in range(count)]


def best_seconds(work: Callable[[], object], seconds: float) -> float:
    work()
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def nearest(vectors: Vectors) -> list[set[int]]:
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -1)
    return [set(row.tolist()) for row in np.argsort(-scores, axis=1)[:, :10]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args()
    folder = bundled_folder()
    encoders: dict[str, Encoder] = {
        "torch fp32": SentenceTransformerEncoder(folder, device="cpu"),
        "OpenVINO (default)": MiniLMEncoder(folder),
        "ONNX Runtime fp32": MiniLMEncoder(folder, runtime="onnxruntime"),
    }
    texts = texts_to_compare(options.texts)
    exact: Vectors | None = None
    heads = "".join(f"{f'{length} tokens':>12}" for length in LENGTHS)
    print(f"{'texts/s at':20}{heads}{'one (ms)':>12}{'cosine':>12}{'top 10':>10}")
    for name, encoder in encoders.items():
        row = f"{name:20}"
        for length in LENGTHS:
            batch = [" ".join([WORDS[at % len(WORDS)]] * (length - 2)) for at in range(2048 // length)]
            row += f"{len(batch) / best_seconds(partial(encoder.encode, batch), options.seconds):12.1f}"
        row += (
            f"{1000 * best_seconds(partial(encoder.encode, [QUESTION], query=True), options.seconds):12.2f}"
        )
        vectors = encoder.encode(texts)
        exact = vectors if exact is None else exact
        overlap = [len(a & b) / 10 for a, b in zip(nearest(exact), nearest(vectors), strict=True)]
        print(f"{row}{(vectors * exact).sum(axis=1).min():12.6f}{np.mean(overlap):10.4f}")
    long = "\n".join(texts) * (500_000 // sum(map(len, texts)) + 1)
    default = encoders["OpenVINO (default)"]
    assert isinstance(default, MiniLMEncoder)
    seconds = best_seconds(lambda: default.token_offsets(long), options.seconds)
    print(f"token_offsets: {len(long) / seconds / 1e6:.2f} million characters/s")


if __name__ == "__main__":
    main()
