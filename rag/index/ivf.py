"""A search by inverted lists of product-quantised vectors, whose best candidates are scored exactly.

A vector is turned so that its first components say most, cut there, and dealt to sub-quantisers of about
equal variance each; what its list's centroid leaves of it is kept in 4 bits for each, which FAISS compares
32 at a time. The exact vectors
stay mapped on disk, and only those of the candidates are read.

Source: H. Jegou, M. Douze and C. Schmid, Product Quantization for Nearest Neighbor Search,
TPAMI 33(1), 2011; T. Ge, K. He, Q. Ke and J. Sun, Optimized Product Quantization, CVPR 2013 (the
parametric solution: eigenvalue allocation); F. Andre, A.-M. Kermarrec and N. Le Scouarnec,
Quicker ADC, TPAMI 43(5), 2021 (the comparison of 32 codes at once, as FAISS has it).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.index.codes import Source, blocks, load_faiss, read_index, rescored, scan, threads, write_index
from rag.index.plan import Plan
from rag.index.ranking import EMPTY
from rag.index.vectors import Mask
from rag.types import Ranking, Vectors

SAMPLE_A_LIST = 64
"""How many vectors a list's centroid is fitted to."""

SAMPLE_LEAST = 32_768
"""How many vectors the codes are fitted to at least, where there are as many."""

ROUNDS = 10
"""How often k-means moves its centres; more gains nothing that exact scores would not."""

SCAN = 4
"""A scan of up to this many times the candidates is no dearer than finding and scoring them."""


def build_lists(
    path: Path, vectors: Vectors, plan: Plan, thread_count: int | None = None, gpu: bool = False
) -> None:
    """Sort `vectors` (n, dimension) into lists by their centroids, and write these and their codes.

    With `gpu` the centroids are fitted on all GPUs that FAISS sees.
    """
    faiss = load_faiss()
    with threads(thread_count):
        wanted = max(SAMPLE_A_LIST * plan.lists, SAMPLE_LEAST)
        sample = np.ascontiguousarray(vectors[:: max(1, len(vectors) // wanted)], np.float32)
        turn = _turn(sample, plan.pq_dimension, 2 * plan.pq_bytes)
        turned = sample @ turn.T
        lists = faiss.IndexIVFPQFastScan(
            _centroids(turned, plan.lists, gpu),
            plan.pq_dimension,
            plan.lists,
            2 * plan.pq_bytes,
            4,
            faiss.METRIC_INNER_PRODUCT,
        )
        lists.by_residual = True
        lists.own_fields = True
        lists.pq.cp.niter = ROUNDS
        lists.pq.cp.max_points_per_centroid = SAMPLE_LEAST
        lists.pq.cp.min_points_per_centroid = 1
        lists.train(turned)
        for _, block in blocks(vectors):
            lists.add(block @ turn.T)
        whole = faiss.IndexPreTransform(_transform(turn), lists)
        whole.own_fields = False
        write_index(whole, path)


def _turn(sample: Vectors, kept: int, parts: int) -> Vectors:
    """The `kept` principal axes of `sample` (n, dimension) as rows, dealt to `parts` by variance."""
    variance, axes = np.linalg.eigh(np.cov(sample, rowvar=False))
    order = np.argsort(-variance)[:kept]
    weights = np.log(np.maximum(variance[order], 1e-12))
    weights -= weights.min() - 1
    groups: list[list[int]] = [[] for _ in range(parts)]
    sums = np.zeros(parts)
    for axis, weight in zip(order.tolist(), weights.tolist(), strict=True):
        room = [at for at in range(parts) if len(groups[at]) < kept // parts]
        least = min(room, key=lambda at: sums[at])
        groups[least].append(axis)
        sums[least] += weight
    return np.ascontiguousarray(axes[:, np.concatenate(groups)].T, np.float32)


def _centroids(turned: Vectors, count: int, gpu: bool) -> Any:
    """The centroids of k-means in bytes, as FAISS's quantiser. It becomes its index's own."""
    faiss = load_faiss()
    means = faiss.Kmeans(
        turned.shape[1],
        count,
        niter=ROUNDS,
        spherical=True,
        gpu=gpu,
        min_points_per_centroid=1,
        max_points_per_centroid=SAMPLE_A_LIST,
    )
    means.train(turned)
    kind = faiss.ScalarQuantizer.QT_8bit
    quantizer = faiss.IndexScalarQuantizer(turned.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
    quantizer.train(means.centroids)
    quantizer.add(means.centroids)
    quantizer.this.disown()
    return quantizer


def _transform(turn: Vectors) -> Any:
    faiss = load_faiss()
    transform = faiss.LinearTransform(turn.shape[1], turn.shape[0], False)
    faiss.copy_array_to_vector(turn.ravel(), transform.A)
    transform.is_trained = True
    return transform


class Lists:
    """Open inverted lists over the vectors of a segment, float32 (n, dimension), mapped from disk."""

    def __init__(self, source: Source, vectors: Vectors, plan: Plan):
        faiss = load_faiss()
        self._faiss = faiss
        self._vectors = np.asarray(vectors)
        self._refine = plan.refine
        whole = read_index(source)
        self._whole = whole
        self._lists = faiss.downcast_index(whole.index)
        self._turn = faiss.vector_to_array(faiss.downcast_VectorTransform(whole.chain.at(0)).A).reshape(
            -1, self._vectors.shape[1]
        )
        self.rows = int(self._lists.ntotal)
        self.resident_bytes = self._bytes()

    def nearest(self, query: Vectors, k: int, allowed: Mask | None, effort: int) -> Ranking:
        """About the k allowed rows of highest inner product with `query`; their scores are exact.

        `effort` is the number of lists visited, more of them the fewer rows are allowed.
        All allowed rows come out where they are k or fewer.
        """
        rows, total = len(self._vectors), self._lists.nlist
        among = rows if allowed is None else int(np.count_nonzero(allowed))
        k = min(k, among)
        if k <= 0:
            return EMPTY
        wanted = max(self._refine, 8 * k)
        if among <= SCAN * wanted:
            return scan(self._vectors, query, k, allowed)
        visited = min(total, round(effort * rows / among))
        bits = None if allowed is None else np.packbits(allowed, bitorder="little")
        found = self._visit(query, wanted, visited, bits)
        while len(found) < wanted and visited < total:  # the allowed lie far from the query
            visited = min(total, 4 * visited)
            found = self._visit(query, wanted, visited, bits)
        return rescored(self._vectors, query, found, k)

    def _visit(
        self, query: Vectors, count: int, visited: int, bits: npt.NDArray[np.uint8] | None
    ) -> npt.NDArray[np.int64]:
        """The rows of the `count` best codes in the `visited` nearest lists."""
        faiss = self._faiss
        parameters = faiss.SearchParametersIVF(nprobe=visited)
        if bits is not None:
            parameters = faiss.SearchParametersIVF(nprobe=visited, sel=faiss.IDSelectorBitmap(bits))
        turned = np.ascontiguousarray(self._turn @ query, np.float32)
        scores, found = np.empty(count, np.float32), np.empty(count, np.int64)
        self._lists.search_c(
            1, faiss.swig_ptr(turned), count, faiss.swig_ptr(scores), faiss.swig_ptr(found), parameters
        )
        return found if found[-1] >= 0 else found[found >= 0]

    def _bytes(self) -> int:
        """The bytes of codes, ids, centroids, code books and the turn."""
        lists = self._lists
        sizes = np.array([lists.get_list_size(at) for at in range(lists.nlist)])
        codes = lists.code_size * int((-(-sizes // 32) * 32).sum())  # they stand in blocks of 32
        centroids = self._faiss.downcast_index(lists.quantizer).codes.size()
        books = 4 * lists.pq.centroids.size()
        return int(codes + 8 * lists.ntotal + centroids + books + self._turn.nbytes)
