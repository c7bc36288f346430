"""The command line's questions: passages that speak of something, and answers with proof."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from rag.api.command import JsonOption, command, print_json, screen
from rag.api.reading import ContextsOption, Reading, StepsOption, WhereOption, answering, searching

if TYPE_CHECKING:
    from rag.types import Answer, Filter, Message

questions = typer.Typer(rich_markup_mode=None)

LONGEST_CHAT = 20  # messages that are kept of a conversation


class SearchMode(StrEnum):
    """How passages are found."""

    HYBRID = "hybrid"
    DENSE = "dense"
    LEXICAL = "lexical"


class FoldMode(StrEnum):
    """How a language model reads what is too long to read at once."""

    MAP_REDUCE = "map_reduce"
    REFINE = "refine"


def _conditions(where: list[str] | None) -> Filter | None:
    from rag.api.fields import parse_where

    return parse_where(where or ())


@command(
    questions,
    "search",
    'rag search "parental leave" -k 5 --where team=hr --where "year>=2020"',
    """rag search '"sick leave" +parental -unpaid'""",
    "rag search bonus --tenant acme --principal ann --group hr",
)
@searching
def search(
    reading: Reading,
    query: Annotated[
        str,
        typer.Argument(
            help='A question or some words. "a phrase" and +word must be there, -word not; '
            "one that begins with - stands behind a --."
        ),
    ],
    k: Annotated[int, typer.Option("-k", help="How many passages at most.")] = 10,
    mode: Annotated[SearchMode, typer.Option(help="How passages are found.")] = SearchMode.HYBRID,
    where: WhereOption = None,
    plain: Annotated[bool, typer.Option("--plain", help="Quotes, + and - are text, not conditions.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Find the passages that speak of something."""
    from rag.api.schema import search_json

    conditions, started = _conditions(where), time.perf_counter()
    hits = reading.engine.search(
        query, k=k, mode=mode.value, where=conditions, principal=reading.principal, syntax=not plain
    )
    timings = {"search": 1e3 * (time.perf_counter() - started)}
    reading.warn_where_hidden(hits)
    if as_json:
        print_json(search_json(query, hits, timings))
    else:
        screen().hits(hits)


@command(
    questions,
    "ask",
    'rag ask "How long is parental leave?"',
    'rag ask "Where is the publisher of Salt Harbour?" --steps 2 --model model.gguf --stream',
    'rag ask "Who gets a bonus?" --tenant acme --principal ann --group hr',
)
@answering
def ask(
    reading: Reading,
    question: Annotated[str, typer.Argument(help="The question.")],
    k: ContextsOption = 10,
    steps: StepsOption = 1,
    where: WhereOption = None,
    stream: Annotated[bool, typer.Option("--stream", help="Print sentences as they are proven.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Answer, with proof. Every sentence comes with the passage that it stands on."""
    conditions = _conditions(where)
    if stream and not as_json:
        _tell(reading, question, k, conditions, steps)
        return
    answer = reading.engine.ask(question, k=k, where=conditions, principal=reading.principal, steps=steps)
    _show(reading, answer, as_json)


@command(questions, "chat", "rag chat", "rag chat --json < questions.txt")
@answering
def chat(
    reading: Reading,
    k: ContextsOption = 10,
    steps: StepsOption = 1,
    where: WhereOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer one question after another, each understood by those before. An empty line starts afresh.

    With --json every answer is one object, on a line of its own.
    """
    from rag.types import Message

    conditions, said = _conditions(where), list[Message]()
    for line in _typed():
        if not line:
            said.clear()
            continue
        messages = [*said[-LONGEST_CHAT:], Message("user", line)]
        if as_json:
            answer = reading.engine.chat(
                messages, k=k, where=conditions, principal=reading.principal, steps=steps
            )
            _show(reading, answer, as_json)
        else:
            answer = _tell(reading, messages, k, conditions, steps)
        said = [*messages, Message("assistant", answer.text)]


@command(
    questions,
    "summarise",
    "rag summarise docs/leave.md",
    "rag summarise --where team=hr --about holidays --sentences 8",
)
@answering
def summarise(
    reading: Reading,
    document: Annotated[
        str | None,
        typer.Argument(metavar="DOCUMENT", help="A file or an id; none: all inside --where."),
    ] = None,
    about: Annotated[str, typer.Option("--about", help="What it is to dwell on.")] = "",
    sentences: Annotated[int, typer.Option("--sentences", help="How many are quoted at most.")] = 5,
    fold: Annotated[FoldMode, typer.Option(help="How a model reads a long text.")] = FoldMode.MAP_REDUCE,
    where: WhereOption = None,
    as_json: JsonOption = False,
) -> None:
    """Summarise a document, or all inside a filter, in sentences that cite it."""
    answer = reading.engine.summarise(
        reading.document_id(document) if document else None,
        where=_conditions(where),
        about=about,
        sentences=sentences,
        fold=fold.value,
        principal=reading.principal,
    )
    _show(reading, answer, as_json)


@command(questions, "compare", "rag compare policy-2021.pdf policy-2024.pdf --about hotels")
@answering
def compare(
    reading: Reading,
    first: Annotated[str, typer.Argument(metavar="FIRST", help="A document: its file, or its id.")],
    second: Annotated[str, typer.Argument(metavar="SECOND", help="Another one.")],
    about: Annotated[str, typer.Option("--about", help="What to compare them on.")] = "",
    lines: Annotated[int, typer.Option("--lines", help="How many differences at most.")] = 40,
    as_json: JsonOption = False,
) -> None:
    """Say what two documents say otherwise, and what only one says, every line cited on both sides."""
    one, other = (reading.document_id(name) for name in (first, second))
    answer = reading.engine.compare(one, other, about, lines=lines, principal=reading.principal)
    _show(reading, answer, as_json)


def _typed() -> Iterator[str]:
    """The lines of standard input, without blanks; where a person types them, asked for one by one."""
    while True:
        if sys.stdin.isatty():
            sys.stderr.write("> ")
            sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            return
        yield line.strip()


def _tell(
    reading: Reading, question: str | list[Message], k: int, where: Filter | None, steps: int
) -> Answer:
    """Print an answer as it is written, then its proof, and return it."""
    from rag.types import Answer

    shown = screen()
    told = reading.engine.stream(question, k=k, where=where, principal=reading.principal, steps=steps)
    for part in told:
        if isinstance(part, Answer):
            reading.warn_where_hidden(part.contexts)
            if not part.sentences:
                shown.said(part)
            shown.proof(part)
            return part
        shown.sentence(part)
    raise AssertionError("a stream ends in an answer")


def _show(reading: Reading, answer: Answer, as_json: bool) -> None:
    from rag.api.schema import answer_json

    reading.warn_where_hidden(answer.contexts)
    if as_json:
        print_json(answer_json(answer))
    else:
        screen().answer(answer)
