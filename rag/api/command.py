"""What the commands of the command line have in common: options, what they open, how they fail and print."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from rag.api.settings import DoorSettings
from rag.errors import RagError

if TYPE_CHECKING:
    from rag.api.show import Screen
    from rag.pipeline import Engine
    from rag.protocols import Reranker
    from rag.query_log import QueryLog
    from rag.types import Settings

FAILED_INPUTS = 1
CANNOT_WORK = 2

Returned = TypeVar("Returned")

IndexOption = Annotated[str | None, typer.Option("--index", metavar="DIR", help="The index's folder (.rag).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")]
EncoderOption = Annotated[
    str | None, typer.Option("--encoder", metavar="NAME", help="A model's name or folder.")
]
RerankerOption = Annotated[
    str | None, typer.Option("--reranker", metavar="NAME", help="A cross-encoder's name or folder.")
]
NoRerankOption = Annotated[bool, typer.Option("--no-rerank", help="Leave the reranker out.")]
ModelOption = Annotated[
    str | None, typer.Option("--model", metavar="FILE", help="A language model that writes, as a GGUF file.")
]
PolicyOption = Annotated[
    str | None,
    typer.Option("--policy", metavar="P", help="What is not proven: drop it (the default), repair or flag."),
]
TenantOption = Annotated[
    str, typer.Option("--tenant", metavar="T", help="The tenant whose documents they are.")
]
PrincipalOption = Annotated[
    str, typer.Option("--principal", metavar="NAME", help="Who reads, where documents name their readers.")
]
GroupOption = Annotated[
    list[str] | None, typer.Option("--group", metavar="G", help="A group of who reads; repeat for more.")
]


def command(
    group: typer.Typer, name: str, *examples: str
) -> Callable[[Callable[..., Returned]], Callable[..., Returned]]:
    """Make a function a command whose errors are one readable line, and whose help ends in examples."""

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

        # An empty line between, else they would be one paragraph.
        group.command(name, epilog="\n\n".join(f"Example: {each}" for each in examples))(guarded)
        return guarded

    return register


def print_json(value: Mapping[str, object]) -> None:
    """Print the one object that a command prints."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def open_index(
    settings: DoorSettings,
    *,
    create: bool = False,
    no_rerank: bool = True,
    new: Settings | None = None,
    logged: bool = False,
) -> Engine:
    """The index that the settings name, with their models. One that is made is made as `new` says.

    Where it is to be `logged`, as a service is, it keeps the query log that the settings name.
    """
    from rag.pipeline import Engine

    return Engine(
        settings.index,
        encoder=settings.encoder or None,
        reranker=None if no_rerank else named_reranker(settings),
        model=settings.model or None,
        policy=settings.policy,
        settings=new,
        query_log=query_log(settings) if logged else None,
        create=create,
    )


def query_log(settings: DoorSettings) -> QueryLog | None:
    """The query log that the settings name, None where they name none."""
    if not settings.query_log:
        return None
    from rag.query_log import QueryLog

    return QueryLog(Path(settings.query_log), settings.query_log_questions)


def named_reranker(settings: DoorSettings) -> Reranker | None:
    """The reranker that the settings name, None where they name none."""
    if not settings.reranker:
        return None
    from rag.retrieval.rerank import CrossEncoderReranker

    return CrossEncoderReranker(settings.reranker)


def screen() -> Screen:
    """Standard output, for people."""
    from rag.api.show import Screen

    return Screen()
