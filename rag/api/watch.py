"""A running system watched: logged questions asked again and measured, and held against the window before."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rag.api.access import SeenBy
from rag.errors import InputError
from rag.eval.watching.drift import Drift, Window, measure_drift
from rag.eval.watching.records import LoggedAnswer, read_log
from rag.eval.watching.windows import Change, between, compare_unpaired, sample_questions

if TYPE_CHECKING:
    from rag.pipeline import Engine
    from rag.types import Principal

WATCH = "watch.json"
RUN = re.compile(r"\d{8}T\d{6}Z")
JUDGED = ("faithfulness", "answer_relevancy", "alce_citation_recall", "alce_citation_precision")
"""The judged metrics that need no reference."""
_DURATION = re.compile(r"(\d+)([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True)
class Watched:
    """What one look at a log found.

    `answers` are those logged in the window and `before` those of the window before it; `asked` of them
    were asked again. `folder` has the evaluation, None where there was nothing to ask. `changes` compares
    with the window before, by the log (`logged_...`) and with the last evaluation.
    """

    end: datetime
    answers: int
    before: int
    damaged: int
    asked: int
    folder: Path | None
    means: Mapping[str, float | None]
    changes: tuple[Change, ...]
    drifts: tuple[Drift, ...]

    @property
    def alarm(self) -> bool:
        """Whether something got significantly worse, or drifted."""
        return any(each.worse for each in self.changes) or any(each.drifted for each in self.drifts)


def watch(
    engine: Engine,
    log: Path,
    out: Path,
    *,
    window: timedelta = timedelta(days=7),
    sample: int = 50,
    seed: int = 0,
    principal: Principal | None = None,
    end: datetime | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Watched:
    """Look at a query log once: sample, ask again, measure, compare, and write a folder of it below `out`.

    Args:
        engine: What answers now.
        log: The query log; only records of the principal's tenant are read.
        out: A folder with a folder for each look, named for its time, as `20260102T030405Z`.
        window: How long a time is looked at; it is compared with as long a time before.
        sample: How many questions are asked again at most.
        seed: Which.
        principal: In whose name they are asked.
        end: Where the window ends; now by default.
        progress: Called with the questions asked and how many there are.

    Raises:
        InputError: There is no log, or `out` is no folder.
    """
    end = end or datetime.now(UTC)
    held = read_log(log, principal.tenant if principal else "")
    current, before = between(held.answers, end, window)
    questions = sample_questions(current, sample, seed) if sample else ()
    last = _last_scores(out, end)
    folder, scores = None, dict[str, list[float]]()
    if questions:
        from rag.eval.experiment import evaluate

        folder = out / end.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        metrics = ("citation_validity", *JUDGED)
        kb = SeenBy(engine, principal)
        _make_private(out)
        found = evaluate(
            kb,
            questions,
            metrics=metrics,
            out=folder,
            judge=engine.judge,
            name=_name(len(questions), end - window, end),
            progress=progress,
        )
        scores = {
            name: [row.scores[name] for row in found.rows if name in row.scores] for name in found.summary
        }
        scores["abstained"] = [float(row.answer.abstained) for row in found.rows if row.answer]
        scores["confidence"] = [float(row.answer.confidence) for row in found.rows if row.answer]
    changes = compare_unpaired(
        {**_series(current), **scores},
        {**_series(before), **last},
        frozenset(("abstained", "logged_abstained")),
    )
    drifts = measure_drift(_window(engine, before), _window(engine, current), seed=seed)
    means = {name: _mean(values) for name, values in {**_series(current), **scores}.items()}
    watched = Watched(
        end, len(current), len(before), held.damaged, len(questions), folder, means, changes, drifts
    )
    if folder is not None:
        _write(folder / WATCH, watched, scores)
    return watched


def watched_json(watched: Watched) -> dict[str, object]:
    """What a look found, as JSON; a number that does not exist is null."""
    return {
        "end": watched.end.isoformat(),
        "alarm": watched.alarm,
        "answers": watched.answers,
        "before": watched.before,
        "damaged_lines": watched.damaged,
        "asked": watched.asked,
        "folder": str(watched.folder) if watched.folder else None,
        "means": dict(watched.means),
        "changes": [asdict(each) for each in watched.changes],
        "drifts": [asdict(each) | {"drifted": each.drifted} for each in watched.drifts],
    }


def parse_duration(text: str) -> timedelta:
    """Read `90s`, `15m`, `1h`, `7d` or `2w`.

    Raises:
        InputError: It is something else, or nothing.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or not 0 < int(match[1]) * _SECONDS[match[2]] <= 10 * 365 * 86_400:
        raise InputError(f"{text!r} is no time: write 90s, 15m, 1h, 7d or 2w")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def _name(count: int, start: datetime, end: datetime) -> str:
    """What the questions of a look are called in its report."""
    first, last = (at.astimezone(UTC).strftime("%Y-%m-%d %H:%M") for at in (start, end))
    return f"{count} logged question{'' if count == 1 else 's'}, {first} to {last} UTC"


def _series(answers: Sequence[LoggedAnswer]) -> dict[str, list[float]]:
    """What the log itself says of answers. The support of an answer is that of its weakest sentence."""
    return {
        "logged_abstained": [float(each.abstained) for each in answers],
        "logged_confidence": [each.confidence for each in answers],
        "logged_support": [min(each.support) for each in answers if each.support],
    }


def _window(engine: Engine, answers: Sequence[LoggedAnswer]) -> Window:
    asked = [each.question for each in answers if each.question.strip()]
    best = [max(each.hits.values()) for each in answers if each.hits]
    return Window(
        vectors=engine.encoder.encode(asked, query=True) if asked else None,
        lengths=[float(each.words) for each in answers],
        scores=best,
        confidences=[each.confidence for each in answers],
        abstained=[each.abstained for each in answers],
    )


def _last_scores(out: Path, end: datetime) -> dict[str, list[float]]:
    """The scores of the last look before this one, by metric; nothing where there is none."""
    now = end.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    looks = sorted(each for each in out.glob("*") if RUN.fullmatch(each.name) and each.name < now)
    for look in reversed(looks):
        try:
            scores = json.loads((look / WATCH).read_bytes())["scores"]
            return {str(name): [float(value) for value in values] for name, values in scores.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # a look that was interrupted
    return {}


def _write(path: Path, watched: Watched, scores: Mapping[str, Sequence[float]]) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        text = json.dumps(watched_json(watched) | {"scores": scores}, ensure_ascii=False, indent=2)
        part.write_text(text + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def _make_private(folder: Path) -> None:
    """Make the folder for its owner alone: an evaluation quotes documents and people's questions."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}; name a folder") from error


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
