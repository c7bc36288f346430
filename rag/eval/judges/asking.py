"""What a language model is asked, and the one seam through which: a prompt and a schema give a JSON object.

A model in process and a server are each an `Asks`; so is any function with a name that takes an Inquiry.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from rag.errors import JudgeFailed

Schema: TypeAlias = Mapping[str, Any]

_THOUGHT = re.compile(r"\A.*</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_MOST_BRACES = 50  # where an object may begin that are tried


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One question to a language model.

    `system` says what to do, `data` is what to do it to, fenced, and `task` asks. `schema` is the JSON
    schema of the reply, of the kind that `forms` makes. `seed` counts where `temperature` is above 0.
    """

    system: str
    data: str
    task: str
    schema: Schema
    max_tokens: int
    temperature: float = 0.0
    seed: int = 0


class Asks(Protocol):
    """Puts an inquiry to a language model."""

    @property
    def name(self) -> str:
        """Which model, for a report."""
        ...

    def __call__(self, inquiry: Inquiry) -> Mapping[str, Any]:
        """The JSON object that the model replied. It need not keep to the schema.

        Raises:
            Unreadable: The reply holds no JSON object.
            PromptTooLong: The model does not take so much text.
            JudgeFailed: The model cannot be asked.
        """
        ...


class Unreadable(JudgeFailed):
    """A model replied, and not with what it was asked for: it may be asked again."""


def read_object(reply: str) -> Mapping[str, Any]:
    """The first JSON object of a reply, which may stand in a fence, in words, or behind a thought.

    Raises:
        Unreadable: There is none.
    """
    text = _THOUGHT.sub("", reply)
    decoder = json.JSONDecoder()
    at = -1
    for _ in range(_MOST_BRACES):
        at = text.find("{", at + 1)
        if at < 0:
            break
        try:
            found, _ = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    shown = " ".join(text.split())
    shown = shown if len(shown) <= 60 else shown[:59] + "…"
    raise Unreadable(f"the reply holds no JSON object: {shown!r}")
