"""What a graph or a scan compares in place of the vectors: bytes, float16, or the mapped float32 themselves.

Bytes are compared by L2 in whole numbers, which orders vectors of unit length as their inner
product does. One scale serves all components, so that equal steps are equal distances; FAISS keeps
it in a field that these codes leave unused. Where the vectors are not of unit length, FAISS's
trained bytes are compared by inner product.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from rag.index.files import disk
from rag.index.ranking import best_rows
from rag.index.vectors import COPY_SHARE, Mask, exact_nearest, near_best
from rag.types import Ranking, Rows, Scores, Vectors

Source: TypeAlias = Path | npt.NDArray[np.uint8]
"""Where a structure stands: a file, or its bytes, which stay when the file's name is gone."""

MIDDLE = 128.5
"""Where zero lies among the bytes; FAISS cuts the fraction off, so the half rounds."""

BLOCK = 65_536
"""How many rows are turned into codes at once."""

FEW = 64
"""Up to this many rows more than wanted are scored at once; of more, the low are left out first."""

UNIT = 0.01
"""How far the length of a vector may lie from one, for its L2 distance to order as its inner product."""


def load_faiss() -> Any:
    """FAISS, loaded when it is first needed. Its own types lag behind its functions."""
    return import_module("faiss")


def read_index(source: Source, flags: int = 0) -> Any:
    """The FAISS index in a file, or in its bytes, uint8 (n,), which must have been checked."""
    faiss = load_faiss()
    if isinstance(source, Path):
        return faiss.read_index(str(source), flags)
    data, at = source.data, 0

    def take(count: int) -> bytes:
        nonlocal at
        at += count
        return bytes(data[at - count : at])

    return faiss.read_index(faiss.PyCallbackIOReader(take), flags)


def write_index(index: Any, path: Path, flags: int = 0) -> None:
    """Write a FAISS index to `path`. FAISS's own writer does not notice that a disk is full.

    Raises:
        IndexFailed: the disk refused.
    """
    faiss = load_faiss()
    refused: list[OSError] = []

    def put(part: bytes) -> None:
        try:
            if not refused:
                file.write(part)
        except OSError as error:
            refused.append(error)

    with disk(path), path.open("wb", buffering=1 << 20) as file:
        faiss.write_index(index, faiss.PyCallbackIOWriter(put), flags)
        if refused:
            raise refused[0]


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Let FAISS run on `count` threads (None: as it would) inside, and as before behind."""
    faiss = load_faiss()
    before = faiss.omp_get_max_threads()
    if count is not None:
        faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def are_unit(vectors: Vectors) -> bool:
    """Whether all but one in a hundred of the vectors (n, dimension) are of unit length."""
    lengths = np.concatenate([np.linalg.norm(block, axis=1) for _, block in blocks(vectors)])
    return bool(np.mean(np.abs(lengths - 1) <= UNIT) >= 0.99)


def blocks(vectors: Vectors) -> Iterator[tuple[int, Vectors]]:
    """The vectors (n, dimension) in parts, each with the row of its first, contiguous and in memory."""
    for start in range(0, len(vectors), BLOCK):
        yield start, np.ascontiguousarray(vectors[start : start + BLOCK], np.float32)


def byte_scale(vectors: Vectors) -> float:
    """What a component is multiplied by so that the largest of all becomes 127."""
    largest = max(float(np.abs(block).max(initial=0)) for _, block in blocks(vectors))
    return 127 / largest if largest > 0 else 1.0


def as_bytes(vectors: Vectors, scale: float) -> Vectors:
    """The vectors as float32 in 0..255, which FAISS stores as bytes."""
    scaled = vectors * np.float32(scale)
    scaled += np.float32(MIDDLE)
    np.maximum(scaled, 0, out=scaled)
    np.minimum(scaled, 255, out=scaled)
    return scaled


def scalar_quantizer(codes: str, unit: bool) -> tuple[int, int]:
    """FAISS's numbers for the codes, and for the distance that orders them as the inner product does."""
    faiss = load_faiss()
    kinds = faiss.ScalarQuantizer
    metric = faiss.METRIC_L2 if unit else faiss.METRIC_INNER_PRODUCT
    if codes == "float16":
        return kinds.QT_fp16, metric
    return (kinds.QT_8bit_direct if unit else kinds.QT_8bit), metric


def prepare(storage: Any, vectors: Vectors) -> None:
    """Fit a new scalar-quantised index to `vectors`, none of which it holds yet."""
    if storage.sq.qtype == load_faiss().ScalarQuantizer.QT_8bit_direct:
        storage.sq.rangestat_arg = byte_scale(vectors)
    elif not storage.is_trained:
        storage.train(np.ascontiguousarray(vectors[:: 1 + len(vectors) // BLOCK], np.float32))
        storage.is_trained = True


def fill(index: Any, vectors: Vectors, scale: float | None) -> None:
    """Add all `vectors` to a prepared index, turned to bytes where it has a scale."""
    for _, block in blocks(vectors):
        index.add(block if scale is None else as_bytes(block, scale))


def scale_of(storage: Any) -> float | None:
    """The scale of a storage of bytes that were prepared; None where vectors are compared as they are."""
    faiss = load_faiss()
    if (
        isinstance(storage, faiss.IndexScalarQuantizer)
        and storage.sq.qtype == faiss.ScalarQuantizer.QT_8bit_direct
    ):
        return float(storage.sq.rangestat_arg)
    return None


def mapped_storage(vectors: npt.NDArray[np.float32], unit: bool) -> Any:
    """A flat FAISS index over `vectors` where they lie, without a copy. They must outlive it."""
    faiss = load_faiss()
    storage = faiss.IndexFlat(vectors.shape[1], faiss.METRIC_L2 if unit else faiss.METRIC_INNER_PRODUCT)
    nobody = faiss.MaybeOwnedVectorUInt8().owner
    storage.codes = faiss.MaybeOwnedVectorUInt8.create_view(faiss.swig_ptr(vectors), vectors.nbytes, nobody)
    storage.ntotal = len(vectors)
    return storage


def scan(vectors: Vectors, query: Vectors, k: int, allowed: Mask | None) -> Ranking:
    """What `exact_nearest` gives, sooner where few rows are allowed: they are read where they lie."""
    if allowed is None or np.count_nonzero(allowed) > COPY_SHARE * len(allowed):
        return exact_nearest(vectors, query, k, allowed)
    return rescored(vectors, query, np.flatnonzero(allowed), k)


def rescored(vectors: Vectors, query: Vectors, rows: npt.NDArray[np.int64], k: int) -> Ranking:
    """The k best of distinct `rows` by their exact inner products, ties by row."""
    rows = np.sort(rows)
    if len(rows) > FEW + k:
        rows = rows[near_best(_rough(vectors, query, rows), k)]
    scores = np.vecdot(vectors[rows], query)
    order = (-scores).argsort(kind="stable")[:k]
    if not len(order) or not scores[order[-1]] > -np.inf:  # one of them is no number
        best: Rows = best_rows(scores, k)
        return Ranking(rows[best].astype(np.int32), scores[best])
    return Ranking(rows[order].astype(np.int32), scores[order])


def _rough(vectors: Vectors, query: Vectors, rows: npt.NDArray[np.int64]) -> Scores:
    """The inner products of `rows` up to rounding, read where they lie and not copied out."""
    faiss = load_faiss()
    scores, query = np.empty(len(rows), np.float32), np.ascontiguousarray(query, np.float32)
    pointers = (faiss.swig_ptr(array) for array in (scores, query, vectors, rows))
    faiss.fvec_inner_products_by_idx(*pointers, vectors.shape[1], 1, len(rows))
    return scores
