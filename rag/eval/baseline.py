"""An earlier run, read from what it left, and the run at hand held against it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rag.errors import InputError, QuestionFileError
from rag.eval.jsonl import read_objects
from rag.eval.keys import file_digest
from rag.eval.metric import Metric
from rag.eval.report import Comparison, Earlier, Row
from rag.eval.reports.results import RESULTS, SUMMARY
from rag.eval.statistics.clusters import document_clusters
from rag.eval.statistics.comparison import compare

NAMED = 5
"""So many questions are named, the others counted."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """An earlier run: its means by metric, its scores by question id and metric, and what was run.

    `scores` is None where only a summary is left. `asked` is the text of each question by its id,
    `responses` the answer to it (None where that failed) and whether it abstained.
    """

    name: str
    means: Mapping[str, float]
    scores: Mapping[str, Mapping[str, float]] | None = None
    asked: Mapping[str, str] = field(default_factory=dict)
    responses: Mapping[str, tuple[str | None, bool]] = field(default_factory=dict)
    setup: Mapping[str, object] = field(default_factory=dict)


def read_baseline(path: Path) -> Baseline:
    """Read the folder that `--out` left, or its `summary.json` or `results.jsonl`.

    A summary beside results of another run, or of none, gives means alone.

    Raises:
        InputError: it cannot be read, or is something else.
    """
    folder = path if path.is_dir() else path.parent
    if path.is_dir() and not (folder / SUMMARY).is_file():
        raise InputError(
            f"{path} holds no finished evaluation: there is no {SUMMARY}; name another, or finish it"
        )
    if not path.is_dir() and path.suffix == ".jsonl":
        summary, results = folder / SUMMARY, path
        found = _summary(summary) if summary.is_file() else {}
        means = _means(found, summary) if found and _is_of(found, results) else {}
        return _with_results(path, means, found if means else {}, results)
    summary = folder / SUMMARY if path.is_dir() else path
    found = _summary(summary)
    means = _means(found, summary)
    if _is_of(found, folder / RESULTS):
        return _with_results(path, means, found, folder / RESULTS)
    return Baseline(str(path), means, setup=_setup(found))


def _summary(path: Path) -> Mapping[str, object]:
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check the path") from error
    except ValueError as error:
        raise _no_baseline(path) from error
    if not isinstance(found, dict):
        raise _no_baseline(path)
    return found


def _no_baseline(path: Path) -> InputError:
    return InputError(
        f"{path} is none of what `rag eval --out` leaves; give its folder, summary.json or results.jsonl"
    )


def _means(found: Mapping[str, object], path: Path) -> dict[str, float]:
    try:
        metrics = found["metrics"]
        assert isinstance(metrics, dict)
        return {name: float(each["mean"]) for name, each in metrics.items() if each["mean"] is not None}
    except (AssertionError, ValueError, TypeError, KeyError) as error:
        raise _no_baseline(path) from error


def _setup(found: Mapping[str, object]) -> Mapping[str, object]:
    setup = found.get("setup")
    return setup if isinstance(setup, dict) else {}


def _is_of(found: Mapping[str, object], results: Path) -> bool:
    files = found.get("files")
    return isinstance(files, dict) and results.is_file() and files.get(RESULTS) == file_digest(results)


def _with_results(
    path: Path, means: Mapping[str, float], found: Mapping[str, object], results: Path
) -> Baseline:
    scores: dict[str, Mapping[str, float]] = {}
    asked: dict[str, str] = {}
    responses: dict[str, tuple[str | None, bool]] = {}
    try:
        for _, line in read_objects(results):
            name, given = str(line["id"]), line["scores"]
            if not isinstance(given, dict):
                raise _no_baseline(path)
            scores[name] = {metric: float(value) for metric, value in given.items()}
            asked[name] = str(line["user_input"])
            said = line.get("response")
            responses[name] = (said if isinstance(said, str) else None, line.get("abstained") is True)
    except (QuestionFileError, KeyError, TypeError, ValueError) as error:
        raise _no_baseline(path) from error
    return Baseline(str(path), means, scores, asked, responses, _setup(found))


def compare_rows(
    rows: Sequence[Row], metrics: Sequence[Metric], setup: Mapping[str, object], baseline: Baseline
) -> Comparison:
    """Hold rows against an earlier run, question by question, over the questions that both asked."""
    notes = _differing(setup, baseline.setup)
    missing = [metric.name for metric in metrics if metric.name not in _metrics_of(baseline)]
    if missing:
        notes.append(f"the baseline has no {', '.join(missing)}")
    if baseline.scores is None:
        notes.append("the baseline has no results by question: only means can be compared, without a test")
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
    differences = compare(
        {m.name: _values(m.name, {row.question.id: row.scores for row in paired}) for m in metrics},
        {m.name: _values(m.name, {name: baseline.scores[name] for name in names}) for m in metrics},
        higher_is_better={metric.name: metric.higher_is_better for metric in metrics},
        weights={metric.name: metric.weight for metric in metrics},
        clusters=dict(zip(names, numbers, strict=True)),
    )
    earlier = {
        name: Earlier(*baseline.responses.get(name, (None, False)), baseline.scores[name]) for name in names
    }
    return Comparison(baseline.name, tuple(differences), baseline.means, tuple(notes), earlier)


def _values(metric: str, scores: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    return {name: each[metric] for name, each in scores.items() if metric in each}


def _metrics_of(baseline: Baseline) -> set[str]:
    by_question = (baseline.scores or {}).values()
    measured = baseline.setup.get("metrics")
    named = measured if isinstance(measured, dict) else ()
    return {*named, *baseline.means, *(metric for scores in by_question for metric in scores)}


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
