"""The command line's question sets: written from the documents, each question checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.api.command import JsonOption, command, print_json, screen
from rag.api.reading import Reading, answering

question_sets = typer.Typer(rich_markup_mode=None)


@command(
    question_sets,
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
