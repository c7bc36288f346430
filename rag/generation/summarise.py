"""Passages -> what they come to, in sentences that cite them.

Without a language model the sentences most central to the passages are quoted. With one, a generator that
answers from a few passages is made to read many, by parts; from each part it keeps what it cited and
not what it wrote, so that the last summary is proven by the documents and not by a summary of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from rag.generation.candidates import Candidate, find_candidates
from rag.generation.marks import composed
from rag.generation.passages import only_cited, quotation
from rag.protocols import Encoder, Generator
from rag.types import Answer, Hit, Sentence, Span

Fold: TypeAlias = Literal["map_reduce", "refine"]
Matrix: TypeAlias = npt.NDArray[np.float32]

WHOLE = "What are the main points of the passages?"
NOTHING = "There is nothing to summarise."
PART_CHARACTERS = 12_000
"""How much text a generator is given at a time, where nothing is known of what it takes."""
PART_CHARACTERS_A_TOKEN = 1.5
"""How much text a part has for each token that a model takes: half of them, of three characters."""
MOST_PASSAGES = 1_000
"""How many passages one summary is made of at most; of more, those spread evenly over them."""
MOST_NEAR = 50
"""How many passages a summary is made of that dwells on something, of all there are."""
MOST_WEIGHED = 1_000
"""How many sentences are compared with each other at most, so that a long document takes seconds."""
MOST_ROUNDS = 6

_STANDS_ALONE = re.compile(
    r"(?!\W*\b(it|its|he|his|she|her|they|their|this|that|these|those|there|then|so|but|and|or|also|"
    r"however|such|(if|in|on|of|to|by|at|for|with) (that|this|these|those|it|them))\b)"
    r"(?-i:(?=[^a-z]))(?!#)(?=(?:\S+\s+){4}).*[.!?。！？][\"'”’)\]*_]*\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
"""A sentence of five words or more, whole, that does not begin with a word for another one before it."""

DAMPING = 0.85
DAMPING_ABOUT = 0.3
"""Where something is asked a reader starts there again more often, and strays less."""
SAME = 0.85
"""A sentence this like one that was chosen says the same."""
LEAD = 0.5
"""How much likelier a reader starts at the first sentence of a document than far behind it."""
NOVELTY = 0.35
"""What being unlike the sentences already chosen counts beside being central."""


def thinned(passages: Sequence[Hit], most: int = MOST_PASSAGES) -> list[Hit]:
    """At most `most` of the passages, spread evenly over them, in their order."""
    if len(passages) <= most:
        return list(passages)
    return [passages[at * len(passages) // most] for at in range(most)]


def central(encoder: Encoder, *, most_sentences: int = 5) -> Generator:
    """A generator that quotes the sentences that stand for most of what the passages say.

    A sentence is central that is like many others which are; those in front of their document, and those
    like the question, where one is asked, begin ahead. They are chosen one after the other,
    each central and unlike those before, and quoted in the order of the documents. The
    confidence is how well they stand for all: the mean, over all sentences, of the likeness
    to the chosen one that is most like it.

    Source: G. Erkan and D. R. Radev, LexRank: Graph-based Lexical Centrality as Salience in Text
    Summarization, JAIR 22, 2004, here over vectors of meaning and with a start that is not even, for a
    question as in J. Otterbacher, G. Erkan and D. R. Radev, Using Random Walks for Question-focused
    Sentence Retrieval, EMNLP 2005; J. Carbonell and J. Goldstein, The Use of MMR, SIGIR 1998, for the choice.
    """

    def generate(question: str, hits: Sequence[Hit]) -> Answer:
        candidates = _weighed(hits)
        if not candidates:
            return _nothing(question)
        vectors = encoder.encode([each.text for each in candidates])
        start, near, damping = _start(candidates, hits), np.ones(len(candidates), np.float32), DAMPING
        if question.strip():
            near, damping = _nearness(encoder, question, candidates, hits), DAMPING_ABOUT
        likeness = np.clip(vectors @ vectors.T, 0, 1).astype(np.float32)
        centrality = near * _centrality(likeness, start * near, damping)
        chosen = _choose(centrality / centrality.max(), likeness, most_sentences)
        confidence = float(likeness[:, chosen].max(axis=1).mean())
        return _quoted(question, hits, [candidates[at] for at in sorted(chosen)], confidence)

    return generate


def _weighed(hits: Sequence[Hit]) -> list[Candidate]:
    """The sentences that may stand in a summary: others only where there are none that stand alone."""
    found = find_candidates(hits)
    told = [each for each in found if not each.is_row and _STANDS_ALONE.match(each.text)] or found
    if len(told) <= MOST_WEIGHED:
        return told
    return [told[at * len(told) // MOST_WEIGHED] for at in range(MOST_WEIGHED)]


def _nearness(
    encoder: Encoder, question: str, candidates: Sequence[Candidate], hits: Sequence[Hit]
) -> Matrix:
    """How near each sentence, below its headings, is to what is asked: more than 0, 1 at the most."""
    (asked,) = encoder.encode([question], query=True)
    above = [f"{hit.title}\n{hit.chunk.section}" for hit in hits]
    vectors = encoder.encode([f"{above[each.context]}\n{each.text}" for each in candidates])
    return np.asarray(np.clip(vectors @ asked, 0.01, 1), np.float32)


def _start(candidates: Sequence[Candidate], hits: Sequence[Hit]) -> Matrix:
    """Where a reader begins: more often near the front of a document, float32 (n,)."""
    met: dict[str, int] = {}
    start = []
    for each in candidates:
        document = hits[each.context].chunk.document_id
        met[document] = met.get(document, 0) + 1
        start.append(1 + LEAD / met[document])
    return np.array(start, np.float32)


def _centrality(likeness: Matrix, start: Matrix, damping: float) -> Matrix:
    """The share of a random reader's time at each sentence, float32 (n,), 1 at the most."""
    begin = start / start.sum()
    step = likeness / np.maximum(likeness.sum(axis=1, keepdims=True), 1e-9)
    share = begin
    for _ in range(50):
        share = (1 - damping) * begin + damping * (share @ step)
    return np.asarray(share / share.max(), np.float32)


def _choose(centrality: Matrix, likeness: Matrix, most: int) -> list[int]:
    chosen: list[int] = []
    taken = np.zeros(len(centrality), np.float32)
    while len(chosen) < min(most, len(centrality)):
        gain = (1 - NOVELTY) * centrality - NOVELTY * taken
        gain[taken >= SAME] -= 1
        gain[chosen] = -np.inf
        chosen.append(int(gain.argmax()))
        taken = np.maximum(taken, likeness[chosen[-1]])
    return chosen


def _quoted(question: str, hits: Sequence[Hit], chosen: Sequence[Candidate], confidence: float) -> Answer:
    """The chosen sentences, one after the other; of the hits those alone that they stand in."""
    citations = [
        quotation(number, hits[each.context], Span(each.start, each.end))
        for number, each in enumerate(chosen, start=1)
    ]
    sentences = tuple(Sentence(each.quote, (each.number,), True, 1.0) for each in citations)
    return Answer(
        question=question,
        text=composed(sentences),
        sentences=sentences,
        citations=tuple(citations),
        contexts=only_cited(hits, citations),
        abstained=False,
        confidence=min(1.0, max(0.0, confidence)),
        model="extractive",
    )


def _nothing(question: str) -> Answer:
    return Answer(question, NOTHING, (), (), (), abstained=True, confidence=0.0, model="extractive")


def _ask(about: str) -> str:
    """What a generator is asked, that a summary dwells on `about`."""
    return f"What do the passages say about {about.strip()}?" if about.strip() else WHOLE


def map_reduce(generator: Generator, *, part_characters: int = PART_CHARACTERS) -> Generator:
    """A generator that reads any number of passages: each part alone, then what was cited of all.

    Parts are read again until what they cite fits one part, which the answer is written from.

    Source: J. Wu et al., Recursively Summarizing Books with Human Feedback, 2021; here what goes up is
    what was cited, never what was written.
    """

    def generate(question: str, hits: Sequence[Hit]) -> Answer:
        passages = list(hits)
        for _ in range(MOST_ROUNDS):
            parts = list(_parts(passages, part_characters))
            if len(parts) <= 1:
                break
            kept = [hit for part in parts for hit in _cited(generator(_ask(question), part), part)]
            if not kept or _size(kept) >= _size(passages):
                break
            passages = kept
        return generator(_ask(question), next(_parts(passages, part_characters), []))

    return generate


def refine(generator: Generator, *, part_characters: int = PART_CHARACTERS) -> Generator:
    """A generator that reads any number of passages in order, each part with what was cited up to there."""

    def generate(question: str, hits: Sequence[Hit]) -> Answer:
        kept: list[Hit] = []
        answer = None
        for part in _parts(hits, max(1, part_characters // 2)):
            passages = [replace(hit, rank=rank) for rank, hit in enumerate([*kept, *part], start=1)]
            answer = generator(_ask(question), passages)
            kept = next(_parts(_cited(answer, passages), max(1, part_characters // 2)), [])
        return generator(_ask(question), []) if answer is None else answer

    return generate


FOLDS: dict[Fold, Callable[..., Generator]] = {"map_reduce": map_reduce, "refine": refine}


def _size(hits: Sequence[Hit]) -> int:
    return sum(len(hit.chunk.text) for hit in hits)


def _parts(hits: Sequence[Hit], characters: int) -> Iterator[list[Hit]]:
    """The hits in runs of at most that many characters, ranked anew; a longer hit is a part alone."""
    part: list[Hit] = []
    for hit in hits:
        if part and _size([*part, hit]) > characters:
            yield part
            part = []
        part.append(replace(hit, rank=len(part) + 1))
    if part:
        yield part


def _cited(answer: Answer, hits: Sequence[Hit]) -> list[Hit]:
    """What an answer cited of the hits, as passages of their own: the sentences, and nothing around them."""
    kept: dict[str, Hit] = {}
    for citation in answer.citations:
        span = Span(citation.start, citation.end)
        for hit in hits:
            chunk = hit.chunk
            inside = chunk.start <= span.start and span.end <= chunk.end
            if inside and chunk.document_id == citation.document_id:
                cut = replace(chunk, span=span, text=citation.quote)
                kept.setdefault(cut.id, replace(hit, chunk=cut))
                break
    return [replace(hit, rank=rank) for rank, hit in enumerate(kept.values(), start=1)]
