"""How far each metric is from ragas's own on the made-up samples of tests/eval/ragas/test_ragas_parity.py.

    python -m tests.bench.bench_ragas_parity

Prints, for each metric and each kind of ragas's: samples compared, the largest difference, and
milliseconds a sample of each side without a model.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np

from rag.eval.catalogue import metric_named
from rag.eval.ragas.bridge import ragas_scores
from tests.eval.ragas.test_ragas_parity import (
    JUDGE,
    PLAIN,
    SAMPLES,
    collections_metrics,
    differs,
    legacy_metrics,
)


def main() -> None:
    np.round = lambda value, digits=0: value  # ragas rounds factual correctness
    print(f"{'kind':12}{'metric':40}{'samples':>8}{'largest difference':>20}{'ragas ms':>10}{'ours ms':>9}")
    for kind, metrics in (("collections", collections_metrics()), ("legacy", legacy_metrics())):
        for name, metric in metrics.items():
            metric.name = name
            start = perf_counter()
            theirs = [row[name] for row in ragas_scores(SAMPLES, [metric])]
            middle = perf_counter()
            ours = [metric_named(name).measure(sample, JUDGE) for sample in SAMPLES]
            end = perf_counter()
            said = PLAIN if "judge" in metric_named(name).needs else range(len(SAMPLES))
            compared = [at for at in said if not differs(kind, name, SAMPLES[at])]
            pairs = [(ours[at], theirs[at]) for at in compared]
            if any((score is None) != (value is None) for score, value in pairs):
                raise SystemExit(f"{kind} {name}: one side has no value where the other has")
            largest = max(abs(score.value - value) for score, value in pairs if score is not None)
            took = [1000 * (middle - start) / len(SAMPLES), 1000 * (end - middle) / len(SAMPLES)]
            print(f"{kind:12}{name:40}{len(compared):8}{largest:20.1e}{took[0]:10.2f}{took[1]:9.2f}")


if __name__ == "__main__":
    main()
