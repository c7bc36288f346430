"""Answers as they are written, sent to a client; one who goes away stops whoever writes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from rag.api.problems import problem_of
from rag.api.schema import answer_json, sentence_json
from rag.types import Answer, Sentence

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Message, Receive, Scope, Send

Told: TypeAlias = Iterator[Sentence | Answer]


LONGEST_WAIT_S = 60.0
"""A client that takes nothing for so long counts as gone: a stream holds a commit of the index."""


def event_stream(told: Told, events: Callable[[Told], Iterator[str]]) -> Response:
    """A response of server-sent events.

    The first part is waited for, so that what cannot be answered is an error and no stream.

    Args:
        told: The sentences, then the answer, as an engine streams them. It is closed at the end,
            and when the client goes away: after the sentence that is being written.
        events: Makes events of them.
    """
    from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
    from starlette.requests import ClientDisconnect
    from starlette.responses import StreamingResponse

    def close() -> None:
        close_told: Callable[[], None] | None = getattr(told, "close", None)
        if close_told is not None:
            close_told()

    try:
        first = next(told)
    except BaseException:
        close()
        raise

    async def body() -> AsyncIterator[str]:
        async for event in iterate_in_threadpool(events(chain([first], told))):
            yield event

    class Closing(StreamingResponse):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            from anyio import CancelScope, fail_after

            async def patiently(message: Message) -> None:
                with fail_after(LONGEST_WAIT_S):
                    await send(message)

            try:
                await super().__call__(scope, receive, patiently)
            except TimeoutError as error:
                raise ClientDisconnect from error
            finally:
                with CancelScope(shield=True):
                    await run_in_threadpool(close)

    return Closing(body(), media_type="text/event-stream", headers={"cache-control": "no-store"})


def answer_events(told: Told) -> Iterator[str]:
    """An event for each sentence, then one of the answer; or, where it fails midway, of the problem."""
    try:
        for part in told:
            if isinstance(part, Answer):
                yield _event("answer", answer_json(part))
            else:
                yield _event("sentence", sentence_json(part))
    except Exception as error:
        yield _event("error", problem_of(error))


def _event(name: str, value: object) -> str:
    # JSON as it is made here has no line break, so that one line of data holds it all.
    return f"event: {name}\ndata: {json.dumps(value, ensure_ascii=False)}\n\n"
