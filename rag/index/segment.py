"""A segment: an immutable folder of arrays that holds the vectors and postings of some rows.

A row is a chunk. Rows are in the order of their chunk ids, so that within a
segment a tie by row is a tie by chunk id. `documents` names each row's document
by its number in the store; rows of one document stand together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.errors import IndexCorrupt
from rag.index.bm25 import Postings
from rag.index.files import FileSeal, check, flush_file, flush_folder, read_array, seal, write_array
from rag.index.vectors import read_graph, write_graph
from rag.types import Vectors

GRAPH = "graph.faiss"


@dataclass(frozen=True, slots=True)
class Columns:
    """What a segment holds of each of its n rows."""

    documents: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int32]
    vectors: Vectors
    postings: Postings

    def __len__(self) -> int:
        return len(self.documents)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """The arrays by the name of their file."""
        plain = {name: getattr(self, name) for name in ("documents", "lengths", "vectors")}
        return plain | {f"postings_{f.name}": getattr(self.postings, f.name) for f in fields(self.postings)}


@dataclass(frozen=True, slots=True)
class GraphPlan:
    """How the HNSW graph of a segment is built: m neighbours a node, ef_construction candidates."""

    m: int
    ef_construction: int


@dataclass(frozen=True, slots=True)
class Segment:
    """An open segment: its columns, mapped from disk, and its graph where it has one."""

    id: int
    rows: Columns
    graph: Any | None


def write_segment(folder: Path, rows: Columns, graph: GraphPlan | None) -> dict[str, FileSeal]:
    """Write `rows` to the new `folder`, flushed to the device, and return the seal of each file."""
    folder.mkdir(parents=True)
    for name, array in rows.arrays().items():
        write_array(folder / f"{name}.npy", array)
    if graph is not None:
        write_graph(folder / GRAPH, rows.vectors, graph.m, graph.ef_construction)
        flush_file(folder / GRAPH)
    flush_folder(folder)
    flush_folder(folder.parent)
    flush_folder(folder.parent.parent)
    return {path.name: seal(path) for path in sorted(folder.iterdir())}


def open_segment(folder: Path, number: int, seals: Mapping[str, FileSeal]) -> Segment:
    """Open a segment after every byte of it was checked.

    Raises:
        IndexCorrupt: a file is missing or differs from what was written.
    """
    for name, wanted in seals.items():
        check(folder / name, wanted)
    rows = _read_rows(folder)
    graph = read_graph(folder / GRAPH, rows.vectors) if GRAPH in seals else None
    return Segment(number, rows, graph)


def _read_rows(folder: Path) -> Columns:
    def read(name: str) -> Any:
        return read_array(folder / f"{name}.npy")

    rows = Columns(
        documents=read("documents"),
        lengths=read("lengths"),
        vectors=read("vectors"),
        postings=Postings(**{f.name: read(f"postings_{f.name}") for f in fields(Postings)}),
    )
    if not len(rows.documents) == len(rows.lengths) == len(rows.vectors):
        raise IndexCorrupt(f"{folder} holds arrays of different lengths; restore the index, or add again")
    return rows
