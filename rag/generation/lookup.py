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

_KEPT = 0.9
"""How much of what was learnt is kept with each outcome."""


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
    """Says how many guesses to let pass: as many as save time, none where they lose it.

    That goes by how often guesses came true in this text so far, late ones counting more, and by
    `cost`: what a guess adds to the time of a step, in such steps. It does not go by a clock, so that
    the same text is written in the same steps every time. Guesses that were not let pass are learnt
    from too.
    """

    def __init__(self, cost: float) -> None:
        self._cost = cost
        self._right, self._tried = 1.0, 2.0

    def width(self, most: int) -> int:
        """How many of `most` guesses to let pass: where tokens per time are most, 0 where alone is best."""
        likely = self._right / self._tried
        best, width, won, chance = 1.0, 0, 1.0, 1.0
        for count in range(1, most + 1):
            chance *= likely
            won += chance
            if won / (1 + self._cost * count) > best:
                best, width = won / (1 + self._cost * count), count
        return width

    def learn(self, right: int, tried: int) -> None:
        """Note that of `tried` guesses the first `right` came true; behind a wrong one nothing is known."""
        for outcome in [1] * right + [0] * (right < tried):
            self._right = _KEPT * self._right + outcome
            self._tried = _KEPT * self._tried + 1


def agreeing(guess: Sequence[int], written: Sequence[int]) -> int:
    """How many tokens from the first on are the same."""
    count = 0
    for one, other in zip(guess, written, strict=False):
        if one != other:
            break
        count += 1
    return count
