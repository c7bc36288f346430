"""Errors as RFC 9457 problem details, and a bound on the size of a request."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias

from rag.errors import (
    AnswerNotFound,
    DocumentNotFound,
    DocumentTooLarge,
    IndexLocked,
    InputError,
    RagError,
)

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Asgi: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger(__name__)

# The first that fits; every other RagError is a service that cannot work now.
_STATUS: tuple[tuple[type[RagError], HTTPStatus], ...] = (
    (DocumentTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (InputError, HTTPStatus.BAD_REQUEST),
    (DocumentNotFound, HTTPStatus.NOT_FOUND),
    (AnswerNotFound, HTTPStatus.NOT_FOUND),
    (IndexLocked, HTTPStatus.CONFLICT),
)


OPENAI = ("/v1/chat/completions", "/v1/models")
"""Where errors have the shape that OpenAI's clients read."""


class Refused(Exception):
    """A request that the service refuses, by its status, a detail, and a code for OpenAI's clients."""

    def __init__(self, status: int, detail: str, code: str = "") -> None:
        super().__init__(detail)
        self.status, self.detail, self.code = status, detail, code


def openai_error(found: Mapping[str, object]) -> dict[str, object]:
    """A problem in the shape that OpenAI's clients read."""
    status = int(str(found["status"]))
    kind = "invalid_request_error" if status < 500 else "server_error"
    code = found.get("code") or None
    return {"error": {"message": found["detail"], "type": kind, "param": None, "code": code}}


def _shaped(path: str, found: dict[str, object]) -> tuple[dict[str, object], str]:
    """A problem as who asked at `path` reads it, and its media type."""
    if path.startswith(OPENAI):
        return openai_error(found), "application/json"
    return found, MEDIA_TYPE


def problem(status: int, detail: str, kind: str = "about:blank") -> dict[str, object]:
    """The members of a problem. `kind` tells errors of one status apart."""
    return {"type": kind, "title": HTTPStatus(status).phrase, "status": int(status), "detail": detail}


def problem_of(error: Exception) -> dict[str, object]:
    """The problem that an error is. What only the server's keeper should know goes to the log instead."""
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), None)
    kind = f"urn:rag:{type(error).__name__}"
    if status is not None:
        return problem(status, str(error), kind)
    log.error("a request failed", exc_info=error)
    if isinstance(error, RagError):
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, "the index cannot be used; see the server's log", kind)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed; see its log")


def answer_with_problems(app: FastAPI) -> None:
    """Make every error of `app` a problem."""
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse
    from starlette.exceptions import HTTPException

    def respond(request: Request, found: dict[str, object], headers: Any = None) -> Response:
        body, media_type = _shaped(request.url.path, found)
        status = int(str(found["status"]))
        return JSONResponse(body, status_code=status, headers=headers, media_type=media_type)

    async def on_error(request: Request, error: Exception) -> Response:
        return respond(request, problem_of(error))

    async def on_http(request: Request, error: Exception) -> Response:
        status = getattr(error, "status_code", 500)
        found = problem(status, str(getattr(error, "detail", "")))
        return respond(request, found, getattr(error, "headers", None))

    async def on_refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return respond(request, problem(error.status, error.detail) | {"code": error.code})

    async def on_invalid(request: Request, error: Exception) -> Response:
        faults = error.errors() if isinstance(error, RequestValidationError) else []
        details = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults]
        return respond(request, problem(HTTPStatus.BAD_REQUEST, "; ".join(details), "urn:rag:InputError"))

    app.add_exception_handler(RagError, on_error)
    app.add_exception_handler(Refused, on_refused)
    app.add_exception_handler(Exception, on_error)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)


class BodyLimit:
    """ASGI middleware that refuses a request of more than `max_bytes`, as it arrives."""

    def __init__(self, app: Asgi, max_bytes: int):
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Read the whole body within the limit, then hand the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        held: list[Message] = []
        size = 0
        while True:
            message = await receive()
            held.append(message)
            size += len(message.get("body", b""))
            if size > self._max_bytes:
                await self._refuse(scope["path"], send)
                return
            if message["type"] != "http.request" or not message.get("more_body"):
                break
        waiting = iter(held)

        async def replay() -> Message:
            return next(waiting, None) or await receive()

        await self._app(scope, replay, send)

    async def _refuse(self, path: str, send: Send) -> None:
        found, media_type = _shaped(path, problem(413, f"a request has at most {self._max_bytes:,} bytes"))
        body = json.dumps(found).encode()
        headers = [(b"content-type", media_type.encode()), (b"content-length", str(len(body)).encode())]
        await send(
            {"type": "http.response.start", "status": 413, "headers": [*headers, (b"connection", b"close")]}
        )
        await send({"type": "http.response.body", "body": body})
