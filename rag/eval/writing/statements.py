"""Documents to what they state: sentences, tables and lists, each with its exact place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rag.eval.writing.clauses import plain_text
from rag.sentences import sentence_spans
from rag.types import Document, Span

MOST_CELLS = 12
LONGEST_CELL = 60  # characters
_RULE = re.compile(r"[|:+\s-]*-[|:+\s-]*\Z")
_ITEM = re.compile(r"\s*(?:[-*+•●▪◦‣–—]|\(?(?:\d{1,2}|[a-z])[.)])\s+(?P<text>\S.*)")
_LINK = re.compile(r"\[([^\]]*)\]\([^)\s]*\)")
_COLUMN = re.compile(r"(?!.*\w\.\w)(?=.*[A-Za-z]{2})[\w$€£%(#].*[\w%)°€$£?.]")
"""The name of a column in English: no address, and nothing between dashes."""
_LETTERS = re.compile(r"[^\W\d_]{2}")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence: its place, and its text on one line without marks of emphasis."""

    document_id: str
    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of a table: its place, and its cells, the first of which names it."""

    span: Span
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first row names its columns. `section` is the heading that it stands under, or `""`."""

    document_id: str
    section: str
    columns: TableRow
    rows: tuple[TableRow, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list: the sentence that introduces it, without its colon, its items, and the place of all of it."""

    document_id: str
    span: Span
    lead: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Statements:
    """What one document states."""

    sentences: tuple[Sentence, ...]
    tables: tuple[Table, ...]
    listings: tuple[Listing, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    span: Span
    text: str


def find_statements(document: Document) -> Statements:
    """All sentences, tables and lists of a document, in order."""
    lines = list(_lines(document.text))
    spans = sentence_spans(document.text)
    sentences = (Sentence(document.id, s, plain_text(document.text[s.start : s.end])) for s in spans)
    return Statements(
        tuple(each for each in sentences if each.text),
        tuple(_tables(document, lines)),
        tuple(_listings(document, lines)),
    )


def common_words(texts: Iterable[str]) -> frozenset[str]:
    """The words that texts have in lower case more often than with a capital inside a sentence.

    A plural that has a capital only where a sentence begins is one too.
    """
    small, capital, first = Counter[str](), Counter[str](), set[str]()
    for text in texts:
        first.update(
            word.lower() for word in re.findall(r"(?:^|[.:\n] )([A-Z][a-z]{3,}s)\b", text, re.MULTILINE)
        )
        small.update(re.findall(r"\b[a-zß-ÿ]{2,}\b", text))
        capital.update(word.lower() for word in re.findall(r"(?<=[a-z,] )[A-ZÀ-Þ][a-zß-ÿ]+\b", text))
    plurals = (word for word in first if not capital[word] and not word.endswith("ss"))
    return frozenset((*plurals, *(word for word, count in small.items() if count > capital[word])))


def _lines(text: str) -> Iterator[_Line]:
    at = 0
    for line in re.split(r"[\n\f]", text):
        inner = line.strip()
        start = at + len(line) - len(line.lstrip()) if inner else at
        yield _Line(Span(start, start + len(inner)), inner)
        at += len(line) + 1


def _tables(document: Document, lines: Sequence[_Line]) -> Iterator[Table]:
    block: list[_Line] = []
    for line in [*lines, _Line(Span(0, 0), "")]:
        if "|" in line.text:
            block.append(line)
            continue
        rows = [TableRow(each.span, _cells(each.text)) for each in block if not _RULE.match(each.text)]
        table = _table(document, rows)
        if table is not None:
            yield table
        block = []


def _cells(line: str) -> tuple[str, ...]:
    inner = line.removeprefix("|")
    inner = inner[:-1] if line.startswith("|") and inner.endswith("|") else inner
    return tuple(plain_text(_LINK.sub(r"\1", cell)).removesuffix(":") for cell in inner.split("|"))


def _table(document: Document, rows: Sequence[TableRow]) -> Table | None:
    if len(rows) < 3:
        return None
    columns, body = rows[0], rows[1:]
    width = len(columns.cells)
    names = columns.cells[1:]
    named = all(_COLUMN.fullmatch(name) and len(name) <= LONGEST_CELL for name in names)
    if not 2 <= width <= MOST_CELLS or not named or len(set(names)) < len(names):
        return None
    keys = Counter(row.cells[0].casefold() for row in body)
    good = tuple(
        row
        for row in body
        if len(row.cells) == width
        and _LETTERS.search(row.cells[0])
        and keys[row.cells[0].casefold()] == 1
        and len(row.cells[0]) <= LONGEST_CELL
    )
    if len(good) < 2:
        return None
    section = next(
        (s.title for s in reversed(document.sections) if s.span.start <= columns.span.start < s.span.end), ""
    )
    return Table(document.id, plain_text(section), columns, good)


def _listings(document: Document, lines: Sequence[_Line]) -> Iterator[Listing]:
    lines = [line for line in lines if line.text]
    at = 0
    while at < len(lines):
        lead = lines[at]
        end = at + 1
        items = []
        while end < len(lines) and (item := _ITEM.fullmatch(lines[end].text)):
            items.append(plain_text(item["text"]).rstrip(".,;"))
            end += 1
        if lead.text.endswith(":") and not _ITEM.match(lead.text) and 2 <= len(items) <= 10:
            sentences = sentence_spans(lead.text)
            last = sentences[-1]
            start = lead.span.start + last.start
            if all(len(item.split()) <= 15 for item in items):
                text = plain_text(lead.text[last.start : last.end]).rstrip(":")
                yield Listing(document.id, Span(start, lines[end - 1].span.end), text, tuple(items))
        at = max(end, at + 1)
