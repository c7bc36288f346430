"""Whether an index holds together: what `open` does not look at, because it would take long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import numpy as np

from rag.errors import RagError
from rag.index.database import NAME, explained, query
from rag.index.documents import read_text
from rag.index.view import open_segment


def find_problems(connection: apsw.Connection, folder: Path) -> Iterator[str]:
    """Say what is wrong with the last commit, nothing where all is well.

    Every byte of every segment is compared with its seal, and every page, row and
    text of the database is read. Nothing is changed.
    """
    try:
        with explained(folder / NAME):
            for (line,) in query(connection, "PRAGMA integrity_check(5)"):
                if line != "ok":
                    yield f"{NAME}: {line}"
            for (number,) in query(connection, "SELECT id FROM segments ORDER BY id"):
                yield from find_segment_problems(connection, folder, number)
            yield from _lost_passages(connection)
            yield from _document_problems(connection)
    except RagError as error:
        yield str(error)


def find_segment_problems(connection: apsw.Connection, folder: Path, number: int) -> Iterator[str]:
    """Say what is wrong with one segment."""
    generations = query(connection, "SELECT generation FROM vectors WHERE segment = ?", (number,))
    if not generations:
        yield f"segment {number} has no vectors"
    for (generation,) in generations:
        try:
            segment = open_segment(connection, folder, number, generation)
            segment.check()
        except RagError as error:
            yield str(error)
            continue
        dead = query(connection, "SELECT document FROM tombstones WHERE segment = ?", (number,))
        alive = np.flatnonzero(~np.isin(segment.documents, [each for (each,) in dead])).tolist()
        held = query(connection, "SELECT row, document FROM chunks WHERE segment = ? ORDER BY row", (number,))
        if [row for row, _ in held] != alive or any(segment.documents[row] != owner for row, owner in held):
            yield f"segment {number} has {len(alive)} rows that are not those of its {len(held)} passages"
        if len(segment.vectors) != len(segment):
            yield f"segment {number} has {len(segment.vectors)} vectors of generation {generation}"


def _lost_passages(connection: apsw.Connection) -> Iterator[str]:
    lost = "SELECT count(*) FROM chunks WHERE segment NOT IN (SELECT id FROM segments)"
    for (count,) in query(connection, lost):
        if count:
            yield f"{count} passages are of a segment that is gone"


def _document_problems(connection: apsw.Connection) -> Iterator[str]:
    ends = "SELECT max(end) FROM chunks WHERE document = d.number"
    counted = "SELECT count(*) FROM chunks WHERE document = d.number"
    documents = f"SELECT number, id, chunks, ({counted}), ({ends}) FROM documents d"
    for number, document_id, wanted, held, end in query(connection, documents):
        if wanted != held:
            yield f"document {document_id} has {held} of its {wanted} passages"
        try:
            if len(read_text(connection, number)) < (end or 0):
                yield f"document {document_id} is shorter than its last passage"
        except RagError as error:
            yield f"document {document_id}: {error}"
