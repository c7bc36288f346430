"""Who judges answers, as the doors are told: the engine's own judge, a language model, or a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import EncoderNotFound, InputError

if TYPE_CHECKING:
    from rag.api.settings import DoorSettings
    from rag.pipeline import Engine
    from rag.protocols import Encoder, Judge, LanguageModel


def judge_for(
    engine: Engine, settings: DoorSettings, judge: str | None = None, model: str | None = None
) -> Judge | None:
    """The judge that a person means.

    Args:
        engine: Whose encoder gives similarities.
        settings: What stands for `judge` and `model` where they are not given.
        judge: `local`, the engine's own; `model`, a language model in this process; or the address of an
            OpenAI-compatible server, to which questions, answers and passages are then sent. Empty for none.
        model: The GGUF file of the model, by default the one that writes answers too; or the name that
            the server has for it.

    Raises:
        InputError: There is no such judge, or it lacks a model.
        ModelRefused: The file is damaged, or needs more memory than there is.
        MissingExtra: What runs the model, or asks the server, is not installed.
    """
    judge = (settings.judge if judge is None else judge).strip()
    model = (settings.judge_model if model is None else model).strip()
    if not judge:
        if model:
            raise InputError("a model that judges needs --judge model, or --judge with a server's address")
        return None
    if judge == "local":
        if model:
            raise InputError("the local judge takes no model: leave --judge-model out, or say --judge model")
        return engine.judge
    if judge == "model":
        from rag.eval.judges.language import language_judge

        opened = _opened(engine, model)
        return language_judge(opened, encoder=_encoder(engine), votes=settings.judge_votes)
    if "://" in judge:
        from rag.eval.judges.endpoint import endpoint_judge

        if not model:
            raise InputError("a judge behind an address needs the model's name there: --judge-model NAME")
        return endpoint_judge(judge, model, encoder=_encoder(engine), votes=settings.judge_votes)
    raise InputError(f"no judge {judge!r}: there is local, model, and the address of a server (http://...)")


def _opened(engine: Engine, model: str) -> LanguageModel:
    """The model of a file, or the one that the engine writes with."""
    if not model:
        if engine.model is None:
            raise InputError("--judge model needs a GGUF file: --judge-model FILE, or --model FILE for both")
        return engine.model
    from rag.generation.runtime import open_model

    if "@" not in model and ":" not in model and not Path(model).is_file():
        raise InputError(f"no language model at {model}: --judge-model is a GGUF file")
    return open_model(model)


def _encoder(engine: Engine) -> Encoder | None:
    """The engine's encoder, where it is there: a judge without one says so where it needs one."""
    try:
        return engine.encoder
    except EncoderNotFound:
        return None
