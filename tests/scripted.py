"""A language model that writes what it is told to, and notes what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rag.protocols import Prompt, Sampling
from rag.types import Usage


class ScriptedModel:
    """Implements LanguageModel. A token is four characters.

    `script` is the text, or what makes it of a prompt; it comes in pieces of `size` characters. `prompts`,
    `samplings` and `partitions` are those of every call; `closed` counts the calls that were stopped.
    """

    name = "scripted"

    def __init__(
        self, script: str | Callable[[Prompt], str], *, context_tokens: int = 4096, size: int = 7
    ) -> None:
        self.script = script
        self.context_tokens = context_tokens
        self.size = size
        self.prompts: list[Prompt] = []
        self.samplings: list[Sampling] = []
        self.partitions: list[str] = []
        self.closed = 0

    def count(self, text: str) -> int:
        return (len(text) + 3) // 4

    def generate(
        self,
        prompt: Prompt,
        sampling: Sampling,
        *,
        partition: str = "",
        done: Callable[[Usage], None] | None = None,
    ) -> Iterator[str]:
        self.prompts.append(prompt)
        self.samplings.append(sampling)
        self.partitions.append(partition)
        text = self.script if isinstance(self.script, str) else self.script(prompt)
        try:
            for at in range(0, len(text), self.size):
                yield text[at : at + self.size]
        except GeneratorExit:
            self.closed += 1
            raise
        finally:
            if done is not None:
                done(Usage(self.count(prompt.context), 0, self.count(text), 0, 1.0, 2.0, "script"))
