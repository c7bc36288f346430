"""All drafts of a set of documents: every question that a rule makes of what they state."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from rag.eval.writing.checks import Said, Terms
from rag.eval.writing.clauses import parse_clause
from rag.eval.writing.draft import Draft, Evidence
from rag.eval.writing.shapes import NAME
from rag.eval.writing.statements import Sentence, Statements, common_words, find_statements
from rag.eval.writing.tabular import ask_listing, ask_table, ask_tables
from rag.eval.writing.templates import ask_clause
from rag.eval.writing.wording import reads_well
from rag.types import Document, Span

YEAR = re.compile(r"\b(?:1[5-9]\d\d|20\d\d)\b")


@dataclass(frozen=True, slots=True)
class Drafted:
    """The drafts of a set of documents, all that these say, and the things that they say it of."""

    drafts: tuple[Draft, ...]
    said: Said
    things: tuple[str, ...]


def draft_questions(documents: Mapping[str, Document], terms: Terms) -> Drafted:
    """Every draft of documents, by their id, in the order of their text."""
    common = common_words(document.text for document in documents.values())
    found = [find_statements(document) for document in documents.values()]
    drafts = [draft for each in found for draft in _drafts(each, common)]
    drafts += ask_tables([table for each in found for table in each.tables])
    said = Said((sentence.text for each in found for sentence in each.sentences), terms)
    clauses = (parse_clause(sentence.text, common) for each in found for sentence in each.sentences)
    things = dict.fromkeys(clause.subject for clause in clauses if clause and is_thing(clause.subject))
    return Drafted(tuple(_verbatim(draft, documents) for draft in drafts), said, tuple(things))


def _drafts(statements: Statements, common: Set[str]) -> Iterator[Draft]:
    for sentence in statements.sentences:
        yield from ask_sentence(sentence, common)
    for table in statements.tables:
        yield from ask_table(table)
    for listing in statements.listings:
        draft = ask_listing(listing, common)
        if draft is not None:
            yield draft


def ask_sentence(sentence: Sentence, common: Set[str]) -> Iterator[Draft]:
    """Yield the questions of a sentence that read well."""
    clause = parse_clause(sentence.text, common)
    if clause is None:
        return
    for asked in ask_clause(clause):
        if not reads_well(asked.question, asked.answer):
            continue
        at = sentence.text.casefold().find(asked.answer.casefold())
        question = f"{asked.question[0].upper()}{asked.question[1:]}?"
        yield Draft(
            question,
            sentence.text[at : at + len(asked.answer)] if at >= 0 else asked.answer,
            asked.kind,
            (Evidence(sentence.document_id, sentence.span, ""),),
            sentence.text,
            Span(at, at + len(asked.answer)) if at >= 0 else None,
            asked.answers,
            names_in(question) + ((clause.subject,) if is_thing(clause.subject) else ()),
        )


def is_thing(subject: str) -> bool:
    """Whether it is said of something without a name: `the rescue boat`."""
    words = subject.split()
    return 2 <= len(words) <= 4 and subject.islower() and words[0] in ("the", "a", "an") and subject.isascii()


def names_in(question: str) -> tuple[str, ...]:
    """The names and years of a question, by which it is about one thing and not another."""
    found = [match[0] for match in NAME.finditer(question) if match.start() > 0]
    return tuple(dict.fromkeys((*found, *YEAR.findall(question))))


def _verbatim(draft: Draft, documents: Mapping[str, Document]) -> Draft:
    """The draft with its evidence as it stands in the documents, each place once."""
    places: Sequence[Evidence] = draft.evidence
    read = (
        replace(each, text=documents[each.document_id].text[each.span.start : each.span.end])
        for each in places
    )
    return replace(draft, evidence=tuple(dict.fromkeys(read)))
