"""`check_consistent`: everything a commit promises of its tables and segments, looked up row by row."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import apsw
import numpy as np

from rag.index.analyzer import english
from rag.index.database import connect
from rag.index.store import Store
from rag.index.view import View
from rag.types import Principal


def check_consistent(store: Store) -> None:
    """Raise AssertionError where documents, chunks, vectors, postings and ledger do not agree."""
    assert store.problems() == []
    connection = connect(store.folder / "index.db")
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        _check_tables(connection, store.folder)
        for tenant in store.tenants() or [""]:
            with store.view(Principal(tenant=tenant, operator=True)) as view:
                assert connection.execute("SELECT max(id) FROM commits").fetchone() == (view.commit,)
                _check_rows(connection, view)
    finally:
        connection.close()


def _check_tables(connection: apsw.Connection, folder: Path) -> None:
    numbers, segments = "(SELECT number FROM documents)", "(SELECT id FROM segments)"
    empty = {
        "chunk counts differ": "SELECT number FROM documents d WHERE chunks <> "
        "(SELECT count(*) FROM chunks c WHERE c.document = d.number)",
        "documents that no source stands for": "SELECT id FROM documents WHERE (tenant, id) NOT IN "
        "(SELECT tenant, document_id FROM ledger WHERE document_id IS NOT NULL)",
        "sources of no document": "SELECT source FROM ledger WHERE document_id IS NOT NULL "
        "AND (tenant, document_id) NOT IN (SELECT tenant, id FROM documents)",
        "documents shown under a source that has another": "SELECT d.id FROM documents d WHERE NOT EXISTS "
        "(SELECT 1 FROM ledger l WHERE l.tenant = d.tenant AND l.document_id = d.id AND l.source = d.source)",
        "a document in another tenant's segment": "SELECT d.id FROM documents d JOIN segments s "
        "ON s.id = d.segment WHERE s.tenant <> d.tenant",
        "vectors of no segment": f"SELECT segment FROM vectors WHERE segment NOT IN {segments}",
        "segments without the vectors that are searched": "SELECT id FROM segments WHERE id NOT IN "
        "(SELECT segment FROM vectors WHERE missing = 0 AND generation = "
        "(SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'serving'))",
        "chunks of no document": f"SELECT document FROM chunks WHERE document NOT IN {numbers}",
        "texts of no document": f"SELECT document FROM texts WHERE document NOT IN {numbers}",
        "chunks of no segment": f"SELECT segment FROM chunks WHERE segment NOT IN {segments}",
        "a document in two segments": "SELECT 1 FROM chunks c JOIN documents d ON d.number = c.document "
        "WHERE c.segment <> d.segment",
        "tombstones of the living": f"SELECT document FROM tombstones WHERE document IN {numbers}",
        "tombstones of no segment": f"SELECT segment FROM tombstones WHERE segment NOT IN {segments}",
    }
    for problem, query in empty.items():
        assert connection.execute(query).fetchall() == [], problem
    for (name,) in connection.execute("SELECT folder FROM segments"):
        assert (folder / name).is_dir(), name


def _check_rows(connection: apsw.Connection, view: View) -> None:
    text_of = {document.id: view.document(document.id) for document in view.documents()}
    live_rows = 0
    for segment, live in zip(view.snapshot.segments, view.snapshot.live, strict=True):
        columns = segment
        n = len(columns)
        alive = np.ones(n, bool) if live is None else live
        assert len(columns.lengths) == len(columns.title_lengths) == len(columns.vectors) == n
        terms_of = _terms_by_row(segment)
        ids = []
        stored = connection.execute(
            "SELECT c.row, c.document, d.id, c.start, c.end, c.section FROM chunks c "
            "JOIN documents d ON d.number = c.document WHERE c.segment = ? ORDER BY c.row",
            (segment.id,),
        ).fetchall()
        assert [row for row, *_ in stored] == np.flatnonzero(alive).tolist()
        for row, number, document_id, start, end, _ in stored:
            assert columns.documents[row] == number
            document = text_of[document_id]
            assert 0 <= start < end <= len(document.text)
            ids.append(f"{document_id}:{start}-{end}")
        assert ids == sorted(ids)
        rows = np.flatnonzero(alive) + view.snapshot.bases[view.snapshot.segments.index(segment)]
        for row, hit in zip(np.flatnonzero(alive), _hits(view, rows), strict=True):
            document = text_of[hit.chunk.document_id]
            assert hit.chunk.text == document.text[hit.chunk.start : hit.chunk.end]
            # Above the text stand a name and headings; the name may be the one that it was found under first.
            assert Counter(english(hit.chunk.text)) <= Counter(terms_of[row])
            assert columns.lengths[row] + columns.title_lengths[row] == len(terms_of[row])
            assert abs(float(np.linalg.norm(columns.vectors[row])) - 1) < 1e-3
        live_rows += len(stored)
    assert live_rows == view.snapshot.rows_live


def _terms_by_row(segment: object) -> list[list[str]]:
    postings = segment.postings
    terms: list[list[str]] = [[] for _ in range(len(segment))]
    names = [postings.term(at) for at in range(len(postings))]
    assert names == sorted(set(names))
    for at, name in enumerate(names):
        part = slice(int(postings.starts[at]), int(postings.starts[at + 1]))
        rows, counts = postings.rows[part], postings.counts[part] + postings.title_counts[part]
        assert len(rows) and (np.diff(rows) > 0).all() and (counts > 0).all()
        assert rows[0] >= 0 and rows[-1] < len(terms)
        for row, count in zip(rows.tolist(), counts.tolist(), strict=True):
            terms[row] += [name.decode()] * count
    return terms


def _hits(view: View, rows: np.ndarray) -> list:
    from rag.types import Ranking

    return view.hits(Ranking(rows.astype(np.int32), np.zeros(len(rows), np.float32)))
