"""Hits to write answers from."""

from __future__ import annotations

from rag.types import Chunk, Hit, Span


def hit_of(text: str, rank: int = 1, document: str = "", start: int = 100) -> Hit:
    """A hit whose chunk begins at `start` of its document, by default one of its own."""
    document = document or f"d{rank}"
    chunk = Chunk(document, Span(start, start + len(text)), text, page=3, section="Above")
    return Hit(rank, 1 / rank, chunk, f"{document}.txt", f"Paper {document}")


LAMPS = (
    "The keeper lights the lamp at dusk. The rope is kept dry. The keeper is paid 1,200 crowns a year.",
    "A ticket is valid for one day. The fog horn sounds in fog.",
    "The harbour was built in 1871. Ada Marwick built it.",
)


def lamps() -> list[Hit]:
    """Three hits of three documents."""
    return [hit_of(text, rank) for rank, text in enumerate(LAMPS, start=1)]
