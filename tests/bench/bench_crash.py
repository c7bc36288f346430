"""Kill a writer many times while others read: `python tests/bench/bench_crash.py --kills 1000`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from crash import Tally, finish, kill_and_look, readers


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--readers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    tally, problems, started = Tally(), [], time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        index, docs = Path(folder, "index"), Path(folder, "docs")
        docs.mkdir()
        try:
            with readers(index, arguments.readers, tally):
                for seed in range(arguments.seed, arguments.seed + arguments.kills):
                    try:
                        kill_and_look(index, docs, seed, tally)
                    except Exception as error:
                        problems.append(f"seed {seed}: {type(error).__name__}: {error}")
        except AssertionError as error:
            problems.append(f"readers: {error}")
        finish(index)
    seconds = time.perf_counter() - started
    for name, count in asdict(tally).items():
        if isinstance(count, int):
            print(f"{name.replace('_', ' '):<14} {count:>7}")
    print(f"{'states':<14} {len(tally.announced):>7}")
    print(f"{'seconds':<14} {seconds:>7.0f}")
    print(*problems, sep="\n", end="")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
