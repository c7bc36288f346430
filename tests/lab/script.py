"""What a store is asked to do in the laboratory, and what it must show after each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

State = dict[str, str]
"""The text of each document by its name."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call: `open` (again), `add` texts by name, `delete` names, or another method without arguments."""

    action: str
    texts: Mapping[str, str] | None = None
    names: Sequence[str] = ()


class Subject(Protocol):
    """A store in a folder: ours, or a peer."""

    def add(self, texts: Mapping[str, str]) -> None:
        """Add or replace documents, and return once they are sure."""
        ...

    def delete(self, names: Sequence[str]) -> None:
        """Remove documents, and return once that is sure."""
        ...

    def read(self) -> State:
        """Every document, after all that belongs to it was seen to agree; else raise `Disagreement`."""
        ...

    def close(self) -> None:
        """Let go of the files."""
        ...


class Disagreement(Exception):
    """The parts of an index do not belong together."""


def text_of(name: str, version: int, sentences: int = 1) -> str:
    """A text that no other document has."""
    return f"File {name} in version v{version} of {name}." + f"\nMore words of {name}x{version}." * sentences


def script(*, merges: bool = True) -> list[Step]:
    """Adds, updates, deletes and all that tidies up, with enough small adds for a merge by itself."""
    steps = [
        Step("open"),
        Step("add", {name: text_of(name, 1) for name in ("a", "b", "c")}),
        Step("add", {"b": text_of("b", 2, 30), "d": text_of("d", 1)}),
        Step("delete", names=("a",)),
        Step("open"),
        Step("add", {"a": text_of("a", 2), "c": text_of("c", 2)}),
        Step("compact"),
        Step("delete", names=("b", "c")),
        Step("reembed"),
        Step("roll_back"),
        Step("add", {"b": text_of("b", 3)}),
        Step("reembed"),
    ]
    if merges:
        steps += [Step("add", {f"m{at}": text_of(f"m{at}", 1)}) for at in range(8)]
    return [*steps, Step("add", {"d": text_of("d", 2)}), Step("compact"), Step("open")]


def states(steps: Sequence[Step]) -> list[State]:
    """What is shown after each step."""
    shown: list[State] = []
    state: State = {}
    for step in steps:
        state = {name: text for name, text in state.items() if name not in step.names} | dict(
            step.texts or {}
        )
        shown.append(state)
    return shown


def perform(step: Step, subject: Subject) -> None:
    """Do a step that is not `open`. What a store has no method for, it need not do."""
    if step.action == "add":
        subject.add(step.texts or {})
    elif step.action == "delete":
        subject.delete(step.names)
    elif hasattr(subject, step.action):
        getattr(subject, step.action)()
