"""What speaks for each sentence of the contexts, and how likely that makes it an answer.

A logistic model, fitted by `scripts/fit_extractive.py` on development questions of seven collections.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from rag.generation.candidates import QUESTION_WORDS, Candidate
from rag.generation.shapes import Asked, asked_for, fills
from rag.protocols import Encoder
from rag.types import Hit, Scores, Vectors

Analyze: TypeAlias = Callable[[str], list[str]]

FEATURES = ("cosine", "coverage", "dense_gap", "lexical_share", "row", "coverage_of_row", "kind")

WEIGHTS = np.array([3.375, 3.644, 6.654, 4.451, -0.835, -0.134, 0.671], np.float32)
BIAS = -8.586

MOST_ENCODED = 32
"""Encoding takes most of the time of an answer. The other features alone put the sentence that comes first
with all of them among their best sixteen, for every development question of XQuAD, NQ and the handbook."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the contexts hold for a question.

    `candidates` are those that were worth encoding, in the order of the hits. `features` are float32
    (n, features) of these n, `vectors` float32 (n, dimension) theirs below their headings. `held` are the
    terms of the question in each. `weight` is what each term of the question counts, rare ones more; they
    sum to 1. `missing` are the terms that no context has.
    """

    asked: Asked | None
    candidates: tuple[Candidate, ...]
    features: npt.NDArray[np.float32]
    vectors: Vectors
    held: tuple[frozenset[str], ...]
    weight: Mapping[str, float]
    missing: frozenset[str]


def weigh(
    question: str, candidates: Sequence[Candidate], hits: Sequence[Hit], encoder: Encoder, analyze: Analyze
) -> Evidence:
    """What speaks for each candidate.

    `coverage` is the share of the question's words that the candidate holds, rare ones counting more; a
    row is read with the names of its columns, an item with the lead of its list. `dense_gap` is how far
    its passage is behind the best one in cosine, 0 or less; `lexical_share` is its BM25 as a share of the
    best. `row` is 1 for a row of a table, and `coverage_of_row` then its coverage. `kind` is 1 where a
    number, date or name is asked for and there, other than those in the question, -1 where it is missing,
    0 where none is asked.
    """
    above = [f"{hit.title}\n{hit.chunk.section}" for hit in hits]
    asked = frozenset(analyze(question)) - frozenset(analyze(QUESTION_WORDS))
    held = [asked.intersection(analyze(each.whole)) for each in candidates]
    weight = _rarity(asked, held)
    coverage = np.array([sum(weight[term] for term in sorted(terms)) for terms in held])
    row = np.array([each.is_row for each in candidates], np.float64)
    gap, share = _behind(hits)
    place = [each.context for each in candidates]
    kind = asked_for(question)
    columns = (coverage, gap[place], share[place], row, row * coverage)
    cheap = np.stack([*columns, _kinds(question, kind, candidates, analyze)], axis=1).astype(np.float32)
    best = np.sort(np.argsort(-(cheap @ WEIGHTS[1:]), kind="stable")[:MOST_ENCODED])
    kept = tuple(candidates[at] for at in best)
    (wanted,) = encoder.encode([question], query=True)
    vectors = encoder.encode([f"{above[each.context]}\n{each.whole}" for each in kept])
    features = np.concatenate([(vectors @ wanted)[:, None], cheap[best]], axis=1, dtype=np.float32)
    headings = [asked.intersection(analyze(text)) for text in above]
    missing = asked.difference(*held, *headings)
    return Evidence(kind, kept, features, vectors, tuple(held[at] for at in best), weight, missing)


def likelihood(features: npt.NDArray[np.float32]) -> Scores:
    """How likely each candidate answers: float32 (n,), in 0..1."""
    return np.asarray(1 / (1 + np.exp(-(features @ WEIGHTS + np.float32(BIAS)))), np.float32)


def _behind(hits: Sequence[Hit]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """How far each hit is behind the best: in cosine, 0 or less, and in BM25 as a share of the best.

    Hits that no encoder has seen are judged by their rank.
    """
    dense = [hit.scores.dense for hit in hits]
    seen = [score for score in dense if score is not None]
    if seen:
        gap = np.array([min(seen) if score is None else score for score in dense]) - max(seen)
    else:
        gap = 0.2 * (1 / np.arange(1, len(hits) + 1) - 1)  # by rank, on the scale of cosines
    lexical = np.array([hit.scores.bm25 or 0.0 for hit in hits])
    share = lexical / lexical.max() if lexical.max(initial=0.0) > 0 else np.ones(len(hits))
    return gap, share


def _rarity(asked: Set[str], held: Sequence[Set[str]]) -> dict[str, float]:
    """The weight of each term of the question, by how few candidates hold it; they sum to 1."""
    occurring = Counter(term for terms in held for term in terms)
    raw = {term: float(np.log1p(len(held) / (0.5 + occurring[term]))) for term in sorted(asked)}
    total = sum(raw.values())
    return {term: value / total for term, value in raw.items()}


def _kinds(question: str, kind: Asked | None, candidates: Sequence[Candidate], analyze: Analyze) -> list[int]:
    if kind is None:
        return [0] * len(candidates)
    known = set(analyze(question))
    return [1 if fills(each.text, kind, known, analyze) else -1 for each in candidates]
