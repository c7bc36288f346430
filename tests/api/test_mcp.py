from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from rag.api.mcp import create_mcp
from rag.errors import MissingExtra
from rag.pipeline import Engine


def call(server: object, tool: str, arguments: dict[str, object]) -> Any:
    mcp = pytest.importorskip("mcp", reason="the extra package mcp is not installed")

    async def run() -> Any:
        async with mcp.Client(server) as client:
            tools = {each.name for each in (await client.list_tools()).tools}
            assert tools == {"search", "ask", "summarise", "compare"}
            return await client.call_tool(tool, arguments)

    return asyncio.run(run())


def test_the_tools_are_the_engines(engine: Engine) -> None:
    pytest.importorskip("mcp", reason="the extra package mcp is not installed")
    server = create_mcp(engine, max_k=1)
    found = call(server, "search", {"query": "leave", "k": 5, "where": {"team": "fleet"}}).structured_content
    assert [Path(hit["source"]).name for hit in found["hits"]] == ["boats.txt"]
    answer = call(server, "ask", {"question": "Do her engines burn methanol?"}).structured_content
    assert "Her engines burn methanol." in [citation["quote"] for citation in answer["citations"]]
    boats, leave = (each.id for each in engine.documents())
    summary = call(server, "summarise", {"document_id": leave}).structured_content
    assert {each["document_id"] for each in summary["citations"]} == {leave}
    assert len(summary["sentences"]) == 1, "as many as passages are allowed"
    both = call(server, "compare", {"first_id": boats, "second_id": leave}).structured_content
    assert {each["document_id"] for each in both["citations"]} == {boats, leave}
    assert "no document" in call(server, "compare", {"first_id": boats, "second_id": "x"}).content[0].text


def test_wrong_arguments_are_told_to_the_assistant(engine: Engine) -> None:
    pytest.importorskip("mcp", reason="the extra package mcp is not installed")
    result = call(create_mcp(engine), "search", {"query": " "})
    assert result.is_error
    assert "the query is empty" in result.content[0].text


def test_it_says_what_to_install(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp.server.mcpserver", None)
    with pytest.raises(MissingExtra, match="pip install"):
        create_mcp(engine)
