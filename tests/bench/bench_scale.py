"""How long the store takes at size: a folder of 10,000 files that did not change, and 1,000,000 passages.

    OMP_NUM_THREADS=2 python tests/bench/bench_scale.py --folder /tmp/scale [--chunks 1000000] [--kind flat]

The index is kept in the folder and used again. Each figure of it is of a new process; "from disk" is
after its files were dropped from the page cache. Text is drawn from 100,000 words by Zipf's law, and
vectors are random, as nothing here hangs on what they say. Prints JSON: the median of the runs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from fakes import HashingEncoder, document

from rag.index.documents import Fields, Known, Prepared, content_key, digest
from rag.index.store import Store
from rag.pipeline import Engine
from rag.types import Chunk, Document, LedgerEntry, Settings, Span, Status

DIMENSION = 384
WORDS_OF_A_CHUNK = 40
CHUNKS_OF_A_DOCUMENT = 50
VOCABULARY = 100_000
SEGMENTS = [131_072] * 7 + [16_384] * 5 + [2_048]
"""The rows of the segments that a million passages come to lie in when they are added bit by bit."""


def words() -> list[str]:
    """A vocabulary that no stemmer changes, the most frequent first."""
    return [f"t{at:05d}" for at in range(VOCABULARY)]


def drawn(rng: np.random.Generator, count: int) -> np.ndarray:
    """Word numbers by Zipf's law, of exponent 1."""
    shares = np.cumsum(1 / np.arange(1, VOCABULARY + 1))
    return np.searchsorted(shares, rng.random(count) * shares[-1]).astype(np.int32)


def made(number: int, rng: np.random.Generator, vocabulary: Sequence[str], chunks: int) -> Prepared:
    """A document of some passages, with their terms and vectors, as if it had been read and embedded."""
    numbers = drawn(rng, chunks * WORDS_OF_A_CHUNK).tolist()
    terms = [vocabulary[at] for at in numbers]
    parts = [terms[at : at + WORDS_OF_A_CHUNK] for at in range(0, len(terms), WORDS_OF_A_CHUNK)]
    lines = [" ".join(part) for part in parts]
    text = "\n".join(lines)
    whole = Document(
        hashlib.sha256(text.encode()).hexdigest(), f"doc{number}.txt", f"Document {number}", text
    )
    cut, start = [], 0
    for line in lines:
        cut.append(Chunk(whole.id, Span(start, start + len(line)), line))
        start += len(line) + 1
    vectors = rng.standard_normal((chunks, DIMENSION), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    above = ("document", str(number))
    keys = tuple(content_key(f"{number} {line}") for line in lines)
    fields = Fields({"team": f"team{number % 20}", "year": 2000 + number % 25})
    return Prepared(
        whole, fields, digest(whole), tuple(cut), tuple((above, part) for part in parts), keys, vectors
    )


def build(folder: Path, chunks: int, kind: str) -> None:
    """Write the index, segment by segment, without merges: a graph of all rows would take hours."""
    rng, vocabulary = np.random.default_rng(7), words()
    fingerprint = HashingEncoder(DIMENSION).fingerprint
    store, number = Store(folder, Settings(kind=kind)), 0
    for rows in SEGMENTS:
        started, batch, left = time.perf_counter(), [], round(rows * chunks / sum(SEGMENTS))
        while left:
            size = min(left, CHUNKS_OF_A_DOCUMENT)
            batch.append(made(number, rng, vocabulary, size))
            number, left = number + 1, left - size
        entries = [
            LedgerEntry(each.document.source, Status.INDEXED, "", each.document.id, len(each.chunks))
            for each in batch
        ]
        between = time.perf_counter()
        with store.writer() as writer:
            writer.add(batch, [Known(entry, "") for entry in entries], {}, fingerprint)
        print(
            f"{len(batch)} documents made in {between - started:.0f} s, "
            f"committed in {time.perf_counter() - between:.0f} s",
            file=sys.stderr,
        )
    store.close()


@dataclass(frozen=True)
class Taken:
    """Seconds of the clock, and of the processor: on a machine that others use the first says less."""

    wall: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.wall:.3f} ({self.cpu:.3f} CPU)"


def timed(call: Callable[[], object]) -> Taken:
    """What a call takes."""
    started, busy = time.perf_counter(), time.process_time()
    call()
    return Taken(time.perf_counter() - started, time.process_time() - busy)


def median(taken: Sequence[Taken]) -> Taken:
    """The median of each."""
    return Taken(
        statistics.median(each.wall for each in taken), statistics.median(each.cpu for each in taken)
    )


def opened(index: Path) -> Engine:
    """The index, for an encoder of its own."""
    return Engine(index, encoder=HashingEncoder(DIMENSION))


def new_text(seed: int) -> Document:
    """A document of three passages that is not in the index."""
    vocabulary, numbers = words(), drawn(np.random.default_rng(seed), 450).tolist()
    return document(" ".join(vocabulary[at] for at in numbers) + f" {seed}", f"new{seed}")


def first(index: Path, what: str) -> dict[str, Taken]:
    """What a new process takes for its first call of a kind, and for the next."""
    engine: Engine | None = None

    def start() -> None:
        nonlocal engine
        engine = opened(index)
        engine.stats()

    found = {"open and stats": timed(start)}
    assert engine is not None
    if what in ("lexical", "dense", "hybrid"):
        queries = [
            "t00050 t00700 t09000",
            "t00200 t03000 t00011",
            *(f"t{at:05d} t00{at}" for at in range(100, 120)),
        ]
        for name, query in zip(("first query", "second query"), queries, strict=False):
            found[name] = timed(lambda query=query: engine.search(query, mode=what))
        later = [timed(lambda query=query: engine.search(query, mode=what)) for query in queries[2:]]
        found["later queries, median"] = median(later)
    elif what == "add":
        seed = int.from_bytes(os.urandom(4))
        texts = [new_text(seed + at) for at in range(21)]
        found["first add"] = timed(lambda: engine.add(texts[0]))
        later = [timed(lambda text=text: engine.add(text)) for text in texts[1:]]
        found["later adds, median"] = median(later)
        found["later adds, longest"] = max(later, key=lambda each: each.wall)
        ids = [each.id for each in engine.documents() if each.source.startswith("new")]
        found["first delete"] = timed(lambda: engine.delete(ids[0]))
        found["first query after a delete"] = timed(lambda: engine.search("t00050 t00700", mode="lexical"))
    engine.close()
    return found


def drop(folder: Path) -> None:
    """Let the system forget the pages it holds of the files of a folder."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def no_change(folder: Path, files: int) -> dict[str, Taken]:
    """What `add` and `sync` of a folder take when nothing in it changed."""
    place, index = folder / f"files{files}", folder / f"index{files}"
    if not place.exists():
        rng, vocabulary = np.random.default_rng(8), words()
        for at in range(files):
            below = place / f"part{at % 100:02d}"
            below.mkdir(parents=True, exist_ok=True)
            text = " ".join(vocabulary[each] for each in drawn(rng, 60).tolist())
            (below / f"file{at}.txt").write_text(f"{text} {at}\n")
        time.sleep(2.5)  # what was written this moment is not believed to stay
    if index.exists():
        shutil.rmtree(index)
    engine = Engine(index, encoder=HashingEncoder())
    found = {"first add": timed(lambda: engine.add(place))}
    for name, call in (("add", engine.add), ("sync", engine.sync)):
        found[f"{name} without a change"] = timed(lambda call=call: call(place))
    engine.close()
    engine = Engine(index, encoder=HashingEncoder())
    found["add without a change, new process"] = timed(lambda: engine.add(place))
    engine.close()
    return found


def figures(index: Path, runs: int) -> Iterator[tuple[str, dict[str, str]]]:
    """Every figure of the large index, the median of some runs."""
    for what in ("open", "lexical", "dense", "hybrid", "add"):
        for state in ("", " from disk"):
            rows: dict[str, list[Taken]] = {}
            for _ in range(runs):
                if state:
                    drop(index)
                command = [sys.executable, __file__, "--folder", str(index), "--only", what]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                for name, seconds in json.loads(done.stdout).items():
                    rows.setdefault(name, []).append(Taken(*seconds))
            yield f"{what}{state}", {name: str(median(taken)) for name, taken in rows.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--chunks", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--kind", default="flat")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", help="measure one thing of the index at --folder, in this process")
    asked = parser.parse_args()
    if asked.only:
        print(json.dumps({name: astuple(taken) for name, taken in first(asked.folder, asked.only).items()}))
        return
    asked.folder.mkdir(parents=True, exist_ok=True)
    index = asked.folder / f"{asked.kind}{asked.chunks}"
    report: dict[str, object] = {}
    if asked.files:
        files = no_change(asked.folder, asked.files)
        report[f"{asked.files} files"] = {name: str(taken) for name, taken in files.items()}
    if asked.chunks:
        if not index.exists():
            build(index, asked.chunks, asked.kind)
        with opened(index) as engine:
            stats = engine.stats()
        report["index"] = {"documents": stats.documents, "chunks": stats.chunks, "segments": stats.segments}
        report["index"] |= {"GB": round(stats.bytes / 1e9, 2), "kind": stats.kind}
        report["seconds"] = dict(figures(index, asked.runs))
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
