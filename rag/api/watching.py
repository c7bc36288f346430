"""The command line's question sets, and its watch over a running system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.api.command import JsonOption, command, print_json, screen
from rag.api.evaluate import SIGNIFICANT_LOSS
from rag.api.reading import Reading, answering, searching
from rag.errors import InputError

if TYPE_CHECKING:
    from rag.api.watch import Watched

watching = typer.Typer(rich_markup_mode=None)


@command(
    watching,
    "questions",
    "rag questions --out questions.jsonl --count 100",
    "rag questions --out facts.jsonl --kinds number,date,table --unanswerable 0 --seed 7",
)
@answering
def questions(
    reading: Reading,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The question file to write.")],
    count: Annotated[int, typer.Option("--count", help="How many questions at most.")] = 100,
    unanswerable: Annotated[
        float, typer.Option("--unanswerable", metavar="SHARE", help="The share that no document answers.")
    ] = 0.2,
    kinds: Annotated[
        str, typer.Option("--kinds", metavar="A,B", help="Which kinds, with commas between; all of them.")
    ] = "",
    seed: Annotated[int, typer.Option("--seed", help="Another seed gives another set.")] = 0,
    chunk_ids: Annotated[
        bool, typer.Option("--chunk-ids", help="Name the passages of this index too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a question set from the documents, with the exact place of every answer, each checked."""
    from rag.api.progress import question_progress
    from rag.api.sets import write_file, write_questions

    with question_progress("written") as progress:
        found = write_questions(
            reading.engine,
            count,
            unanswerable=unanswerable,
            kinds=[kind for kind in kinds.split(",") if kind.strip()],
            seed=seed,
            chunk_ids=chunk_ids,
            principal=reading.principal,
            progress=progress,
        )
    write_file(found, out)
    told: dict[str, int] = {}
    for question in found.questions:
        name = question.kind if question.answerable else "unanswerable"
        told[name] = told.get(name, 0) + 1
    if as_json:
        counts = {"questions": len(found.questions), "kinds": dict(sorted(told.items()))}
        print_json(
            {
                "out": str(out),
                **counts,
                "drafts": found.drafts,
                "dropped": dict(found.dropped),
                "not_needed": found.left,
            }
        )
        return
    shown = screen()
    written = len(found.questions)
    shown.line(f"{written} question{'' if written == 1 else 's'} in {out}, of {found.drafts} drafts")
    shown.table(["kind", "questions"], [[name, str(told[name])] for name in sorted(told)])
    rows = [[why, str(number)] for why, number in found.dropped.items()]
    if found.left:
        rows.append(["not needed for the count" if written >= count else "not tried", str(found.left)])
    if rows:
        shown.table(["dropped", "drafts"], rows)


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


@command(watching, "feedback", "rag feedback --log queries.jsonl")
@searching
def feedback(
    reading: Reading,
    log: Annotated[Path, typer.Option("--log", metavar="FILE", help="The query log.")],
    as_json: JsonOption = False,
) -> None:
    """Say how the answers that cite each document were rated, the worst first."""
    from dataclasses import asdict

    from rag.eval.watching.feedback import rate_documents
    from rag.eval.watching.records import read_log

    who = reading.principal
    held = read_log(log, who.tenant if who else "")
    rated = rate_documents(held.answers, held.ratings)
    sources = {each.id: each.source for each in reading.engine.documents(principal=who)}
    if as_json:
        listed = [asdict(each) | {"source": sources.get(each.document_id)} for each in rated]
        print_json({"documents": listed, "ratings": len(held.ratings), "damaged_lines": held.damaged})
        return
    rows = [
        [
            sources.get(each.document_id, each.document_id or "(cites nothing)"),
            str(each.answers),
            str(each.up),
            str(each.down),
            "" if each.rate is None else f"{each.rate:.2f} [{each.low:.2f}, {each.high:.2f}]",
            "; ".join(each.questions[:3]),
        ]
        for each in rated
    ]
    screen().table(["document", "answers", "up", "down", "good", "asked behind bad ratings"], rows)
