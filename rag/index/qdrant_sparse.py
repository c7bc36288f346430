"""BM25 as sparse vectors: a chunk holds what of the score hangs on it, Qdrant adds the idf.

    score(q, d) = sum over terms t of q:  idf(t) * count of t in q * part(t, d)
    part(t, d) = f / (f + k1 * (1 - b + b * |d| / average length))

A chunk's value for a term is its part, a query's is the term's count. Qdrant
multiplies each by the idf of Lucene's form, counted at the time of the query over
the chunks that a filter names: the living ones of one tenant. So the idf is that
of the local index. The average length is fixed when an index is made, because it
is inside every stored part. A term is the number that a hash gives it.

Source: S. Robertson and H. Zaragoza, The Probabilistic Relevance Framework:
BM25 and Beyond, FnTIR 3(4), 2009.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from rag.types import Settings

Sparse: TypeAlias = dict[str, list[int] | list[float]]
"""`indices` and `values` of a sparse vector, indices rising."""

TERMS_PER_TOKEN = 0.5
"""How many terms a chunk has for each token that it may have."""


def average_length(settings: Settings) -> float:
    """The length in terms that BM25 takes for the average, in an index made with `settings`."""
    return TERMS_PER_TOKEN * settings.size_tokens


def chunk_vector(terms: Sequence[str], settings: Settings) -> Sparse:
    """The sparse vector of a chunk with these terms."""
    norm = settings.k1 * (1 - settings.b + settings.b * len(terms) / average_length(settings))
    return _sparse({term: count / (count + norm) for term, count in _numbered(terms).items()})


def query_vector(terms: Sequence[str]) -> Sparse:
    """The sparse vector of a query with these terms."""
    return _sparse({term: float(count) for term, count in _numbered(terms).items()})


def _numbered(terms: Sequence[str]) -> Counter[int]:
    return Counter(zlib.crc32(term.encode(errors="surrogatepass")) for term in terms)


def _sparse(values: Mapping[int, float]) -> Sparse:
    indices = sorted(values)
    return {"indices": indices, "values": [values[index] for index in indices]}
