"""The services as processes, spoken to over a socket and a pipe."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from rag.pipeline import Engine
from rag.protocols import Encoder


@pytest.fixture(scope="module")
def shared(docs: Path, encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of two tenants, with one document each."""
    folder = tmp_path_factory.mktemp("shared") / "index"
    with Engine(folder, encoder=encoder) as engine:
        engine.add(docs / "leave.md", tenant="acme")
        engine.add(docs / "boats.txt", tenant="globex")
    return folder


@contextmanager
def serving(index: Path, **settings: str) -> Iterator[tuple[httpx2.Client, subprocess.Popen[str]]]:
    """A client of `rag serve`, which ends with the context."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "rag", "serve", "--index", str(index), "--port", str(port)]
    server = subprocess.Popen(words, env={**os.environ, **settings}, stderr=subprocess.PIPE, text=True)
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            for _ in range(600):
                try:
                    client.get("/healthz")
                    break
                except httpx2.ConnectError:
                    assert server.poll() is None, server.stderr.read() if server.stderr else ""
                    time.sleep(0.1)
            yield client, server
    finally:
        server.terminate()
        server.wait(30)
        if server.stderr:
            server.stderr.close()


def test_the_service_believes_the_headers_it_is_told_to(shared: Path) -> None:
    with serving(shared, RAG_TENANT_HEADER="X-Tenant", RAG_PRINCIPAL_HEADER="X-User") as (client, _):
        for tenant, title in (("acme", "Leave"), ("globex", "boats")):
            headers = {"x-tenant": tenant, "x-user": "ann"}
            listed = client.get("/v1/documents", headers=headers).json()["documents"]
            assert [each["title"] for each in listed] == [title]
            hits = client.post("/v1/search", json={"query": "ferry leave"}, headers=headers).json()["hits"]
            assert {hit["title"] for hit in hits} == {title}
        assert client.get("/v1/documents", headers={"x-tenant": "acme"}).status_code == 403
        assert client.get("/healthz").status_code == 200


def test_the_service_says_that_nobody_sees_an_index_with_rules(shared: Path) -> None:
    with serving(shared) as (client, server):
        headers = {"x-tenant": "acme", "x-user": "ann"}
        assert client.get("/v1/documents", headers=headers).json() == {"documents": []}
        server.terminate()
        assert server.stderr is not None
        assert "without RAG_PRINCIPAL_HEADER nobody sees any of it" in server.stderr.read()


def test_over_a_pipe_the_one_who_asks_is_fixed(shared: Path) -> None:
    mcp = pytest.importorskip("mcp", reason="the extra package mcp is not installed")
    stdio = pytest.importorskip("mcp.client.stdio")
    words = ["-m", "rag", "mcp", "--index", str(shared), "--tenant", "globex", "--principal", "ann"]

    async def run() -> list[str]:
        server = stdio.StdioServerParameters(command=sys.executable, args=words, env=dict(os.environ))
        async with stdio.stdio_client(server) as (read, write), mcp.ClientSession(read, write) as session:
            await session.initialize()
            found = await session.call_tool("search", {"query": "ferry leave"})
            return [hit["title"] for hit in found.structured_content["hits"]]

    assert asyncio.run(run()) == ["boats"]
