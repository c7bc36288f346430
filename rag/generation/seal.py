"""An answer -> its seal: a mark that only the index can make, and that any change of the answer breaks.

Source: Krawczyk, Bellare and Canetti, HMAC: Keyed-Hashing for Message Authentication, RFC 2104, 1997.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import asdict, replace

from rag.types import Answer

TIMING_DIGITS = 3


def sealed(answer: Answer, key: bytes) -> Answer:
    """The answer with its seal; without a key, as that of an index from before there were seals, with none.

    Timings are rounded to microseconds, as they are printed.
    """
    timings = {name: round(value, TIMING_DIGITS) for name, value in answer.timings_ms.items()}
    answer = replace(answer, timings_ms=timings, seal="")
    return replace(answer, seal=_digest(answer, key)) if key else answer


def is_sealed(answer: Answer, key: bytes) -> bool:
    """Whether the answer is, to the last field, the one that was sealed with `key`."""
    said = answer.seal.encode(errors="replace")
    return bool(key) and hmac.compare_digest(_digest(replace(answer, seal=""), key).encode(), said)


def _digest(answer: Answer, key: bytes) -> str:
    return hmac.digest(key, canonical(asdict(answer)).encode(), "sha256").hex()


def canonical(value: object) -> str:
    """JSON that is the same for equal values: keys in order, whole numbers without a fraction."""
    return json.dumps(_plain(value), sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
