"""Another encoder for an index: its vectors grow beside the old ones, which serve until all are there.

Adding, deleting and searching go on meanwhile. What is embedded is committed part by
part, so a run that was killed goes on where it was. The old vectors are kept, so that
going back costs nothing; those of passages added since are all that is embedded then.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rag.errors import InputError
from rag.index.documents import Passage
from rag.index.quality import first_sentences
from rag.index.storage import Storage
from rag.index.store import Store
from rag.index.vectors import exact_nearest
from rag.index.writer import Writer
from rag.intake import EMBED_AT_ONCE, Progress
from rag.passages import embedded_text, fit_above, headings, vectors_of
from rag.protocols import Encoder, Tokenizer
from rag.types import Vectors

SAMPLED = 200
DEPTH = 10


@dataclass(frozen=True, slots=True)
class Reembedded:
    """What a change of encoder did.

    `recall_before` and `recall_after` are the shares of sampled passages that are among the ten
    nearest to their own first sentence, with the old encoder and the new; `overlap` is how much of
    the ten the two have in common. They are None where that was not compared: there was no other
    encoder, or the index is on a server.
    """

    chunks: int
    chunks_embedded: int
    sampled: int
    recall_before: float | None
    recall_after: float | None
    overlap: float | None
    seconds: float


def reembed(store: Storage, old: Encoder | None, new: Encoder, progress: Progress) -> Reembedded:
    """Give every passage a vector of `new`, compare, and search with it from then on.

    Raises:
        InputError: `new` sees fewer tokens than a chunk has.
        IndexLocked: another process is writing.
    """
    size = store.settings.size_tokens
    if isinstance(new, Tokenizer) and new.max_tokens < size:
        raise InputError(
            f"chunks have up to {size} tokens and {new.fingerprint.name} sees {new.max_tokens}; "
            "add the documents to a new index with smaller chunks"
        )
    started, embedded = time.perf_counter(), 0
    total = store.stats().chunks
    compared = _Compared()

    def embed(passages: Sequence[Passage]) -> Vectors:
        nonlocal embedded
        vectors = embed_passages(passages, new, size, embedded, total, progress)
        embedded += len(passages)
        return vectors

    if isinstance(store, Store):
        folder = store

        def compare(generation: int) -> None:
            nonlocal compared
            compared = _compare(folder, generation, old, new)

        folder.change_encoder(new.fingerprint, embed, compare)
    else:
        store.change_encoder(new.fingerprint, embed)
    seconds = time.perf_counter() - started
    return Reembedded(
        total, embedded, compared.sampled, compared.before, compared.after, compared.overlap, seconds
    )


def above(passage: Passage, encoder: Encoder, size_tokens: int) -> str:
    """What of a passage's headings is indexed above it."""
    return fit_above(headings(passage.source, passage.title, passage.chunk), encoder, size_tokens)


def embed_passages(
    passages: Sequence[Passage], encoder: Encoder, size: int, before: int, total: int, progress: Progress
) -> Vectors:
    """The vectors of passages, each with as much of its headings as the encoder has room for."""
    texts = [embedded_text(above(each, encoder, size), each.chunk) for each in passages]
    parts = []
    for at in range(0, len(texts), EMBED_AT_ONCE):
        progress("embed", before + at, total)
        parts.append(vectors_of(encoder, texts[at : at + EMBED_AT_ONCE]))
    progress("embed", before + len(texts), total)
    return np.concatenate(parts)


@dataclass(frozen=True, slots=True)
class _Compared:
    sampled: int = 0
    before: float | None = None
    after: float | None = None
    overlap: float | None = None


def _compare(store: Store, generation: int, old: Encoder | None, new: Encoder) -> _Compared:
    """Ask for sampled passages by their own first sentence, by both encoders, with exact search."""
    with store.writer() as writer:
        sampled = writer.generations.sample(SAMPLED)
        queries = first_sentences([passage.chunk.text for passage in sampled])
        if not queries:
            return _Compared()
        wanted = [(passage.segment, passage.row) for passage in sampled]
        after = _nearest(writer, generation, new, queries)
        if old is None or old.fingerprint == new.fingerprint:
            return _Compared(len(queries), None, _share(wanted, after), None)
        before = _nearest(writer, writer.generations.of(old.fingerprint), old, queries)
    common = [len(set(one) & set(two)) / max(1, len(one)) for one, two in zip(before, after, strict=True)]
    return _Compared(len(queries), _share(wanted, before), _share(wanted, after), float(np.mean(common)))


def _share(wanted: Sequence[tuple[int, int]], found: Sequence[Sequence[tuple[int, int]]]) -> float:
    return sum(place in places for place, places in zip(wanted, found, strict=True)) / len(wanted)


def _nearest(
    writer: Writer, generation: int, encoder: Encoder, queries: Sequence[str]
) -> list[list[tuple[int, int]]]:
    """The places, as segment and row, of the passages nearest to each query."""
    vectors = encoder.encode(queries, query=True)
    best: list[list[tuple[float, int, int]]] = [[] for _ in queries]
    for segment in writer.segments.numbers():
        so_far = writer.segments.vectors(segment, generation)
        if so_far is None:
            continue
        for at, vector in enumerate(vectors):
            ranking = exact_nearest(so_far, vector, DEPTH, None)
            best[at] += [
                (-score, segment, row)
                for row, score in zip(ranking.rows.tolist(), ranking.scores.tolist(), strict=True)
            ]
    return [[(segment, row) for _, segment, row in sorted(each)[:DEPTH]] for each in best]
