"""The command line's services: REST and MCP over one engine."""

from __future__ import annotations

from typing import Annotated

import typer

from rag.api.command import (
    EncoderOption,
    GroupOption,
    IndexOption,
    PrincipalOption,
    RerankerOption,
    TenantOption,
    command,
    named_reranker,
    open_index,
)
from rag.api.settings import read_settings

services = typer.Typer(rich_markup_mode=None)


@command(services, "serve", "rag serve --port 8080", "RAG_PRINCIPAL_HEADER=x-user rag serve")
def serve(
    index: IndexOption = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on (127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on (8080).")] = None,
    encoder: EncoderOption = None,
    reranker: RerankerOption = None,
) -> None:
    """Serve search and answers over HTTP to whoever can reach it.

    Who asks is told by a proxy before it, in the headers that RAG_PRINCIPAL_HEADER,
    RAG_TENANT_HEADER and RAG_GROUPS_HEADER name; then nobody but the proxy may reach the service.
    """
    from rag.api.app import serve as serve_engine

    settings = read_settings(
        {"index": index, "host": host, "port": port, "encoder": encoder, "reranker": reranker}
    )
    with open_index(settings, reranker=named_reranker(settings)) as engine:
        serve_engine(engine, settings)


@command(
    services,
    "mcp",
    "rag mcp --index /home/me/.rag",
    "rag mcp --index /srv/kb --tenant acme --principal ann --group hr",
)
def mcp(
    tenant: TenantOption = "",
    principal: PrincipalOption = "",
    groups: GroupOption = None,
    index: IndexOption = None,
    encoder: EncoderOption = None,
    reranker: RerankerOption = None,
) -> None:
    """Serve an assistant, as MCP tools, over standard input and output. Who asks is fixed for as long."""
    from rag.api.access import reader, warn_where_hidden
    from rag.api.mcp import create_mcp

    settings = read_settings({"index": index, "encoder": encoder, "reranker": reranker})
    with open_index(settings, reranker=named_reranker(settings)) as engine:
        asker = reader(tenant, principal, groups)
        warn_where_hidden(engine, asker)
        create_mcp(engine, settings.max_k, asker).run("stdio")
