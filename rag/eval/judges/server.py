"""Inquiries to a server that speaks OpenAI's chat completions: what is sent, how often, and what is read."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from rag.errors import JudgeFailed, PromptTooLong
from rag.eval.judges.asking import Inquiry, Unreadable, read_object

_PASSING = frozenset((408, 409, 425, 429))
_LONGEST_WAIT_S = 20.0
_MOST_BYTES = 4_000_000
_SHOWN = 200  # characters of what a server says that an error shows
_THOUGHT_TOKENS = 4_096  # what a model that thinks first may take for that

_LOSING = 3
"""After so many requests in a row that failed for good, one is sent once only, until one succeeds."""

_T = TypeVar("_T")
_TOO_LONG = re.compile(r"context[ _-]?(?:length|size|window)|exceeds?\b.{0,40}\bcontext", re.IGNORECASE)
_MEND = {
    401: "check the key, RAG_JUDGE_KEY or OPENAI_API_KEY",
    403: "check the key, RAG_JUDGE_KEY or OPENAI_API_KEY",
    404: "check the address, which often ends in /v1, and the model's name",
}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request may take, how often it is sent, the first wait between, how many are under way."""

    timeout_s: float
    tries: int
    wait_s: float
    concurrency: int


class _Passing(Exception):
    """A request failed for a reason that may pass; the server may have said when."""

    def __init__(self, why: str, wait_s: float = 0.0) -> None:
        super().__init__(why)
        self.wait_s = wait_s


class _Refused(Exception):
    """A server refused a request, and would again."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(f"{status}: {why}")
        self.status = status


class Server:
    """Implements Asks. The key is in no text that leaves it; it may be used from several threads.

    A request is sent with the schema as its response format and a seed; what the server refuses of that is
    left out from then on.
    """

    def __init__(self, client: Any, name: str, model: str, key: str, patience: Patience) -> None:
        self._client = client
        self._name = name
        self._model = model
        self._key = key
        self._patience = patience
        self._free = threading.Semaphore(patience.concurrency)
        self._unknown: frozenset[str] = frozenset()
        self._lost = 0

    def __repr__(self) -> str:
        return f"Server({self._name!r})"

    @property
    def name(self) -> str:
        """The model and the address."""
        return self._name

    def __call__(self, inquiry: Inquiry) -> Mapping[str, Any]:
        """The object that the model replied.

        Raises:
            Unreadable: The reply holds none, or the model refuses.
            PromptTooLong: The server says so.
            JudgeFailed: The server refuses the request, or did not answer however often it was asked.
        """
        with self._free:
            body = self._answered(inquiry)
        try:
            return read_object(self._hidden(_content(body)))
        except Unreadable as error:
            raise Unreadable(self._hidden(str(error))) from None

    def _answered(self, inquiry: Inquiry) -> Mapping[str, Any]:
        """The body of the answer to a request that is sent until there is one."""
        unknown = set(self._unknown)
        tries = 1 if self._lost >= _LOSING else self._patience.tries
        sent = 0
        while True:
            options = _options(inquiry, unknown)
            try:
                body = self._post(inquiry, options)
            except _Refused as refused:
                option = _unknown_option(refused, options)
                if option is None:
                    mend = _MEND.get(refused.status, "")
                    why = f"{self._name} refuses to judge, {refused}" + (f"; {mend}" if mend else "")
                    raise JudgeFailed(self._hidden(why)) from None
                unknown.add(option)
            except _Passing as passing:
                sent += 1
                if sent >= tries:
                    self._lost += 1
                    why = f"{self._name} did not answer, asked {sent} times: {passing}"
                    raise JudgeFailed(self._hidden(why)) from None
                # Not all at once: others wait for the same server.
                pause = self._patience.wait_s * 2 ** (sent - 1) * random.uniform(0.8, 1.2)
                time.sleep(min(_LONGEST_WAIT_S, max(pause, passing.wait_s)))
            else:
                self._lost = 0
                self._unknown |= unknown
                return body

    def _post(self, inquiry: Inquiry, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """Send one request. The whole answer has to be there in time: a server may send it byte by byte."""
        timeout_s = self._patience.timeout_s
        try:
            data = _in_time(lambda: self._sent(inquiry, options), timeout_s)
        except TimeoutError:
            raise _Passing(f"no whole answer in {timeout_s:g} s") from None
        try:
            body = json.loads(data)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise Unreadable(f"{self._name} answered with no JSON object")
        return body

    def _sent(self, inquiry: Inquiry, options: Mapping[str, Any]) -> bytes:
        """The bytes of the answer to one request."""
        import httpx
        import openai

        deadline = time.monotonic() + self._patience.timeout_s
        messages = [
            {"role": "system", "content": inquiry.system},
            {"role": "user", "content": f"{inquiry.data}\n\n{inquiry.task}"},
        ]
        create = self._client.chat.completions.with_streaming_response.create
        data = bytearray()
        try:
            with create(model=self._model, messages=messages, **options) as response:
                for piece in response.iter_bytes():
                    data += piece
                    if time.monotonic() > deadline or len(data) > _MOST_BYTES:
                        raise _Passing(f"no whole answer in {self._patience.timeout_s:g} s")
        except openai.APIStatusError as error:
            raise self._status(error.status_code, error.response.headers, str(error)) from None
        except (openai.APITimeoutError, httpx.TimeoutException):
            raise _Passing(f"no answer in {self._patience.timeout_s:g} s") from None
        except (openai.APIError, httpx.HTTPError) as error:
            raise _Passing(f"the connection failed ({type(error.__cause__ or error).__name__})") from None
        except (ValueError, OSError, RuntimeError) as error:
            # By its kind alone: what it says may hold what was sent.
            raise JudgeFailed(f"{self._name} cannot be asked: {type(error).__name__}") from None
        return bytes(data)

    def _status(self, status: int, headers: Mapping[str, str], why: str) -> Exception:
        why = self._hidden(" ".join(why.split()))[:_SHOWN]
        if status == 413 or (status < 500 and status != 429 and _TOO_LONG.search(why)):
            return PromptTooLong(f"{self._name} takes no prompt of this length ({status})")
        if status >= 500 or status in _PASSING:
            try:
                wait_s = max(0.0, float(headers.get("retry-after", "0")))
            except ValueError:  # a date
                wait_s = 0.0
            return _Passing(f"status {status}", min(wait_s, _LONGEST_WAIT_S))
        return _Refused(status, why)

    def _hidden(self, text: str) -> str:
        """The text without the key, which a server may say back, and without what UTF-8 cannot hold."""
        text = text.encode(errors="replace").decode()
        return text.replace(self._key, "***") if self._key else text


def _in_time(call: Callable[[], _T], timeout_s: float) -> _T:
    """What a call returns or raises, waited for so long; after that it goes on unheeded, in a daemon thread.

    The timeouts of a connection are of each read alone, so that one that has a byte a second never ends.

    Raises:
        TimeoutError: It took longer.
    """
    done: Future[_T] = Future()

    def work() -> None:
        try:
            done.set_result(call())
        except BaseException as error:  # raised again where it is waited for
            done.set_exception(error)

    threading.Thread(target=work, name="judge-request", daemon=True).start()
    return done.result(timeout_s)


def _options(inquiry: Inquiry, unknown: set[str]) -> dict[str, Any]:
    """What goes with a request beside its messages, without what the server does not know."""
    form = {"name": "verdict", "strict": True, "schema": dict(inquiry.schema)}
    options: dict[str, Any] = {
        "response_format": {"type": "json_schema", "json_schema": form},
        "temperature": inquiry.temperature,
        "seed": inquiry.seed,
        "max_tokens": inquiry.max_tokens,
    }
    if "max_tokens" in unknown:
        options["max_completion_tokens"] = inquiry.max_tokens + _THOUGHT_TOKENS
    return {name: value for name, value in options.items() if name not in unknown}


def _unknown_option(refused: _Refused, options: Mapping[str, Any]) -> str | None:
    """Which option a server does not know, as far as it says so: the form of the reply, where it does not."""
    if refused.status not in (400, 415, 422, 501):
        return None
    said = str(refused)
    named = (name for name in ("response_format", "max_tokens", "temperature", "seed") if name in said)
    found = next((name for name in named if name in options), None)
    return found or ("response_format" if "response_format" in options else None)


def _content(body: Mapping[str, Any]) -> str:
    """The text of the first choice.

    Raises:
        Unreadable: There is none.
    """
    try:
        choice = body["choices"][0]
        message = choice["message"]
        content = message.get("content")
        if isinstance(content, list):
            content = "".join(part.get("text", "") for part in content)
        refusal = message.get("refusal") or ""
        finished = choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise Unreadable("the answer has no message") from None
    if refusal or finished == "content_filter":
        raise Unreadable(f"the model refuses: {' '.join(str(refusal).split())[:_SHOWN] or 'filtered'}")
    if not isinstance(content, str) or not content.strip():
        raise Unreadable(f"the model said nothing ({finished})")
    return content
