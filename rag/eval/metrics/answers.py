"""What can be said of an answer without a judge: refusals, words, and citations.

Every function takes one answer and gives a number in 0..1, or None where the
question does not bear on it.
"""

from __future__ import annotations

import re
import string
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from rag.errors import RagError
from rag.eval.questions import Question
from rag.eval.spans import count_characters, count_shared, merge_spans
from rag.types import Answer, Citation, Document, Span

_MARK = re.compile(r"\[(\d+(?:\s*,\s*\d+)*)\]")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize(text: str) -> str:
    """Lower the case, drop punctuation and English articles, and make white space single blanks.

    Source: Rajpurkar et al. 2016, SQuAD: 100,000+ Questions for Machine Comprehension of
    Text; the order of steps is that of its evaluation script.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(text: str, references: Iterable[str]) -> float:
    """1 where the text equals an accepted answer, both normalised, else 0."""
    return float(normalize(text) in {normalize(reference) for reference in references})


def token_f1(text: str, references: Iterable[str]) -> float:
    """The best F1 of the text's words against an accepted answer's, repeated words counted.

    Where either side has no words left after normalising, 1 if neither has, else 0.

    Source: Rajpurkar et al. 2016; for the empty answer Rajpurkar et al. 2018, SQuAD 2.0.
    """
    return max((_f1(normalize(text).split(), normalize(gold).split()) for gold in references), default=0.0)


def _f1(words: Sequence[str], gold: Sequence[str]) -> float:
    if not words or not gold:
        return float(words == gold)
    return 2 * (Counter(words) & Counter(gold)).total() / (len(words) + len(gold))


def answer_words(answer: Answer) -> str:
    """The answer without its marks: its sentences, a line each, or its text where it lists none.

    Lines keep items of a list and rows of a table apart, which no full stop ends.
    """
    if answer.sentences:
        return "\n".join(sentence.text for sentence in answer.sentences)
    return _MARK.sub("", answer.text)


def refusal_precision(answer: Answer, question: Question) -> float | None:
    """For an abstention: whether it was right. None where it answered, or nobody knows."""
    if not answer.abstained or question.answerable is None:
        return None
    return float(not question.answerable)


def refusal_recall(answer: Answer, question: Question) -> float | None:
    """For an unanswerable question: whether it abstained. None for others."""
    return float(answer.abstained) if question.answerable is False else None


def citation_validity(answer: Answer, document: Callable[[str], Document]) -> float | None:
    """The share of citations, dangling marks counted among them, that are right.

    A citation is right where its number is its own, its document is there, its quote is
    exactly the characters it names, and all of these, white space aside, stand in the contexts
    that the answer was given. A dangling mark is a number that a sentence or the text
    cites and no citation has. None where there is neither a citation nor a mark.
    """
    numbers = Counter(citation.number for citation in answer.citations)
    dangling = dangling_marks(answer)
    if not answer.citations and not dangling:
        return None
    right = sum(
        numbers[citation.number] == 1 and _proven(citation, answer, document) for citation in answer.citations
    )
    return right / (len(answer.citations) + len(dangling))


def dangling_marks(answer: Answer) -> tuple[int, ...]:
    """The numbers that the answer cites and that no citation has, in order.

    A bracketed number inside a sentence's own words is the document's, not a mark.
    """
    text = answer.text
    for sentence in answer.sentences:
        text = text.replace(sentence.text, " ", 1)
    marks = {int(number) for mark in _MARK.findall(text) for number in mark.split(",")}
    marks.update(number for sentence in answer.sentences for number in sentence.citations)
    return tuple(sorted(marks - {citation.number for citation in answer.citations}))


def _proven(citation: Citation, answer: Answer, document: Callable[[str], Document]) -> bool:
    if not 0 <= citation.start < citation.end:
        return False
    try:
        text = document(citation.document_id).text
    except RagError:
        return False
    given = merge_spans(
        hit.chunk.span for hit in answer.contexts if hit.chunk.document_id == citation.document_id
    )
    at = [citation.start, *(offset for span in given for offset in (span.start, span.end)), citation.end]
    gaps = zip(at[::2], at[1::2], strict=True)
    outside = any(text[max(a, citation.start) : min(b, citation.end)].strip() for a, b in gaps)
    return text[citation.start : citation.end] == citation.quote and not outside


def citation_recall(answer: Answer, question: Question) -> float | None:
    """Characters of the gold places that are cited, over all of them; None without gold characters.

    Source: Smith and Troynikov 2024, Evaluating Chunking Strategies for Retrieval (Chroma),
    whose recall and precision of retrieved characters are taken over citations here.
    """
    gold, _, shared = _characters(answer, question)
    return shared / gold if gold else None


def citation_precision(answer: Answer, question: Question) -> float | None:
    """Cited characters that are in a gold place, over all cited; None without either.

    A character that two citations name counts once.

    Source: as `citation_recall`.
    """
    gold, cited, shared = _characters(answer, question)
    return shared / cited if gold and cited else None


def _characters(answer: Answer, question: Question) -> tuple[int, int, int]:
    """Count the gold characters, the cited ones, and those that are both."""
    if question.answerable is False:
        return 0, 0, 0
    cited: dict[str, list[Span]] = defaultdict(list)
    sources = {citation.document_id: citation.source for citation in answer.citations}
    for citation in answer.citations:
        if 0 <= citation.start < citation.end:
            cited[citation.document_id].append(Span(citation.start, citation.end))
    gold: dict[str, list[Span]] = defaultdict(list)
    for place in question.documents:
        if place.span is not None:
            match = (name for name, source in sources.items() if place.is_in(source, name))
            gold[next(match, f"uncited {place.source}")].append(place.span)
    return (
        sum(map(count_characters, gold.values())),
        sum(map(count_characters, cited.values())),
        sum(count_shared(spans, gold[name]) for name, spans in cited.items() if name in gold),
    )
