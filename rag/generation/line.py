"""One line that a language model writes."""

from __future__ import annotations

from rag.errors import PromptTooLong
from rag.protocols import LanguageModel, Prompt, Sampling


def line_of(model: LanguageModel, prompt: Prompt, *, max_tokens: int, partition: str = "") -> str:
    """The line that `model` writes, `""` where the prompt is longer than it takes."""
    sampling = Sampling(max_tokens=max_tokens, stop=("\n",))
    try:
        return "".join(model.generate(prompt, sampling, partition=partition)).strip()
    except PromptTooLong:
        return ""
