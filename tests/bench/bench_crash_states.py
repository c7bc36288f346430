"""Crash a store at every call it makes: `python tests/bench/bench_crash_states.py --states 10000`.

`--subject module:class --python PATH` tries another store, in the interpreter that has it:
`--subject peers_durability:LlamaIndexSimple --python venv-peer/bin/python`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parent.parent))

from lab.crashes import Case, Tally, check_model, first_crashes, inject, scratch, second_crashes, traced
from lab.pool import Pool

SECOND = 60
"""So many crash states are crashed once more, in their recovery."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--states", type=int, default=10_000, help="half of them in a recovery")
    parser.add_argument("--subject", default="lab.store:Store")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    tally, started, choose = Tally(), time.perf_counter(), Random(arguments.seed)
    with (
        tempfile.TemporaryDirectory(dir=scratch()) as name,
        Pool(arguments.subject, python=arguments.python) as pool,
    ):
        root = Path(name)
        calls = traced(arguments.subject, "run", root, python=arguments.python)
        steps = check_model(calls, root, {})
        cases = list(first_crashes(calls, root, choose))
        found = len(cases)
        right = _take(_some(cases, arguments.states - arguments.states // 2, choose), pool, tally)
        if len(right) >= SECOND:
            again = second_crashes(
                arguments.subject, calls, root, _some(right, SECOND, choose), choose, python=arguments.python
            )
            cases = list(again)
            found += len(cases)
            _take(_some(cases, arguments.states // 2, choose), pool, tally)
    print(
        f"{arguments.subject}: {steps} calls change the disk, {found} distinct states, {tally.states} tried"
    )
    for kind, count in tally.kinds.most_common():
        print(f"    {kind:<52} {count:>6}")
    print(f"{'':<40} {'kill':>12} {'power cut':>12}")
    for what in dict.fromkeys(("right", *(what for what, _ in sorted(tally.verdicts)))):
        kills, cuts = tally.verdicts[what, "kill"], tally.verdicts[what, "power cut"]
        print(f"{what:<40} {kills:>12} {cuts:>12}")
    print(f"{'acknowledged documents lost':<56} {tally.documents_lost:>6}")
    print(f"{'seconds':<56} {time.perf_counter() - started:>6.0f}")
    for verdict in tally.wrong[:5]:
        print(str(verdict)[:1000])
    return 1 if tally.wrong else 0


def _take(cases: Sequence[Case], pool: Pool, tally: Tally) -> list:
    right = []
    for verdict in inject(cases, pool):
        tally.take(verdict)
        if verdict.what == "right":
            right.append(verdict)
    return right


def _some(things: list, count: int, choose: Random) -> list:
    return choose.sample(things, min(count, len(things)))


if __name__ == "__main__":
    sys.exit(main())
