"""What the service is sent, with the limits that hold for every request."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from rag.generation.summarise import Fold
from rag.query_log import LONGEST_COMMENT
from rag.retrieval.iterative import MOST_STEPS

LONGEST_QUERY = 10_000
MOST_MESSAGES = 1_000


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
    steps: int = Field(default=1, ge=1, le=MOST_STEPS)
    stream: bool = False


class FeedbackRequest(BaseModel):
    """The body of `POST /v1/feedback`: the `seal` of an answer, and whether it was good (1) or bad (-1)."""

    model_config = ConfigDict(extra="forbid")

    answer_id: str = Field(min_length=1, max_length=200)
    rating: Literal[1, -1]
    comment: str = Field(default="", max_length=LONGEST_COMMENT)


class SummariseRequest(BaseModel):
    """The body of `POST /v1/summarise`."""

    model_config = ConfigDict(extra="forbid")

    document_id: str | None = Field(default=None, max_length=LONGEST_QUERY)
    where: dict[str, Any] | None = None
    about: str = Field(default="", max_length=LONGEST_QUERY)
    sentences: int = Field(default=5, ge=1)
    fold: Fold = "map_reduce"


class CompareRequest(BaseModel):
    """The body of `POST /v1/compare`."""

    model_config = ConfigDict(extra="forbid")

    first_id: str = Field(max_length=LONGEST_QUERY)
    second_id: str = Field(max_length=LONGEST_QUERY)
    question: str = Field(default="", max_length=LONGEST_QUERY)
    lines: int = Field(default=40, ge=1)


class TextPart(BaseModel):
    """A part of a message's content."""

    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    """A message as OpenAI's clients send it."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart] | None = None

    @property
    def text(self) -> str:
        """What it says, its parts in one."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content or ())


class StreamOptions(BaseModel):
    """What a stream is to hold as well."""

    include_usage: bool = False


class CompletionRequest(BaseModel):
    """The body of `POST /v1/chat/completions`; what OpenAI's clients send besides is passed over.

    `k` and `where` are not OpenAI's; their clients send them as an `extra_body`.
    """

    messages: list[ChatMessage] = Field(min_length=1, max_length=MOST_MESSAGES)
    model: str = Field(default="rag", max_length=200)
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None
    k: int = Field(default=10, ge=1)
    where: dict[str, Any] | None = None
