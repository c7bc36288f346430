"""The command line: its commands, gathered. What is slow to import is imported by the command itself."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import rag
from rag.api.contents import contents
from rag.api.evaluate import evaluations
from rag.api.models import models
from rag.api.question_sets import question_sets
from rag.api.questions import questions
from rag.api.rated import rated
from rag.api.services import services
from rag.api.trials import trials
from rag.api.upkeep import upkeep
from rag.api.watching import watching

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for group in (
    contents,
    questions,
    trials,
    evaluations,
    services,
    upkeep,
    models,
    question_sets,
    watching,
    rated,
):
    app.add_typer(group)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rag {rag.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Answers over your documents, every sentence proven by an exact span."""


def main() -> None:
    """Run the command line of this process."""
    for stream in (sys.stdout, sys.stderr):
        # What UTF-8 cannot hold becomes a \udcXX escape, which is right in JSON too.
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    app(prog_name="rag")
