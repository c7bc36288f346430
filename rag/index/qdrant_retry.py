"""A request that is made again where the network or a busy server is in the way, and not for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from rag.errors import IndexFailed, IndexNotFound
from rag.index.qdrant_address import Address

T = TypeVar("T")

TRIES = 6
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 5.0
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


def tried(address: Address, wanted: str, call: Callable[[], T], sleep: Callable[[float], None]) -> T:
    """What `call` returns, which is made again where the network or a busy server is in the way.

    Raises:
        IndexNotFound: a collection is missing.
        IndexFailed: the server refuses, or cannot be reached however often it is tried.
    """
    wait = FIRST_WAIT_S
    for left in reversed(range(TRIES)):
        try:
            return call()
        except Exception as error:
            status = _status(error)
            if status is None:
                raise
            if status == 404:
                raise IndexNotFound(f"{address}: {error}; make the index again with create") from error
            if status not in _PASSING:
                raise IndexFailed(
                    f"{address} refused {wanted} ({_told(error)}); see its key, rights and limits"
                ) from error
            if not left:
                raise IndexFailed(
                    f"{address} was asked {wanted} {TRIES} times, and failed ({_told(error)}); see "
                    "that Qdrant runs there and can be reached; nothing new became visible"
                ) from error
        sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT_S)
    raise AssertionError("unreachable")


def _status(error: Exception) -> int | None:
    """The HTTP status that an error of the client stands for, 503 where there was no answer, None if none."""
    kind = type(error).__name__
    if kind == "UnexpectedResponse":
        return int(getattr(error, "status_code", None) or 503)
    if kind in ("ResponseHandlingException", "ResourceExhaustedResponse"):
        return 503
    code = getattr(error, "code", None)
    if not callable(code):
        return None
    passing = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED"}
    name = getattr(code(), "name", "")
    return 503 if name in passing else 404 if name == "NOT_FOUND" else 400


def _told(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
