"""The command line's questions: passages that speak of something, and answers with proof."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Annotated

import typer

from rag.api.command import (
    EncoderOption,
    GroupOption,
    IndexOption,
    JsonOption,
    NoRerankOption,
    PrincipalOption,
    RerankerOption,
    TenantOption,
    WhereOption,
    command,
    named_reranker,
    open_index,
    print_json,
    screen,
)
from rag.api.settings import read_settings

questions = typer.Typer(rich_markup_mode=None)


class SearchMode(StrEnum):
    """How passages are found."""

    HYBRID = "hybrid"
    DENSE = "dense"
    LEXICAL = "lexical"


@command(
    questions,
    "search",
    'rag search "parental leave" -k 5 --where team=hr --where "year>=2020"',
    """rag search '"sick leave" +parental -unpaid'""",
    "rag search bonus --tenant acme --principal ann --group hr",
)
def search(
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
    tenant: TenantOption = "",
    principal: PrincipalOption = "",
    groups: GroupOption = None,
    index: IndexOption = None,
    encoder: EncoderOption = None,
    reranker: RerankerOption = None,
    no_rerank: NoRerankOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find the passages that speak of something."""
    from rag.api.access import reader, warn_where_hidden
    from rag.api.fields import parse_where
    from rag.api.schema import search_json

    settings = read_settings({"index": index, "encoder": encoder, "reranker": reranker})
    conditions, asker = parse_where(where or ()), reader(tenant, principal, groups)
    opened = time.perf_counter()
    with open_index(settings, reranker=None if no_rerank else named_reranker(settings)) as engine:
        started = time.perf_counter()
        hits = engine.search(query, k=k, mode=mode.value, where=conditions, principal=asker, syntax=not plain)
        done = time.perf_counter()
        if not hits:
            warn_where_hidden(engine, asker)
    if as_json:
        timings = {"open": 1e3 * (started - opened), "search": 1e3 * (done - started)}
        print_json(search_json(query, hits, timings))
    else:
        screen().hits(hits)


@command(
    questions,
    "ask",
    'rag ask "How long is parental leave?"',
    'rag ask "Who gets a bonus?" --tenant acme --principal ann --group hr',
)
def ask(
    question: Annotated[str, typer.Argument(help="The question.")],
    k: Annotated[int, typer.Option("-k", help="How many passages the answer is made from.")] = 10,
    where: WhereOption = None,
    tenant: TenantOption = "",
    principal: PrincipalOption = "",
    groups: GroupOption = None,
    index: IndexOption = None,
    encoder: EncoderOption = None,
    reranker: RerankerOption = None,
    no_rerank: NoRerankOption = False,
    as_json: JsonOption = False,
) -> None:
    """Answer, with proof. Every sentence comes with the passage that it stands on."""
    from rag.api.access import reader, warn_where_hidden
    from rag.api.fields import parse_where
    from rag.api.schema import answer_json

    settings = read_settings({"index": index, "encoder": encoder, "reranker": reranker})
    conditions, asker = parse_where(where or ()), reader(tenant, principal, groups)
    with open_index(settings, reranker=None if no_rerank else named_reranker(settings)) as engine:
        answer = engine.ask(question, k=k, where=conditions, principal=asker)
        if not answer.contexts:
            warn_where_hidden(engine, asker)
    if as_json:
        print_json(answer_json(answer))
    else:
        screen().answer(answer)
