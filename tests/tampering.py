"""Every way to change one field of a saved answer."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str | int, ...]


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """The path of every value in a JSON value, but the whole itself."""
    if at:
        yield at
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, each in steps:
        yield from paths(each, (*at, step))


def field_of(path: Path) -> str:
    """The field that a path leads to, whichever the item: `citations.*.quote`."""
    return ".".join("*" if isinstance(step, int) else step for step in path)


def tampered(answer: dict[str, Any], path: Path, chance: random.Random) -> tuple[str, dict[str, Any]]:
    """The answer with another value at a path, or none, and what was done."""
    wrong = copy.deepcopy(answer)
    parent: Any = wrong
    for step in path[:-1]:
        parent = parent[step]
    deed, parent[path[-1]] = _other(parent[path[-1]], chance)
    if deed == "taken away":
        del parent[path[-1]]
    return deed, wrong


def _other(value: Any, chance: random.Random) -> tuple[str, Any]:
    """Another value for one, and what was done to it."""
    if chance.random() < 0.1:
        return "taken away", None
    match value:
        case bool():
            return "flipped", not value
        case int() | float():
            return "moved", value + chance.choice([-1, 1, 0.001, 1e-9])
        case str():
            return _other_text(value, chance)
        case None:
            return "filled", chance.choice([1, "x", {"start": 0, "end": 1}])
        case dict():
            return "added to", {**value, "more": 1}
        case list() if len(value) > 1 and value[0] != value[-1] and chance.random() < 0.5:
            return "turned round", value[::-1]
        case [first, *_] if chance.random() < 0.5:
            return "lengthened", [*value, first]
        case [*items]:
            return ("emptied", []) if items else ("filled", [1])
    raise TypeError(f"JSON holds no {type(value).__name__}")


def _other_text(text: str, chance: random.Random) -> tuple[str, str]:
    numbers = list(re.finditer(r"\d", text))
    if numbers and chance.random() < 0.5:
        at = chance.choice(numbers).start()
        return "another digit", text[:at] + str((int(text[at]) + chance.randint(1, 9)) % 10) + text[at + 1 :]
    if text and chance.random() < 0.5:
        at = chance.randrange(len(text))
        return "one character less", text[:at] + text[at + 1 :]
    return "one character more", text + chance.choice([" ", "x", "\u200b", "."])
