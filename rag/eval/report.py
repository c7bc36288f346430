"""What an evaluation found: a row a question, and means with intervals over them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rag.eval.failures.diagnosis import Diagnosis
from rag.eval.questions import Question
from rag.eval.sample import Score
from rag.eval.statistics.bootstrap import Estimate
from rag.eval.statistics.comparison import Difference
from rag.types import Answer, Hit


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one question.

    `hits` is empty where no metric asked for a search, `answer` None where none asked for
    an answer or it failed. `scores` lacks the metrics that the question does not bear on.
    `failure` is the reason where the system raised an error, else `""`. `judged` has the grounds of the
    scores that a judge had a part in. `diagnosis` says why the answer is wrong, None where it is right or
    that cannot be told.
    """

    question: Question
    hits: tuple[Hit, ...]
    answer: Answer | None
    scores: Mapping[str, float]
    failure: str = ""
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    judged: Mapping[str, Score] = field(default_factory=dict)
    diagnosis: Diagnosis | None = None


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier run made of a question: its response, None where it failed, and its scores."""

    response: str | None
    abstained: bool
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run held against an earlier one: a difference for each metric that both have, and what limits them.

    `means` are the earlier run's. Where that had no results by question, there are no `differences`, only
    means. `notes` say what the runs do not share. `earlier` has what the earlier run made of each question
    that both asked in the same words.
    """

    name: str
    differences: tuple[Difference, ...]
    means: Mapping[str, float]
    notes: tuple[str, ...] = ()
    earlier: Mapping[str, Earlier] = field(default_factory=dict)

    @property
    def worse(self) -> tuple[Difference, ...]:
        """The significant losses."""
        return tuple(each for each in self.differences if each.worse)


@dataclass(frozen=True, slots=True, repr=False)
class Evaluation:
    """What an evaluation found. Printed, it is a table.

    `summary` has an estimate for every metric, over the questions that it bears on (n may be
    0); `by_kind` the same for each kind of question, and `by_document` for each gold document. `counts` has
    `questions`, `failed`, `answered`, `abstained`, of these `refused_unanswerable` and `refused_answerable`,
    of the answered ones `answered_unanswerable`, and `wrong`: the answers and refusals that have a
    diagnosis, which says why they are wrong. `statistics` are of the set as a whole, such as the error of
    calibration. `setup` says what was run, in values that JSON holds. `notes` are what a reader of the
    numbers has to know of them, and `problems` those of them for which some numbers say nothing of the
    system, as a judge that gave no verdict. `remarks` are what is to be said of this run alone, as that
    questions were known from an earlier one, which `reused` counts.
    """

    summary: Mapping[str, Estimate]
    by_kind: Mapping[str, Mapping[str, Estimate]]
    counts: Mapping[str, int]
    rows: tuple[Row, ...]
    by_document: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    statistics: Mapping[str, Estimate] = field(default_factory=dict)
    setup: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    comparison: Comparison | None = None
    reused: int = 0
    remarks: tuple[str, ...] = ()

    def worst(self, metric: str, count: int = 10) -> tuple[Row, ...]:
        """The `count` rows that did worst by a metric, the worst first, ties in the questions' order."""
        rows = [row for row in self.rows if metric in row.scores]
        sign = 1 if self._higher_is_better(metric) else -1
        return tuple(sorted(rows, key=lambda row: sign * row.scores[metric])[:count])

    def _higher_is_better(self, metric: str) -> bool:
        metrics = self.setup.get("metrics")
        told = metrics.get(metric) if isinstance(metrics, Mapping) else None
        return not isinstance(told, Mapping) or bool(told.get("higher_is_better", True))

    def where(self, wanted: Callable[[Row], bool]) -> tuple[Row, ...]:
        """The rows for which `wanted` is true."""
        return tuple(row for row in self.rows if wanted(row))

    def table(self) -> str:
        """The metrics with their intervals, as lines of text."""
        head = ("metric", "mean", "95 % interval", "n", "missed")
        cells = [
            (name, _decimal(each.mean), _interval(each), str(each.n), str(each.missed or ""))
            for name, each in {**self.summary, **self.statistics}.items()
        ]
        lines = [head, *cells]
        widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
        return "\n".join(
            "  ".join(
                f"{cell:<{width}}" if at == 0 else f"{cell:>{width}}"
                for at, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )

    def __repr__(self) -> str:
        return "\n".join((self.table(), self.counted, *self.notes, *self.remarks))

    @property
    def counted(self) -> str:
        """What became of the questions, in words; nothing of answers where none was asked for."""
        asked = any(self.counts.get(name) for name in ("answered", "abstained"))
        always = ("questions", "answered", "abstained") if asked else ("questions",)
        said = {name: count for name, count in self.counts.items() if count or name in always}
        return "; ".join(f"{count} {_COUNTED.get(name, name)}" for name, count in said.items())


_COUNTED = {
    "refused_unanswerable": "unanswerable refused",
    "refused_answerable": "answerable refused",
    "answered_unanswerable": "unanswerable answered",
    "wrong": "known to be wrong, refusals included",
    "missing": "judged, but missing in the run (they count 0)",
}


def _decimal(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _interval(estimate: Estimate) -> str:
    return "-" if math.isnan(estimate.low) else f"{estimate.low:.3f} - {estimate.high:.3f}"
