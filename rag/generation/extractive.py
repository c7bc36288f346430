"""Answers in the documents' own words: the sentences that best support an answer, quoted and cited.

No language model writes here. One logistic model says of each sentence of the contexts how likely it
answers the question; `abstain` says by the best of them how likely there is an answer at all. Both were
fitted on development questions by `scripts/fit_extractive.py`. A sentence brings what it must be read
with: a row the names of its columns, a pronoun the sentence before it, a question for several things
all items of a list. Where a name, a number or a date is asked for, it is marked inside the quote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag.generation.abstain import LEAST_CONFIDENCE, confidence
from rag.generation.candidates import FEWEST_WORDS, Candidate, find_candidates
from rag.generation.choose import choose
from rag.generation.conflicts import Rivals, find_rivals
from rag.generation.evidence import FEATURES, Analyze, Evidence, likelihood, weigh
from rag.generation.lists import asks_several, items_of
from rag.generation.marks import composed
from rag.generation.pronouns import leans
from rag.generation.shapes import Asked
from rag.generation.short_answer import short_answer
from rag.generation.tables import find_cell, settle_rows
from rag.protocols import Encoder, Generator
from rag.types import Answer, Citation, Conflict, Hit, Sentence, Span

NO_ANSWER = "The documents do not answer this."


def extractive(
    encoder: Encoder,
    analyze: Analyze,
    *,
    most_sentences: int = 6,
    least_confidence: float = LEAST_CONFIDENCE,
) -> Generator:
    """A generator that quotes at most `most_sentences`, and abstains below `least_confidence`.

    A question for one fact gets three sentences at most. What a sentence must be read with, and the
    other version of an answer that two versions of a document give differently, come on top of these.

    Args:
        encoder: Compares sentences with the question. The confidence was fitted on all-MiniLM-L6-v2.
        analyze: Turns text into terms, as the index does.
        most_sentences: How many sentences an answer to an open question has at most.
        least_confidence: Below it the answer is that there is none.
    """

    def generate(question: str, hits: Sequence[Hit]) -> Answer:
        found = find_candidates(hits)
        if not found:
            return _abstention(question, hits, 0.0)
        evidence = weigh(question, found, hits, encoder, analyze)
        candidates = evidence.candidates
        settled = settle_rows(question, evidence, likelihood(evidence.features))
        sure = confidence(evidence, int(settled.argmax()))
        if sure < least_confidence:
            return _abstention(question, hits, sure)
        chosen = choose(question, evidence, settled, most_sentences)
        rivals = find_rivals(evidence, settled, hits, chosen)
        if rivals:
            chosen = [*rivals.candidates, *(at for at in chosen if at not in rivals.candidates)]
        chosen = _with_followers(chosen, evidence)
        quoted = _gathered(question, [candidates[at] for at in chosen], found)
        citations = [
            _citation(number, hits[one.context], one, _mark(question, one, evidence, analyze))
            for number, one in enumerate(_in_order(quoted, hits), start=1)
        ]
        answer = _compose(question, hits, citations, sure)
        return replace(answer, conflicts=_conflicts(rivals, candidates, citations, hits))

    return generate


def _with_followers(chosen: Sequence[int], evidence: Evidence) -> list[int]:
    """The chosen candidates; behind one without what is asked for, the next sentence where that gives it.

    `Fill in the blue book. It has 42 questions.`
    """
    given = evidence.features[:, FEATURES.index("kind")]
    found = list(chosen)
    for at in chosen:
        place = evidence.candidates[at].start, evidence.candidates[at].text
        for other, each in enumerate(evidence.candidates):
            follows = each.before is not None and (each.before.start, each.before.text) == place
            if follows and given[at] < 0 < given[other] and leans(each.text) and other not in found:
                found.append(other)
    return found


def _gathered(question: str, chosen: Sequence[Candidate], candidates: Sequence[Candidate]) -> list[Candidate]:
    """The chosen candidates with what each must be read with, in the order in which they were chosen."""
    several = asks_several(question)
    gathered: list[Candidate] = []
    for one in chosen:
        items = items_of(one, candidates) if several else []
        lead = one.lead if one.lead and one.lead.text.rstrip().endswith(":") else None
        gathered.extend(each for each in (one.columns, lead, _introduction(one), one) if each)
        gathered.extend(items)
    return gathered


def _introduction(one: Candidate) -> Candidate | None:
    """The sentence that says of what a sentence that begins with a pronoun speaks."""
    before = one.before
    if before is None or one.is_row or one.is_item or before.is_row or not leans(one.text):
        return None
    return before if len(before.text.split()) >= FEWEST_WORDS and not before.text.endswith("?") else None


def _in_order(quoted: Sequence[Candidate], hits: Sequence[Hit]) -> list[Candidate]:
    """Each candidate once: the best one's document first, each document in its own order."""
    documents = list(dict.fromkeys(hits[one.context].chunk.document_id for one in quoted))
    placed = {(documents.index(hits[one.context].chunk.document_id), one.start): one for one in quoted}
    return [placed[place] for place in sorted(placed)]


def _mark(question: str, one: Candidate, evidence: Evidence, analyze: Analyze) -> Span | None:
    """Where in its document the words stand that a question for a name, a number or a date asks for."""
    if one.columns:
        number = evidence.asked is Asked.NUMBER
        span = find_cell(one.columns.text, one.text, evidence.weight, analyze, number=number)
    elif one.is_row:
        span = None
    else:
        span = short_answer(one.text, question, evidence.weight, analyze)
    return Span(one.start + span.start, one.start + span.end) if span else None


def _conflicts(
    rivals: Rivals | None, candidates: Sequence[Candidate], citations: Sequence[Citation], hits: Sequence[Hit]
) -> tuple[Conflict, ...]:
    if rivals is None:
        return ()
    numbers = {(each.document_id, each.start): each.number for each in citations}
    found = [candidates[at] for at in rivals.candidates]
    cited = tuple(numbers[hits[one.context].chunk.document_id, one.start] for one in found)
    return (Conflict(cited, rivals.dates, " or ".join(rivals.values)),)


def _compose(question: str, hits: Sequence[Hit], citations: Sequence[Citation], confidence: float) -> Answer:
    sentences = tuple(Sentence(each.quote, (each.number,), True, 1.0) for each in citations)
    return Answer(
        question=question,
        text=composed(sentences),
        sentences=sentences,
        citations=tuple(citations),
        contexts=tuple(hits),
        abstained=False,
        confidence=confidence,
        model="extractive",
    )


def _citation(number: int, hit: Hit, candidate: Candidate, highlight: Span | None) -> Citation:
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
        highlight=highlight,
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
