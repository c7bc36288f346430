"""The command line's question sets, and its watch over a running system."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

import typer

from rag.api.command import JsonOption, command, print_json, screen
from rag.api.reading import Reading, answering

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
    from rag.api.sets import write_file, write_questions
    from rag.api.show import progress_bar

    with progress_bar() as progress:
        found = write_questions(
            reading.engine,
            count,
            unanswerable=unanswerable,
            kinds=[kind for kind in kinds.split(",") if kind.strip()],
            seed=seed,
            chunk_ids=chunk_ids,
            principal=reading.principal,
            progress=functools.partial(progress, "written") if progress else None,
        )
    write_file(found, out)
    told: dict[str, int] = {}
    for question in found.questions:
        name = question.kind if question.answerable else "unanswerable"
        told[name] = told.get(name, 0) + 1
    if as_json:
        counts = {"questions": len(found.questions), "kinds": dict(sorted(told.items()))}
        print_json({"out": str(out), **counts, "drafts": found.drafts, "dropped": dict(found.dropped)})
        return
    shown = screen()
    shown.line(f"{len(found.questions)} questions in {out}, of {found.drafts} drafts")
    shown.table(["kind", "questions"], [[name, str(told[name])] for name in sorted(told)])
    if found.dropped:
        shown.table(["dropped", "drafts"], [[why, str(number)] for why, number in found.dropped.items()])
