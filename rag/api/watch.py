"""A running system watched: logged questions asked again and measured, and held against the window before."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rag.api.access import SeenBy
from rag.errors import InputError
from rag.eval.watching.drift import Drift, Window, measure_drift
from rag.eval.watching.family import judge_together
from rag.eval.watching.looks import WATCH, Look, comparable, last_look, look_json
from rag.eval.watching.records import LoggedAnswer, read_log
from rag.eval.watching.windows import Change, between, compare_unpaired, sample_questions

if TYPE_CHECKING:
    from rag.eval.questions import Question
    from rag.eval.report import Evaluation
    from rag.pipeline import Engine
    from rag.types import Principal

LOWER_IS_BETTER = frozenset(("abstained", "logged_abstained"))
JUDGED = ("faithfulness", "answer_relevancy", "alce_citation_recall", "alce_citation_precision")
"""The judged metrics that need no reference."""
_DURATION = re.compile(r"(\d+)([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True)
class Watched:
    """What one look at a log found.

    `answers` are those logged in the window and `before` those of the window before it; `asked` of them
    were asked again. `folder` has the evaluation, None where there was nothing to ask. `changes` compares
    with the window before, by the log (`logged_...`), and with the last evaluation whose window does not
    overlap. `notes` say what was not compared, and why.
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
    notes: tuple[str, ...] = ()

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
    earlier = last_look(out, end - window)
    folder, look = None, Look(end, window, {}, {})
    last, notes = dict[str, Sequence[float]](), tuple[str, ...]()
    if questions:
        folder = out / end.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        with _private(out, folder):
            name = _name(len(questions), end - window, end)
            found = _asked_again(engine, questions, folder, name, principal, progress)
        look = Look(end, window, _setup(found, principal), _scores(found))
        if earlier:
            last, notes = comparable(earlier, look.setup)
    changes, drifts = judge_together(
        compare_unpaired({**_series(current), **look.scores}, {**_series(before), **last}, seed),
        measure_drift(_window(engine, before), _window(engine, current), seed=seed),
        LOWER_IS_BETTER,
    )
    means = {name: _mean(values) for name, values in {**_series(current), **look.scores}.items()}
    sizes = len(current), len(before), held.damaged, len(questions)
    watched = Watched(end, *sizes, folder, means, changes, drifts, notes)
    if folder is not None:
        with _private(out, folder):
            _write(folder / WATCH, watched_json(watched) | look_json(look))
    return watched


def _asked_again(
    engine: Engine,
    questions: Sequence[Question],
    folder: Path,
    name: str,
    principal: Principal | None,
    progress: Callable[[int, int], None] | None,
) -> Evaluation:
    from rag.eval.experiment import evaluate

    kb, metrics = SeenBy(engine, principal), ("citation_validity", *JUDGED)
    return evaluate(
        kb, questions, metrics=metrics, out=folder, judge=engine.judge, name=name, progress=progress
    )


def _scores(found: Evaluation) -> dict[str, Sequence[float]]:
    answers = [row.answer for row in found.rows if row.answer]
    return {
        **{name: [row.scores[name] for row in found.rows if name in row.scores] for name in found.summary},
        "abstained": [float(answer.abstained) for answer in answers],
        "confidence": [float(answer.confidence) for answer in answers],
    }


def _setup(found: Evaluation, principal: Principal | None) -> dict[str, object]:
    """How the scores came about: what measured, as what was asked, and by whom."""
    system = found.setup.get("system")
    told = dict(system) if isinstance(system, Mapping) else {}
    asked = {name: told.pop(name, None) for name in ("mode", "contexts", "steps", "where")}
    told.pop("commit", None)  # another with every document
    measured = {name: found.setup.get(name) for name in ("judge", "k", "depth", "metrics")}
    reader = json.loads(json.dumps(asdict(principal))) if principal else None
    return {**measured, **asked, "reader": reader, "system": told}


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
        "notes": list(watched.notes),
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


def _write(path: Path, value: Mapping[str, object]) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        text = json.dumps(value, ensure_ascii=False, indent=2)
        part.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
        part.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _private(out: Path, folder: Path) -> Iterator[None]:
    """Keep the folder of a look for its owner alone, and at last its files: it quotes documents and people.

    The folder is closed before anything is written. `out` is made so too, and left as it is where it was.
    """
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}; name a folder") from error
    try:
        yield
    finally:
        for file in folder.iterdir():
            file.chmod(0o600)


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
