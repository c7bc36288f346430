"""Which encoder: the one handed in, the one named, or the best that is installed. No hub is asked."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

from rag.errors import EncoderNotFound
from rag.index.encoder_folder import HOW_TO_INSTALL, MINILM, bundled_folder, is_minilm
from rag.index.encoder_minilm import MiniLMEncoder
from rag.index.encoder_torch import SentenceTransformerEncoder
from rag.protocols import Encoder


def resolve_encoder(
    name: str | Path | Encoder | None = None, *, threads: int | None = None, device: str | None = None
) -> Encoder:
    """Return the encoder of that name, or the default one.

    An Encoder is returned as it is. A local folder is run without torch where it has the shape of
    MiniLM-L6, else by sentence-transformers. `all-MiniLM-L6-v2` is the installed package. Any other
    name goes to sentence-transformers, which may ask a hub for it. None is all-MiniLM-L6-v2: on a GPU
    where there is one and torch can use it, else on the CPU. A `device` that is not `cpu` also asks
    for sentence-transformers.

    Args:
        name: An encoder, a local folder, a model's name, or None.
        threads: How many cores the CPU encoder uses; all where None.
        device: `cpu`, `cuda`, `cuda:1`, ...; None chooses.

    Raises:
        EncoderNotFound: The package, the folder or the model is not there.
        MissingExtra: sentence-transformers is needed and not installed.
    """
    if name is None:
        device = device or ("cuda" if _cuda_is_usable() else "cpu")
        return _from_folder(bundled_folder(), threads, device)
    if not isinstance(name, str | Path):
        return name
    if str(name).removeprefix("sentence-transformers/") == MINILM and not Path(name).is_dir():
        return _from_folder(bundled_folder(), threads, device)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _from_folder(folder, threads, device)
    if isinstance(name, Path) or name.startswith((".", "/", "~")):
        raise EncoderNotFound(f"no folder at {name}; for the default encoder: {HOW_TO_INSTALL}")
    return SentenceTransformerEncoder(name, device=device)


def _from_folder(folder: Path, threads: int | None, device: str | None) -> Encoder:
    if device in (None, "cpu") and is_minilm(folder):
        return MiniLMEncoder(folder, threads=threads)
    return SentenceTransformerEncoder(folder, device=device)


def _cuda_is_usable() -> bool:
    # Importing torch takes seconds: look first whether there is anything to look for.
    if not (Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi")):
        return False
    if find_spec("torch") is None or find_spec("sentence_transformers") is None:
        return False
    import torch

    return torch.cuda.is_available()
