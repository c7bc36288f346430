"""An evaluation as one HTML page that needs nothing else: no network, no script, no font of its own.

Nothing of a document or a question becomes markup: the template escapes all that it is given, anchors are
numbered, and what would steer a screen is shown as its number. Its policy lets no browser load anything.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from typing import TYPE_CHECKING

from rag.eval.report import Comparison, Evaluation, Row
from rag.eval.reports.cards import card, diagnosis, reference, said, text
from rag.eval.reports.charts import (
    difference_chart,
    histogram,
    interval_chart,
    reliability_chart,
    share_chart,
)
from rag.eval.reports.findings import (
    MetricLine,
    calibrated,
    claim,
    failure_lines,
    got_worse,
    headline,
    is_wrong,
    lead,
    lower_is_better,
    mean_score,
    metric_lines,
    outcome_words,
    refusals,
    settings_lines,
    tone,
    verdict,
    worst_rows,
)
from rag.eval.reports.showing import decimal, interval, one_line
from rag.eval.reports.slices import slices
from rag.eval.statistics.comparison import Difference

if TYPE_CHECKING:
    from jinja2 import Template

_FOLDER = files("rag.eval.reports") / "templates"
MOST_WORST = 40
MOST_WORSE = 25
MOST_NAMED = 12


def html_report(
    evaluation: Evaluation, differences: Sequence[Difference] = (), baseline: Comparison | None = None
) -> str:
    """The page of an evaluation; equal evaluations make equal pages.

    Args:
        evaluation: What was found, with its comparison where it has one.
        differences: To an earlier run of which nothing else is known.
        baseline: A comparison in place of the evaluation's own.
    """
    from markupsafe import Markup

    if differences and baseline is None:
        baseline = Comparison(
            "baseline", tuple(differences), {each.metric: each.baseline for each in differences}
        )
    if baseline is not None:
        evaluation = replace(evaluation, comparison=baseline)
    # what `charts` draws, and the style, are markup; all else is escaped
    style = Markup((_FOLDER / "report.css").read_text("utf-8"))
    return _template().render(page=_page(evaluation, Markup), style=style) + "\n"


@functools.cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string((_FOLDER / "report.html.j2").read_text("utf-8"))


_Drawn = Callable[[str], str]


def _page(evaluation: Evaluation, drawn: _Drawn) -> dict[str, object]:
    lines = metric_lines(evaluation)
    lower = lower_is_better(evaluation)
    worst = worst_rows(evaluation, MOST_WORST)
    anchors = {row.question.id: f"question-{at}" for at, row in enumerate(worst, 1)}
    page: dict[str, object] = {
        "title": one_line(dict(headline(evaluation)).get("questions", "questions"), 120),
        "lead": lead(evaluation),
        "headline": [(name, one_line(value, 200)) for name, value in headline(evaluation)],
        "notes": [one_line(note, 600) for note in evaluation.notes],
        "tiles": _tiles(evaluation),
        "comparison": _comparison(evaluation.comparison, drawn),
        **_worse(evaluation),
        "metrics": [_metric(line, drawn) for line in lines],
        **_failures(evaluation, drawn),
        "reliability": _reliability(evaluation, drawn),
        "refusals": _refusals(evaluation),
        "histograms": _histograms(evaluation, lines, drawn),
        "slices": slices(evaluation, lines),
        "worst": [card(row, anchors[row.question.id], lower) for row in worst],
        "worst_hint": "Those that failed first, then those diagnosed, each by their mean score over the "
        "metrics (what is better lower, turned round; P, SpanPrecision and SpanIoU, which are always small, "
        f"left out); at most {MOST_WORST}.",
        "questions": [_question(row, anchors.get(row.question.id, ""), lower) for row in evaluation.rows],
        "settings": [
            (one_line(name, 120), one_line(value, 300)) for name, value in settings_lines(evaluation.setup)
        ],
    }
    return page | {"sections": _sections(page)}


def _sections(page: Mapping[str, object]) -> list[tuple[str, str]]:
    named = (
        ("baseline", "Baseline", page["comparison"]),
        ("metrics", "Metrics", True),
        ("failures", "Failures", page["failures"]),
        ("confidence", "Confidence", True),
        ("distributions", "Distributions", page["histograms"]),
        ("slices", "Slices", page["slices"]),
        ("worst", "Worst questions", page["worst"]),
        ("questions", "Every question", True),
        ("settings", "Settings", page["settings"]),
    )
    return [(anchor, name) for anchor, name, there in named if there]


def _tiles(evaluation: Evaluation) -> list[dict[str, str]]:
    counts = evaluation.counts
    wrong = sum(map(is_wrong, evaluation.rows))
    tiles = [
        ("questions", counts.get("questions", len(evaluation.rows)), ""),
        ("answered", counts.get("answered", 0), ""),
        ("refused", counts.get("abstained", 0), ""),
        ("answered or refused wrongly", wrong, "bad" if wrong else "good"),
        ("failed", counts.get("failed", 0), "bad" if counts.get("failed") else "good"),
    ]
    return [{"name": name, "value": str(value), "tone": each} for name, value, each in tiles]


def _metric(line: MetricLine, drawn: _Drawn) -> dict[str, object]:
    estimate = line.estimate
    label = f"{line.name}: mean {decimal(estimate.mean)}, 95 % interval {interval(estimate)}"
    return {
        "name": one_line(line.name, 60),
        "formula": one_line(line.formula, 300),
        "lower": not line.higher_is_better,
        "mean": decimal(estimate.mean),
        "interval": interval(estimate),
        "n": estimate.n,
        "missed": estimate.missed,
        "detectable": "–" if line.detectable is None else f"{line.detectable:.3f}",
        "judged": line.judged,
        "chart": drawn(
            interval_chart(
                estimate.mean, estimate.low, estimate.high, label=one_line(label), baseline=line.baseline
            )
        ),
    }


def _comparison(comparison: Comparison | None, drawn: _Drawn) -> dict[str, object] | None:
    if comparison is None:
        return None
    found = comparison.differences
    reach = max((abs(at) for each in found for at in (each.low, each.high) if math.isfinite(at)), default=1.0)
    tones = {tone(each) for each in found}
    return {
        "name": one_line(comparison.name, 200),
        "tone": "bad" if "worse" in tones else "good" if "better" in tones else "",
        "verdict": verdict(comparison),
        "notes": [one_line(note, 600) for note in comparison.notes],
        "differences": [_difference(each, min(1.0, reach) or 1.0, drawn) for each in found],
    }


def _difference(each: Difference, reach: float, drawn: _Drawn) -> dict[str, object]:
    between = f"{each.low:+.3f} to {each.high:+.3f}"
    label = one_line(f"{each.metric}: {each.difference:+.3f}, 95 % interval {between}")
    chart = difference_chart(each.difference, each.low, each.high, reach=reach, tone=tone(each), label=label)
    return {
        "name": one_line(each.metric, 60),
        "tone": tone(each),
        "baseline": decimal(each.baseline),
        "current": decimal(each.current),
        "difference": f"{each.difference:+.3f}",
        "interval": between,
        "p": f"{each.adjusted:.4f}",
        "n": each.n,
        "claim": claim(each),
        "chart": drawn(chart),
    }


def _worse(evaluation: Evaluation) -> dict[str, object]:
    found = got_worse(evaluation)
    earlier = evaluation.comparison.earlier if evaluation.comparison else {}
    return {
        "worse_total": len(found),
        "worse": [
            {
                "id": one_line(row.question.id, 80),
                "asked": one_line(row.question.user_input, 400),
                "metric": one_line(metric, 60),
                "before": f"{before:.2f}",
                "now": f"{now:.2f}",
                "then": text(earlier[row.question.id].response or "No answer."),
                "said": said(row),
                "reference": reference(row),
                "diagnosis": diagnosis(row),
            }
            for row, metric, before, now in found[:MOST_WORSE]
        ],
    }


def _failures(evaluation: Evaluation, drawn: _Drawn) -> dict[str, object]:
    lines = failure_lines(evaluation)
    total = sum(line.count for line in lines)
    return {
        "failed_total": total,
        "asked_total": len(evaluation.rows),
        "wrong_total": sum(map(is_wrong, evaluation.rows)),
        "failures": [
            {
                "name": line.mode.words,
                "count": line.count,
                "fix": line.fix,
                "questions": [one_line(each, 40) for each in line.questions[:MOST_NAMED]],
                "more": max(0, len(line.questions) - MOST_NAMED),
                "chart": drawn(
                    share_chart(line.count / total, label=f"{line.count} of {total} failures", tone="bad")
                ),
            }
            for line in lines
        ],
    }


def _reliability(evaluation: Evaluation, drawn: _Drawn) -> dict[str, object] | None:
    found = calibrated(evaluation.rows)
    if found is None:
        return None
    chart = reliability_chart(found.bins, found.intervals, label="How often answers are right, by confidence")
    return {"chart": drawn(chart), "error": f"{found.error:.3f}", "n": found.n}


def _refusals(evaluation: Evaluation) -> list[dict[str, object]]:
    counted = refusals(evaluation.rows)
    rows = []
    for answerable, name in ((True, "Answerable"), (False, "Unanswerable"), (None, "Not known")):
        answered, refused = counted.get((answerable, True), 0), counted.get((answerable, False), 0)
        if answered or refused:
            rows.append(
                {
                    "name": name,
                    "answered": answered,
                    "refused": refused,
                    "answered_tone": _cell(answered, wrong=answerable is False, right=answerable is True),
                    "refused_tone": _cell(refused, wrong=answerable is True, right=answerable is False),
                }
            )
    return rows


def _cell(count: int, *, wrong: bool, right: bool) -> str:
    if not count:
        return ""
    return "bad-cell" if wrong else "good-cell" if right else ""


def _histograms(
    evaluation: Evaluation, lines: Sequence[MetricLine], drawn: _Drawn
) -> list[dict[str, object]]:
    found = []
    for line in lines:
        values = [row.scores[line.name] for row in evaluation.rows if line.name in row.scores]
        if values:
            label = one_line(f"Distribution of {line.name} over {len(values)} questions")
            found.append(
                {
                    "name": one_line(line.name, 60),
                    "mean": decimal(line.estimate.mean),
                    "n": len(values),
                    "chart": drawn(histogram(values, label=label)),
                }
            )
    return found


def _question(row: Row, anchor: str, lower: frozenset[str]) -> dict[str, object]:
    words, tone_of = outcome_words(row)
    mean = mean_score(row, lower)
    return {
        "anchor": anchor,
        "id": one_line(row.question.id, 80),
        "asked": one_line(row.question.user_input, 160),
        "kind": one_line(row.question.kind, 60),
        "outcome": words,
        "tone": tone_of,
        "mean": "–" if mean is None else f"{mean:.2f}",
        "confidence": "–" if row.answer is None else f"{row.answer.confidence:.2f}",
    }
