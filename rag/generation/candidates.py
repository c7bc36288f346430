"""The sentences of the contexts that may answer a question, and what speaks for each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from rag.generation.short_answer import Asked, asked_for, fills
from rag.protocols import Encoder
from rag.sentences import sentence_spans
from rag.types import Hit, Vectors

Analyze: TypeAlias = Callable[[str], list[str]]

FEATURES = ("cosine", "coverage", "coverage_with_context", "reciprocal_rank", "kind")

_ROW = re.compile(r"\||.* \| ")
_RULE = re.compile(r"[|:+\s-]+\Z")

FEWEST_WORDS = 3
"""A shorter line is a heading or a cell, which proves nothing by itself."""

QUESTION_WORDS = (
    "what who whom whose when where which why how many much long often do does did done can could should "
    "would may might must shall i me my we us our you your he she they them am were been being have has had "
    "about from than so please tell give name list say state describe explain any some get"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that may stand in an answer.

    `start` and `end` are in its document; `context` is the place, from 0, of the
    hit it came with; `before` is the sentence in front of it, and of a row of a
    table its first row, which names the columns.
    """

    text: str
    start: int
    end: int
    context: int
    before: Candidate | None = None

    @property
    def is_row(self) -> bool:
        """Whether it is a row of a table."""
        return _ROW.match(self.text) is not None

    @property
    def columns(self) -> Candidate | None:
        """The row that names the columns of this one, None where it is no row, or that row itself."""
        return self.before if self.is_row and self.before and self.before.is_row else None


def find_candidates(hits: Sequence[Hit]) -> list[Candidate]:
    """The statements of all contexts, each once: chunks overlap, and documents repeat each other."""
    seen: set[str] = set()
    candidates = []
    for context, hit in enumerate(hits):
        for candidate in _statements(hit, context):
            known = " ".join(candidate.text.casefold().split())
            if known not in seen:
                seen.add(known)
                candidates.append(candidate)
    return candidates


def _statements(hit: Hit, context: int) -> Iterator[Candidate]:
    """The sentences of a hit that can answer: no questions, no stray cells, no heads of tables."""
    text = hit.chunk.text
    spans = sentence_spans(text)
    is_row = [_ROW.match(text, span.start, span.end) is not None for span in spans]
    before = None
    for at, span in enumerate(spans):
        start, end = hit.chunk.start + span.start, hit.chunk.start + span.end
        candidate = Candidate(text[span.start : span.end], start, end, context, before)
        follows_row = before is not None and before.is_row
        if not (is_row[at] and follows_row):
            before = candidate
        names_columns = is_row[at] and not follows_row and at + 1 < len(spans) and is_row[at + 1]
        stands_alone = len(candidate.text.split()) >= FEWEST_WORDS and not candidate.text.endswith("?")
        if stands_alone and not names_columns and not _RULE.match(candidate.text):
            yield candidate


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the contexts hold for a question.

    `features` are float32 (n, features) of the n candidates, `vectors` float32 (n, dimension) theirs
    below their headings. `held` are the terms of the question in each. `weight` is what each term of the
    question counts, rare ones more; they sum to 1. `missing` are the terms that no context has.
    """

    asked: Asked | None
    features: npt.NDArray[np.float32]
    vectors: Vectors
    held: tuple[frozenset[str], ...]
    weight: Mapping[str, float]
    missing: frozenset[str]


def weigh(
    question: str, candidates: Sequence[Candidate], hits: Sequence[Hit], encoder: Encoder, analyze: Analyze
) -> Evidence:
    """What speaks for each candidate.

    Coverage is the share of the question's words that the candidate holds (a row of a table together
    with the names of its columns), rare ones counting more, alone and together with its headings and
    the sentence before it. `kind` is 1 where a number, date or name is asked for and there, other than
    those in the question, -1 where it is missing, 0 where none is asked.
    """
    above = [f"{hit.title}\n{hit.chunk.section}" for hit in hits]
    (wanted,) = encoder.encode([question], query=True)
    vectors = encoder.encode([f"{above[each.context]}\n{with_columns(each)}" for each in candidates])
    asked = frozenset(analyze(question)) - frozenset(analyze(QUESTION_WORDS))
    held = tuple(asked.intersection(analyze(with_columns(each))) for each in candidates)
    headings = [asked.intersection(analyze(text)) for text in above]
    wider = [
        terms | headings[each.context] | asked.intersection(analyze(each.before.text if each.before else ""))
        for terms, each in zip(held, candidates, strict=True)
    ]
    weight = _rarity(asked, held)
    kind = asked_for(question)
    columns = (
        vectors @ wanted,
        [sum(weight[term] for term in sorted(terms)) for terms in held],
        [sum(weight[term] for term in sorted(terms)) for terms in wider],
        [1 / (1 + each.context) for each in candidates],
        _kinds(question, kind, candidates, analyze),
    )
    measured = np.stack([np.asarray(column, np.float32) for column in columns], axis=1)
    return Evidence(kind, measured, vectors, held, weight, asked.difference(*held, *headings))


def with_columns(candidate: Candidate) -> str:
    """The text of a candidate; that of a row below the row that names the columns."""
    return f"{candidate.columns.text}\n{candidate.text}" if candidate.columns else candidate.text


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
