"""Answers as they are written, over a real socket: what comes when, and what stops when one goes away."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
import uvicorn
from fakes import HashingEncoder, document, no_answer_yet, with_quote
from starlette.requests import ClientDisconnect

from rag.api import telling
from rag.api.app import create_app
from rag.pipeline import Engine
from rag.protocols import Encoder
from rag.types import Answer, Hit, Sentence


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return HashingEncoder()


class Slow:
    """Quotes a sentence a hit, each when it is let; counts what it wrote."""

    def __init__(self) -> None:
        self.let = threading.Semaphore(0)
        self.written = 0
        self.stopped = threading.Event()

    def __call__(self, question: str, hits: Sequence[Hit]) -> Answer:
        return list(self.stream(question, hits))[-1]

    def stream(self, question: str, hits: Sequence[Hit]) -> Iterator[Answer]:
        answer = no_answer_yet(question, hits)
        try:
            for hit in hits:
                assert self.let.acquire(timeout=20)
                self.written += 1
                answer = with_quote(answer, hit)
                yield answer
        finally:
            self.stopped.set()


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def url(slow: Slow, tmp_path: Path, encoder: Encoder) -> Iterator[str]:
    with Engine(tmp_path / "kb", encoder=encoder, generator=slow) as engine:
        engine.add([document(f"The word of day {at} is tide.", f"{at}.txt") for at in range(DAYS)])
        with listening(engine) as url:
            yield url


@contextmanager
def listening(engine: Engine) -> Iterator[str]:
    """The service over a real socket."""
    server = uvicorn.Server(
        uvicorn.Config(create_app(engine), port=0, log_level="error", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        assert not thread.is_alive()


DAYS = 10  # as many as an answer is made from
ASK = {"question": "What is the word?", "stream": True}
CHAT = {"model": "rag", "messages": [{"role": "user", "content": "What is the word?"}]}


def data_of(lines: Iterator[str]) -> Iterator[Any]:
    for line in lines:
        if line.startswith("data: ") and line != "data: [DONE]":
            yield json.loads(line.removeprefix("data: "))


@pytest.mark.parametrize(
    ("path", "body"), [("/v1/query", ASK), ("/v1/chat/completions", CHAT | {"stream": True})]
)
def test_a_sentence_comes_before_the_next_is_written(
    url: str, slow: Slow, path: str, body: dict[str, Any]
) -> None:
    slow.let.release()
    with httpx2.stream("POST", url + path, json=body, timeout=20) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = data_of(response.iter_lines())
        first = next(events)
        if "choices" in first:
            assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
            first = {"text": next(events)["choices"][0]["delta"]["content"]}
        assert "is tide." in first["text"]
        assert slow.written == 1
        for _ in range(DAYS - 1):
            slow.let.release()
        rest = list(events)
    last = rest[-1]
    assert len(last["citations"]) == DAYS
    assert slow.stopped.is_set()


@pytest.mark.parametrize(
    ("path", "body"), [("/v1/query", ASK), ("/v1/chat/completions", CHAT | {"stream": True})]
)
def test_who_goes_away_stops_the_writer(url: str, slow: Slow, path: str, body: dict[str, Any]) -> None:
    slow.let.release()
    with httpx2.stream("POST", url + path, json=body, timeout=20) as response:
        next(data_of(response.iter_lines()))
    slow.stopped.wait(timeout=0.5)  # a sentence is being written meanwhile
    for _ in range(100):  # that nobody reads any more is noticed between two sentences
        slow.let.release()
        if slow.stopped.wait(timeout=0.2):
            break
    assert slow.stopped.is_set()
    assert slow.written < DAYS
    assert httpx2.get(url + "/readyz", timeout=20).status_code == 200


def test_what_fails_midway_is_an_event(tmp_path: Path, encoder: Encoder) -> None:
    class Breaking(Slow):
        def stream(self, question: str, hits: Sequence[Hit]) -> Iterator[Answer]:
            self.let.release()
            for answer in super().stream(question, hits):
                yield answer
                raise RuntimeError("secret of the server")

    with Engine(tmp_path / "kb", encoder=encoder, generator=Breaking()) as engine:
        engine.add([document(f"The word of day {at} is tide.", f"{at}.txt") for at in range(DAYS)])
        with listening(engine) as url:
            told = httpx2.post(url + "/v1/query", json=ASK, timeout=20).text
            assert told.count("event: sentence") == 1
            assert "event: error" in told
            assert '"status": 500' in told
            chat = httpx2.post(url + "/v1/chat/completions", json=CHAT | {"stream": True}, timeout=20).text
            assert '"type": "server_error"' in chat
            assert "secret" not in told + chat


def test_what_cannot_be_asked_is_an_error_and_no_stream(url: str) -> None:
    response = httpx2.post(url + "/v1/query", json=ASK | {"where": {"$near": 1}}, timeout=20)
    assert (response.status_code, response.headers["content-type"]) == (400, "application/problem+json")


def test_who_takes_nothing_counts_as_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "LONGEST_WAIT_S", 0.1)
    closed = threading.Event()

    def told() -> Iterator[Sentence | Answer]:
        try:
            while True:
                yield Sentence("The word is tide.", (1,), True, 1.0)
        finally:
            closed.set()

    async def receive() -> dict[str, str]:
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        if message.get("body"):
            await anyio.sleep_forever()

    async def run() -> None:
        response = telling.event_stream(told(), telling.answer_events)
        with anyio.fail_after(20), pytest.raises((ClientDisconnect, ExceptionGroup)):
            await response({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)

    anyio.run(run)
    assert closed.is_set()
