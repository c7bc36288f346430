"""A saved answer, proven again by nothing but what it says and what the documents hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from typing import TypeAlias

from rag.errors import DocumentNotFound
from rag.generation.citations import holds
from rag.generation.marks import flat, says
from rag.generation.safe import HIDDEN_FAULT
from rag.generation.seal import is_sealed
from rag.types import Answer, Citation, Document, Hit, Sentence

Documents: TypeAlias = Callable[[str], Document]
"""The document of an id, whole; raises `DocumentNotFound`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a part of an answer is right; `reason` is empty where it is."""

    what: str
    reason: str = ""

    @property
    def proven(self) -> bool:
        """Whether nothing is wrong."""
        return not self.reason


def prove(answer: Answer, documents: Documents, key: bytes) -> list[Verdict]:
    """Hold every part of an answer against the documents, and the whole against its seal.

    A document's id is the digest of its bytes, so that another version of it is another document. A
    citation is right where its document is there, its range lies in it, the quote is the very characters
    there, and page, headings, source and title are the document's. The same holds of each passage that
    the answer was made from, and what is cited stands in one of them. A sentence that is
    called supported cites; an extractive one is a quote. The text is the sentences and their marks.

    Args:
        answer: The answer.
        documents: Gives the document of an id.
        key: The index's secret.
    """
    return [
        *_citations(answer, documents),
        *_contexts(answer, documents),
        *_sentences(answer),
        Verdict("text", _text_fault(answer)),
        Verdict("citations", _unused_fault(answer)),
        Verdict("conflicts", _conflicts_fault(answer)),
        Verdict("seal", _seal_fault(answer, key)),
    ]


def _citations(answer: Answer, documents: Documents) -> Iterator[Verdict]:
    numbers = Counter(citation.number for citation in answer.citations)
    for citation in answer.citations:
        fault = "two citations have this number" if numbers[citation.number] > 1 else ""
        fault = fault or _citation_fault(citation, documents)
        if not fault and not holds(answer.contexts, citation):
            fault = "it does not stand in a passage that the answer was made from"
        yield Verdict(f"[{citation.number}]", fault)


def _citation_fault(citation: Citation, documents: Documents) -> str:
    try:
        document = documents(citation.document_id)
    except DocumentNotFound:
        return "its document, or this version of it, is not in the index"
    start, end, length = citation.start, citation.end, len(document.text)
    if not 0 <= start < end <= length:
        return f"[{start}, {end}) is no range of its document, which has {length} characters"
    if citation.quote != document.text[start:end]:
        return "the quote is not what stands there"
    if citation.highlight and not start <= citation.highlight.start < citation.highlight.end <= end:
        return "its highlight is not in the quote"
    true = _described(document, start)
    said = (citation.page, citation.section, citation.source, citation.title)
    return _difference(("page", "section", "source", "title"), said, true)


def _described(document: Document, offset: int) -> tuple[int | None, str, str, str]:
    return document.page_at(offset), document.section_at(offset), document.source, document.title


def _difference(names: tuple[str, ...], said: tuple[object, ...], true: tuple[object, ...]) -> str:
    wrong = next((at for at in range(len(names)) if said[at] != true[at]), None)
    return "" if wrong is None else f"its {names[wrong]} is {true[wrong]!r}, not {said[wrong]!r}"


def _contexts(answer: Answer, documents: Documents) -> Iterator[Verdict]:
    for place, hit in enumerate(answer.contexts, start=1):
        fault = _context_fault(hit, documents)
        yield Verdict(f"context {place}", fault or ("" if hit.rank == place else f"its rank is {hit.rank}"))


def _context_fault(hit: Hit, documents: Documents) -> str:
    chunk = hit.chunk
    try:
        document = documents(chunk.document_id)
    except DocumentNotFound:
        return "its document, or this version of it, is not in the index"
    if chunk.end > len(document.text) or chunk.text != document.text[chunk.start : chunk.end]:
        return "its text is not what stands there"
    true = (*_described(document, chunk.start), document.page_at(max(chunk.start, chunk.end - 1)))
    said = (chunk.page, chunk.section, hit.source, hit.title, chunk.last_page)
    return _difference(("page", "section", "source", "title", "last page"), said, true)


def _sentences(answer: Answer) -> Iterator[Verdict]:
    cited = {citation.number: flat(citation.quote) for citation in answer.citations}
    for place, sentence in enumerate(answer.sentences, start=1):
        fault = _sentence_fault(sentence, cited, answer.model == "extractive")
        yield Verdict(f"sentence {place}", fault)


def _sentence_fault(sentence: Sentence, quotes: dict[int, str], extractive: bool) -> str:
    dangling = [str(number) for number in sentence.citations if number not in quotes]
    if dangling:
        return f"no citation has the number {', '.join(dangling)}"
    if len(set(sentence.citations)) < len(sentence.citations):
        return "it cites one citation twice"
    if sentence.supported and not sentence.citations:
        return "it is called supported and cites nothing"
    if sentence.supported and not {HIDDEN_FAULT}.issuperset(sentence.faults):
        return "it is called supported and has faults"
    if extractive and flat(sentence.text) not in [quotes[at] for at in sentence.citations]:
        return "it is not what it cites, and an extractive answer quotes"
    return ""


def _text_fault(answer: Answer) -> str:
    """What is wrong with the text of an answer: it is its sentences in order and their marks, no more."""
    if answer.abstained:
        return "it abstains, and answers" if answer.sentences or answer.citations else ""
    return "" if says(answer.text, answer.sentences) else "it is not its sentences and their marks, no more"


def _unused_fault(answer: Answer) -> str:
    cited = {number for sentence in answer.sentences for number in sentence.citations}
    unused = {citation.number for citation in answer.citations} - cited
    return f"nothing cites {sorted(unused)}" if unused else ""


def _conflicts_fault(answer: Answer) -> str:
    known = {citation.number for citation in answer.citations}
    if any(len(each.citations) != len(each.dates) for each in answer.conflicts):
        return "a conflict has other citations than dates"
    dangling = {number for each in answer.conflicts for number in each.citations} - known
    return f"no citation has the number {sorted(dangling)}" if dangling else ""


def _seal_fault(answer: Answer, key: bytes) -> str:
    if not answer.seal:
        return "it has no seal; an index made by this version seals its answers"
    if not is_sealed(answer, key):
        return "something of the answer was changed, or another index made it"
    return ""


CHANGING = frozenset({"timings_ms", "usage", "seal"})
"""What of an answer is not the same every time that it is asked for."""


SAME = 1e-4
"""Numbers that differ by less are the same: another machine adds up in another order."""


def differences(answer: Answer, again: Answer) -> list[str]:
    """The names of the fields in which two answers differ, but for what they took."""
    names = [field.name for field in fields(Answer) if field.name not in CHANGING]
    one, other = asdict(answer), asdict(again)
    return [name for name in names if not _alike(one[name], other[name])]


def _alike(one: object, other: object) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) < SAME
    return one == other
