"""What earlier looks at a running system measured, and which of it a look of now may be held against."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

WATCH = "watch.json"
ASKING = ("k", "depth", "reader", "mode", "contexts", "steps", "where")
"""What else must be the same, or no score means the same."""

Scores = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Look:
    """The scores of one look, by metric, and how they came about.

    `window` is how long a time before `end` it drew its questions from. `setup` has `judge`, `metrics`
    (of each whether it is judged, and its formula), `system`, and what `ASKING` names.
    """

    end: datetime
    window: timedelta
    setup: Mapping[str, object]
    scores: Scores


def look_json(look: Look) -> dict[str, object]:
    """A look as the part of `watch.json` that a later one needs."""
    return {
        "end": look.end.isoformat(),
        "window_s": look.window.total_seconds(),
        "setup": dict(look.setup),
        "scores": {name: list(values) for name, values in look.scores.items()},
    }


def last_look(out: Path, start: datetime) -> Look | None:
    """The newest look below `out` whose window ended by `start`, None where there is none.

    Windows that overlap share questions, which a test of two independent samples may not.
    """
    looks = [each for each in map(_read, sorted(out.glob(f"*/{WATCH}"))) if each and each.end <= start]
    return max(looks, key=lambda each: each.end, default=None)


def comparable(look: Look, setup: Mapping[str, object]) -> tuple[dict[str, Sequence[float]], tuple[str, ...]]:
    """The scores of an earlier look that were measured as `setup` measures, and what was not, in words.

    A system that is another since then is compared all the same, and that is said: whether it is worse is
    the question.
    """
    when = look.end.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    other = [name for name in ASKING if look.setup.get(name) != setup.get(name)]
    if not look.setup or other:
        named = ", ".join(other) if look.setup else "not known"
        return {}, (f"the look of {when} is not compared with: its setup is another ({named})",)
    kept = {name: values for name, values in look.scores.items() if _measures_alike(look.setup, setup, name)}
    left = sorted(set(look.scores) - set(kept))
    notes = (
        [f"{', '.join(left)}: another judge or formula in the look of {when}, not compared"] if left else []
    )
    before, now = (each.get("system") for each in (look.setup, setup))
    if isinstance(before, Mapping) and isinstance(now, Mapping) and before != now:
        changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
        notes.append(f"the system is another than in the look of {when}: {', '.join(changed)}")
    return kept, tuple(notes)


def _measures_alike(before: Mapping[str, object], now: Mapping[str, object], name: str) -> bool:
    """Whether a score came about the same way; what is no metric is read off the answers."""
    tables = [each.get("metrics") for each in (before, now)]
    old, new = (table.get(name) if isinstance(table, Mapping) else None for table in tables)
    judged = isinstance(new, Mapping) and bool(new.get("judged"))
    return old == new and not (judged and before.get("judge") != now.get("judge"))


def _read(path: Path) -> Look | None:
    """The look in a file; None where there is none, as of one that was interrupted."""
    try:
        row = json.loads(path.read_bytes())
        end = datetime.fromisoformat(row["end"])
        window = timedelta(seconds=float(row.get("window_s", 0)))
        setup = dict(row.get("setup", {}))
        scores = {str(name): [float(value) for value in each] for name, each in row["scores"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    return Look(end if end.tzinfo else end.replace(tzinfo=UTC), window, setup, scores)
