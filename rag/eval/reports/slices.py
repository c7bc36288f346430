"""The tables of a page that part the questions by kind and by document."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rag.eval.report import Evaluation
from rag.eval.reports.findings import MetricLine, is_small
from rag.eval.reports.showing import interval, one_line
from rag.eval.statistics.bootstrap import Estimate


def slices(evaluation: Evaluation, lines: Sequence[MetricLine]) -> list[dict[str, object]]:
    """The tables by kind of question and by gold document, those that there are."""
    kinds, documents = evaluation.by_kind, evaluation.by_document
    named = {kind: [one_line(kind, 60)] for kind in kinds}
    found = []
    if kinds:
        hint = "Means of each metric by kind of question; hover for the interval and the number of questions."
        shown = _shown(lines, kinds)
        sizes = [sum(row.question.kind == kind for row in evaluation.rows) for kind in kinds]
        rows = [("questions", [{"value": str(size), "tone": "dim", "told": ""} for size in sizes])]
        rows += [(line.name, [_heat(each.get(line.name), line) for each in kinds.values()]) for line in shown]
        found.append(_slice("slices", "By kind of question", "Metric", hint, list(named.values()), rows))
    if documents:
        hint = "Means over the questions whose answer each document holds."
        shown = _shown(lines, documents)
        rows = [
            (name, [_heat(each.get(line.name), line) for line in shown]) for name, each in documents.items()
        ]
        heads = [_parts(line.name) for line in shown]
        anchor = "documents" if kinds else "slices"
        found.append(_slice(anchor, "By document", "Gold document", hint, heads, rows, folded=True))
    return found


def _slice(
    anchor: str,
    title: str,
    of: str,
    hint: str,
    columns: Sequence[Sequence[str]],
    rows: Sequence[tuple[str, list[dict[str, str]]]],
    *,
    folded: bool = False,
) -> dict[str, object]:
    return {
        "anchor": anchor,
        "title": title,
        "of": of,
        "hint": hint,
        "columns": columns,
        "rows": [{"name": one_line(name, 120), "cells": cells} for name, cells in rows],
        "folded": folded,
    }


def _shown(lines: Sequence[MetricLine], estimates: Mapping[str, Mapping[str, Estimate]]) -> list[MetricLine]:
    """The metrics that bear on a question of some slice."""
    return [
        line for line in lines if any(line.name in each and each[line.name].n for each in estimates.values())
    ]


def _parts(name: str) -> list[str]:
    """A metric's name in parts behind which a line may break."""
    return one_line(name, 60).replace("_", "_ ").replace("@", " @").split()


def _heat(estimate: Estimate | None, line: MetricLine) -> dict[str, str]:
    if estimate is None or not estimate.n or not math.isfinite(estimate.mean):
        return {"value": "–", "tone": "dim", "told": ""}
    good = estimate.mean if line.higher_is_better else 1 - estimate.mean
    tone = "" if is_small(line.name) else f"h{min(4, max(0, int(good * 5)))}"
    told = f"95 % interval {interval(estimate)}, n {estimate.n}"
    return {"value": f"{estimate.mean:.2f}", "tone": tone, "told": told}
