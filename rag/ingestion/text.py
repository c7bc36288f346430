"""Plain text: the file itself, its form feeds taken for the ends of pages."""

from __future__ import annotations

from hashlib import sha256

from rag.ingestion.blocks import name_of
from rag.ingestion.decode import decode
from rag.types import Document, Page, Span


def load_text(data: bytes, source: str) -> Document:
    """Read plain text verbatim, but for line ends and the byte order mark.

    Raises:
        UnreadableDocument: it is empty, or not text.
    """
    text = decode(data, source)
    return Document(
        id=sha256(data).hexdigest(),
        source=source,
        title=name_of(source),
        text=text,
        pages=_pages(text),
    )


def _pages(text: str) -> tuple[Page, ...]:
    if "\f" not in text:
        return ()
    pages: list[Page] = []
    start = 0
    while start < len(text):
        feed = text.find("\f", start)
        end = len(text) if feed < 0 else feed + 1
        pages.append(Page(len(pages) + 1, Span(start, end)))
        start = end
    return tuple(pages)
