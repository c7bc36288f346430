"""Models by name: files in a folder, or on a hub with the digest that they must have."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.errors import MissingExtra, ModelRefused
from rag.generation.gguf import ModelFile, read_gguf
from rag.generation.runtime_memory import Needs, check_memory, needs_of
from rag.generation.template import recognise

LONGEST_CONTEXT = 8192
"""How many tokens a model is opened with, where it was trained for more and nobody says."""

_PINNED = re.compile(r"(?P<place>.+)@sha256:(?P<digest>[0-9a-fA-F]{64})\Z", re.DOTALL)
_ON_HUB = re.compile(r"hf:(?P<repository>[\w.-]+/[\w.-]+)/(?P<file>[\w./-]+\.gguf)\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Examined:
    """A file that was looked at: what it is, or in `reason` why it is not run here."""

    path: Path
    file: ModelFile | None
    needs: Needs | None = None
    family: str = ""
    runtime: str = ""
    context_tokens: int = 0
    reason: str = ""


def find_models(places: Sequence[str | Path]) -> list[Path]:
    """The GGUF files among `places` and in the folders among them, sorted.

    Raises:
        ModelRefused: One of the places is not there.
    """
    found: set[Path] = set()
    for place in map(Path, places):
        if place.is_dir():
            found.update(path for path in place.rglob("*") if path.suffix.lower() == ".gguf")
        elif place.exists():
            found.add(place)
        else:
            raise ModelRefused(f"{place} is not there; name a GGUF file or a folder of such")
    return sorted(found)


def examine_model(
    path: Path, *, context_tokens: int | None = None, requests: int = 1, free: int | None = None
) -> Examined:
    """Look at a file without loading it. What would be refused is told and not raised."""
    from rag.generation.runtime import choose_runtime

    try:
        file = read_gguf(path)
    except ModelRefused as refused:
        return Examined(path, None, reason=str(refused))
    length = min(file.context_tokens, context_tokens or LONGEST_CONTEXT)
    family = recognise(file.text("tokenizer.chat_template"), file.special_tokens, file.architecture)
    reason, runtime = "", choose_runtime(file, "auto", 0, length, requests)
    try:
        check_memory(file, length, requests, runtime, free)
    except ModelRefused as refused:
        reason = str(refused)
    needs = needs_of(file, length, requests, runtime)
    return Examined(path, file, needs, family.name, runtime, length, reason)


def resolve_model(name: str | Path, *, fetch: bool = False) -> Path:
    """The file that a name stands for, its digest compared where the name has one.

    Args:
        name: A path, `PATH@sha256:DIGEST`, or `hf:OWNER/REPOSITORY/FILE.gguf@sha256:DIGEST`.
        fetch: Whether a file of a hub that is not here may be downloaded.

    Raises:
        ModelRefused: The file is not here, cannot be had, or is another one than the name says.
        MissingExtra: A file of a hub needs huggingface_hub.
    """
    pinned = _PINNED.match(str(name))
    place = pinned["place"] if pinned else str(name)
    if place.startswith("hf:"):
        if not pinned:
            raise ModelRefused(
                f"{name}: a file of a hub needs its digest, so that it is the same one every time: append "
                "@sha256: and the SHA-256 that the hub shows beside the file"
            )
        path = _from_hub(place, str(name), fetch)
    else:
        path = Path(place)
    if pinned and read_gguf(path).digest != pinned["digest"].lower():
        raise ModelRefused(
            f"{path.name} has the SHA-256 {read_gguf(path).digest}, not the one that was named: it was "
            "changed or damaged, or is another file; delete it and fetch it again"
        )
    return path


def _from_hub(place: str, name: str, fetch: bool) -> Path:
    """The file of a hub, from what was downloaded before, or with `fetch` from the hub itself."""
    named = _ON_HUB.match(place)
    if not named or ".." in named["file"]:
        raise ModelRefused(f"{place} does not read hf:OWNER/REPOSITORY/FILE.gguf")
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise MissingExtra(
            "a model of a hub needs huggingface_hub: pip install huggingface_hub, or download the file"
        ) from error
    try:
        path = hf_hub_download(
            named["repository"],
            named["file"],
            local_files_only=not fetch,
            endpoint=os.environ.get("HF_ENDPOINT"),
            etag_timeout=10,
        )
    except Exception as error:
        # The hub's client fails in a dozen ways, some of them of the package that it sends with.
        told = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if fetch:
            raise ModelRefused(f"{place} cannot be had: {told}; download it and name its path") from error
        raise ModelRefused(f"{place} is not here; fetch it first: rag models --fetch {name}") from error
    return Path(path)
