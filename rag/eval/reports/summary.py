"""Rows to means with intervals: of all, of each kind of question, and of each gold document; and counts."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from rag.eval.metric import Metric
from rag.eval.metrics.set_metric import SetMetric
from rag.eval.report import Row
from rag.eval.statistics.bootstrap import Estimate, estimate_mean, estimate_statistic
from rag.eval.statistics.clusters import document_clusters

FEWEST_OF_A_DOCUMENT = 10
"""With fewer questions a document gets means alone: an interval over them would say nothing."""


def summarise(rows: Sequence[Row], metrics: Sequence[Metric]) -> dict[str, Estimate]:
    """Estimate every metric over the rows that it bears on; questions of one document are drawn together."""
    clusters = document_clusters([row.question for row in rows])
    summary = {}
    for metric in metrics:
        bears = [at for at, row in enumerate(rows) if metric.name in row.scores]
        values = [rows[at].scores[metric.name] for at in bears]
        summary[metric.name] = estimate_mean(
            values,
            [metric.weight(value) for value in values] if metric.weight else None,
            [clusters[at] for at in bears],
            missed=_missed([rows[at] for at in bears], metric),
        )
    return summary


def summarise_set(rows: Sequence[Row], metrics: Sequence[SetMetric]) -> dict[str, Estimate]:
    """Estimate every metric of a whole set over the rows that it bears on.

    One that few answers make larger has no interval, low and high NaN.
    """
    clusters = document_clusters([row.question for row in rows])
    found = {}
    for metric in metrics:
        outcomes = [metric.outcome(row.right, row.answer) for row in rows]
        bears = [
            (each, cluster) for each, cluster in zip(outcomes, clusters, strict=True) if each is not None
        ]
        table = np.array([(each.confidence, each.right) for each, _ in bears], np.float64).reshape(-1, 2)
        function = partial(_of_table, metric)
        found[metric.name] = (
            _alone(function(table), len(table))
            if metric.biased
            else estimate_statistic(table, function, [cluster for _, cluster in bears])
        )
    return found


def _alone(value: float | None, n: int) -> Estimate:
    """A number without an interval."""
    if value is None:
        return Estimate(math.nan, math.nan, math.nan, 0)
    return Estimate(value, math.nan, math.nan, n, reliable=False)


def _of_table(metric: SetMetric, table: npt.NDArray[np.float64]) -> float | None:
    return metric.measure(table[:, 0], table[:, 1] > 0.5)


def summarise_kinds(rows: Sequence[Row], metrics: Sequence[Metric]) -> dict[str, dict[str, Estimate]]:
    """Estimate every metric over each kind of question, in the order of the kinds' names."""
    return {
        kind: summarise([row for row in rows if row.question.kind == kind], metrics)
        for kind in sorted({row.question.kind for row in rows} - {""})
    }


def summarise_documents(rows: Sequence[Row], metrics: Sequence[Metric]) -> dict[str, dict[str, Estimate]]:
    """Estimate every metric over the questions of each gold document, in the order of their sources.

    Metrics that bear on none of a document's questions are left out of it.
    """
    asked: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        for source in dict.fromkeys(place.source for place in row.question.documents):
            asked[source].append(row)
    return {source: _of_document(asked[source], metrics) for source in sorted(asked)}


def _of_document(rows: Sequence[Row], metrics: Sequence[Metric]) -> dict[str, Estimate]:
    found = {}
    for metric in metrics:
        bears = [row for row in rows if metric.name in row.scores]
        values = [row.scores[metric.name] for row in bears]
        weights = [metric.weight(value) if metric.weight else 1.0 for value in values]
        missed = _missed(bears, metric)
        if len(values) >= FEWEST_OF_A_DOCUMENT:
            found[metric.name] = estimate_mean(values, weights, missed=missed)
        elif values:
            mean = math.fsum(v * w for v, w in zip(values, weights, strict=True)) / math.fsum(weights)
            few = Estimate(mean, math.nan, math.nan, len(values), missed)
            found[metric.name] = replace(few, reliable=False)
    return found


def _missed(rows: Sequence[Row], metric: Metric) -> int:
    return sum(bool(metric.name in row.judged and row.judged[metric.name].missed) for row in rows)


def count_rows(rows: Sequence[Row]) -> dict[str, int]:
    """Count what became of the questions; `Evaluation.counts` says how."""
    given = [(row.answer.abstained, row.question.answerable) for row in rows if row.answer is not None]
    return {
        "questions": len(rows),
        "failed": sum(bool(row.failure) for row in rows),
        "answered": sum(not abstained for abstained, _ in given),
        "abstained": sum(abstained for abstained, _ in given),
        "refused_unanswerable": given.count((True, False)),
        "refused_answerable": given.count((True, True)),
        "answered_unanswerable": given.count((False, False)),
        "wrong": sum(row.diagnosis is not None for row in rows),
    }
