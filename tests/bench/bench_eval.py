"""An evaluation of 300 questions, whole, again, killed and resumed, and by several threads.

    RAG_DATA=... python tests/bench/bench_eval.py [--questions 300] [--folder DIR] [--judge local]

The questions are drawn from the test split of Natural Questions, the passages are all 1,572 of the
set. Every run is a process of its own, `rag eval`, in which an audit hook refuses every connection. Its
files but `timings.jsonl` are compared with those of the unbroken run, byte for byte.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import rag
from rag.eval.collections import read_collection
from rag.types import Document

NOT_COMPARED = {"timings.jsonl", "journal.jsonl", ".lock"}
NO_NETWORK = """
import os, sys
EVENTS = "connect getaddrinfo gethostbyname bind sendto sendmsg".split()
def refuse(event, arguments):
    if event.startswith("socket.") and event.removeprefix("socket.") in EVENTS:
        with open(os.environ["BENCH_NETWORK"], "a") as file:
            file.write(f"{event} {arguments[1:]}\\n")
        raise OSError(f"no network here: {event}")
sys.addaudithook(refuse)
"""


@dataclass(frozen=True, slots=True)
class Bench:
    """What every run has in common."""

    folder: Path
    words: tuple[str, ...]

    def start(self, out: str, *more: str) -> subprocess.Popen[bytes]:
        hook = self.folder / "hook"
        hook.mkdir(exist_ok=True)
        (hook / "sitecustomize.py").write_text(NO_NETWORK)
        path = os.pathsep.join((str(hook), os.environ.get("PYTHONPATH", str(Path(__file__).parents[2]))))
        environment = os.environ | {"PYTHONPATH": path, "BENCH_NETWORK": str(self.folder / "network.txt")}
        words = [sys.executable, "-m", "rag", *self.words, "--out", str(self.folder / out), *more]
        with (self.folder / "printed.txt").open("wb") as printed:
            return subprocess.Popen(words, stdout=printed, stderr=subprocess.STDOUT, env=environment)

    def run(self, out: str, *more: str) -> float:
        """The seconds that a run took; one that fails ends the bench."""
        started = time.perf_counter()
        code = self.start(out, *more).wait()
        if code not in (0, 1):
            sys.exit(f"rag eval ended with {code}: {(self.folder / 'printed.txt').read_text()}")
        return time.perf_counter() - started

    def kill(self, out: str, after: int, *more: str) -> float:
        """Kill a run once the journal has `after` questions, and return the seconds that it took."""
        started = time.perf_counter()
        process = self.start(out, *more)
        while process.poll() is None and self.kept(out) < after:
            time.sleep(0.002)
        process.kill()
        process.wait()
        return time.perf_counter() - started

    def kept(self, out: str) -> int:
        """How many questions a run has kept."""
        return _lines(self.folder / out / "journal.jsonl")

    def digest(self, out: str) -> str:
        files = sorted(each for each in (self.folder / out).iterdir() if each.name not in NOT_COMPARED)
        whole = [(each.name, _sha256(each.read_bytes())) for each in files]
        return _sha256(json.dumps(whole).encode())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _index(folder: Path, data: Path) -> Path:
    index = folder / "index"
    if not index.exists():
        passages = read_collection(data, "test").documents
        documents = [
            Document(hashlib.sha256(p.id.encode()).hexdigest(), p.id, p.title, p.text) for p in passages
        ]
        with rag.open(index) as kb:
            kb.add(documents)
    return index


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--folder", type=Path, help="where the index and the results are kept")
    parser.add_argument("--metrics", help="as `rag eval` takes them; by default its own")
    parser.add_argument("--judge", help="as `rag eval` takes it")
    arguments = parser.parse_args()
    data = Path(os.environ["RAG_DATA"]) / "retrieval" / "nq"
    folder = arguments.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    drawn = ("--split", "test", "--sample", str(arguments.questions), "--index", str(_index(folder, data)))
    given = {"--metrics": arguments.metrics, "--judge": arguments.judge}
    chosen = [word for name, value in given.items() if value for word in (name, value)]
    bench = Bench(folder, ("eval", str(data / "questions.jsonl"), *drawn, *chosen))
    for out in ("whole", "killed", "two", "four"):
        shutil.rmtree(folder / out, ignore_errors=True)
    (folder / "network.txt").unlink(missing_ok=True)
    whole = bench.run("whole")
    wanted, wrong = bench.digest("whole"), 0
    print(f"{'run':<34}{'seconds':>9}{'kept':>16}{'share of whole':>16}  bytes", flush=True)

    def tell(name: str, seconds: float, kept: int | str, out: str) -> None:
        nonlocal wrong
        equal = bench.digest(out) == wanted
        wrong += not equal
        same = "identical" if equal else "DIFFERENT"
        print(f"{name:<34}{seconds:>9.1f}{kept:>16}{seconds / whole:>16.2f}  {same}", flush=True)

    tell("unbroken", whole, "", "whole")
    tell("again, nothing changed", bench.run("whole"), arguments.questions, "whole")
    seconds, kept = 0.0, []
    for share in (0.0, 0.1, 0.5, 0.9):
        seconds += bench.kill("killed", max(1, int(share * arguments.questions)))
        kept.append(bench.kept("killed"))
    seconds += bench.run("killed")
    tell("killed (-9) four times, resumed", seconds, "/".join(map(str, kept)), "killed")
    tell("2 threads", bench.run("two", "--concurrency", "2"), "", "two")
    seconds = bench.kill("four", arguments.questions // 2, "--concurrency", "4")
    half = bench.kept("four")
    seconds += bench.run("four", "--concurrency", "4")
    tell("4 threads, killed once, resumed", seconds, half, "four")
    network = folder / "network.txt"
    print(f"connections tried: {_lines(network)}")
    print((folder / "whole" / "summary.json").stat().st_size, "bytes of summary.json;", end=" ")
    print((folder / "whole" / "results.jsonl").stat().st_size, "of results.jsonl")
    return 1 if wrong or _lines(network) else 0


if __name__ == "__main__":
    sys.exit(main())
