"""How documents come into a store and go out of it, each in one commit.

The segment is written first, flushed and sealed; then one SQLite transaction
names it, brings its documents and retires what they replace. Until that
transaction ends nothing has changed, and after it all has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rag.index.database import one, query, write_meta
from rag.index.desk import Desk
from rag.index.documents import (
    Fields,
    Held,
    Known,
    Prepared,
    insert_document,
    metadata_json,
    read_held,
    read_known,
    readers_json,
    release,
    remove_document,
    write_ledger,
)
from rag.index.generations import Generations
from rag.index.postings import count_terms
from rag.index.segment import Columns
from rag.index.segments import SegmentWriter, new_folder
from rag.types import Chunk, Fingerprint


class Writer:
    """The one who writes to a store, on behalf of one tenant. Each method is one commit, or none."""

    def __init__(self, desk: Desk, tenant: str):
        self.desk = desk
        self._tenant = tenant
        self.segments = SegmentWriter(desk)
        self.generations = Generations(desk, self.segments)

    def known(self, source: str) -> Known | None:
        """What became of a source the last time, None where it was never seen."""
        return read_known(self.desk.connection, self._tenant, source)

    def held(self, document_id: str) -> Held | None:
        """What the index holds of a document, None where it has none of that id."""
        return read_held(self.desk.connection, self._tenant, document_id)

    def sources(self) -> list[tuple[str, str | None]]:
        """Every source of the ledger, in order, with the id of the document that it stands for."""
        wanted = "SELECT source, document_id FROM ledger WHERE tenant = ? ORDER BY source"
        return query(self.desk.connection, wanted, (self._tenant,))

    def add(
        self,
        documents: Sequence[Prepared],
        known: Sequence[Known],
        changed: Mapping[str, Fields],
        fingerprint: Fingerprint | None,
    ) -> int:
        """Commit documents with what became of their sources, and return the commit's number.

        A document of the same id, and one that no source stands for any more, goes in
        the same commit. `changed` is what documents of the index get in the place of
        theirs, by id; `fingerprint` is that of the vectors, None where there are none.
        """
        (next_number,) = one(
            self.desk.connection, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'next_number'"
        )
        numbers = range(next_number, next_number + len(documents))
        rows = sorted(
            (
                (chunk.id, number, at)
                for number, each in zip(numbers, documents, strict=True)
                for at, chunk in enumerate(each.chunks)
            ),
        )
        by_number = dict(zip(numbers, documents, strict=True))
        name = new_folder()
        if rows:
            generation = self.generations.to_write(fingerprint)
            columns = self.segments.write_columns(name, _columns(rows, by_number))
            vectors = np.stack([by_number[number].vectors[at] for _, number, at in rows])
            sealed = self.segments.write_vectors(name, vectors)
        with self.desk.commit("add") as commit:
            segment = 0
            if rows:
                segment = self.segments.name(self._tenant, name, len(rows), columns)
                self.segments.name_vectors(segment, generation, sealed)
            for number, each in by_number.items():
                remove_document(self.desk.connection, self._tenant, each.document.id)
                insert_document(self.desk.connection, self._tenant, number, segment, each)
            self.desk.connection.executemany(
                "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (segment, row, number, *_place(by_number[number].chunks[at]), by_number[number].keys[at])
                    for row, (_, number, at) in enumerate(rows)
                ),
            )
            self.desk.connection.executemany(
                "UPDATE documents SET metadata = ?, readers = ? WHERE tenant = ? AND id = ?",
                [
                    (metadata_json(fields.metadata), readers_json(fields.readers), self._tenant, document_id)
                    for document_id, fields in changed.items()
                ],
            )
            write_ledger(self.desk.connection, self._tenant, known)
            write_meta(self.desk.connection, "next_number", str(numbers.stop))
            if self._tenant or any(
                fields.readers for fields in (*(each.fields for each in documents), *changed.values())
            ):
                write_meta(self.desk.connection, "rules", "1")
        return commit

    def delete(self, document_ids: Sequence[str]) -> int:
        """Commit the removal of documents and of their sources from the ledger."""
        with self.desk.commit("delete") as commit:
            for document_id in document_ids:
                remove_document(self.desk.connection, self._tenant, document_id)
                self.desk.connection.execute(
                    "DELETE FROM ledger WHERE tenant = ? AND document_id = ?", (self._tenant, document_id)
                )
        return commit

    def forget_sources(self, sources: Sequence[str], moved: Sequence[Known] = ()) -> int:
        """Commit the removal of sources, and of the documents that no other source stands for.

        What became of `moved` sources is written down in the same commit, so that a document
        whose only source is removed may stay under another.
        """
        with self.desk.commit("move" if moved else "delete") as commit:
            write_ledger(self.desk.connection, self._tenant, moved)
            for source in sources:
                known = read_known(self.desk.connection, self._tenant, source)
                self.desk.connection.execute(
                    "DELETE FROM ledger WHERE tenant = ? AND source = ?", (self._tenant, source)
                )
                if known is not None and known.entry.document_id:
                    release(self.desk.connection, self._tenant, known.entry.document_id)
        return commit

    def tidy(self) -> None:
        """Merge small segments where there are many."""
        self.segments.tidy()

    def compact(self) -> int:
        """Make one segment of each tenant's, and leave nothing of what was deleted in any file.

        Raises:
            IndexLocked: a reader holds an old commit open, which keeps its text alive.
        """
        return self.segments.compact()


def _place(chunk: Chunk) -> tuple[int, int, int | None, str, int | None]:
    return chunk.start, chunk.end, chunk.page, chunk.section, chunk.last_page


def _columns(rows: Sequence[tuple[str, int, int]], documents: Mapping[int, Prepared]) -> Columns:
    """The columns of new rows, each given as chunk id, document number and place among its chunks."""
    postings, lengths, title_lengths = count_terms(documents[number].terms[at] for _, number, at in rows)
    numbers = np.array([number for _, number, _ in rows], np.int64)
    return Columns(numbers, lengths, title_lengths, postings)
