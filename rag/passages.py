"""Document -> passages as they are indexed: cut, put below their headings, and encoded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

import numpy as np

from rag.errors import InputError
from rag.ingestion.chunk import RecursiveChunker, word_offsets
from rag.protocols import Chunker, Encoder, Tokenizer
from rag.types import Chunk, Document, Settings, Vectors


def default_chunker(encoder: Encoder, settings: Settings) -> Chunker:
    """Cut recursively, in the encoder's tokens, or in words where it has none.

    Raises:
        InputError: Chunks would be longer than what the encoder sees.
    """
    offsets = encoder.token_offsets if isinstance(encoder, Tokenizer) else word_offsets
    if isinstance(encoder, Tokenizer) and settings.size_tokens > encoder.max_tokens:
        raise InputError(
            f"chunks of {settings.size_tokens} tokens are more than the {encoder.max_tokens} that "
            f"{encoder.fingerprint.name} sees; make the index with a smaller size_tokens"
        )
    return RecursiveChunker(settings.size_tokens, settings.overlap_tokens, offsets)


def cut(document: Document, chunker: Chunker) -> tuple[Chunk, ...]:
    """The chunks of a document, each seen to be what its span says, whoever cut it."""
    chunks = tuple(chunker(document))
    for chunk in chunks:
        inside = chunk.document_id == document.id and chunk.end <= len(document.text)
        if not inside or document.text[chunk.start : chunk.end] != chunk.text:
            raise InputError(f"the chunk {chunk.id} is not the text of its span; mend the chunker")
    if len({chunk.span for chunk in chunks}) < len(chunks):
        raise InputError("the chunker gave one chunk twice; mend the chunker")
    held_to = 0
    for start, end in [*sorted((chunk.start, chunk.end) for chunk in chunks), (len(document.text),) * 2]:
        if document.text[held_to:start].strip():
            raise InputError(f"no chunk holds what stands at character {held_to}; mend the chunker")
        held_to = max(held_to, end)
    return chunks


def headings(source: str, title: str, chunk: Chunk) -> str:
    """What stands above a chunk where it is indexed: its file's name, its title and its section."""
    section = "" if chunk.section == title else chunk.section.removeprefix(f"{title} > ")
    return "\n".join(part for part in (file_words(source), title, section) if part)


def fit_above(headings: str, encoder: Encoder, size_tokens: int) -> str:
    """As much of a chunk's headings as the encoder sees together with a chunk of full size."""
    if not isinstance(encoder, Tokenizer):
        return headings
    room = encoder.max_tokens - size_tokens
    offsets = encoder.token_offsets(headings)
    return headings if len(offsets) <= room else headings[: offsets[room - 1][1] if room > 0 else 0]


def embedded_text(above: str, chunk: Chunk) -> str:
    """What is encoded of a chunk: what stands above it, and its text."""
    return f"{above}\n{chunk.text}".lstrip()


def file_words(source: str) -> str:
    """The words of a file's name, which often say what nothing inside it does; `""` of other sources."""
    path = PurePath(source)
    return re.sub(r"[\W_]+", " ", path.stem).strip() if path.suffix else ""


def vectors_of(encoder: Encoder, texts: Sequence[str]) -> Vectors:
    """The vectors of texts, seen to be what the encoder's fingerprint says."""
    vectors = np.asarray(encoder.encode(texts), np.float32)
    wanted = (len(texts), encoder.fingerprint.dimension)
    if vectors.shape != wanted or not np.isfinite(vectors).all():
        raise InputError(
            f"the encoder {encoder.fingerprint.name} gave an array of shape {vectors.shape} where finite "
            f"vectors of shape {wanted} were due; mend the encoder"
        )
    return vectors
