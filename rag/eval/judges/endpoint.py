"""A judge behind an address: any server that speaks OpenAI's chat completions, on this machine or elsewhere.

A request that fails for a passing reason is sent again, a little later each time; each has its time, whatever
the server does. The key of a server comes from the argument or the environment, and is never shown.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import SplitResult, urlsplit

from rag.errors import InputError, MissingExtra
from rag.eval.judges.asking import Asks
from rag.eval.judges.language import language_judge
from rag.eval.judges.server import Patience, Server
from rag.protocols import Encoder, Judge

_LOCAL = ("localhost", "127.0.0.1", "::1")


def endpoint_judge(
    base_url: str,
    model: str,
    *,
    encoder: Encoder | None = None,
    votes: int = 1,
    both_orders: bool = True,
    batch: int = 8,
    key: str | None = None,
    timeout_s: float = 60.0,
    tries: int = 4,
    concurrency: int = 4,
) -> Judge:
    """A judge that asks a model of an OpenAI-compatible server, such as vLLM, llama.cpp, Ollama or OpenAI's.

    What is judged is sent to that server: answers, questions, and passages of documents.

    Args:
        base_url: The address, such as `http://localhost:8000/v1`.
        model: The model's name there.
        encoder: As in `language_judge`.
        votes: As in `language_judge`.
        both_orders: As in `language_judge`.
        batch: As in `language_judge`.
        key: The key; by default `RAG_JUDGE_KEY`, else `OPENAI_API_KEY`, which is not sent over plain HTTP to
            another machine. A server that wants none needs none.
        timeout_s: How many seconds a request may take.
        tries: How often a request is sent at most.
        concurrency: How many requests are under way at once.

    Raises:
        MissingExtra: The package `openai` is not installed.
        InputError: The address is none, or a number is out of its range.
    """
    asks = endpoint(base_url, model, key=key, timeout_s=timeout_s, tries=tries, concurrency=concurrency)
    return language_judge(
        asks,
        encoder=encoder,
        votes=votes,
        both_orders=both_orders,
        batch=batch,
        concurrency=concurrency,
    )


def endpoint(
    base_url: str,
    model: str,
    *,
    key: str | None = None,
    timeout_s: float = 60.0,
    tries: int = 4,
    concurrency: int = 4,
    wait_s: float = 0.5,
) -> Asks:
    """What puts inquiries to a server. `wait_s` is the first wait before a request is sent again.

    Raises:
        MissingExtra: The package `openai` is not installed.
        InputError: The address is none, or a number is out of its range.
    """
    address = _split(base_url)
    if (
        address is None
        or address.scheme not in ("http", "https")
        or not address.hostname
        or not model.strip()
    ):
        raise InputError(
            f"a judge behind an address needs it and a model, such as http://localhost:8000/v1 and "
            f"llama-3.1-8b, not {_without_secrets(base_url)!r} and {model!r}"
        )
    if address.username or address.password or address.query:
        raise InputError("the address of a judge holds no key: put it in RAG_JUDGE_KEY")
    if not timeout_s > 0 or tries < 1 or concurrency < 1 or wait_s < 0:
        raise InputError("timeout_s is above 0; tries and concurrency are 1 or more")
    try:
        import openai
    except ImportError as error:
        raise MissingExtra("a judge behind an address needs openai: pip install 'openai>=1.100'") from error
    key = _sendable(key or _key(address.scheme == "https" or address.hostname in _LOCAL))
    # From the environment these would go to whatever server is named here.
    unsent: Any = {"OpenAI-Organization": openai.Omit(), "OpenAI-Project": openai.Omit()}
    client = openai.OpenAI(
        base_url=base_url,
        api_key=key or "none",
        max_retries=0,
        timeout=timeout_s,
        default_headers=unsent,
    )
    patience = Patience(timeout_s, tries, wait_s, concurrency)
    return Server(client, f"{model} at {_shown(address)}", model, key, patience)


def _split(address: str) -> SplitResult | None:
    """The parts of the address of a server; None where it is none."""
    try:
        parts = urlsplit(address)
        return parts if parts.scheme in ("http", "https") and parts.port != 0 else None
    except ValueError:  # of the port, or of an address in brackets
        return None


def _shown(address: SplitResult) -> str:
    """The address as a report has it: whole, since another scheme or path is another server."""
    return f"{address.scheme}://{address.netloc}{address.path.rstrip('/')}"


def _key(safe: bool) -> str:
    """The key that the environment holds; one that was made for another server goes nowhere unencrypted."""
    return os.environ.get("RAG_JUDGE_KEY") or (os.environ.get("OPENAI_API_KEY", "") if safe else "")


def _sendable(key: str) -> str:
    key = key.strip()
    if not (key.isascii() and key.isprintable()):
        raise InputError("the key of a judge's server has characters that cannot be sent; set it anew")
    return key


def _without_secrets(address: str) -> str:
    return address.rpartition("@")[2].partition("?")[0]
