"""Answers in the documents' own words: the sentences that best support an answer, quoted and cited.

No language model writes here. One logistic model says of each sentence of the
contexts how likely it answers the question. That ranks the sentences, and by the
best of them a second one says how likely there is an answer at all: the
confidence. Both were fitted on development questions by `scripts/fit_extractive.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from rag.protocols import Encoder, Generator
from rag.sentences import sentence_spans
from rag.types import Answer, Citation, Hit, Scores, Sentence, Vectors

Analyze: TypeAlias = Callable[[str], list[str]]

NO_ANSWER = "The documents do not answer this."

FEATURES = ("cosine", "coverage", "coverage_with_context", "reciprocal_rank", "kind")
WEIGHTS = np.array([5.28, 6.02, 0.14, 4.12, 0.52], np.float32)
BIAS = -11.03
CONFIDENCE_SLOPE, CONFIDENCE_SHIFT = 1.16, 1.69

NEARLY = 0.5
"""The share of the best candidate's likelihood that another one needs to stand beside it."""

SAME = 0.95
"""Two candidates whose vectors are this close say the same."""

_ROW = re.compile(r"\||.* \| ")
_RULE = re.compile(r"[|:+\s-]+\Z")

FEWEST_WORDS = 3
"""A shorter line is a heading or a cell, which proves nothing by itself."""

QUESTION_WORDS = (
    "what who whom whose when where which why how many much long often do does did done can could should "
    "would may might must shall i me my we us our you your he she they them am were been being have has had "
    "about from than so please tell give name list say state describe explain any some get"
)

_WANTED = (
    (
        re.compile(
            r"how (many|much|long|far|often|old|tall|big|high|large|heavy|fast)|what (percent|number)"
        ),
        "number",
    ),
    (re.compile(r"\bwhen\b|(what|which|whose) (year|date|day|month|decade|century)"), "date"),
    (re.compile(r"\bwho(m|se)?\b|\bwhere\b|(what|which) (city|country|place|town)"), "name"),
)
_NUMBERS = "one two three four five six seven eight nine ten eleven twelve hundred thousand million half"
_HOLDS = {
    "number": re.compile(rf"\d|\b({_NUMBERS.replace(' ', '|')})\b", re.IGNORECASE),
    "date": re.compile(
        r"\d|\b(january|february|march|april|may|june|july|august|september|october|november|december"
        r"|(mon|tues|wednes|thurs|fri|satur|sun)day|century)\b",
        re.IGNORECASE,
    ),
    "name": re.compile(r"(?<=\s)[A-Z]\w"),
}


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


def extractive(
    encoder: Encoder,
    analyze: Analyze,
    *,
    most_sentences: int = 3,
    least_confidence: float = 0.5,
) -> Generator:
    """A generator that quotes at most `most_sentences`, and abstains below `least_confidence`.

    `analyze` turns text into terms, as the index does.
    """

    def generate(question: str, hits: Sequence[Hit]) -> Answer:
        candidates = find_candidates(hits)
        if not candidates:
            return _abstention(question, hits, 0.0)
        measured, vectors = features(question, candidates, hits, encoder, analyze)
        logits = measured @ WEIGHTS + np.float32(BIAS)
        confidence = float(_likelihood(CONFIDENCE_SLOPE * logits.max() + CONFIDENCE_SHIFT))
        if confidence < least_confidence:
            return _abstention(question, hits, confidence)
        chosen = _choose(_likelihood(logits), vectors, most_sentences)
        return _compose(question, hits, [candidates[at] for at in chosen], confidence)

    return generate


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


def features(
    question: str, candidates: Sequence[Candidate], hits: Sequence[Hit], encoder: Encoder, analyze: Analyze
) -> tuple[npt.NDArray[np.float32], Vectors]:
    """What speaks for each candidate: float32 (n, features), and its vector (n, dimension).

    The vector is that of the candidate below its headings. Coverage is the share of
    the question's words that the candidate holds (a row of a table together with the
    names of its columns), rare ones counting more, alone and together with its
    headings and the sentence before it. `kind` is 1 where a number,
    date or name is asked for and there, -1 where it is missing, 0 where none is asked.
    """
    above = [f"{hit.title}\n{hit.chunk.section}" for hit in hits]
    (wanted,) = encoder.encode([question], query=True)
    vectors = encoder.encode([f"{above[each.context]}\n{_with_columns(each)}" for each in candidates])
    asked = set(analyze(question)) - set(analyze(QUESTION_WORDS))
    held = [set(analyze(_with_columns(each))) & asked for each in candidates]
    headings = [set(analyze(text)) & asked for text in above]
    wider = [
        terms | headings[each.context] | (set(analyze(each.before.text if each.before else "")) & asked)
        for terms, each in zip(held, candidates, strict=True)
    ]
    weight = _rarity(asked, held)
    columns = (
        vectors @ wanted,
        [sum(weight[term] for term in terms) for terms in held],
        [sum(weight[term] for term in terms) for terms in wider],
        [1 / (1 + each.context) for each in candidates],
        _kinds(question, candidates),
    )
    return np.stack([np.asarray(column, np.float32) for column in columns], axis=1), vectors


def _with_columns(candidate: Candidate) -> str:
    """The text of a candidate; that of a row below the row that names the columns."""
    return f"{candidate.columns.text}\n{candidate.text}" if candidate.columns else candidate.text


def _rarity(asked: set[str], held: Sequence[set[str]]) -> dict[str, float]:
    """The weight of each term of the question, by how few candidates hold it; they sum to 1."""
    occurring = Counter(term for terms in held for term in terms)
    raw = {term: float(np.log1p(len(held) / (0.5 + occurring[term]))) for term in sorted(asked)}
    total = sum(raw.values())
    return {term: value / total for term, value in raw.items()}


def _kinds(question: str, candidates: Sequence[Candidate]) -> list[int]:
    kind = next((name for pattern, name in _WANTED if pattern.search(question.lower())), None)
    if kind is None:
        return [0] * len(candidates)
    return [1 if _HOLDS[kind].search(each.text) else -1 for each in candidates]


def _likelihood(logits: Scores) -> Scores:
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def _choose(likelihood: Scores, vectors: Vectors, most: int) -> list[int]:
    """The best candidate and those about as likely that say something else, best first."""
    order = np.argsort(-likelihood, kind="stable")
    chosen = [int(order[0])]
    for at in order[1:]:
        if len(chosen) == most or likelihood[at] < NEARLY * likelihood[order[0]]:
            break
        if (vectors[chosen] @ vectors[at]).max() < SAME:
            chosen.append(int(at))
    return chosen


def _compose(question: str, hits: Sequence[Hit], chosen: Sequence[Candidate], confidence: float) -> Answer:
    """An answer of the chosen sentences: the best one's document first, each document in its own order.

    A row of a table brings the row that names its columns.
    """
    documents = list(dict.fromkeys(hits[candidate.context].chunk.document_id for candidate in chosen))
    quoted = {
        (documents.index(hits[one.context].chunk.document_id), one.start): one
        for candidate in chosen
        for one in (candidate.columns, candidate)
        if one is not None
    }
    ordered = [quoted[place] for place in sorted(quoted)]
    citations = [_citation(number, hits[one.context], one) for number, one in enumerate(ordered, start=1)]
    sentences = [Sentence(each.quote, (each.number,), supported=True, support=1.0) for each in citations]
    return Answer(
        question=question,
        text=_joined(ordered),
        sentences=tuple(sentences),
        citations=tuple(citations),
        contexts=tuple(hits),
        abstained=False,
        confidence=confidence,
        model="extractive",
    )


def _joined(ordered: Sequence[Candidate]) -> str:
    """The sentences with their marks, each row of a table on a line of its own."""
    text = ""
    for number, one in enumerate(ordered, start=1):
        gap = "" if not text else "\n" if one.is_row or ordered[number - 2].is_row else " "
        text += f"{gap}{' '.join(one.text.split())} [{number}]"
    return text


def _citation(number: int, hit: Hit, candidate: Candidate) -> Citation:
    return Citation(
        number=number,
        document_id=hit.chunk.document_id,
        source=hit.source,
        title=hit.title,
        page=hit.chunk.page,
        section=hit.chunk.section,
        start=candidate.start,
        end=candidate.end,
        quote=candidate.text,
    )


def _abstention(question: str, hits: Sequence[Hit], confidence: float) -> Answer:
    return Answer(
        question=question,
        text=NO_ANSWER,
        sentences=(),
        citations=(),
        contexts=tuple(hits),
        abstained=True,
        confidence=confidence,
        model="extractive",
    )
