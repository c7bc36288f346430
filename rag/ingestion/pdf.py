"""PDF to lines of text."""

from __future__ import annotations

from hashlib import sha256

from rag.errors import UnreadableDocument
from rag.ingestion.blocks import clean, name_of
from rag.types import Document, Page, Span


def load_pdf(data: bytes, source: str) -> Document:
    """Read a PDF."""
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise UnreadableDocument(f"{source}: {error}") from error
    parts = [clean(page.get_textpage().get_text_range().replace("\r\n", "\n")) + "\n" for page in pdf]
    pages, at = [], 0
    for number, part in enumerate(parts, 1):
        pages.append(Page(number, Span(at, at + len(part))))
        at += len(part)
    return Document(sha256(data).hexdigest(), source, name_of(source), "".join(parts), tuple(pages))
