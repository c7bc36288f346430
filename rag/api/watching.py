"""The command line's watch over a running system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.api.command import JsonOption, command, print_json, screen
from rag.api.evaluate import SIGNIFICANT_LOSS
from rag.api.reading import Reading, answering
from rag.errors import InputError

if TYPE_CHECKING:
    from rag.api.watch import Watched

watching = typer.Typer(rich_markup_mode=None)


@command(
    watching,
    "watch",
    "rag watch --log queries.jsonl --out watch/ --once || test $? -ne 3",
    "rag watch --log queries.jsonl --out watch/ --window 1d --every 1h",
)
@answering
def watch(
    reading: Reading,
    log: Annotated[Path, typer.Option("--log", metavar="FILE", help="The query log.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A folder for what each look finds.")],
    sample: Annotated[int, typer.Option("--sample", help="How many questions are asked again.")] = 50,
    window: Annotated[
        str, typer.Option("--window", metavar="T", help="How long a time is looked at.")
    ] = "7d",
    every: Annotated[
        str, typer.Option("--every", metavar="T", help="Look again and again, as 15m or 1h.")
    ] = "",
    once: Annotated[bool, typer.Option("--once", help="Look once, which is the default; for cron.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Which questions are drawn.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Ask logged questions again, measure the answers, and hold them against the time before.

    Exit 3 where something is significantly worse or has drifted. With --every it goes on, one line of
    JSON a look with --json, until it is interrupted.
    """
    import time

    from rag.api.progress import question_progress
    from rag.api.watch import parse_duration, watched_json
    from rag.api.watch import watch as look

    length = parse_duration(window)
    pause = parse_duration(every).total_seconds() if every and not once else None
    if sample < 0:
        raise InputError(f"sample is 0 or more, not {sample}")
    while True:
        who = reading.principal
        with question_progress("asked") as progress:
            found = look(
                reading.engine,
                log,
                out,
                window=length,
                sample=sample,
                seed=seed,
                principal=who,
                progress=progress,
            )
        if as_json:
            print_json(watched_json(found))
        else:
            _show_watched(found)
        if pause is None:
            if found.alarm:
                raise typer.Exit(SIGNIFICANT_LOSS)
            return
        time.sleep(pause)


def _show_watched(found: Watched) -> None:
    shown = screen()
    shown.line(f"{found.answers} answers, {found.before} in the time before; {found.asked} asked again")
    if found.damaged:
        shown.line(f"{found.damaged} lines of the log could not be read")
    for note in found.notes:
        shown.line(note)
    if found.changes:
        rows = [
            [
                each.metric,
                f"{each.before:.3f} ({each.n_before})",
                f"{each.current:.3f} ({each.n})",
                "" if each.low is None else f"{each.difference:+.3f} [{each.low:+.3f}, {each.high:+.3f}]",
                "" if each.p_value is None else f"{each.p_value:.3f}",
                "worse" if each.worse else "",
            ]
            for each in found.changes
        ]
        shown.table(["metric", "before (n)", "now (n)", "difference", "p", ""], rows)
    if found.drifts:
        rows = [
            [
                each.measure,
                "" if each.value is None else f"{each.value:.3f}",
                f"{each.threshold:g}",
                "" if each.p_value is None else f"{each.p_value:.3f}",
                each.note or each.level,
            ]
            for each in found.drifts
        ]
        shown.table(["drift of", "value", "threshold", "p", ""], rows)
    shown.line("something is worse or has drifted" if found.alarm else "nothing is significantly worse")
