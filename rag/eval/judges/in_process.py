"""A language model in this process, asked under a grammar: a reply of another form cannot be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rag.errors import InputError, JudgeFailed, ModelFailed, PromptTooLong
from rag.eval.judges.asking import Inquiry, read_object
from rag.eval.judges.gbnf import grammar_of
from rag.protocols import LanguageModel, Prompt, Sampling
from rag.types import Message


@dataclass(frozen=True, slots=True)
class InProcess:
    """Asks a `LanguageModel`. The same inquiry gives the same reply."""

    model: LanguageModel

    @property
    def name(self) -> str:
        """The model's file and digest."""
        return self.model.name

    def __call__(self, inquiry: Inquiry) -> Mapping[str, Any]:
        """The model's reply.

        Raises:
            Unreadable: It was cut off, or the model has no grammar and wrote something else.
            PromptTooLong: The model does not take so much text.
            JudgeFailed: The model stopped.
        """
        prompt = Prompt(inquiry.system, inquiry.data, (Message("user", inquiry.task),))
        sampling = Sampling(
            max_tokens=inquiry.max_tokens,
            temperature=inquiry.temperature,
            seed=inquiry.seed,
            grammar=grammar_of(inquiry.schema),
        )
        try:
            return read_object("".join(self.model.generate(prompt, sampling)))
        except PromptTooLong:
            raise
        except (InputError, ModelFailed, OSError) as error:
            raise JudgeFailed(f"{self.name}: {error}") from error
