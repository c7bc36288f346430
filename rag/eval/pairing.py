"""The run at hand held against an earlier one, question by question, and what cannot be."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from rag.errors import InputError
from rag.eval.baseline import Baseline
from rag.eval.metric import Metric
from rag.eval.questions import Question
from rag.eval.report import Comparison, Earlier, Row
from rag.eval.reports.results import RESULTS, SUMMARY
from rag.eval.statistics.clusters import document_clusters
from rag.eval.statistics.comparison import compare

NAMED = 5
"""So many questions are named, the others counted."""

MEANS_ALONE = "the baseline has no results by question: only means can be compared, and no loss is tested for"


def compare_rows(
    rows: Sequence[Row], metrics: Sequence[Metric], setup: Mapping[str, object], baseline: Baseline
) -> Comparison:
    """Hold rows against an earlier run, question by question, over the questions that both asked."""
    notes = _differing(setup, baseline.setup)
    missing = [metric.name for metric in metrics if metric.name not in _metrics_of(baseline)]
    notes += _not_compared(missing, _metrics_of(baseline))
    if baseline.scores is None:
        notes.append(MEANS_ALONE)
        return Comparison(baseline.name, (), baseline.means, tuple(notes))
    ours = {row.question.id: row for row in rows}
    other = [
        name
        for name, row in ours.items()
        if baseline.asked.get(name, row.question.user_input) != row.question.user_input
    ]
    notes += _left_out("not in the baseline", ours.keys() - baseline.scores.keys(), ours)
    notes += _left_out("only in the baseline", baseline.scores.keys() - ours.keys(), baseline.scores)
    notes += _left_out("other words under the same id", other, ours)
    paired = [row for name, row in ours.items() if name in baseline.scores and name not in other]
    numbers = document_clusters([row.question for row in paired])
    names = [row.question.id for row in paired]
    missed = {metric.name: _without_verdict(metric.name, paired, baseline) for metric in metrics}
    notes += [
        f"{name}: {len(each)} of {len(paired)} pairs left out, without a verdict in one of the runs"
        for name, each in missed.items()
        if each
    ]
    differences = compare(
        {m.name: _values(m.name, {row.question.id: row.scores for row in paired}) for m in metrics},
        {m.name: _values(m.name, {name: baseline.scores[name] for name in names}) for m in metrics},
        higher_is_better={metric.name: metric.higher_is_better for metric in metrics},
        weights={metric.name: metric.weight for metric in metrics},
        clusters=dict(zip(names, numbers, strict=True)),
        missed=missed,
    )
    earlier = {
        name: Earlier(*baseline.responses.get(name, (None, False)), baseline.scores[name]) for name in names
    }
    return Comparison(baseline.name, tuple(differences), baseline.means, tuple(notes), earlier)


def refuse_overwriting(baseline: Path, out: Path | None) -> None:
    """Refuse a folder for results in which the baseline stands, which they would take the place of.

    Raises:
        InputError: it is that folder.
    """
    held = [baseline / name for name in (SUMMARY, RESULTS)] if baseline.is_dir() else [baseline]
    written = [] if out is None else [(out / name).resolve() for name in (SUMMARY, RESULTS)]
    if any(path.resolve() in written for path in held):
        raise InputError(
            f"{out} has the baseline, which a new run would overwrite: name another folder for the results"
        )


def refuse_unrelated(questions: Sequence[Question], metrics: Sequence[Metric], baseline: Baseline) -> None:
    """Refuse, before anything is run, a baseline with which nothing can be compared.

    Raises:
        InputError: it has none of the questions, or none of the metrics.
    """
    known = _metrics_of(baseline) if baseline.scores is None else _scored(baseline)
    if not any(metric.name in known for metric in metrics):
        raise InputError(
            f"{baseline.name} has none of the metrics that are compared question by question "
            f"({', '.join(metric.name for metric in metrics) or 'none is asked for'}): "
            "measure one that it has, or leave out the baseline"
        )
    if baseline.scores is not None and not any(
        question.id in baseline.scores and baseline.asked[question.id] == question.user_input
        for question in questions
    ):
        raise InputError(
            f"{baseline.name} has none of these questions under the same id in the same words: compare with "
            "a run of this question set"
        )


def refuse_untested(comparison: Comparison, baseline: Baseline) -> None:
    """Refuse a comparison in which no difference was tested, though the baseline has results by question.

    Raises:
        InputError: nothing was tested; the notes of the comparison say why.
    """
    if baseline.scores is not None and not comparison.differences:
        why = "; ".join(comparison.notes) or "no metric bears on a question in both runs"
        raise InputError(
            f"nothing could be compared with {baseline.name}, so no loss can be ruled out: {why}; "
            "mend that and run it again"
        )


def _not_compared(missing: Sequence[str], theirs: Collection[str]) -> list[str]:
    """What cannot be compared, since the baseline lacks it, or has it with another cutoff."""
    cut = {}
    for name in missing:
        measure, at, _ = name.partition("@")
        others = sorted(each for each in theirs if at and each.partition("@")[0] == measure)
        if others:
            cut[name] = others
    notes = []
    if cut:
        its = ", ".join(dict.fromkeys(each for others in cut.values() for each in others))
        notes.append(
            f"retrieval was not compared in {', '.join(cut)}: the baseline has {its}; name the same "
            "metrics, or the same k"
        )
    lacking = [name for name in missing if name not in cut]
    return notes + ([f"the baseline has no {', '.join(lacking)}"] if lacking else [])


def _values(metric: str, scores: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    return {name: each[metric] for name, each in scores.items() if metric in each}


def _without_verdict(metric: str, rows: Sequence[Row], baseline: Baseline) -> set[str]:
    """The questions whose score lacks a verdict in one of the runs, which says nothing of the answers."""
    return {
        row.question.id
        for row in rows
        if (metric in row.judged and row.judged[metric].missed)
        or metric in baseline.missed.get(row.question.id, ())
    }


def _metrics_of(baseline: Baseline) -> set[str]:
    measured = baseline.setup.get("metrics")
    named = measured if isinstance(measured, dict) else ()
    return {*named, *baseline.means, *_scored(baseline)}


def _scored(baseline: Baseline) -> set[str]:
    return {metric for scores in (baseline.scores or {}).values() for metric in scores}


def _differing(ours: Mapping[str, object], theirs: Mapping[str, object]) -> list[str]:
    """What of the setups differs in a way that a reader of the differences has to know."""
    if not theirs:
        return ["the baseline does not say how it was made"]
    notes = []
    for name, words in (("questions", "other questions"), ("k", "another k"), ("judge", "another judge")):
        mine, its = (_told(setup.get(name)) for setup in (ours, theirs))
        if mine != its:
            notes.append(f"the baseline was made with {words}: {its}, and this is {mine}")
    return notes


def _told(value: object) -> str:
    if isinstance(value, dict):
        return f"{value.get('file') or 'some'} ({value.get('count')}, {str(value.get('digest'))[:8]})"
    return "none" if value is None else str(value)


def _left_out(why: str, names: Collection[str], order: Collection[str]) -> list[str]:
    if not names:
        return []
    listed = [name for name in order if name in names]
    more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    return [f"left out of the pairs, {why}: {', '.join(listed[:NAMED])}{more}"]
