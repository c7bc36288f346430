"""Whether the statistics of an evaluation keep what they promise, by simulation with known truths.

    python tests/bench/bench_statistics.py [--sets 5000] [--only means,clusters,level]

Means: how often the 95 % interval holds the true mean, beside a percentile interval, BCa and a
bootstrap-t of 1,000 draws. Clusters: the same where questions share documents, with and without
that being known. Several: the same where a question is of several documents. Level: how often the
randomisation test finds a difference at .05 where there is none. Holm: how often it finds any among
ten correlated metrics. Power: how often the test finds a true difference as large as the detectable
one. Each share stands with its Monte Carlo standard error.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import numpy as np
from scipy import stats
from simulated import PAIRS, SCORES, clustered

from rag.eval.metrics.calibration import brier_score, calibration_error, confidence_auroc
from rag.eval.questions import Place, Question
from rag.eval.statistics.bootstrap import Estimate, estimate_mean, estimate_statistic
from rag.eval.statistics.clusters import document_clusters
from rag.eval.statistics.comparison import compare
from rag.eval.statistics.intervals import Numbers, Spread
from rag.eval.statistics.power import detectable_difference
from rag.eval.statistics.significance import holm, randomisation_test

SIZES = (30, 60, 100, 300)
SMALL = (5, 10, 15, 20)
DRAWS = 1000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", type=int, default=5000)
    parser.add_argument("--only", default="means,clusters,several,differences,statistics,level,holm,power")
    chosen = parser.parse_args()
    parts: dict[str, Callable[[int], None]] = {
        "means": means,
        "clusters": clusters,
        "several": several,
        "differences": differences,
        "statistics": statistics,
        "level": level,
        "holm": family,
        "power": power,
    }
    for name in chosen.only.split(","):
        started = time.perf_counter()
        parts[name](chosen.sets)
        print(f"({time.perf_counter() - started:.0f} s)\n", flush=True)


def share(held: list[bool] | Numbers) -> str:
    p, n = float(np.mean(held)), len(held)
    return f"{p:.3f} ({math.sqrt(p * (1 - p) / n):.4f})"


def holds(estimate: Estimate, truth: float) -> bool:
    return estimate.low - 1e-12 <= truth <= estimate.high + 1e-12


def means(sets: int) -> None:
    print(f"## Means: 95 % intervals that hold the true mean, {sets} sets")
    print("scores | n | ours | width | percentile | BCa | bootstrap-t")
    for name, (draw, truth) in SCORES.items():
        for n in (*SMALL, *SIZES):
            random = np.random.default_rng(n)
            rows = [draw(random, n) for _ in range(sets)]
            found = [estimate_mean(row.tolist()) for row in rows]
            others = resampled(np.sort(np.array(rows[:4000]), axis=1), truth)
            held = share([holds(estimate, truth) for estimate in found])
            width = np.mean([estimate.high - estimate.low for estimate in found])
            print(f"{name} | {n} | {held} | {width:.3f} | {others}", flush=True)
    print("\nbinary, exactly, by sums over binomial counts; Jeffreys and mid-P beside")
    for p in (0.5, 0.8, 0.95):
        for n in SIZES:
            print(f"p {p} | {n} | {binary_cover(n, p)}", flush=True)


def resampled(rows: Numbers, truth: float) -> str:
    """The cover of three bootstrap intervals, all sets drawn alike."""
    sets, n = rows.shape
    counts = np.array(
        [np.bincount(d, minlength=n) for d in np.random.default_rng(0).integers(0, n, (DRAWS, n))]
    )
    drawn, squared = counts @ rows.T / n, counts @ (rows**2).T / n
    mean, error = rows.mean(1), rows.std(1, ddof=1) / math.sqrt(n)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    percentile = share((low <= truth + 1e-12) & (truth - 1e-12 <= high))
    below = ((drawn < mean - 1e-12).sum(0) + 0.5 * (abs(drawn - mean) <= 1e-12).sum(0)) / DRAWS
    shift = stats.norm.ppf(below.clip(1e-3, 1 - 1e-3))
    off = rows - mean[:, None]
    speed = (off**3).sum(1) / (6 * np.maximum((off**2).sum(1), 1e-12) ** 1.5)
    ordered, ends = np.sort(drawn, axis=0), []
    for z in (-1.96, 1.96):
        at = stats.norm.cdf(shift + (shift + z) / (1 - speed * (shift + z)))
        ends.append(ordered[(at * DRAWS).astype(int).clip(0, DRAWS - 1), np.arange(sets)])
    corrected = share((ends[0] <= truth + 1e-12) & (truth - 1e-12 <= ends[1]))
    spread = np.sqrt(np.maximum(squared - drawn**2, 0) / (n - 1))
    far = np.where(abs(drawn - mean) > 1e-12, np.sign(drawn - mean) * 1e9, 0)
    pivots = np.where(spread > 1e-12, (drawn - mean) / np.maximum(spread, 1e-12), far)
    first, last = np.quantile(pivots, [0.025, 0.975], axis=0)
    studentised = share((mean - last * error <= truth + 1e-12) & (truth - 1e-12 <= mean - first * error))
    return f"{percentile} | {corrected} | {studentised}"


def binary_cover(n: int, p: float) -> str:
    counts = np.arange(n + 1)
    weight = stats.binom.pmf(counts, n, p)
    ours = [estimate_mean([1.0] * k + [0.0] * (n - k)) for k in counts]
    held = np.array([holds(each, p) for each in ours])
    low = np.where(counts == 0, 0, stats.beta.ppf(0.025, counts + 0.5, n - counts + 0.5))
    high = np.where(counts == n, 1, stats.beta.ppf(0.975, counts + 0.5, n - counts + 0.5))
    jeffreys = (low <= p) & (p <= high)
    above = stats.binom.sf(counts, n, p) + weight / 2
    below = stats.binom.cdf(counts - 1, n, p) + weight / 2
    middle = (above >= 0.025) & (below >= 0.025)
    near = np.linspace(p - 0.03, min(p + 0.03, 1), 601)
    lows, highs = np.array([e.low for e in ours]), np.array([e.high for e in ours])
    average = np.mean([stats.binom.pmf(counts, n, q)[(lows <= q) & (q <= highs)].sum() for q in near])
    # the shares nearest to .95 that any run of counts has
    sums = np.array([weight[a:b].sum() for a in range(n + 1) for b in range(a + 1, n + 2)])
    reach = f"{sums[sums <= 0.95].max():.4f} or {sums[sums >= 0.95].min():.4f}"
    return (
        f"ours {weight[held].sum():.3f}, mean for p within .03 {average:.3f} | Jeffreys "
        f"{weight[jeffreys].sum():.3f} | mid-P {weight[middle].sum():.3f} | any runs of counts: {reach}"
    )


def clusters(sets: int) -> None:
    sets = max(sets // 2, 1)
    print(f"## Clusters: six questions a document, {sets} sets; likeness is the intraclass correlation")
    print(
        "scores | likeness | documents | ours | reliable | width | clusters unknown | percentile of clusters"
    )
    for kind in ("graded", "p .5", "p .8", "p .95"):
        for likeness in (0.05, 0.3):
            for documents in (6, 10, 20, 30, 60, 100):
                random = np.random.default_rng(documents)
                known, plain, drawn, reliable, width = [], [], [], 0.0, 0.0
                for number in range(sets):
                    scores, labels, truth = clustered(random, documents, kind, likeness)
                    estimate = estimate_mean(scores.tolist(), clusters=labels.tolist())
                    known.append(holds(estimate, truth))
                    reliable += estimate.reliable / sets
                    width += (estimate.high - estimate.low) / sets
                    plain.append(holds(estimate_mean(scores.tolist()), truth))
                    if number < 1000:
                        sums = np.column_stack([np.bincount(labels, scores), np.bincount(labels)])
                        picked = sums[
                            np.random.default_rng(0).integers(0, documents, (DRAWS, documents))
                        ].sum(1)
                        low, high = np.quantile(picked[:, 0] / picked[:, 1], [0.025, 0.975])
                        drawn.append(bool(low <= truth <= high))
                row = f"{share(known)} | {reliable:.2f} | {width:.3f} | {share(plain)} | {share(drawn)}"
                print(f"{kind} | {likeness} | {documents} | {row}", flush=True)


def several(sets: int) -> None:
    sets = max(sets // 10, 1)
    print(f"## Several gold documents: 180 questions of 1, 2 or 3 documents of one group, {sets} sets")
    print(
        "documents, groups | of each question | holds the mean of all documents | reliable ones that do | "
        "reliable | holds the mean of these documents | level for all documents | "
        "found and not said to be for these documents alone"
    )
    for documents, groups in ((30, 1), (30, 3), (60, 12), (90, 30)):
        for gold in (1, 2, 3):
            random = np.random.default_rng(documents + gold)
            rows = [_several(random, documents, groups, gold) for _ in range(sets)]
            every, reliable, these, found, free = np.array(rows).T.astype(bool)
            surely = share(every[reliable]) if reliable.any() else "none"
            row = f"{share(every)} | {surely} | {reliable.mean():.2f} | {share(these)} | {share(found)}"
            print(f"{documents}, {groups} | {gold} | {row} | {share(found & free)}", flush=True)


def _several(
    random: np.random.Generator, documents: int, groups: int, gold: int
) -> tuple[bool, bool, bool, bool, bool]:
    effects = random.normal(0, 0.1, documents)
    size = documents // groups
    picked = [
        group * size + random.choice(size, gold, replace=False) for group in random.integers(0, groups, 180)
    ]
    changes = [effects[each].sum() / math.sqrt(gold) + random.normal(0, 0.15) for each in picked]
    questions = [Question("q", "?", documents=tuple(Place(f"{d:02}") for d in each)) for each in picked]
    labels = document_clusters(questions)
    estimate = estimate_mean([0.5 + change for change in changes], clusters=labels)
    here = 0.5 + effects.mean() * math.sqrt(gold)
    (found,) = compare(
        {"m": {str(at): 0.5 + change for at, change in enumerate(changes)}},
        {"m": {str(at): 0.5 for at in range(180)}},
        clusters={str(at): label for at, label in enumerate(labels)},
    )
    claimed = not found.of_these_documents
    return holds(estimate, 0.5), estimate.reliable, holds(estimate, here), found.significant, claimed


def differences(sets: int) -> None:
    sets = max(sets // 10, 1)
    print(f"## Differences: 95 % intervals of a paired difference of 0, {sets} sets")
    for name, draw in PAIRS.items():
        for n in SIZES:
            random = np.random.default_rng(n)
            held = []
            for _ in range(sets):
                runs = ({"m": {str(q): v for q, v in enumerate(r.tolist())}} for r in draw(random, n))
                found = compare(*runs)[0]
                held.append(found.low - 1e-12 <= 0 <= found.high + 1e-12)
            print(f"{name} | {n} | {share(held)}", flush=True)


def statistics(sets: int) -> None:
    sets = max(sets // 10, 1)
    print(f"## Numbers of a whole set: 95 % intervals by draws, {sets} sets")
    for name, draw, function, bounds in STATISTICS:
        truth = function(draw(np.random.default_rng(99), 400_000))
        for n in (60, 100, 300):
            random = np.random.default_rng(n)
            found = [estimate_statistic(draw(random, n), function, bounds=bounds) for _ in range(sets)]
            bias = np.mean([each.mean for each in found]) - truth
            held = share([holds(each, truth) for each in found])
            print(f"{name}, truth {truth:.3f} | {n} | {held} | bias {bias:+.3f}", flush=True)


def _classes(apart: float) -> Callable[[np.random.Generator, int], Numbers]:
    def draw(random: np.random.Generator, n: int) -> Numbers:
        labels = random.random(n) < 0.6
        return np.column_stack([labels, random.normal(labels * apart, 1)])

    return draw


def _forecasts(power: float) -> Callable[[np.random.Generator, int], Numbers]:
    """Confidences that are right, as a chance, to some power: calibrated at 1, too sure above."""

    def draw(random: np.random.Generator, n: int) -> Numbers:
        said = random.beta(4, 1.5, n)
        return np.column_stack([random.random(n) < said**power, said])

    return draw


def _of_set(function: Callable[..., float | None]) -> Callable[[Numbers], float | None]:
    return lambda rows: function(rows[:, 1], rows[:, 0] > 0.5)


STATISTICS = (
    ("AUROC", _classes(1.0), _of_set(confidence_auroc), (0.0, 1.0)),
    ("AUROC", _classes(2.5), _of_set(confidence_auroc), (0.0, 1.0)),
    ("Brier, calibrated", _forecasts(1.0), _of_set(brier_score), (0.0, 1.0)),
    ("Brier, too sure", _forecasts(1.5), _of_set(brier_score), (0.0, 1.0)),
    ("calibration error, calibrated", _forecasts(1.0), _of_set(calibration_error), (0.0, 1.0)),
    ("calibration error, too sure", _forecasts(1.5), _of_set(calibration_error), (0.0, 1.0)),
    ("Pearson", _classes(1.0), lambda rows: float(np.corrcoef(rows.T)[0, 1]), (-1.0, 1.0)),
)


def level(sets: int) -> None:
    sets = max(sets // 2, 1)
    print(f"## Level: randomisation tests at .05 that find a difference where there is none, {sets} sets")
    for name, draw in PAIRS.items():
        for n in (10, 30, 100):
            random = np.random.default_rng(n)
            found = []
            for _ in range(sets):
                ours, theirs = (np.column_stack([run, np.ones(n)]) for run in draw(random, n))
                found.append(randomisation_test(ours, theirs) <= 0.05)
            print(f"{name} | {n} | {share(found)}", flush=True)
    for documents in (6, 10, 30):
        random = np.random.default_rng(documents)
        bound, free = [], []
        for _ in range(sets):
            labels = np.arange(documents).repeat(random.geometric(1 / 6, documents))
            likes = random.normal(0, 0.1, (2, documents))[:, labels]
            runs = random.normal(0.6, 0.15, len(labels)) + likes + random.normal(0, 0.15, (2, len(labels)))
            questions = [np.column_stack([run, np.ones(len(labels))]) for run in runs]
            units = [np.column_stack([np.bincount(labels, column) for column in q.T]) for q in questions]
            bound.append(randomisation_test(units[0], units[1]) <= 0.05)
            free.append(randomisation_test(questions[0], questions[1]) <= 0.05)
        print(
            f"clustered | {documents} documents | {share(bound)} | clusters unknown {share(free)}", flush=True
        )


def family(sets: int) -> None:
    sets = max(sets // 4, 1)
    print(f"## Holm: any of ten correlated metrics found where none differs, 60 questions, {sets} sets")
    for likeness in (0.0, 0.5, 0.9):
        random = np.random.default_rng(int(likeness * 10))
        any_holm, any_plain = [], []
        for _ in range(sets):
            runs = []
            for _ in range(2):
                shared, own = random.normal(size=(60, 1)), random.normal(size=(60, 10))
                latent = math.sqrt(likeness) * shared + math.sqrt(1 - likeness) * own
                # five graded metrics, five that are yes or no
                runs.append(np.where(np.arange(10) < 5, stats.norm.cdf(latent), latent > -0.8))
            p_values = [
                randomisation_test(*(np.column_stack([run[:, m], np.ones(60)]) for run in runs))
                for m in range(10)
            ]
            any_plain.append(min(p_values) <= 0.05)
            any_holm.append(min(holm(p_values)) <= 0.05)
        print(f"correlation {likeness} | {share(any_holm)} | without Holm {share(any_plain)}", flush=True)


def power(sets: int) -> None:
    sets = max(sets // 2, 1)
    print(f"## Power: true differences of the detectable size that the test finds, {sets} sets")
    print("differences | n | detectable | found | mean of the detectable as estimated")
    for name, spread, draw in (
        ("normal", 0.25, lambda random, n, size: random.normal(size, 0.25, n)),
        ("yes or no, 1 in 3 changes", math.sqrt(1 / 3), _changes),
        ("8 of 10 the same", math.sqrt(1 / 15), _some_move),
    ):
        for n in SIZES:
            random = np.random.default_rng(n)
            size = detectable_difference(Spread(spread**2 / n, n - 1, n))
            if draw is _changes:  # the spread of yes and no falls as their difference grows
                size /= math.sqrt(1 + size**2 / spread**2)
            found, guesses = [], []
            for _ in range(sets):
                moved = draw(random, n, size)
                ones = np.ones(n)
                p = randomisation_test(np.column_stack([moved, ones]), np.column_stack([0 * moved, ones]))
                found.append(p <= 0.05)
                guesses.append(detectable_difference(Spread(moved.var(ddof=1) / n, n - 1, n)))
            print(f"{name} | {n} | {size:.3f} | {share(found)} | {np.mean(guesses):.3f}", flush=True)


def _changes(random: np.random.Generator, n: int, size: float) -> Numbers:
    up = (1 / 3 + size) / 2
    return random.choice([1.0, -1.0, 0.0], n, p=[up, 1 / 3 - up, 2 / 3])


def _some_move(random: np.random.Generator, n: int, size: float) -> Numbers:
    return (random.random(n) < 0.2) * random.uniform(-1, 1, n) + size


if __name__ == "__main__":
    main()
