"""Refuse the store every call it makes: `python tests/bench/bench_faults.py --trials 2000`."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from lab.crashes import scratch
from lab.pool import Pool
from lab.refusals import own_trials, prepare, refuse, system_trials


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, help="how many of each kind, drawn at random; else all")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory(dir=scratch()) as folder, Pool("lab.store:Store") as pool:
        prepare(pool, folder)
        for what, plan in (("file functions and limits", own_trials), ("system calls", system_trials)):
            started = time.perf_counter()
            trials = list(plan(pool, folder))
            tally = refuse(trials, pool, folder, arguments.trials, random.Random(arguments.seed))
            seconds = time.perf_counter() - started
            print(f"{what}: {tally.trials} of {len(trials)} trials in {seconds:.0f} s")
            for name, count in sorted(tally.refused.items()):
                print(f"  {name:<24} {count:>6}")
            for name, count in tally.outcomes.most_common():
                print(f"  the step ended: {name:<16} {count:>6}")
            print(f"  an error without a type  {len(tally.untyped):>6}")
            print(f"  wrong afterwards         {len(tally.wrong):>6}")
            for trial, answer in (tally.untyped + tally.wrong)[:10]:
                print(f"  {trial}: {answer}")
            failed = failed or bool(tally.untyped or tally.wrong)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
