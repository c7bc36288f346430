"""An evaluation as a person reads it in a terminal: the means, what differs, what failed, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rag.api.show import Screen, plain
from rag.eval.reports.showing import decimal, interval

if TYPE_CHECKING:
    from rag.eval.report import Comparison, Evaluation
    from rag.eval.statistics.comparison import Difference

MOST_FAILED = 10
_UNCHANGED = 0.0005
"""A smaller difference is shown as 0.000."""


def show_evaluation(screen: Screen, found: Evaluation, *, verbose: bool = False) -> None:
    """Print what was found. `verbose` adds the means by kind, unchanged metrics, and all that failed."""
    _metrics(screen, found)
    if verbose:
        _kinds(screen, found)
    if found.comparison:
        screen.line()
        _comparison(screen, found, found.comparison, verbose=verbose)
    screen.line()
    screen.line((found.counted, "dim"))
    _failures(screen, found)
    _failed(screen, found, len(found.rows) if verbose else MOST_FAILED)
    for note in found.notes:
        screen.line(("note  ", "red" if note in found.problems else "yellow"), plain(note))
    verdict = _verdict(found)
    if verdict:
        screen.line()
        screen.line((verdict, "bold"))


def _metrics(screen: Screen, found: Evaluation) -> None:
    every = {**found.summary, **found.statistics}
    judged = any(each.missed for each in every.values())
    rough = any(each.n and not each.reliable for each in every.values())
    rows = [
        [name, decimal(each.mean, "-"), interval(each, "-", "")]
        + ["rough" if each.n and not each.reliable else "" for _ in range(rough)]
        + [str(each.n), *[str(each.missed) for _ in range(judged)]]
        for name, each in every.items()
    ]
    blank = [""] if rough else []
    screen.table(["metric", "mean", "95 % interval", *blank, "n", *["missed" for _ in range(judged)]], rows)
    if rough:
        screen.line(("rough: of few questions or documents, or of equal scores", "dim"))


def _kinds(screen: Screen, found: Evaluation) -> None:
    kinds = list(found.by_kind)
    if kinds:
        means = [
            [name, *(decimal(found.by_kind[kind][name].mean, "-") for kind in kinds)]
            for name in found.summary
        ]
        screen.line()
        screen.table(["by kind", *map(plain, kinds)], means)


def _comparison(screen: Screen, found: Evaluation, comparison: Comparison, *, verbose: bool) -> None:
    """Print what differs from a baseline, and what can be claimed of it."""
    if comparison.differences:
        shown = [each for each in comparison.differences if verbose or _changed(each)]
        screen.line((f"against {plain(comparison.name)}", "dim"))
        _differences(screen, shown)
        same = len(comparison.differences) - len(shown)
        if same:
            screen.line((f"unchanged: {same} metric{'s' if same > 1 else ''}", "dim"))
    else:
        means = [
            [name, decimal(mean, "-"), f"{found.summary[name].mean - mean:+.3f}"]
            for name, mean in comparison.means.items()
            if name in found.summary and not math.isnan(found.summary[name].mean)
        ]
        screen.table([f"against {plain(comparison.name)}", "mean", "difference"], means)
    for note in comparison.notes:
        screen.line(("note  ", "yellow"), plain(note))


def _changed(difference: Difference) -> bool:
    return difference.significant or abs(difference.difference) >= _UNCHANGED


def _differences(screen: Screen, shown: Sequence[Difference]) -> None:
    rows = [(each.metric, decimal(each.baseline, "-"), f"{each.difference:+.3f}") for each in shown]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row, each in zip(rows, shown, strict=True):
        style = "red" if each.worse else "green" if each.significant else "dim"
        name, mean, difference = row
        cells = (f"{name:<{widths[0]}}", f"{mean:>{widths[1]}}", f"{difference:>{widths[2]}}")
        screen.line("  ".join(cells), (f"  {each.words}", style))


def _failures(screen: Screen, found: Evaluation) -> None:
    """Print at which stage wrong answers went wrong, how many at each, and what would mend it."""
    from rag.eval.reports.findings import failure_lines

    lines = failure_lines(found)
    if lines:
        screen.line()
        screen.line(("where answers went wrong", "dim"))
    for line in lines:
        screen.line(f"{line.mode.words:<17}", f"{line.count:>4}  ", (line.fix, "dim"))


def _failed(screen: Screen, found: Evaluation, most: int) -> None:
    failed = [row for row in found.rows if row.failure]
    for row in failed[:most]:
        screen.line(("failed  ", "red"), plain(row.question.id), (f"  {plain(row.failure)}", "dim"))
    if len(failed) > most:
        screen.line((f"failed  and {len(failed) - most} more: --verbose names them", "red"))


def _verdict(found: Evaluation) -> str:
    """What the evaluation comes to, in a line; `""` where only means or ranks were held against anything."""
    comparison = found.comparison
    if found.problems and not (comparison and comparison.worse):
        return "Not to be relied on: see the notes."
    if comparison is None or not comparison.differences:
        return ""
    worse = [each.metric for each in comparison.worse]
    if worse:
        return f"Significantly worse in: {', '.join(worse)}."
    seen = [each.minimum_detectable for each in comparison.differences if each.minimum_detectable]
    told = "Nothing is significantly worse than the baseline"
    if not seen:
        return f"{told}."
    least, most = f"{min(seen):.3f}", f"{max(seen):.3f}"
    reach = least if least == most else f"{least} to {most}, by metric,"
    return f"{told}; a loss below {reach} would often be missed."
