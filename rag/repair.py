"""A damaged index made whole again from what of it is left.

The texts and their passages in the database are the truth. Postings are counted from them again,
vectors embedded, and what searches vectors is built. A document whose own text is damaged is lost,
and named; adding its file again brings it back.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from rag.errors import IndexNotFound
from rag.index.analyzer import analyzer
from rag.index.check import find_segment_problems
from rag.index.database import NAME, query
from rag.index.desk import write_lock
from rag.index.files import HEAD
from rag.index.salvage import mend_database
from rag.index.store import EMBEDDED_AT_ONCE, Store
from rag.protocols import Encoder
from rag.reembed import above, embed_passages


def repair(folder: Path, encoder: Callable[[], Encoder]) -> list[str]:
    """Mend the index in `folder`; say line by line what was done and what is lost, nothing where all is well.

    Every byte of it is read. `encoder` is asked for where passages have lost their vectors.

    Raises:
        IndexNotFound: there is no index.
        IndexLocked: another process is writing.
        IndexCorrupt: too little is left to go on from; a backup is needed.
        EncoderMismatch: the encoder is not the index's.
    """
    if not any((folder / name).exists() for name in (NAME, HEAD, "segments")):
        raise IndexNotFound(f"no index in {folder}")
    with write_lock(folder):
        said = mend_database(folder)
    store = Store(folder, create=False)
    try:
        said += _mend_segments(store, encoder)
        return said + [f"not mended: {problem}" for problem in store.problems()]
    finally:
        store.close()


def _mend_segments(store: Store, encoder: Callable[[], Encoder]) -> list[str]:
    said, analyze = [], analyzer(store.settings.language)
    with store.writer() as writer:
        connection = writer.desk.connection
        for number in writer.segments.numbers():
            problems = list(find_segment_problems(connection, store.folder, number))
            if not problems:
                continue
            store.check_encoder(encoder().fingerprint)
            rows = query(
                connection, "SELECT segment, row FROM chunks WHERE segment = ? ORDER BY row", (number,)
            )
            passages = writer.generations.passages(rows)
            size = store.settings.size_tokens
            terms = [
                (analyze.positions(above(each, encoder(), size)), analyze.positions(each.chunk.text))
                for each in passages
            ]
            writer.segments.rebuild(number, terms)
            said += [f"{problem.split(';')[0]}: its segment is built anew" for problem in problems]
    return said + _embed_lost(store, encoder)


def _embed_lost(store: Store, encoder: Callable[[], Encoder]) -> list[str]:
    """Give the passages that have lost their vectors new ones."""
    embedded = 0
    while True:
        with store.writer() as writer:
            generation = writer.generations.searched()
            passages = writer.generations.unembedded(generation, EMBEDDED_AT_ONCE) if generation else []
            if not passages:
                return [f"{embedded} passages are embedded anew"] if embedded else []
            vectors = embed_passages(
                passages, encoder(), store.settings.size_tokens, 0, len(passages), _silent
            )
            rows = np.array([passage.row for passage in passages], np.int32)
            writer.generations.put(passages[0].segment, generation, rows, vectors)
            embedded += len(passages)


def _silent(stage: str, done: int, total: int) -> None:
    pass
