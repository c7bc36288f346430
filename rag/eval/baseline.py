"""An earlier run, read from what it left."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rag.errors import InputError, QuestionFileError
from rag.eval.jsonl import read_objects
from rag.eval.keys import file_digest
from rag.eval.reports.results import RESULTS, SUMMARY


@dataclass(frozen=True, slots=True)
class Baseline:
    """An earlier run: its means by metric, its scores by question id and metric, and what was run.

    `scores` is None where only a summary is left. `asked` is the text of each question by its id,
    `responses` the answer to it (None where that failed) and whether it abstained. `missed` has the metrics
    of each question that a verdict of the judge is missing in.
    """

    name: str
    means: Mapping[str, float]
    scores: Mapping[str, Mapping[str, float]] | None = None
    asked: Mapping[str, str] = field(default_factory=dict)
    responses: Mapping[str, tuple[str | None, bool]] = field(default_factory=dict)
    setup: Mapping[str, object] = field(default_factory=dict)
    missed: Mapping[str, frozenset[str]] = field(default_factory=dict)


def read_baseline(path: Path) -> Baseline:
    """Read the folder that `--out` left, or its `summary.json` or `results.jsonl`.

    A summary without the results of its run gives means alone.

    Raises:
        InputError: it cannot be read, is something else, or the results in the folder are of another run
            than its summary.
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
    if path.is_dir() and (folder / RESULTS).exists():
        raise InputError(
            f"{folder / RESULTS} is of another run than its {SUMMARY}, or was changed since; name the one of "
            "them that is meant"
        )
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
    metrics = found.get("metrics")
    if not isinstance(metrics, dict):
        raise _no_baseline(path)
    try:
        return {
            name: _number(each["mean"], name, path)
            for name, each in metrics.items()
            if each["mean"] is not None
        }
    except (TypeError, KeyError) as error:
        raise _no_baseline(path) from error


def _number(value: object, name: str, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _no_baseline(path)
    if not math.isfinite(value):
        raise InputError(f"{path} has a {name} of {value}, which is no number: run the baseline again")
    return float(value)


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
    missed: dict[str, frozenset[str]] = {}
    try:
        for _, line in read_objects(results):
            name, given = str(line["id"]), line["scores"]
            if not isinstance(given, dict):
                raise _no_baseline(path)
            scores[name] = {metric: _number(value, metric, path) for metric, value in given.items()}
            asked[name] = str(line["user_input"])
            said = line.get("response")
            responses[name] = (said if isinstance(said, str) else None, line.get("abstained") is True)
            missed[name] = _missed(line.get("grounds"))
    except QuestionFileError as error:
        raise _no_baseline(path) from error
    except InputError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise _no_baseline(path) from error
    if not scores:
        raise InputError(f"{results} has no results: give those of a run that asked something")
    return Baseline(str(path), means, scores, asked, responses, _setup(found), missed)


def _missed(grounds: object) -> frozenset[str]:
    told = grounds.items() if isinstance(grounds, dict) else ()
    return frozenset(name for name, each in told if isinstance(each, dict) and each.get("missed"))
