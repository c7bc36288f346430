"""What the commands of the command line have in common: options, how they fail, how they print JSON."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from rag.errors import RagError

FAILED_INPUTS = 1
CANNOT_WORK = 2

Returned = TypeVar("Returned")

IndexOption = Annotated[
    Path | None, typer.Option("--index", metavar="DIR", help="The index's folder (.rag).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")]
EncoderOption = Annotated[
    str | None, typer.Option("--encoder", metavar="NAME", help="A model's name or folder.")
]
RerankerOption = Annotated[
    str | None, typer.Option("--reranker", metavar="NAME", help="A cross-encoder's name or folder.")
]
NoRerankOption = Annotated[bool, typer.Option("--no-rerank", help="Leave the reranker out.")]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        "--where", metavar="FIELD=VALUE", help="A condition (also != >= <= > <), or a filter in JSON."
    ),
]


def command(
    group: typer.Typer, name: str, example: str
) -> Callable[[Callable[..., Returned]], Callable[..., Returned]]:
    """Make a function a command whose errors are one readable line, and whose help ends in an example."""

    def register(run: Callable[..., Returned]) -> Callable[..., Returned]:
        @functools.wraps(run)
        def guarded(**options: Any) -> Returned:
            try:
                return run(**options)
            except BrokenPipeError:
                raise
            except (RagError, OSError, ImportError) as error:
                from rag.api.show import warn

                known = isinstance(error, RagError | OSError)
                warn(f"rag: {error}" if known else f"rag: {error}; `rag doctor` says what is missing")
                if options.get("as_json"):
                    from rag.api.schema import error_json

                    print_json(error_json(error))
                raise typer.Exit(CANNOT_WORK) from error

        group.command(name, epilog=f"Example: {example}")(guarded)
        return guarded

    return register


def print_json(value: Mapping[str, object]) -> None:
    """Print the one object that a command prints."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
