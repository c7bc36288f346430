"""A judge that is asked nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from rag.errors import JudgeFailed
from rag.protocols import Judge
from rag.types import AskedBack, Claim, Judgement

_T = TypeVar("_T")


class _Remembered:
    """Keeps what a judge said, its failures too, for as long as it is held: make one a sample."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._verdicts: dict[Claim, Judgement] = {}
        self._said: dict[Hashable, object] = {}

    @property
    def name(self) -> str:
        return self._judge.name

    def statements(self, text: str, *, question: str = "") -> list[str]:
        return list(
            self._once(
                ("statements", text, question), lambda: self._judge.statements(text, question=question)
            )
        )

    def supported(self, claims: Sequence[Claim]) -> list[Judgement]:
        new = [claim for claim in dict.fromkeys(claims) if claim not in self._verdicts]
        if new:
            given = self._once(("supported", *new), lambda: self._judge.supported(new))
            if len(given) != len(new):
                raise JudgeFailed(f"{self.name} gave {len(given)} verdicts for {len(new)} claims")
            self._verdicts.update(zip(new, given, strict=True))
        return [self._verdicts[claim] for claim in claims]

    def useful(self, question: str, answer: str, contexts: Sequence[str]) -> list[Judgement]:
        key = ("useful", question, answer, *contexts)
        return list(self._once(key, lambda: self._judge.useful(question, answer, contexts)))

    def questions(self, response: str, count: int) -> list[AskedBack]:
        return list(
            self._once(("questions", response, count), lambda: self._judge.questions(response, count))
        )

    def entities(self, text: str) -> list[str]:
        return list(self._once(("entities", text), lambda: self._judge.entities(text)))

    def similarities(self, text: str, others: Sequence[str]) -> list[float]:
        return list(
            self._once(("similarities", text, *others), lambda: self._judge.similarities(text, others))
        )

    def _once(self, key: Hashable, ask: Callable[[], _T]) -> _T:
        if key not in self._said:
            try:
                self._said[key] = ask()
            except JudgeFailed as error:
                self._said[key] = error
        said = self._said[key]
        if isinstance(said, JudgeFailed):
            raise JudgeFailed(str(said)) from said
        return said  # type: ignore[return-value]  # what was kept under this key is what `ask` gives


def remembered(judge: Judge) -> Judge:
    """The same judge, which keeps what it says while it is held: metrics may ask for the same again."""
    return judge if isinstance(judge, _Remembered) else _Remembered(judge)
