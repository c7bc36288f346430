"""Guessing what comes next from what stands in the prompt, and whether guessing pays.

An answer over documents repeats their words. What followed the last few tokens where they stood
before is guessed to follow again; the model reads all guesses at once, and those are kept that it
would have written itself. So the text is the same, and only sooner there.

Source: Saxena, Prompt Lookup Decoding, 2023; Leviathan et al., Fast Inference from Transformers via
Speculative Decoding, 2023.
"""

from __future__ import annotations

from collections.abc import Sequence

LONGEST, SHORTEST = 4, 2
"""How many tokens must agree for what followed them to be guessed."""

_WEIGHT = 0.15
_FIRST_COST = 1.8


class Guesser:
    """Guesses the continuation of a growing list of tokens from its own past."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}
        self._before: dict[tuple[int, ...], int] = {}
        self.extend(tokens)

    def extend(self, tokens: Sequence[int]) -> None:
        """Add tokens to what was read and written."""
        for token in tokens:
            self._tokens.append(token)
            end = len(self._tokens)
            for length in range(SHORTEST, LONGEST + 1):
                if length <= end:
                    key = tuple(self._tokens[end - length :])
                    if key in self._after:
                        self._before[key] = self._after[key]
                    self._after[key] = end

    def guess(self, most: int) -> list[int]:
        """At most `most` tokens: those that followed the last ones where most of these stood before."""
        for length in range(LONGEST, SHORTEST - 1, -1):
            key = tuple(self._tokens[len(self._tokens) - length :])
            # The last tokens themselves end here: what they say is where they stood the time before.
            at = self._before.get(key)
            if len(key) == length and at is not None:
                return self._tokens[at : at + most]
        return []


class Gate:
    """Lets guesses pass where they save time, by how many came true and what reading them takes.

    It learns of guesses that were not let pass too: they are held against what was written.
    """

    def __init__(self) -> None:
        self._hits = 0.0
        self._plain_s: float | None = None
        self._guessed_s: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether the tokens won by a guess are more than what it costs."""
        cost = _FIRST_COST
        if self._plain_s and self._guessed_s:
            cost = self._guessed_s / self._plain_s
        return 1 + self._hits > cost

    def learn(self, hits: int) -> None:
        """Note how many tokens of a guess came true."""
        self._hits += _WEIGHT * (hits - self._hits)

    def took(self, seconds: float, guessed: bool) -> None:
        """Note how long a step took that read one token, or a guess behind it."""
        if guessed:
            before = self._guessed_s
            self._guessed_s = seconds if before is None else before + _WEIGHT * (seconds - before)
        else:
            before = self._plain_s
            self._plain_s = seconds if before is None else before + _WEIGHT * (seconds - before)


def agreeing(guess: Sequence[int], written: Sequence[int]) -> int:
    """How many tokens from the first on are the same."""
    count = 0
    for one, other in zip(guess, written, strict=False):
        if one != other:
            break
        count += 1
    return count
