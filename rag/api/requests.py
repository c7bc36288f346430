"""What the service is sent, with the limits that hold for every request."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

LONGEST_QUERY = 10_000


class SearchRequest(BaseModel):
    """The body of `POST /v1/search`."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=LONGEST_QUERY)
    k: int = Field(default=10, ge=1)
    mode: Literal["hybrid", "dense", "lexical"] = "hybrid"
    where: dict[str, Any] | None = None
    rerank: bool = True
    syntax: bool = True


class QueryRequest(BaseModel):
    """The body of `POST /v1/query`."""

    model_config = ConfigDict(extra="forbid")

    question: str = Field(min_length=1, max_length=LONGEST_QUERY)
    k: int = Field(default=10, ge=1)
    where: dict[str, Any] | None = None
    stream: bool = False
