"""The command line's services: REST and MCP over one engine."""

from __future__ import annotations

from typing import Annotated

import typer

from rag.api.command import (
    EncoderOption,
    IndexOption,
    ModelOption,
    PolicyOption,
    RerankerOption,
    command,
    open_index,
)
from rag.api.reading import Reading, answering
from rag.api.settings import read_settings

services = typer.Typer(rich_markup_mode=None)


@command(services, "serve", "rag serve --port 8080", "RAG_PRINCIPAL_HEADER=x-user rag serve")
def serve(
    index: IndexOption = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on (127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on (8080).")] = None,
    encoder: EncoderOption = None,
    reranker: RerankerOption = None,
    model: ModelOption = None,
    policy: PolicyOption = None,
    query_log: Annotated[
        str | None, typer.Option("--query-log", metavar="FILE", help="Keep what is asked and how it goes.")
    ] = None,
) -> None:
    """Serve search and answers over HTTP to whoever can reach it.

    Who asks is told by a proxy before it, in the headers that RAG_PRINCIPAL_HEADER,
    RAG_TENANT_HEADER and RAG_GROUPS_HEADER name; then nobody but the proxy may reach the service.
    """
    from rag.api.app import serve as serve_engine

    models = {"encoder": encoder, "reranker": reranker, "model": model, "policy": policy}
    models["query_log"] = query_log
    settings = read_settings({"index": index, "host": host, "port": port, **models})
    with open_index(settings, no_rerank=False, logged=True) as engine:
        serve_engine(engine, settings)


@command(
    services,
    "mcp",
    "rag mcp --index /home/me/.rag",
    "rag mcp --index /srv/kb --tenant acme --principal ann --group hr",
)
@answering
def mcp(reading: Reading) -> None:
    """Serve an assistant, as MCP tools, over standard input and output. Who asks is fixed for as long."""
    from rag.api.mcp import create_mcp

    reading.warn_where_hidden([])
    create_mcp(reading.engine, reading.settings.max_k, reading.principal).run("stdio")
