"""Any sentence-transformers model by torch: the way to a GPU, and to models of other shapes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rag.errors import EncoderNotFound, MissingExtra
from rag.index import encoder_folder
from rag.types import Fingerprint, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class SentenceTransformerEncoder:
    """Encodes by sentence-transformers, in half precision on a CUDA device and float32 elsewhere.

    It is an `Encoder` and a `Tokenizer`. A model with prompts gets its own for questions and for
    texts. The model is loaded here and not later, so that a wrong name fails at once. A folder that
    the default encoder could run has the same fingerprint here: their vectors are comparable.

    Args:
        name_or_path: A local folder, or the name of a model that is in the hub's cache or on the hub.
        device: `cpu`, `cuda`, `cuda:1`, `mps`; None lets torch choose.
        batch_size: How many texts the device computes at a time.

    Raises:
        MissingExtra: sentence-transformers is not installed.
        EncoderNotFound: There is no such model, here or on a hub that can be reached.
    """

    def __init__(
        self, name_or_path: str | Path, device: str | None = None, *, batch_size: int | None = None
    ) -> None:
        self._name = str(name_or_path)
        self._model = _load(self._name, device)
        self._lock = threading.Lock()
        self._fingerprint = _fingerprint(self._model, self._name)
        on_cuda = self._model.device.type == "cuda"
        self._batch_size = batch_size or (256 if on_cuda else 16)
        if on_cuda:
            import torch

            # Every CUDA device multiplies float16 fast; only those since Ampere do bfloat16.
            self._model.to(torch.bfloat16 if torch.cuda.is_bf16_supported(False) else torch.float16)

    @property
    def fingerprint(self) -> Fingerprint:
        """The model's name, the hash of its weights, how it pools, and its prompts."""
        return self._fingerprint

    @cached_property
    def max_tokens(self) -> int:
        """How many tokens of a text it sees, special ones and the prompt not counted."""
        tokenizer = self._model.tokenizer
        limit = self._model.max_seq_length or tokenizer.model_max_length
        prompts = [words or "" for words in self._model.prompts.values()]
        return int(limit) - len(tokenizer(max(prompts, key=len, default=""))["input_ids"])

    def encode(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """Encode texts as float32 (n, dimension) of unit length, in the order of `texts`.

        With `query` they get the model's prompt for questions, else that for documents.
        """
        if not texts:
            return np.empty((0, self._fingerprint.dimension), dtype=np.float32)
        encode = self._model.encode_query if query else self._model.encode_document
        with self._lock:
            tensor = encode(
                list(texts), batch_size=self._batch_size, convert_to_tensor=True, show_progress_bar=False
            )
        # Half precision leaves lengths up to 0.4 % away from 1: normalise in float32.
        vectors: Vectors = tensor.float().cpu().numpy()
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(lengths, np.float32(1e-12)), dtype=np.float32)

    def token_offsets(self, text: str) -> npt.NDArray[np.int32]:
        """Return the character range of each token of `text`, none special or cut off: int32 (m, 2)."""
        encoding = self._model.tokenizer(
            text, add_special_tokens=False, truncation=False, return_offsets_mapping=True, verbose=False
        )
        return np.asarray(encoding["offset_mapping"], dtype=np.int32).reshape(-1, 2)


def _load(name: str, device: str | None) -> SentenceTransformer:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise MissingExtra(
            f"the encoder {name} needs sentence-transformers: pip install sentence-transformers"
        ) from error
    try:
        with no_progress_bar():
            return SentenceTransformer(name, device=device)
    except (OSError, ValueError) as error:
        raise EncoderNotFound(
            f"no encoder {name}: not a folder of a model, and no hub gave it ({error}); "
            f"for the default encoder: {encoder_folder.HOW_TO_INSTALL}"
        ) from error


@contextmanager
def no_progress_bar() -> Iterator[None]:
    """Keep transformers from drawing a bar on standard error while it loads a model."""
    import transformers

    logging: Any = transformers.utils.logging
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _fingerprint(model: SentenceTransformer, name: str) -> Fingerprint:
    folder = Path(name)
    if folder.is_dir() and encoder_folder.is_minilm(folder):
        return encoder_folder.fingerprint(folder)
    prompts = {kind: words for kind, words in sorted(model.prompts.items()) if words}
    return Fingerprint(
        name=folder.name if folder.is_dir() else name,
        revision=model_digest(model),
        dimension=int(model.get_embedding_dimension() or 0),
        pooling=_pooling(model),
        prompt=" | ".join(f"{kind}: {words}" for kind, words in prompts.items()),
    )


def model_digest(model: Any) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a model's weights and tokenizer, as loaded.

    What turns its output into scores, where it has that, is part of it by its name.
    """
    total = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        total.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
        total.update(tensor.detach().cpu().contiguous().flatten().view(_bytes_type()).numpy().data)
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    total.update(backend.to_str().encode() if backend is not None else b"")
    activation = getattr(model, "activation_fn", None)
    total.update(repr(activation).encode() if activation is not None else b"")
    return total.hexdigest()[:16]


def _bytes_type() -> Any:
    import torch

    return torch.uint8


def _pooling(model: SentenceTransformer) -> str:
    modes = (getattr(module, "pooling_mode", None) for module in model)
    return next((str(mode) for mode in modes if mode), "none")
