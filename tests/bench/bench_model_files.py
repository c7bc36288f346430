"""Do damaged model files that pass our checks harm the native code behind them?

    PYTHONPATH=. python tests/bench/bench_model_files.py --files 3000

Damages a tiny model's header at random places. What `read_gguf` lets through is loaded and asked by each
runtime in a process of its own, and the processes that die of a signal or hang are counted.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tiny_gguf import Shape, write_gguf

from rag.errors import ModelRefused, RagError
from rag.generation.gguf import read_gguf

SMALL = Shape(layers=1, width=64, heads=2, kv_heads=1, hidden=64, vocabulary=300)
TIMEOUT_S = 60


def ask(path: Path, runtime: str, answers: multiprocessing.Queue[str]) -> None:
    from rag.generation.runtime import open_model
    from rag.protocols import Prompt, Sampling
    from rag.types import Message

    try:
        model = open_model(path, runtime=runtime, threads=1, context_tokens=256)
        prompt = Prompt("System.", "Passage.", (Message("user", "Question?"),))
        "".join(model.generate(prompt, Sampling(max_tokens=4, grammar="root ::= [a-z]*")))
        answers.put("answered")
    except RagError:
        answers.put("refused by the runtime")


def outcome(path: Path, runtime: str) -> str:
    spawned = multiprocessing.get_context("fork")
    answers = spawned.Queue()
    process = spawned.Process(target=ask, args=(path, runtime, answers))
    process.start()
    process.join(TIMEOUT_S)
    if process.is_alive():
        process.kill()
        process.join()
        return "hung"
    if process.exitcode:
        return f"died ({process.exitcode})"
    return str(answers.get(timeout=5))


def damaged(data: bytes, header: int, chance: random.Random) -> bytes:
    """The file with some bytes of its header changed, small numbers as often as wild ones."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 3))):
        at = chance.randrange(header)
        width = chance.choice((1, 1, 2, 4, 8))
        values = [chance.randrange(256) if chance.random() < 0.5 else 0 for _ in range(width)]
        out[at : at + width] = bytes(values)[: len(out) - at]
    return bytes(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="where files that kill a runtime are kept")
    given = parser.parse_args()
    chance = random.Random(given.seed)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = write_gguf(Path(folder) / "model.gguf", shape=SMALL)
        data, header = path.read_bytes(), read_gguf(path).data_offset
        for turn in range(given.files):
            path.write_bytes(damaged(data, header, chance))
            try:
                read_gguf(path)
            except ModelRefused:
                counts["refused by read_gguf"] += 1
                continue
            for runtime in ("llama", "openvino"):
                found = outcome(path, runtime)
                counts[f"{runtime}: {found}"] += 1
                if given.keep and found.startswith(("died", "hung")):
                    given.keep.mkdir(exist_ok=True)
                    (given.keep / f"{runtime}-{turn}.gguf").write_bytes(path.read_bytes())
    for name, count in sorted(counts.items()):
        print(f"{count:6}  {name}")


if __name__ == "__main__":
    main()
