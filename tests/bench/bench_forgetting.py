"""Delete documents, compact, and look for them in every byte: `python tests/bench/bench_forgetting.py`.

Every run of eight words of each deleted document is looked for in every text that the database still
holds, unpacked. In the raw bytes of every file are looked for its text, in UTF-8, in UTF-16 and packed,
a word that no other document has, its id, and its vector as float32 and float16. The same is done before
the deletion, where what an index does hold must be found: a search that finds nothing ever proves nothing.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from fakes import HashingEncoder, document

from rag.pipeline import Engine
from rag.types import Ranking, Settings

SHINGLE = 8
LONG, SHORT = 24, 10
"""Bytes by which something is looked for in a file: so many that chance finds none."""

HELD = ("text, packed", "its own word", "vector in float32", "eight words in a row, unpacked")
"""What an index is known to hold of a document, and so must be found before that is deleted."""


def text_of(number: int) -> str:
    """A text of 61 words, the first of which stands in no other."""
    choose = random.Random(number)
    letters = "abcdefghijklmnopqrstuvwxyz"
    own = "zq" + "".join(choose.choices(letters, k=10))
    return " ".join([own, *("".join(choose.choices(letters, k=choose.randint(4, 9))) for _ in range(60))])


def needles(number: int, vector: np.ndarray) -> Iterator[tuple[str, bytes]]:
    """The bytes by which a document would be known again in a file."""
    text = text_of(number)
    packed = zlib.compress(text.encode(), level=6)
    for what, data in (
        ("text in UTF-8", text.encode()),
        ("text in UTF-16", text.encode("utf-16-le")),
        ("text, packed", packed),
        ("its id", document(text, "").id.encode()),
        ("vector in float32", vector.astype(np.float32).tobytes()),
        ("vector in float16", vector.astype(np.float16).tobytes()),
    ):
        for at in (0, len(data) // 4 * 2, len(data) - LONG):
            if what != "text, packed" or at:  # packed texts may begin alike
                yield what, data[at : at + LONG]
    yield "its own word", text.encode()[:SHORT]


def found_in(folder: Path, wanted: dict[bytes, tuple[str, int]]) -> dict[str, set[int]]:
    """Which documents stand in the bytes of a folder's files, by what of them was found."""
    found: dict[str, set[int]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            for length in (LONG, SHORT):
                for at in range(len(data) - length + 1):
                    hit = wanted.get(data[at : at + length])
                    if hit:
                        found.setdefault(hit[0], set()).add(hit[1])
    return found


def shingles(text: str) -> set[str]:
    """Every run of eight words."""
    words = text.split()
    return {" ".join(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1)}


def shingles_in(folder: Path, wanted: dict[str, int]) -> set[int]:
    """Which documents share eight words in a row with a text that the database holds."""
    found = set()
    texts: dict[int, str] = {}
    connection = sqlite3.connect(f"file:{folder / 'index.db'}?mode=ro", uri=True)
    try:
        for number, block in connection.execute("SELECT document, text FROM texts ORDER BY document, block"):
            texts[number] = texts.get(number, "") + zlib.decompress(block).decode()
    finally:
        connection.close()
    for text in texts.values():
        found |= {wanted[each] for each in shingles(text) & wanted.keys()}
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--deleted", type=int, default=1_000)
    parser.add_argument("--kind", default="auto")
    arguments = parser.parse_args()
    gone = random.Random(0).sample(range(arguments.documents), arguments.deleted)
    encoder = HashingEncoder(dimension=64)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "index")
        with Engine(folder, encoder=encoder, settings=Settings(kind=arguments.kind)) as engine:
            for at in range(0, arguments.documents, 2000):
                part = range(at, min(at + 2000, arguments.documents))
                engine.add([document(text_of(number), f"source {number}") for number in part])
            vectors = _vectors_by_source(engine)
            wanted = {
                piece: (what, number)
                for number in gone
                for what, piece in needles(number, vectors[f"source {number}"])
            }
            runs = {run: number for number in gone for run in shingles(text_of(number))}
            failed = _report("before", folder, wanted, runs, len(gone), must=True)
            started = time.perf_counter()
            engine.delete(
                [each.id for each in engine.documents() if int(each.source.split()[1]) in set(gone)]
            )
            hidden = time.perf_counter()
            engine.compact()
            compacted = time.perf_counter()
            print(f"deleted in {hidden - started:.2f} s, compacted in {compacted - hidden:.2f} s")
            failed |= _report("while it is open", folder, wanted, runs, len(gone), must=False)
            left = len(engine.documents())
        failed |= _report("when it was closed", folder, wanted, runs, len(gone), must=False)
        print(f"documents left: {left}")
    return int(failed or left != arguments.documents - arguments.deleted)


def _vectors_by_source(engine: Engine) -> dict[str, np.ndarray]:
    """The vector of each document's only passage, as the index has it."""
    vectors: dict[str, np.ndarray] = {}
    with engine.view() as view:
        snapshot = view.snapshot
        for segment, base in zip(snapshot.segments, snapshot.bases, strict=True):
            rows = np.arange(len(segment), dtype=np.int32) + base
            hits = view.hits(Ranking(rows, np.zeros(len(rows), np.float32)))
            for hit, vector in zip(hits, segment.vectors, strict=True):
                vectors[hit.source] = np.array(vector)
    return vectors


def _report(
    when: str,
    folder: Path,
    wanted: dict[bytes, tuple[str, int]],
    runs: dict[str, int],
    count: int,
    *,
    must: bool,
) -> bool:
    found = found_in(folder, wanted)
    found["eight words in a row, unpacked"] = shingles_in(folder, runs)
    files = [path for path in folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    print(f"{when}: {len(files)} files, {size:,} bytes; of {count} deleted documents are found")
    for what in sorted({what for what, _ in wanted.values()} | found.keys()):
        print(f"    {what:<40} {len(found.get(what, ())):>6}")
    if must:  # of a word the ending is cut off, and seldom more
        return any(len(found.get(what, ())) < 0.99 * count for what in HELD)
    return any(found.values())


if __name__ == "__main__":
    sys.exit(main())
