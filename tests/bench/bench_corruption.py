"""Damage every file of an index in many ways: `python tests/bench/bench_corruption.py --random 5000`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from itertools import chain, islice
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parent.parent))

from lab.crashes import scratch
from lab.damage import Tally, header_flips, random_damages, samples, try_damages
from lab.pool import Pool


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--random", type=int, default=5000, help="flips, truncations, swaps and losses")
    parser.add_argument("--subject", default="lab.store:Store")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the subject")
    parser.add_argument("--mend", action="store_true", help="repair each, too")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    tally, started, choose = Tally(), time.perf_counter(), Random(arguments.seed)
    with (
        tempfile.TemporaryDirectory(dir=scratch()) as name,
        Pool(arguments.subject, python=arguments.python) as pool,
    ):
        folder = Path(name)
        for number, sample in enumerate(samples(pool, folder / "samples")):
            heads = (
                each
                for each in header_flips(sample.tree, choose)
                if number == 0 or "segments" not in each.path  # they are the same as in the first
            )
            damages = chain(heads, islice(random_damages(sample.tree, choose), arguments.random // 2))
            (folder / sample.name).mkdir()
            for finding in try_damages(damages, sample, pool, folder / sample.name, mend=arguments.mend):
                tally.take(finding)
    kinds = sorted({kind for kind, _ in tally.by_kind})
    whats = [what for what, _ in tally.findings.most_common()]
    for what in whats:
        print(f"{what:<44} {tally.findings[what]:>6}   of {tally.trials}")
        for kind in kinds:
            if tally.by_kind[kind, what]:
                print(f"    {kind:<40} {tally.by_kind[kind, what]:>6}")
    for what, count in tally.mended.most_common():
        print(f"mended: {what:<36} {count:>6}")
    print(f"seconds {time.perf_counter() - started:.0f}")
    for finding in tally.wrong[:10]:
        print(
            finding.what,
            finding.damage.path,
            finding.damage.kind,
            finding.damage.where,
            finding.detail,
            finding.mended,
        )
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
