"""A judge whose verdicts a test writes down, and which says what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rag.errors import JudgeFailed
from rag.types import AskedBack, Claim, Judgement


def _no(claim: Claim) -> float | None:
    return 0.0


@dataclass
class ScriptedJudge:
    """States the parts between full stops; all else is as it was told, and `asked` counts the calls."""

    supports: Callable[[Claim], float | None] = _no
    helps: Mapping[str, float | None] = field(default_factory=dict)  # by passage
    back: Sequence[AskedBack] = ()
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by text
    cosines: Mapping[str, float] = field(default_factory=dict)  # by the other text
    broken: frozenset[str] = frozenset()
    asked: list[str] = field(default_factory=list)
    name: str = "scripted"

    def _note(self, task: str) -> None:
        self.asked.append(task)
        if task in self.broken:
            raise JudgeFailed(f"{task}: no reply")

    def statements(self, text: str, *, question: str = "") -> list[str]:
        self._note("statements")
        return [part.strip() for part in text.split(".") if part.strip()]

    def supported(self, claims: Sequence[Claim]) -> list[Judgement]:
        self._note("supported")
        return [_judgement(self.supports(claim)) for claim in claims]

    def useful(self, question: str, answer: str, contexts: Sequence[str]) -> list[Judgement]:
        self._note("useful")
        return [_judgement(self.helps[context]) for context in contexts]

    def questions(self, response: str, count: int) -> list[AskedBack]:
        self._note("questions")
        return list(self.back[:count])

    def entities(self, text: str) -> list[str]:
        self._note("entities")
        return list(self.names[text])

    def similarities(self, text: str, others: Sequence[str]) -> list[float]:
        self._note("similarities")
        return [self.cosines[other] for other in others]


def _judgement(value: float | None) -> Judgement:
    return Judgement(value, "unreadable" if value is None else "")
