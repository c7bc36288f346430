"""A segment: an immutable folder of arrays that holds the postings and vectors of some rows of one tenant.

A row is a chunk. Rows are in the order of their chunk ids, so that within a
segment a tie by row is a tie by chunk id. `documents` names each row's document
by its number in the store; rows of one document stand together. Beside the rows
stand the vectors of one encoder or of several, each a generation, and a
structure to search them faster, which can be made again from them.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.errors import IndexCorrupt
from rag.index.ann import Searcher, build, read
from rag.index.files import (
    MENDING,
    FileSeal,
    SealedFile,
    flush_file,
    flush_folder,
    make_folder,
    seal,
    write_array,
)
from rag.index.plan import Plan
from rag.index.postings import Postings
from rag.types import Vectors

Seals = Mapping[str, FileSeal]

VECTORS, ANN = "vectors-", "ann-"
"""How the names of these files begin; the rest is random."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What a segment holds of each of its n rows, but for their vectors.

    `lengths` and `title_lengths` are how many terms its text and the headings above it have.
    """

    documents: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int32]
    title_lengths: npt.NDArray[np.int32]
    postings: Postings

    def __len__(self) -> int:
        return len(self.documents)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """The arrays by the name of their file."""
        plain = {name: getattr(self, name) for name in ("documents", "lengths", "title_lengths")}
        return plain | {f"postings_{f.name}": getattr(self.postings, f.name) for f in fields(self.postings)}


class Segment:
    """An open segment. Its files are mapped at once, and each is checked when it is first used.

    `seals` are of all its files, the vectors' included; `plan` says how these are searched.

    Raises:
        IndexCorrupt: a file is missing or has another size; later, a byte of it differs.
    """

    def __init__(self, number: int, folder: Path, seals: Seals, plan: Plan):
        self.id = number
        self.plan = plan
        self.folder = folder
        self._files = {name: SealedFile(folder / name, wanted) for name, wanted in seals.items()}
        if not len(self.documents) == len(self.lengths) == len(self.title_lengths):
            raise IndexCorrupt(f"{folder} holds arrays of different lengths; {MENDING}")

    def __len__(self) -> int:
        return len(self.documents)

    def _array(self, name: str) -> Any:
        if name not in self._files:
            raise IndexCorrupt(f"{self.folder} lacks {name}; {MENDING}")
        return self._files[name].array

    @cached_property
    def documents(self) -> npt.NDArray[np.int64]:
        """The number of each row's document: int64 (n,)."""
        documents: npt.NDArray[np.int64] = self._array("documents.npy")
        return documents

    @cached_property
    def lengths(self) -> npt.NDArray[np.int32]:
        """How many terms each row's text has: int32 (n,)."""
        lengths: npt.NDArray[np.int32] = self._array("lengths.npy")
        return lengths

    @cached_property
    def title_lengths(self) -> npt.NDArray[np.int32]:
        """How many terms the headings above each row have: int32 (n,)."""
        lengths: npt.NDArray[np.int32] = self._array("title_lengths.npy")
        return lengths

    @cached_property
    def postings(self) -> Postings:
        """Which rows hold which term."""
        return Postings(**{f.name: self._array(f"postings_{f.name}.npy") for f in fields(Postings)})

    @cached_property
    def vectors(self) -> Vectors:
        """The vector of each row: float32 (n, dimension)."""
        vectors: Vectors = self._array(self._named(VECTORS) or VECTORS)
        if len(vectors) != len(self):
            raise IndexCorrupt(f"{self.folder} holds {len(vectors)} vectors of {len(self)} rows; {MENDING}")
        return vectors

    @cached_property
    def searcher(self) -> Searcher:
        """What finds the nearest of its vectors."""
        name = self._named(ANN)
        checked = self._files[name].data if name is not None else self.folder / ANN
        return read(checked, self.vectors, self.plan)

    def _named(self, kind: str) -> str | None:
        """The name of the file of that kind, None where there is none."""
        return next((name for name in self._files if name.startswith(kind)), None)

    def check(self) -> None:
        """Compare every byte with its seal.

        Raises:
            IndexCorrupt: one differs.
        """
        for file in self._files.values():
            file.data  # noqa: B018 - it is compared when it is asked for


def write_columns(folder: Path, rows: Columns) -> dict[str, FileSeal]:
    """Write `rows` to the new `folder`, flushed to the device, and return the seal of each file."""
    make_folder(folder)
    named = {f"{name}.npy": array for name, array in rows.arrays().items()}
    seals = {name: write_array(folder / name, array) for name, array in named.items()}
    flush_folder(folder)
    flush_folder(folder.parent)
    flush_folder(folder.parent.parent)
    return seals


def write_vectors(folder: Path, vectors: Vectors, plan: Plan) -> dict[str, FileSeal]:
    """Write the vectors of a generation beside a segment's rows, and return the seal of each file.

    The files have new names, so those that a commit names already stay as they are.
    """
    mark = uuid.uuid4().hex[:16]
    name = f"{VECTORS}{mark}.npy"
    seals = {name: write_array(folder / name, vectors)}
    name = f"{ANN}{mark}.faiss"
    if build(folder / name, vectors, plan):
        flush_file(folder / name)
        seals[name] = seal(folder / name)
    flush_folder(folder)
    return seals
