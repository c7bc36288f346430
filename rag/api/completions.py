"""Answers for clients of OpenAI's chat completions: messages in, a text with its marks out.

What proves the text stands beside it, under names that those clients pass over: `citations`, `sentences`,
`abstained`, `confidence`. Temperature and the like are taken and change nothing: the engine says how
it writes.
"""

# No `from __future__ import annotations` here: FastAPI reads the annotations of functions inside functions.

import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from rag.api.problems import Refused, openai_error, problem_of
from rag.api.requests import CompletionRequest
from rag.api.schema import citation_json, sentence_json
from rag.api.telling import Told, event_stream
from rag.generation.marks import appended
from rag.pipeline import Engine
from rag.types import Answer, Message, Principal, Sentence

if TYPE_CHECKING:
    from fastapi import FastAPI

MODEL = "rag"


def add_completions(app: "FastAPI", engine: Engine, asker: Any, allowed: Callable[[int], int]) -> None:
    """Serve `POST /v1/chat/completions` and `GET /v1/models`."""
    from fastapi import Response
    from fastapi.responses import JSONResponse

    started = int(time.time())

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        """The one model that there is: the documents, and what answers from them."""
        one = {"id": MODEL, "object": "model", "created": started, "owned_by": "rag"}
        return {"object": "list", "data": [one]}

    @app.get("/v1/models/{name:path}")
    def model(name: str) -> dict[str, Any]:
        """A model by its name."""
        _check_model(name)
        return {"id": MODEL, "object": "model", "created": started, "owned_by": "rag"}

    @app.post("/v1/chat/completions")
    def complete(request: CompletionRequest, principal: Principal | None = asker) -> Response:
        """The answer to the last message, understood by those before it."""
        _check_model(request.model)
        messages = [
            Message("system" if each.role == "developer" else each.role, each.text)
            for each in request.messages
        ]
        k = allowed(request.k)
        if not request.stream:
            answer = engine.chat(messages, k=k, where=request.where, principal=principal)
            return JSONResponse(_completion(answer))
        told = engine.stream(messages, k=k, where=request.where, principal=principal)
        usage = bool(request.stream_options and request.stream_options.include_usage)
        return event_stream(told, lambda parts: _chunks(parts, usage))


def _check_model(name: str) -> None:
    if name != MODEL:
        raise Refused(404, f"there is no model {name!r} here; use {MODEL!r}", "model_not_found")


def _completion(answer: Answer) -> dict[str, object]:
    message = {"role": "assistant", "content": answer.text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {
        **_head("chat.completion", answer.model),
        "choices": [choice],
        "usage": _usage(answer),
        **_proof(answer),
    }


def _head(kind: str, model: str, identity: str = "", created: int = 0) -> dict[str, object]:
    return {
        "id": identity or f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": created or int(time.time()),
        "model": model,
    }


def _usage(answer: Answer) -> dict[str, object]:
    """The tokens that a language model read and wrote; none where none did."""
    used = answer.usage
    read, written = (used.prompt_tokens, used.generated_tokens) if used else (0, 0)
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": used.cached_tokens if used else 0},
    }


def _proof(answer: Answer) -> dict[str, object]:
    return {
        "citations": [citation_json(citation) for citation in answer.citations],
        "sentences": [sentence_json(sentence) for sentence in answer.sentences],
        "abstained": answer.abstained,
        "confidence": answer.confidence,
        "answer_id": answer.seal,
    }


def _chunks(told: Told, with_usage: bool) -> Iterator[str]:
    """Events of a growing answer: its sentences as they are proven, what proves them, and the end."""
    identity, created = f"chatcmpl-{uuid.uuid4().hex}", int(time.time())

    def chunk(delta: dict[str, object], end: str | None = None, **more: object) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": end}
        head = _head("chat.completion.chunk", MODEL, identity, created)
        usage = {"usage": None} if with_usage else {}
        return _data({**head, "choices": [choice], **usage, **more})

    try:
        yield chunk({"role": "assistant", "content": ""})
        before: Sentence | None = None
        for part in told:
            if isinstance(part, Sentence):
                yield chunk({"content": appended(part, before)})
                before = part
                continue
            if before is None:
                yield chunk({"content": part.text})
            yield chunk({}, "stop", **_proof(part))
            if with_usage:
                head = _head("chat.completion.chunk", MODEL, identity, created)
                yield _data({**head, "choices": [], "usage": _usage(part)})
        yield "data: [DONE]\n\n"
    except Exception as error:
        yield _data(openai_error(problem_of(error)))


def _data(value: object) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"
