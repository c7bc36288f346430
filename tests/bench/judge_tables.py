"""The tables of docs/judges.md, from what `bench_judges.py` stored.

python tests/bench/judge_tables.py [docs/judges.json]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TRIVIAL = "everything supported"
MEASURES = {
    "auroc": "AUROC",
    "f1": "F1",
    "balanced_accuracy": "balanced accuracy",
    "kappa": "kappa",
    "pearson": "Pearson",
    "spearman": "Spearman",
}


def table(stored: Mapping[str, Any], name: str) -> str:
    """The agreement with one label as Markdown: a row a metric and judge, with 95 % intervals."""
    by_metric = stored["agreement"][name]
    rows = [
        (metric, who, figures)
        for metric, judges in by_metric.items()
        for who, figures in judges.items()
        if who != TRIVIAL or metric == next(iter(by_metric))
    ]
    rows += [("", who, figures) for who, figures in stored["machines"].get(name, {}).items()]
    shown = [measure for measure in MEASURES if any(measure in figures for _, _, figures in rows)]
    heads = ["metric", "judge", *(MEASURES[each] for each in shown)]
    body = [
        [f"`{metric}`" if metric else "", who, *(_cell(figures.get(each)) for each in shown)]
        for metric, who, figures in rows
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *body])


def _cell(figure: list[float] | None) -> str:
    if figure is None:
        return ""
    value, low, high = figure
    return f"{value:.3f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "docs" / "judges.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    for each in whole["agreement"]:
        rows, good = whole["sets"][each]["rows"], whole["sets"][each]["good"]
        print(f"### {each} ({rows}, {good} of them yes)\n\n{table(whole, each)}\n")
