"""The command line's models: which files there are, what each needs, whether it can run here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from rag.api.command import FAILED_INPUTS, JsonOption, command, print_json, screen
from rag.api.settings import read_settings
from rag.errors import ModelRefused

if TYPE_CHECKING:
    from rag.generation.models import Examined

models = typer.Typer(rich_markup_mode=None)


@command(
    models,
    "models",
    "rag models ~/models",
    "rag models llama-3.2-1b-q8_0.gguf --context-tokens 16384 --digest",
    "rag models --fetch hf:owner/repository/model-q8_0.gguf@sha256:DIGEST",
)
def list_models(
    places: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PLACE]...", help="Files, folders or names of a hub (RAG_MODELS)."),
    ] = None,
    context_tokens: Annotated[
        int | None, typer.Option(min=1, help="How long prompt and answer may be (at most 8192).")
    ] = None,
    requests: Annotated[int, typer.Option(min=1, help="How many are answered at once.")] = 1,
    digest: Annotated[bool, typer.Option("--digest", help="Print the SHA-256 of each file.")] = False,
    fetch: Annotated[bool, typer.Option("--fetch", help="Download what is named of a hub.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List language models: what each file is, what memory it needs, and whether it can run here.

    Nothing is loaded, and nothing is downloaded unless --fetch says so.
    """
    from rag.generation.models import examine_model, find_models, resolve_model
    from rag.generation.runtime_memory import free_memory

    named = places or [each for each in read_settings().models.split(os.pathsep) if each]
    if not named:
        raise ModelRefused("name a GGUF file or a folder of such, or set RAG_MODELS")
    pinned = [resolve_model(name, fetch=fetch) if _is_pinned(name) else name for name in named]
    free = free_memory()
    found = [
        examine_model(path, context_tokens=context_tokens, requests=requests, free=free)
        for path in find_models(pinned)
    ]
    if as_json:
        print_json({"free_bytes": free, "models": [_as_json(each, digest) for each in found]})
    else:
        for each in found:
            _print(each, digest)
        if not found:
            screen().line("no GGUF files there")
    if any(each.reason for each in found):
        raise typer.Exit(FAILED_INPUTS)


def _is_pinned(name: str) -> bool:
    return name.startswith("hf:") or "@sha256:" in name


def _as_json(each: Examined, digest: bool) -> dict[str, object]:
    about: dict[str, object] = {"path": str(each.path), "ok": not each.reason, "reason": each.reason}
    if each.file is None or each.needs is None:
        return about
    file, needs = each.file, each.needs
    return about | {
        "name": file.name,
        "architecture": file.architecture,
        "parameters": file.parameters,
        "quantisation": file.quantisation,
        "bytes": file.bytes,
        "sha256": file.digest if digest else None,
        "layers": file.layers,
        "heads": file.heads,
        "vocabulary": len(file.tokens),
        "special_tokens": len(file.special_tokens),
        "template": each.family,
        "trained_tokens": file.context_tokens,
        "context_tokens": each.context_tokens,
        "runtime": each.runtime,
        "needs_bytes": {
            "weights": needs.weights,
            "context": needs.context,
            "compute": needs.compute,
            "total": needs.total,
        },
    }


def _print(each: Examined, digest: bool) -> None:
    from rag.api.show import near, plain
    from rag.generation.runtime_memory import size

    out = screen()
    out.verdict(not each.reason, near(str(each.path)), plain(each.reason))
    if each.file is None or each.needs is None:
        return
    file, needs = each.file, each.needs
    out.line(
        f"     {plain(file.name)}: {file.architecture}, {file.parameters / 1e6:,.0f} M weights, "
        f"{file.quantisation}, {len(file.tokens):,} tokens, template {each.family}"
    )
    out.line(
        f"     needs {size(needs.total)} with {each.context_tokens:,} of {file.context_tokens:,} tokens "
        f"({size(needs.weights)} weights, {size(needs.context)} context), run by {each.runtime}"
    )
    if digest:
        out.line(f"     sha256:{file.digest}")
