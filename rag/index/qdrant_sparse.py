"""BM25 as sparse vectors: a chunk holds what of the score hangs on it, Qdrant adds the idf.

    score(q, d) = sum over terms t of q:  idf(t) * count of t in q * part(t, d)
    part(t, d) = f / (f + k1 * (1 - b + b * |d| / average length))

A chunk's value for a term is its part, a query's is the term's count. Qdrant
multiplies each by the idf of Lucene's form, counted at the time of the query over
the chunks that a filter names: the living ones of one tenant. So the idf is that
of the local index. The average length is inside every stored part, and so is fixed
by the first commit. A term is the number that a hash gives it.

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

Fielded: TypeAlias = tuple[Sequence[str | None], Sequence[str | None]]
"""The terms of a chunk's headings and those of its text, None for each that was left out."""

TERMS_PER_TOKEN = 0.5
"""How many terms, its headings included, a chunk has for each token that it may have."""

_PRIOR_CHUNKS = 64
_LEFT_OUT, _BETWEEN = "none", "text"


def average_length(chunks: Sequence[Fielded], settings: Settings) -> float:
    """The length that BM25 is to take for the average, where an index begins with `chunks`.

    It is theirs, drawn to what is usual as though there were 64 chunks more of that length, so that
    an index that begins with one line of text is not spoilt by it.
    """
    usual = TERMS_PER_TOKEN * settings.size_tokens
    total = sum(sum(_counts(chunk, settings).values()) for chunk in chunks)
    return (total + _PRIOR_CHUNKS * usual) / (len(chunks) + _PRIOR_CHUNKS)


def chunk_vector(terms: Fielded, average: float, settings: Settings) -> Sparse:
    """The sparse vector of a chunk with these terms, in an index of that average length.

    A term in the headings counts as `title_boost` terms of the body, in f and in |d|.
    """
    counts = _counts(terms, settings)
    norm = settings.k1 * (1 - settings.b + settings.b * sum(counts.values()) / average)
    return _sparse({term: count / (count + norm) for term, count in counts.items() if count})


def query_vector(terms: Sequence[str]) -> Sparse:
    """The sparse vector of a query with these terms."""
    return _sparse(Counter(map(_number, terms)))


def words(terms: Fielded) -> str:
    """The terms of a chunk at their places, each as a word, for the index that finds phrases."""
    title, body = terms
    return f"{phrase(title)} {_BETWEEN} {phrase(body)}"


def phrase(terms: Sequence[str | None]) -> str:
    """Terms at their places, each as a word; those that were left out are all one word."""
    return " ".join(_LEFT_OUT if term is None else f"t{_number(term):x}" for term in terms)


def _counts(terms: Fielded, settings: Settings) -> dict[int, float]:
    """How often each term of a chunk counts."""
    title, body = (Counter(_number(term) for term in field if term is not None) for field in terms)
    return {term: body[term] + settings.title_boost * title[term] for term in title | body}


def _number(term: str) -> int:
    return zlib.crc32(term.encode(errors="surrogatepass"))


def _sparse(values: Mapping[int, float]) -> Sparse:
    indices = sorted(values)
    return {"indices": indices, "values": [float(values[index]) for index in indices]}
