"""Answers in the documents' own words: the sentences that best support an answer, quoted and cited.

No language model writes here. A sentence is judged by how much of the question
it speaks of: the cosine of the two under the encoder, and the share of the
question's words that stand in it, rare words counting for more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rag.protocols import Encoder, Generator
from rag.sentences import sentence_spans
from rag.types import Answer, Citation, Hit, Scores, Sentence, Vectors

Analyze = Callable[[str], list[str]]

NO_ANSWER = "The documents do not answer this."

QUESTION_WORDS = (
    "what who whom whose when where which why how many much long often do does did done can could should "
    "would may might must shall i me my we us our you your he she they them am were been being have has had "
    "about from than so please tell give name list say state describe explain any some get"
)

FEWEST_WORDS = 3
"""A shorter line is a heading or a cell, which proves nothing by itself."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that may stand in an answer: where it is, and the context (from 0) it came with."""

    text: str
    start: int
    end: int
    context: int


@dataclass(frozen=True, slots=True)
class Weighing:
    """What the candidates are worth: all float32 (n,), and the unit vectors (n, dimension)."""

    worth: Scores
    cosine: Scores
    coverage: Scores
    vectors: Vectors


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
        candidates = _candidates(hits)
        if not candidates:
            return _abstention(question, hits, 0.0)
        weighing = _weigh(question, candidates, hits, encoder, analyze)
        confidence = _confidence(weighing, hits)
        if confidence < least_confidence:
            return _abstention(question, hits, confidence)
        chosen = _choose(weighing, most_sentences)
        return _compose(question, hits, [candidates[at] for at in chosen], confidence)

    return generate


def _candidates(hits: Sequence[Hit]) -> list[Candidate]:
    """The sentences of all contexts, each once: chunks overlap, and documents repeat each other."""
    seen: set[str] = set()
    candidates = []
    for context, hit in enumerate(hits):
        for span in sentence_spans(hit.chunk.text):
            text = hit.chunk.text[span.start : span.end]
            known = " ".join(text.casefold().split())
            if known in seen or len(text.split()) < FEWEST_WORDS:
                continue
            seen.add(known)
            start = hit.chunk.start + span.start
            candidates.append(Candidate(text, start, start + len(text), context))
    return candidates


def _weigh(
    question: str, candidates: Sequence[Candidate], hits: Sequence[Hit], encoder: Encoder, analyze: Analyze
) -> Weighing:
    """Judge each candidate by the question."""
    (wanted,) = encoder.encode([question], query=True)
    vectors = encoder.encode([candidate.text for candidate in candidates])
    cosine = np.asarray(vectors @ wanted, np.float32)
    coverage = _coverage(question, candidates, hits, analyze)
    place = np.array([1 / (1 + candidate.context) for candidate in candidates], np.float32)
    worth = np.asarray(0.6 * cosine + 0.3 * coverage + 0.1 * place, np.float32)
    return Weighing(worth, cosine, coverage, vectors)


def _coverage(
    question: str, candidates: Sequence[Candidate], hits: Sequence[Hit], analyze: Analyze
) -> Scores:
    """The share of the question's words, weighed by their rarity here, that a candidate holds.

    A word in the headings above it counts as half in it.
    """
    asked = set(analyze(question)) - set(analyze(QUESTION_WORDS))
    held = [set(analyze(candidate.text)) for candidate in candidates]
    if not asked:
        return np.zeros(len(candidates), np.float32)
    occurring = Counter(term for terms in held for term in terms & asked)
    weight = {term: np.log1p(len(held) / (0.5 + occurring[term])) for term in asked}
    above = [set(analyze(f"{hit.title} {hit.chunk.section}")) & asked for hit in hits]
    parts = [
        sum(
            weight[term] * (1.0 if term in terms else 0.5)
            for term in (terms & asked) | above[candidate.context]
        )
        for terms, candidate in zip(held, candidates, strict=True)
    ]
    return np.array(parts, np.float32) / np.float32(sum(weight.values()))


def _confidence(weighing: Weighing, hits: Sequence[Hit]) -> float:
    """How likely the best candidate answers the question, in 0..1."""
    best = int(np.argmax(weighing.worth))
    signal = 8.0 * (float(weighing.cosine[best]) + 0.5 * float(weighing.coverage[best]) - 0.6)
    return float(1 / (1 + np.exp(-signal)))


def _choose(weighing: Weighing, most: int) -> list[int]:
    """The best candidate and those nearly as good that say something else, best first."""
    order = np.argsort(-weighing.worth, kind="stable")
    chosen = [int(order[0])]
    for at in order[1:]:
        if len(chosen) == most or weighing.worth[at] < 0.85 * weighing.worth[order[0]]:
            break
        if (weighing.vectors[chosen] @ weighing.vectors[at]).max() < 0.9:
            chosen.append(int(at))
    return chosen


def _compose(question: str, hits: Sequence[Hit], chosen: Sequence[Candidate], confidence: float) -> Answer:
    """An answer of the chosen sentences: the best one's document first, each document in its own order."""
    documents = list(dict.fromkeys(hits[candidate.context].chunk.document_id for candidate in chosen))
    ordered = sorted(
        chosen, key=lambda one: (documents.index(hits[one.context].chunk.document_id), one.start)
    )
    citations = [_citation(number, hits[one.context], one) for number, one in enumerate(ordered, start=1)]
    sentences = [Sentence(each.quote, (each.number,), supported=True, support=1.0) for each in citations]
    return Answer(
        question=question,
        text=" ".join(f"{' '.join(each.quote.split())} [{each.number}]" for each in citations),
        sentences=tuple(sentences),
        citations=tuple(citations),
        contexts=tuple(hits),
        abstained=False,
        confidence=confidence,
        model="extractive",
    )


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
