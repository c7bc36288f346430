"""The command line's feedback: how answers were rated, by the documents that they cite."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.api.command import JsonOption, command, print_json, screen
from rag.api.reading import Reading, searching

rated = typer.Typer(rich_markup_mode=None)


@command(rated, "feedback", "rag feedback --log queries.jsonl", "rag feedback --log q.jsonl --principal ann")
@searching
def feedback(
    reading: Reading,
    log: Annotated[Path, typer.Option("--log", metavar="FILE", help="The query log.")],
    as_json: JsonOption = False,
) -> None:
    """Say how the answers that cite each document were rated, the worst first.

    It is for the operator of the index. Named with --principal or --group, it tells what that reader may
    know: documents that they may not read are counted alone, and nobody's questions are shown.
    """
    from dataclasses import asdict, replace

    from rag.api.access import operator
    from rag.eval.watching.feedback import rate_documents
    from rag.eval.watching.records import read_log

    who = reading.principal
    tenant = who.tenant if who else ""
    named = who if who and (who.name or who.groups) else None
    held = read_log(log, tenant)
    found = rate_documents(held.answers, held.ratings)
    sources = {each.id: each.source for each in reading.engine.documents(principal=named or operator(tenant))}
    told = found
    if named:
        may = {*sources, ""}
        told = [replace(each, questions=()) for each in found if each.document_id in may]
    hidden = len(found) - len(told)
    if as_json:
        listed = [asdict(each) | {"source": sources.get(each.document_id)} for each in told]
        counts = {"ratings": len(held.ratings), "hidden": hidden, "damaged_lines": held.damaged}
        print_json({"documents": listed, **counts})
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
        for each in told
    ]
    shown = screen()
    shown.table(["document", "answers", "up", "down", "good", "asked behind bad ratings"], rows)
    if hidden:
        shown.line(f"{hidden} more documents that this reader may not read")
