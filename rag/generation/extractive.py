"""Answers in the documents' own words: the sentences that best support an answer, quoted and cited.

No language model writes here. One logistic model says of each sentence of the contexts how likely it
answers the question; `rag.generation.abstain` says by the best of them how likely there is an answer
at all. Both were fitted on development questions by `scripts/fit_extractive.py`. Where a name, a
number or a date is asked for, the words that give it are marked inside the quote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rag.generation.abstain import LEAST_CONFIDENCE, confidence
from rag.generation.candidates import Analyze, Candidate, Evidence, find_candidates, weigh
from rag.generation.short_answer import short_answer
from rag.protocols import Encoder, Generator
from rag.types import Answer, Citation, Hit, Scores, Sentence, Span, Vectors

NO_ANSWER = "The documents do not answer this."

WEIGHTS = np.array([3.372, 3.930, -0.576, 5.332, 0.669], np.float32)  # of candidates.FEATURES
BIAS = -9.156

NEARLY = 0.5
"""The share of the best candidate's likelihood that another one needs to stand beside it."""

SAME = 0.95
"""Two candidates whose vectors are this close say the same."""


def extractive(
    encoder: Encoder,
    analyze: Analyze,
    *,
    most_sentences: int = 3,
    least_confidence: float = LEAST_CONFIDENCE,
) -> Generator:
    """A generator that quotes at most `most_sentences`, and abstains below `least_confidence`.

    `analyze` turns text into terms, as the index does.
    """

    def generate(question: str, hits: Sequence[Hit]) -> Answer:
        candidates = find_candidates(hits)
        if not candidates:
            return _abstention(question, hits, 0.0)
        evidence = weigh(question, candidates, hits, encoder, analyze)
        likelihood = _likelihood(evidence.features @ WEIGHTS + np.float32(BIAS))
        sure = confidence(evidence, int(likelihood.argmax()))
        if sure < least_confidence:
            return _abstention(question, hits, sure)
        chosen = [candidates[at] for at in _choose(likelihood, evidence.vectors, most_sentences)]
        return _highlighted(_compose(question, hits, chosen, sure), evidence, analyze)

    return generate


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


def _highlighted(answer: Answer, evidence: Evidence, analyze: Analyze) -> Answer:
    """The answer with the words marked, in each quote, that a question for a name or number asks for."""
    citations = []
    for each in answer.citations:
        span = short_answer(each.quote, answer.question, evidence.weight, analyze)
        place = Span(each.start + span.start, each.start + span.end) if span else None
        citations.append(replace(each, highlight=place))
    return replace(answer, citations=tuple(citations))


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
