"""What an evaluation found: a row a question, and means with intervals over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from html import escape

from rag.errors import MetricNotFound
from rag.eval.failures.diagnosis import Diagnosis
from rag.eval.questions import Question
from rag.eval.reports.showing import decimal, interval
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
    scores that a judge had a part in. `right` says whether the answer is right, None where it abstained or
    that cannot be told; `diagnosis` why it is wrong, or was wrongly refused.
    """

    question: Question
    hits: tuple[Hit, ...]
    answer: Answer | None
    scores: Mapping[str, float]
    failure: str = ""
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    judged: Mapping[str, Score] = field(default_factory=dict)
    diagnosis: Diagnosis | None = None
    right: bool | None = None


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
    """What an evaluation found: its rows, in order. Printed, it is a table; `found[metric]` is an estimate.

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
        """The `count` rows that did worst by a metric, the worst first, ties in the questions' order.

        Raises:
            MetricNotFound: no question was measured by it.
        """
        if metric not in self.summary:
            raise self._unknown(metric)
        rows = [row for row in self.rows if metric in row.scores]
        sign = 1 if self._higher_is_better(metric) else -1
        return tuple(sorted(rows, key=lambda row: sign * row.scores[metric])[:count])

    def _higher_is_better(self, metric: str) -> bool:
        metrics = self.setup.get("metrics")
        told = metrics.get(metric) if isinstance(metrics, Mapping) else None
        return not isinstance(told, Mapping) or bool(told.get("higher_is_better", True))

    def __getitem__(self, metric: str) -> Estimate:
        """The estimate of a metric, of the whole set too.

        Raises:
            MetricNotFound: it was not measured.
        """
        found = self.summary.get(metric) or self.statistics.get(metric)
        if found is None:
            raise self._unknown(metric)
        return found

    def __contains__(self, metric: object) -> bool:
        return metric in self.summary or metric in self.statistics

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def _unknown(self, metric: object) -> MetricNotFound:
        measured = [*self.summary, *self.statistics]
        near = get_close_matches(str(metric), measured, n=3, cutoff=0.5)
        near += [name for name in measured if str(metric).lower() in name.lower() and name not in near]
        guess = f"did you mean {' or '.join(near[:3])}? " if near and metric else ""
        return MetricNotFound(f"no metric {metric!r} was measured: {guess}There are {', '.join(measured)}")

    def where(self, wanted: Callable[[Row], bool]) -> tuple[Row, ...]:
        """The rows for which `wanted` is true."""
        return tuple(row for row in self.rows if wanted(row))

    def table(self) -> str:
        """The metrics with their intervals, as lines of text."""
        lines = self._cells()
        head = lines[0]
        widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
        return "\n".join(
            "  ".join(
                f"{cell:<{width}}" if at == 0 else f"{cell:>{width}}"
                for at, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )

    def _cells(self) -> list[tuple[str, ...]]:
        """The table, its head first."""
        return [
            ("metric", "mean", "95 % interval", "n", "missed"),
            *(
                (name, decimal(each.mean, "-"), interval(each, "-", ""), str(each.n), str(each.missed or ""))
                for name, each in {**self.summary, **self.statistics}.items()
            ),
        ]

    def _repr_html_(self) -> str:
        """The same as HTML, for notebooks."""
        head, *rows = ([escape(cell) for cell in line] for line in self._cells())
        lines = [f"<tr><th>{'</th><th>'.join(head)}</th></tr>"]
        lines += [f"<tr><td>{'</td><td>'.join(row)}</td></tr>" for row in rows]
        said = "".join(f"<p>{escape(each)}</p>" for each in (self.counted, *self.notes, *self.remarks))
        return f"<table>{''.join(lines)}</table>{said}"

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
    "missing": "missing in the run",
}
