"""Whether an index holds together: what `open` does not look at, because it would take long."""

from __future__ import annotations

import zlib

import numpy as np

from rag.errors import IndexCorrupt
from rag.index.documents import read_text
from rag.index.view import View


def find_problems(view: View) -> list[str]:
    """Return what is wrong with the commit that `view` shows, nothing where all is well.

    The bytes of every segment were compared with their seals when the view was opened. This reads the
    database and every text, and changes nothing.
    """
    connection, snapshot = view._connection, view.snapshot
    problems = [
        f"the database: {line}" for (line,) in connection.execute("PRAGMA integrity_check(5)") if line != "ok"
    ]
    counts = dict(connection.execute("SELECT segment, count(*) FROM chunks GROUP BY segment"))
    for segment, live in zip(snapshot.segments, snapshot.live, strict=True):
        rows = len(segment.rows) if live is None else int(np.count_nonzero(live))
        chunks = counts.pop(segment.id, 0)
        if rows != chunks:
            problems.append(f"segment {segment.id} has {rows} vectors and {chunks} passages")
    problems += [
        f"{count} passages are of segment {number}, which is gone" for number, count in counts.items()
    ]
    ends = "SELECT max(end) FROM chunks WHERE document = d.number"
    counted = "SELECT count(*) FROM chunks WHERE document = d.number"
    documents = f"SELECT number, id, chunks, ({counted}), ({ends}) FROM documents d"
    for number, document_id, wanted, found, end in connection.execute(documents).fetchall():
        if wanted != found:
            problems.append(f"document {document_id} has {found} of its {wanted} passages")
        try:
            if len(read_text(connection, number)) < (end or 0):
                problems.append(f"document {document_id} is shorter than its last passage")
        except (zlib.error, UnicodeDecodeError, IndexCorrupt) as error:
            problems.append(f"the text of document {document_id} cannot be read ({error})")
    return problems
