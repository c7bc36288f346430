"""PDF to lines of text: pdfium reads, the layout joins, and what is dropped is named."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from itertools import groupby, pairwise
from typing import Any

from rag.errors import DocumentTooLarge, EncryptedDocument, UnreadableDocument
from rag.ingestion.blocks import Heading, clean, counted, name_of, nest
from rag.ingestion.decode import MAX_CHARACTERS
from rag.ingestion.pdf_layout import (
    Key,
    Part,
    Vocabulary,
    body_height,
    furniture,
    in_reading_order,
    is_page_number,
    parts_of,
    without,
)
from rag.ingestion.pdf_lines import Line, bottom_and_top, page_lines
from rag.ingestion.pdf_tables import with_heads
from rag.types import Document, Page, Span

MAX_PAGES = 20_000
MAX_SECONDS = 300.0
"""The limits of one file. Time is looked at between pages."""

_DATE = re.compile(r"D:(\d{4})(\d\d)?(\d\d)?")
_PASSWORD_ERROR = 4
_SECURITY_ERROR = 5


def load_pdf(data: bytes, source: str) -> Document:
    """Read a PDF: paragraphs, headings and table rows as lines, its pages as spans.

    Raises:
        UnreadableDocument: it is damaged, no PDF, or without any text (a scan).
        EncryptedDocument: it needs a password.
        DocumentTooLarge: it has too many pages or characters, or takes too long to read.
    """
    pdf = _opened(data, source)
    with closing(pdf):
        metadata, title = _metadata(pdf)
        has_form = bool(pdf.get_formtype())
        pages, sheets, unread = _read(pdf, source)
    running = furniture(pages, sheets)
    if not any(without(lines, number, running) for number, lines in enumerate(pages, 1)):
        running = {}  # what would be left is nothing
    kept = [
        with_heads(in_reading_order(without(lines, number, running))) for number, lines in enumerate(pages, 1)
    ]
    body = body_height(kept)
    words = Vocabulary(kept)
    parts = [part for number, lines in enumerate(kept, 1) for part in parts_of(lines, number, body, words)]
    text, page_spans, headings = _assembled(_across_pages(parts), len(pages))
    if not text:
        raise UnreadableDocument(
            f"{source} has {counted(len(pages), 'page')} and no text: if it is a scan, run OCR first"
        )
    return Document(
        id=sha256(data).hexdigest(),
        source=source,
        title=title or (headings[0].title if headings else name_of(source)),
        text=text,
        pages=page_spans,
        sections=nest(headings, len(text)),
        metadata=metadata,
        left_out=(
            *_empty_pages(page_spans, unread),
            *_running(running),
            *(["what is filled into form fields"] if has_form else []),
        ),
    )


def _opened(data: bytes, source: str) -> Any:
    import pypdfium2  # type: ignore[import-untyped]

    try:
        pdf = pypdfium2.PdfDocument(data)
        pages = len(pdf)
    except pypdfium2.PdfiumError as error:
        code = getattr(error, "err_code", None)
        if code in {_PASSWORD_ERROR, _SECURITY_ERROR} or "password" in str(error).lower():
            raise EncryptedDocument(f"{source} needs a password: save it without one") from error
        raise UnreadableDocument(
            f"{source} is no PDF that can be read ({error}): print it to a new PDF"
        ) from error
    if pages == 0 or pages > MAX_PAGES:
        pdf.close()
        if pages == 0:
            raise UnreadableDocument(f"{source} has no pages: print it to a new PDF")
        raise DocumentTooLarge(f"{source} has {pages:,} pages, over the limit of {MAX_PAGES:,}: split it")
    return pdf


def _metadata(pdf: Any) -> tuple[dict[str, str], str]:
    info = {
        key: " ".join(clean(value).split()) for key, value in pdf.get_metadata_dict(skip_empty=True).items()
    }
    date = _DATE.match(info.get("CreationDate", ""))
    metadata = {
        "author": info.get("Author", ""),
        "created": "-".join(part for part in date.groups() if part) if date else "",
    }
    title = info.get("Title", "")
    named = any(character.isalpha() for character in title)  # else it is the number of some filing
    return {key: value for key, value in metadata.items() if value}, title if named else ""


def _read(pdf: Any, source: str) -> tuple[list[list[Line]], list[tuple[float, float]], set[int]]:
    """Return the lines of each page, its bottom and top, and the numbers of those that pdfium refuses."""
    from pypdfium2 import PdfiumError

    pages: list[list[Line]] = []
    sheets: list[tuple[float, float]] = []
    unread: set[int] = set()
    characters = 0
    deadline = time.monotonic() + MAX_SECONDS
    for index in range(len(pdf)):
        try:
            with closing(pdf[index]) as page, closing(page.get_textpage()) as text_page:
                lines, sheet = page_lines(page, text_page), bottom_and_top(page)
        except PdfiumError:
            lines, sheet = [], (0.0, 0.0)
            unread.add(index + 1)
        characters += sum(len(line.text) for line in lines)
        if characters > MAX_CHARACTERS:
            raise DocumentTooLarge(
                f"{source} has over {MAX_CHARACTERS:,} characters by page {index + 1}: split it"
            )
        if time.monotonic() > deadline:
            raise DocumentTooLarge(
                f"{source} took over {MAX_SECONDS:.0f} s to read {index + 1} of {len(pdf)} pages: split it",
            )
        pages.append(lines)
        sheets.append(sheet)
    return pages, sheets, unread


def _across_pages(parts: Sequence[Part]) -> list[Part]:
    """Let a paragraph that clearly goes on behind a page break go on."""
    joined = list(parts[:1])
    for last, part in pairwise(parts):
        goes_on = (
            part.page == last.page + 1
            and not (part.size or last.size)
            and part.text[0].islower()
            and len(last.text) > 80
            and last.text[-1] not in ".:;!?"
            and " | " not in last.text + part.text
        )
        joined.append(replace(part, continues=goes_on))
    return joined


def _assembled(parts: Sequence[Part], pages: int) -> tuple[str, tuple[Page, ...], list[Heading]]:
    """Join the parts, one block a line; a page begins where its first part does."""
    levels = _levels(parts)
    starts: dict[int, int] = {}
    pieces: list[str] = []
    headings: list[Heading] = []
    offset = 0
    for part in parts:
        if pieces:
            pieces.append(" " if part.continues else "\n")
            offset += 1
        starts.setdefault(part.page, offset)
        if part.size:
            headings.append(Heading(levels[part.size], part.text, offset))
        pieces.append(part.text)
        offset += len(part.text)
    return "".join(pieces), _page_spans(starts, pages, offset), headings


def _levels(parts: Sequence[Part]) -> dict[float, int]:
    """Number the sizes of headings from the largest; sizes within a twentieth are one."""
    levels: dict[float, int] = {}
    level, size = 0, float("inf")
    for part_size in sorted({part.size for part in parts if part.size}, reverse=True):
        if part_size < 0.95 * size:
            level, size = min(level + 1, 6), part_size
        levels[part_size] = level
    return levels


def _page_spans(starts: dict[int, int], pages: int, end: int) -> tuple[Page, ...]:
    bounds = [end] * (pages + 2)
    for number in range(pages, 0, -1):
        bounds[number] = starts.get(number, bounds[number + 1])
    bounds[1] = 0
    return tuple(Page(number, Span(bounds[number], bounds[number + 1])) for number in range(1, pages + 1))


def _empty_pages(pages: Sequence[Page], unread: set[int]) -> list[str]:
    empty = [page.number for page in pages if not len(page.span)]
    out = []
    for _, run in groupby(enumerate(empty), key=lambda pair: (pair[1] - pair[0], pair[1] in unread)):
        numbers = [number for _, number in run]
        name = f"page {numbers[0]}" if len(numbers) == 1 else f"pages {numbers[0]}-{numbers[-1]}"
        verb = "has" if len(numbers) == 1 else "have"
        out.append(f"{name} cannot be read" if numbers[0] in unread else f"{name} {verb} no text (scanned?)")
    return out


def _running(running: dict[Key, list[str]]) -> list[str]:
    totals: Counter[str] = Counter()
    for texts in running.values():
        name = "page numbers" if is_page_number(texts[0]) else f"running header or footer {texts[0]!r}"
        totals[name] += len(texts)
    return [f"{name} on {counted(number, 'page')}" for name, number in totals.items()]
